"""Starting anew from a step, and results that came too late."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from agentflow import Engine, load
from agentflow.runtime.executors.inline import InlineExecutor
from agentflow.runtime.executors.protocol import Report, Reporter

from .conftest import masked


@pytest.fixture
def report(agentflow):
    assert agentflow("run", "specs/report.yaml", "--input", '{"n": 3}', "--id", "r1").code == 0
    return agentflow


def test_a_fork_runs_the_step_and_what_follows_it(report):
    done = report("fork", "r1", "--at", "summarise", "--json")
    assert done.code == 0
    fork = done.json
    assert fork["id"] != "r1"
    assert (fork["status"], fork["output"]) == ("succeeded", {"count": 3, "summary": 24})
    # What functions print tells which of them ran: `load` did not again.
    assert report("logs", fork["id"], "--json").json["lines"] == []
    types = [event["type"] for event in report("history", fork["id"], "--json").json["events"]]
    assert types == [
        "execution.started",
        "call.completed",
        "execution.forked",
        "execution.resumed",
        "call.completed",
        "execution.ended",
    ]


def test_a_fork_says_what_it_does_and_prints_its_output(report):
    done = report("fork", "@last", "--at", "summarise")
    assert done.out == '{"count": 3, "summary": 24}\n'
    assert "report 1.0.0  execution ID · inline\n" in masked(done.err)
    assert "summarise succeeded" in done.err
    assert "load" not in done.err
    (fork,) = re.findall(r"execution (\w+) ", done.err)
    assert "fork of  r1 at summarise\n" in report("show", fork).out
    assert "fork of" not in report("show", "r1").out


def test_a_fork_takes_another_input(report):
    done = report("fork", "r1", "--at", "load", "--input", '{"n": 5}', "--json")
    assert done.json["output"]["count"] == 5
    assert report("show", "r1", "--json").json["output"]["count"] == 3


def test_a_fork_takes_a_changed_workflow(report, project):
    changed = (project / "specs/report.yaml").read_text().replace("load[0]", "load[1]")
    (project / "specs/changed.yaml").write_text(changed)
    done = report("fork", "r1", "--at", "summarise", "--spec", "specs/changed.yaml", "--json")
    assert done.json["status"] == "succeeded"
    stored = report("fork", "r1", "--at", "summarise", "--spec", "report", "--json")
    assert stored.json["output"] == {"count": 3, "summary": 24}


def test_a_fork_that_fails_is_reported_as_any_execution(report):
    done = report("fork", "r1", "--at", "summarise", "--input", '{"bad": [0]}')
    assert (done.code, done.out) == (1, "")
    assert "step `summarise` failed: RateLimitError: 429 Too Many Requests" in done.err
    assert "1 result is in the journal and will not run again" in done.err
    assert "agentflow retry" in done.err


REFUSALS = {
    "no step": ([], 2, "--at"),
    "no such step": (["--at", "zzz"], 5, "`zzz` did not begin"),
    "an input that is no JSON": (["--at", "load", "--input", "{"], 3, "--input is not JSON"),
    "an input that does not match": (["--at", "load", "--input", "[]"], 3, "is not of type"),
    "no such file": (["--at", "load", "--spec", "specs/no.yaml"], 3, "no such file"),
    "no such workflow": (["--at", "load", "--spec", "nope"], 5, "no file `nope`"),
    "a workflow that differs before the step": (
        ["--at", "summarise", "--spec", "specs/changed.yaml"],
        5,
        "differs before `summarise`, at `load`",
    ),
}


@pytest.mark.parametrize(("options", "code", "message"), REFUSALS.values(), ids=REFUSALS.keys())
def test_a_fork_that_cannot_be_is_one_clear_error(report, project, options, code, message):
    changed = (project / "specs/report.yaml").read_text().replace("get('n', 3)", "get('n', 3) + 1")
    (project / "specs/changed.yaml").write_text(changed)
    told = report("fork", "r1", *options, "--json")
    assert told.code == code
    assert message in told.json["error"]["message"]
    assert len(report("executions", "--json").json["executions"]) == 1


# --- refused results -------------------------------------------------------------------------


class Stutterer(InlineExecutor):
    """Tells everything twice."""

    async def start(self, report: Reporter) -> None:
        def twice(reports: Sequence[Report]) -> None:
            report([*reports, *reports])

        await super().start(twice)


@pytest.fixture
def stuttered(agentflow, project):
    with Engine(executor=Stutterer(), root=project) as engine:
        engine.start(load("specs/report.yaml"), {}, id="s1").result(60)
    return agentflow


def test_history_lists_refused_results_and_counts_them(stuttered):
    done = stuttered("history", "s1")
    (line,) = [line for line in done.out.splitlines() if "result.refused" in line]
    assert "load" in line
    assert '{"refused": "call.completed"}' in line
    assert done.err == "Refused: 1 result that came twice, or from an attempt given up before.\n"
    events = stuttered("history", "s1", "--json").json["events"]
    (event,) = [event for event in events if event["type"] == "result.refused"]
    assert (event["step"], event["attempt"], event["refused"]) == ("load", 1, "call.completed")


def test_show_counts_refused_results(stuttered):
    line = "\nrefused  1 result that came twice, or from an attempt given up before\n"
    assert line in stuttered("show", "s1").out
    stuttered("run", "specs/report.yaml", "--id", "r1")
    assert "refused" not in stuttered("show", "r1").out
