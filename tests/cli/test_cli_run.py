"""`run`, `retry`, `resume`, `cancel`: what they print where, and what is left behind."""

from __future__ import annotations

import json
import signal
import subprocess

import pytest

from .conftest import PATIENCE, command, masked, wait_for

KEYS = ["id", "workflow", "version", "status", "output", "error", "started_at", "ended_at"]


def test_the_output_goes_to_stdout_and_the_progress_to_stderr(agentflow):
    done = agentflow("run", "specs/reviews.yaml", "--input", '{"n": 3}')
    assert (done.code, done.out) == (0, '{"total": 72}\n')
    assert masked(done.err) == (
        "reviews 1.2.0  execution ID · inline\n"
        "load │ loading 3 reviews\n"
        "TIME load      succeeded TOOK\n"
        "TIME summarise succeeded TOOK, 3 items\n"
        "\n"
        "Succeeded in TOOK · ID\n"
    )


def test_json_prints_the_record_and_nothing_else(agentflow):
    done = agentflow("run", "specs/reviews.yaml", "--input", '{"n": 3}', "--id", "r1", "--json")
    record = done.json
    assert list(record) == KEYS
    assert record["id"] == "r1"
    assert record["workflow"] == "reviews"
    assert record["version"] == "1.2.0"
    assert record["status"] == "succeeded"
    assert record["output"] == {"total": 72}
    assert record["error"] is None
    assert record["started_at"] <= record["ended_at"]
    assert record["ended_at"].endswith("Z")
    assert agentflow("show", "r1", "--json").json == record


FAILURE = """\
reviews 1.2.0  execution ID · inline
load │ loading 40 reviews
TIME load      succeeded TOOK
TIME summarise[17] retry 2/3 in TOOK: RateLimitError: 429 Too Many Requests
TIME summarise[17] retry 3/3 in TOOK: RateLimitError: 429 Too Many Requests
TIME summarise failed TOOK, 39/40, 1 failed, 2 retries

error[AF008]: step `summarise[17]` failed: RateLimitError: 429 Too Many Requests
  --> specs/reviews.yaml:13:9  (calls functions.reviews.summarise)
   |
   |  functions/reviews.py:26  in summarise
   |      return ask_service(item, bad)
   |  functions/reviews.py:21  in ask_service
   |      raise RateLimitError("429 Too Many Requests")
   |
   = attempt 1 TIME, attempt 2 TIME, attempt 3 TIME (interval TOOK, max 3)
   = input   {"item": {"id": 17, "text": "Review 17: arrived broken"}, "bad": [17]}
   = kept    42 results are in the journal and will not run again

Failed in TOOK · ID
  agentflow retry ID     run again what did not succeed, then go on
  agentflow show ID      its steps, input and error
  agentflow history ID   every event
"""


def test_a_failing_step_shows_the_cause_first(agentflow):
    done = agentflow("run", "specs/reviews.yaml", "--input", '{"bad": [17]}')
    assert (done.code, done.out) == (1, "")
    assert masked(done.err) == FAILURE


def test_json_prints_the_record_of_a_failure_too(agentflow):
    done = agentflow("run", "specs/reviews.yaml", "--input", '{"bad": [17]}', "--json", "--quiet")
    assert done.code == 1
    assert done.json["status"] == "failed"
    assert done.json["error"]["name"] == "RateLimitError"
    assert done.err.startswith("\nerror[AF008]: step `summarise[17]` failed")


def test_a_failure_of_the_workflow_itself_shows_its_line_and_offers_no_retry(agentflow):
    done = agentflow("run", "specs/faulty.yaml")
    assert done.code == 1
    shown = masked(done.err).split("\n\n", 1)[1]
    assert shown.startswith("error[AF008]: step `pick` failed: IndexOutOfRange: `xs[9]`")
    assert "  --> specs/faulty.yaml:5:9\n   |\n   |    - id: pick\n   |          ^\n" in shown
    assert "agentflow show ID" in shown
    assert "retry" not in shown
    assert "kept" not in shown


def test_every_problem_of_the_input_is_listed_before_anything_starts(agentflow):
    done = agentflow("run", "specs/reviews.yaml", "--input", '{"n": -1, "bad": ["x"], "m": 1}')
    assert done.code == 3
    for problem in ("$.n: -1 is less than", "$.bad[0]: 'x' is not of type", "'m' was unexpected"):
        assert problem in done.err
    assert agentflow("executions", "--json").json == {"executions": []}


@pytest.mark.slow
def test_a_retry_after_mending_the_function_runs_only_what_failed(agentflow, process, project):
    agentflow("run", "specs/reviews.yaml", "--input", '{"bad": [17]}', "--id", "r1")
    functions = project / "functions/reviews.py"
    functions.write_text(functions.read_text().replace('item["id"] in bad', "False"))
    done = process("retry", "r1")
    assert (done.code, done.out) == (0, '{"total": 990}\n')
    assert "loading" not in done.err
    completed = [
        event["step"]
        for event in agentflow("history", "r1", "--json").json["events"]
        if event["type"] == "call.completed" and event["step"].startswith("summarise[")
    ]
    assert completed == ["summarise[17]"]


