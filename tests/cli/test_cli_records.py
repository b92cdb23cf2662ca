"""Looking back: `executions`, `show`, `history`, `logs`."""

from __future__ import annotations

import json

import pytest

from .conftest import masked

SHOWN = """\
reviews 1.2.0 · r1 · failed
started  DAY
ended    DAY (took TOOK)
input    {"n": 20, "bad": [17]}

   STEP       STATE        TRIES  TOOK
✓  load       succeeded    1      TOOK
✗  summarise  failed              TOOK  19/20 · 1 failed · 2 retries
·  publish    not started

error[AF008]: step `summarise[17]` failed: RateLimitError: 429 Too Many Requests
  --> specs/reviews.yaml:13:9  (calls functions.reviews.summarise)
"""


@pytest.fixture
def failed(agentflow):
    agentflow("run", "specs/reviews.yaml", "--input", '{"n": 20, "bad": [17]}', "--id", "r1")
    return agentflow


def test_show_tells_steps_and_cause(failed):
    done = failed("show", "r1")
    assert (done.code, done.err) == (0, "")
    assert masked(done.out).startswith(SHOWN)
    assert masked(done.out).endswith(
        "Failed in TOOK · r1\n"
        "  agentflow retry r1     run again what did not succeed, then go on\n"
        "  agentflow show r1      its steps, input and error\n"
        "  agentflow history r1   every event\n"
    )


@pytest.mark.parametrize("reference", ["r1", "r", "@last", "@last-failed"])
def test_an_execution_is_found_by_what_is_short(failed, reference):
    assert failed("show", reference, "--json").json["id"] == "r1"


def test_show_of_a_success_ends_with_its_output(agentflow):
    agentflow("run", "specs/reviews.yaml", "--input", '{"n": 2}', "--id", "r2")
    assert masked(agentflow("show", "r2").out).endswith(
        '\n\noutput   {"total": 48}\n\nSucceeded in TOOK · r2\n'
    )


def test_commands_from_outside_the_project_go_there_first(failed, project, monkeypatch):
    elsewhere = project.parent / "else where"
    elsewhere.mkdir()
    (elsewhere / "agentflow.toml").touch()
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{project}/.agentflow/journal.db")
    monkeypatch.chdir(elsewhere)
    assert f"  cd {project} && agentflow retry r1 " in failed("show", "r1").out


def test_history_lists_the_events_in_order(failed):
    told = failed("history", "r1", "--json").json
    assert told["id"] == "r1"
    events = told["events"]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[0]["type"] == "execution.started"
    assert events[0]["input"] == {"n": 20, "bad": [17]}
    assert events[-1]["type"] == "execution.ended"
    assert events[-1]["origin"] == "summarise[17]"
    retries = [event for event in events if event["step"] == "summarise[17]"]
    assert [event["attempt"] for event in retries] == [2, 3]
    assert {"seq", "type", "step", "attempt", "at"} <= events[3].keys()
    lines = failed("history", "r1").out.splitlines()
    assert lines[0].split() == ["SEQ", "AT", "EVENT", "STEP", "TRY"]
    assert len(lines) == len(events) + 1


def test_history_marks_what_a_retry_set_aside(failed):
    failed("retry", "r1")
    events = failed("history", "r1", "--json").json["events"]
    aside = [event["type"] for event in events if event.get("superseded")]
    assert aside == ["execution.ended"]
    assert "(set aside by a retry)" in failed("history", "r1").out


def test_executions_are_listed_newest_first_and_filtered(failed):
    failed("run", "specs/reviews.yaml", "--input", '{"n": 1}', "--id", "r2")
    failed("run", "specs/faulty.yaml", "--id", "f1")
    lines = failed("executions").out.splitlines()
    assert [line.split()[0] for line in lines] == ["ID", "f1", "r2", "r1"]
    for options, expected in [
        (("--status", "failed"), ["f1", "r1"]),
        (("--workflow", "reviews"), ["r2", "r1"]),
        (("--status", "failed", "--workflow", "reviews"), ["r1"]),
        (("--limit", "1"), ["f1"]),
        (("--status", "waiting"), []),
    ]:
        told = failed("executions", *options, "--json").json
        assert [record["id"] for record in told["executions"]] == expected
    (record,) = failed("executions", "--workflow", "faulty", "--json").json["executions"]
    assert record["error"]["name"] == "IndexOutOfRange"
    assert "output" not in record


def test_an_empty_list_says_what_to_do(agentflow):
    done = agentflow("executions")
    assert (done.code, done.out) == (0, "")
    assert "`agentflow run SPEC` starts one" in done.err


def test_logs_show_what_functions_printed(failed):
    told = failed("logs", "r1", "--json").json
    (line,) = told["lines"]
    assert (line["step"], line["line"]) == ("load", "loading 20 reviews")
    assert failed("logs", "r1").out == f"{line['at']} load │ loading 20 reviews\n"
    assert failed("logs", "r1", "load").out
    silent = failed("logs", "r1", "summarise")
    assert (silent.out, silent.err) == ("", "Nothing was printed.\n")
    assert failed("logs", "r1", "summarise", "--json").json == {"id": "r1", "lines": []}


def test_a_graph_is_drawn_of_a_file_an_execution_and_a_name(failed, project):
    drawn = failed("graph", "specs/reviews.yaml")
    assert drawn.code == 0
    assert drawn.out.startswith(("flowchart", "graph"))
    (project / "specs/reviews.yaml").unlink()
    assert failed("graph", "r1").out == drawn.out
    assert failed("graph", "reviews").out == drawn.out
    assert json.loads(failed("graph", "r1", "--json").out)["mermaid"].strip() == drawn.out.strip()
