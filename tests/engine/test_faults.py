"""Bad input and faults that an engine meets: each ends in one clear error, and others go on."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from agentflow import Engine, ExecutionCancelled, ExecutionFailed, NotFound
from agentflow.runtime.journal.protocol import Message
from tests.engine.commands import agentflow
from tests.engine.conftest import FUNCTIONS, PATIENCE, Ledger, Reopen, Spec, send, until

# --- what an execution was started with ------------------------------------------------------

GATE = """
  - {id: gate, listen: go}
  - {id: a, call: work.mark, with: {name: old, value: 1}}
  - {id: r, return: "${ a }"}
"""


def test_a_spec_that_changed_under_an_execution_does_not_concern_it(
    reopen: Reopen, spec: Spec, ledger: Ledger
) -> None:
    execution = reopen().start(spec(GATE), id="e")
    spec(GATE.replace("name: old, value: 1", "name: new, value: 2"))
    engine = reopen()
    again = engine.resume("e")
    send(engine, execution.id, "go")
    assert again.result(PATIENCE) == 1
    assert (
        engine.start(spec("  - {id: a, call: work.mark, with: {name: new, value: 2}}")).result()
        == 2
    )
    assert ledger() == ["old", "new"]


def test_a_child_that_changed_or_is_gone_is_run_as_it_was(
    reopen: Reopen, spec: Spec, project: Path
) -> None:
    spec('  - {id: d, call: work.double, with: {x: "${ input.x }"}}', name="child")
    parent = spec("""
  - {id: gate, listen: go}
  - {id: c, run: child, with: {x: 4}}
""")
    execution = reopen().start(parent, id="e")
    (project / "child.yaml").unlink()
    (project / "flow.yaml").write_text("nothing: of use")
    engine = reopen()
    again = engine.resume("e")
    send(engine, execution.id, "go")
    assert again.result(PATIENCE) == 8


def test_a_function_that_was_removed_fails_by_name_and_can_come_back(
    reopen: Reopen, spec: Spec, project: Path, ledger: Ledger
) -> None:
    execution = reopen().start(spec(GATE), id="e")
    rewrite(project, FUNCTIONS.replace("def mark(", "def other("))
    engine = reopen()
    again = engine.resume("e")
    send(engine, execution.id, "go")
    with pytest.raises(ExecutionFailed, match="module work has no function 'mark'") as caught:
        again.result(PATIENCE)
    assert caught.value.error["name"] == "FunctionNotFound"
    assert again.record().origin == "a"

    rewrite(project, FUNCTIONS)
    assert reopen().retry("e").result(PATIENCE) == 1
    assert ledger() == ["old"]


def rewrite(project: Path, text: str) -> None:
    """Change the functions as another process would find them."""
    (project / "work.py").write_text(text)
    shutil.rmtree(project / "__pycache__", ignore_errors=True)
    sys.modules.pop("work", None)


# --- messages --------------------------------------------------------------------------------


def test_a_signal_to_an_unknown_execution_is_refused(engine: Engine) -> None:
    with pytest.raises(NotFound, match="no execution 'nobody'"):
        engine.journal.post(Message("m", "go", None, None, 0.0, "nobody"))


def test_a_signal_to_an_ended_execution_changes_nothing(engine: Engine, spec: Spec) -> None:
    execution = engine.start(spec("  - {id: a, return: 5}"))
    assert execution.result() == 5
    before = execution.events()
    send(engine, execution.id, "go")
    assert engine.start(spec("  - {id: b, return: 6}", name="other")).result() == 6
    assert execution.events() == before
    assert execution.status == "succeeded"


@pytest.mark.slow
def test_the_command_line_refuses_signals_to_nobody(engine: Engine, spec: Spec) -> None:
    engine.start(spec("  - {id: a, return: 5}"), id="e").result()
    code, told, _ = agentflow("signal", "nobody", "go")
    assert (code, told["error"]["code"]) == (5, "AF005")
    code, told, _ = agentflow("signal", "e", "go")
    assert (code, told["error"]["message"]) == (5, "execution e has already succeeded")


APPROVAL = """
  - {id: gate, listen: go}
  - id: ok
    approve: {message: really?, form: {type: object, properties: {n: {type: integer}}, required: [n]}}