def test_attempts_of_a_retry_are_counted_on(agentflow):
    agentflow("run", "specs/reviews.yaml", "--input", '{"bad": [17]}', "--id", "r1")
    done = agentflow("retry", "r1")
    assert done.code == 1
    assert "summarise[17] retry 5 in" in done.err
    assert "attempt 3 " in done.err
    assert "attempt 6 " in done.err


def test_the_same_id_and_input_give_the_same_execution(agentflow):
    arguments = ("run", "specs/reviews.yaml", "--input", '{"n": 2}', "--id", "once", "--json")
    assert agentflow(*arguments).json == agentflow(*arguments).json


@pytest.mark.parametrize("id", ["../x", "@last", "", "a b", "x" * 129, "-x"])
def test_an_id_that_could_mean_something_else_is_refused(agentflow, id):
    done = agentflow("run", "specs/reviews.yaml", f"--id={id}")
    assert done.code == 2
    assert "cannot be an execution's id" in done.err


def test_a_stored_workflow_runs_by_its_name(agentflow, project):
    agentflow("run", "specs/reviews.yaml", "--input", '{"n": 1}')
    (project / "specs/reviews.yaml").unlink()
    assert agentflow("run", "reviews", "--input", '{"n": 2}').out == '{"total": 48}\n'


def test_quiet_leaves_only_the_result(agentflow):
    done = agentflow("run", "specs/reviews.yaml", "--input", '{"n": 1}', "--quiet")
    assert (done.out, done.err) == ('{"total": 24}\n', "")


def test_verbose_tells_when_steps_begin(agentflow):
    done = agentflow("run", "specs/reviews.yaml", "--input", '{"n": 1}', "-v")
    assert "load      started" in done.err


@pytest.mark.slow
def test_standard_input_is_read_and_a_closed_reader_is_quiet(process, project):
    done = process("run", "specs/reviews.yaml", "--input", "-", stdin='{"n": 2}')
    assert done.out == '{"total": 48}\n'
    piped = subprocess.run(
        ["sh", "-c", f"{' '.join(command('executions'))} | true"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert piped.stderr == ""


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_done_and_resume_goes_on(agentflow, process, project):
    given = json.dumps({"gate": str(project / "gate")})
    arguments = ("run", "specs/gate.yaml", "--input", given, "--id", "g1", "--json")
    running = subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for(project / "gate.reached")
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=PATIENCE)
    assert running.returncode == 130
    assert json.loads(out)["status"] == "running"
    assert masked(err).endswith(
        "\nInterrupted: no process runs it · g1\n"
        "1 result is in the journal and will not run again\n"
        "  agentflow resume g1   go on where it stopped\n"
    )
    assert "Traceback" not in err
    assert "Interrupted: no process runs it · g1" in agentflow("show", "g1").out
    (project / "gate").touch()
    done = process("resume", "g1")
    assert (done.code, done.out) == (0, '"through"\n')
    assert "loading" not in done.err


@pytest.mark.slow
def test_an_execution_whose_process_was_killed_is_told_as_such(agentflow, project):
    given = json.dumps({"gate": str(project / "gate")})
    running = subprocess.Popen(
        command("run", "specs/gate.yaml", "--input", given, "--id", "g1", "--quiet")
    )
    wait_for(project / "gate.reached")
    busy = agentflow("resume", "g1")
    assert (busy.code, busy.out) == (5, "")
    running.kill()
    running.wait()
    shown = agentflow("show", "g1").out
    assert f"process {running.pid} on" in shown
    assert "is gone · g1\n  agentflow resume g1" in shown
    (project / "gate").touch()
    assert agentflow("resume", "g1").out == '"through"\n'


@pytest.mark.slow
def test_a_detached_execution_goes_on_and_can_be_cancelled(agentflow, project):
    gate = project / "gate"
    given = json.dumps({"gate": str(gate)})
    begun = agentflow("run", "specs/gate.yaml", "--input", given, "--id", "d1", "--detach")
    assert (begun.code, begun.out) == (0, "d1\n")
    wait_for(project / "gate.reached")
    done = agentflow("cancel", "d1", "--reason", "enough", "--json")
    assert (done.code, done.json["status"]) == (0, "cancelled")
    assert (project / "gate.undone").exists(), "`finally` ran"
    again = agentflow("cancel", "d1")
    assert (again.code, "has already been cancelled" in again.err) == (5, True)
    gate.touch()
    assert agentflow("retry", "d1").out == '"through"\n'
    log = (project / ".agentflow/logs/d1.out").read_text()
    assert "before" in log


def test_a_run_that_the_store_stops_says_how_to_go_on(agentflow, project):
    (project / "functions" / "spoil.py").write_text(
        "import shutil\n\n"
        "def spoil():\n"
        "    shutil.rmtree('.agentflow/blobs', ignore_errors=True)\n"
        "    open('.agentflow/blobs', 'w').close()\n"
        "    return 'x' * 200_000\n"
    )
    spec = project / "specs" / "spoil.yaml"
    spec.write_text("workflow: spoil\ndo:\n  - {id: a, call: functions.spoil.spoil}\n")
    stopped = agentflow("run", spec, "--id", "g9", "--json")
    assert stopped.code == 7
    assert stopped.json["error"]["help"].endswith("; then go on with `agentflow resume g9`")
    (project / ".agentflow" / "blobs").unlink()
    assert "Interrupted: no process runs it" in agentflow("show", "g9").out