"""
WRONG: list[Any] = [None, {}, {"n": "1"}, {"n": 1.5}, [], "n", {"n": None}, {"m": 1}]


def test_answers_that_do_not_match_the_form_are_passed_over_early_and_late(
    reopen: Reopen, spec: Spec
) -> None:
    engine = reopen()
    execution = engine.start(spec(APPROVAL), id="e")
    for number, data in enumerate(WRONG):
        send(engine, execution.id, "ok", data, f"early-{number}")
    send(engine, execution.id, "go")
    until(lambda: [record.step for record in execution.events()] == [None, "gate"])
    for number, data in enumerate(WRONG):
        send(engine, execution.id, "ok", data, f"late-{number}")
    engine = reopen()
    again = engine.resume("e")
    send(engine, execution.id, "ok", {"n": 7}, "right")
    assert again.result(PATIENCE) == {"n": 7}
    taken = [r.data["message"] for r in again.events() if r.type == "message.received"]
    assert taken == ["e/go", "right"]


def test_the_same_signal_a_thousand_times_is_one(engine: Engine, spec: Spec) -> None:
    execution = engine.start(
        spec("""
  - {id: first, listen: go}
  - {id: second, listen: go}
  - {id: r, return: ["${ first }", "${ second }"]}
""")
    )
    assert [send(engine, execution.id, "go", n, "one") for n in range(1000)].count(True) == 1
    until(lambda: any(record.step == "first" for record in execution.events()))
    assert send(engine, execution.id, "go", "next", "two")
    assert execution.result(PATIENCE) == [0, "next"]


# --- time ------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["1970-01-01T00:00:00Z", "2001-01-01T00:00:00+14:00", "0s", 0])
def test_a_timer_in_the_past_is_over_at_once(engine: Engine, spec: Spec, when: Any) -> None:
    execution = engine.start(spec('  - {id: w, wait: "${ input }"}\n  - {id: r, return: 1}'), when)
    assert execution.result(PATIENCE) == 1
    assert "timer.fired" not in [record.type for record in execution.events()]


@pytest.mark.parametrize("when", ["3650d", "2999-12-31T23:59:59Z", 315_360_000])
def test_a_timer_in_ten_years_waits_and_can_be_cancelled(
    reopen: Reopen, spec: Spec, when: Any
) -> None:
    reopen().start(spec('  - {id: w, wait: "${ input }"}'), when, id="e")
    engine = reopen()
    again = engine.resume("e")
    assert engine.start(spec("  - {id: w, wait: 0.01s}", name="soon")).result(PATIENCE) is None
    assert again.status == "waiting"
    again.cancel()
    with pytest.raises(ExecutionCancelled):
        again.result(PATIENCE)


TIMERS = """
  - id: m
    map: ${ range(10000) }
    concurrency: 10000
    do:
      - {id: w, wait: "${ input }"}
      - {id: r, return: "${ item }"}
  - {id: r, return: "${ sum(m) }"}
"""


@pytest.mark.slow
def test_ten_thousand_timers_of_one_moment_all_fire_and_none_early(
    engine: Engine, spec: Spec
) -> None:
    loaded, fired = spec(TIMERS), []
    for ahead in (4, 20, 100):  # until the machine is fast enough to have them all wait for it
        moment = int(time.time()) + ahead
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
        execution = engine.start(loaded, when)
        assert execution.result(ahead + PATIENCE) == sum(range(10_000))
        fired = [record.at for record in execution.events() if record.type == "timer.fired"]
        assert min(fired, default=moment) >= moment
        if len(fired) == 10_000:
            break
    assert len(fired) == 10_000


# --- the same instant ------------------------------------------------------------------------

START = """
import sys
from agentflow import Conflict, Engine
from agentflow.spec.load import load

with Engine(executor="inline") as engine:
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        print(engine.start(load("flow.yaml"), sys.argv[1], id="one").result(60))
    except Conflict as error:
        print(error.message)
"""


def started_together(*inputs: str) -> list[str]:
    """What processes say that start the execution `one` at the same instant."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", START, input],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for input in inputs
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    return [process.communicate(timeout=PATIENCE)[0].strip() for process in processes]


@pytest.mark.slow
def test_two_starts_with_one_id_at_the_same_instant_are_one_execution(
    project: Path, spec: Spec, ledger: Ledger
) -> None:
    spec('  - {id: a, call: work.mark, with: {name: once, value: "${ input }"}}')
    assert started_together("x", "x", "x") == ["x", "x", "x"]
    assert ledger() == ["once"]


@pytest.mark.slow
def test_two_starts_with_one_id_and_different_inputs_are_one_execution_and_a_conflict(
    project: Path, spec: Spec, ledger: Ledger
) -> None:
    spec('  - {id: a, call: work.mark, with: {name: once, value: "${ input }"}}')
    said = sorted(started_together("x", "y"))
    assert said[1] in {"x", "y"}
    assert "is taken by an execution of workflow flow with another input" in said[0]
    assert ledger() == ["once"]
