"""Bad input and faults that an engine meets: each ends in one clear error, and others go on."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from agentflow import Engine, Execution, ExecutionCancelled, ExecutionFailed, NotFound, Unavailable
from agentflow.runtime.journal import schema
from agentflow.runtime.journal.errors import Corrupt
from agentflow.runtime.journal.protocol import Message
from tests.engine.conftest import FUNCTIONS
from tests.engine.test_engine import Ledger, Spec

PATIENCE = 60
"""Seconds until a test is sure that something will never happen."""

Reopen = Callable[[], Engine]


@pytest.fixture
def reopen(project: Path) -> Iterator[Reopen]:
    """Gives an engine on the project's store, and closes the one that it gave before."""
    engines: list[Engine] = []

    def another() -> Engine:
        for engine in engines:
            engine.close()
        engines.append(Engine(executor="inline", root=project))
        return engines[-1]

    yield another
    for engine in engines:
        engine.close()


def until(holds: Callable[[], bool]) -> None:
    """Wait for something that no event tells."""
    limit, pause = time.monotonic() + PATIENCE, threading.Event()
    while not holds():
        assert time.monotonic() < limit
        pause.wait(0.01)


def send(engine: Engine, execution: Execution, name: str, data: Any = None, id: str = "") -> bool:
    message = Message(id or f"{execution.id}/{name}", name, None, data, 0.0, execution.id)
    return engine.journal.post(message)


def agentflow(*arguments: str) -> tuple[int, dict[str, Any], str]:
    """A command of another process: its exit code, its one JSON object, what it said."""
    return shell(sys.executable, "-m", "agentflow", *arguments, "--json")


def shell(*command: str) -> tuple[int, dict[str, Any], str]:
    environment = {**os.environ, "AGENTFLOW_EXECUTOR": "inline"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, orjson.loads(done.stdout), done.stderr


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
    send(engine, execution, "go")
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
    send(engine, execution, "go")
    assert again.result(PATIENCE) == 8


def test_a_function_that_was_removed_fails_by_name_and_can_come_back(
    reopen: Reopen, spec: Spec, project: Path, ledger: Ledger
) -> None:
    execution = reopen().start(spec(GATE), id="e")
    rewrite(project, FUNCTIONS.replace("def mark(", "def other("))
    engine = reopen()
    again = engine.resume("e")
    send(engine, execution, "go")
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
    send(engine, execution, "go")
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
        send(engine, execution, "ok", data, f"early-{number}")
    send(engine, execution, "go")
    until(lambda: [record.step for record in execution.events()] == [None, "gate"])
    for number, data in enumerate(WRONG):
        send(engine, execution, "ok", data, f"late-{number}")
    engine = reopen()
    again = engine.resume("e")
    send(engine, execution, "ok", {"n": 7}, "right")
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
    assert [send(engine, execution, "go", n, "one") for n in range(1000)].count(True) == 1
    until(lambda: any(record.step == "first" for record in execution.events()))
    assert send(engine, execution, "go", "next", "two")
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


@pytest.mark.slow
def test_ten_thousand_timers_of_one_moment_all_fire_and_none_early(
    engine: Engine, spec: Spec
) -> None:
    moment = time.time() + 4
    execution = engine.start(
        spec("""
  - id: m
    map: ${ range(10000) }
    concurrency: 10000
    do:
      - {id: w, wait: "${ input }"}
      - {id: r, return: "${ item }"}
  - {id: r, return: "${ sum(m) }"}
"""),
        time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment)),
    )
    assert execution.result(PATIENCE) == sum(range(10_000))
    fired = [record.at for record in execution.events() if record.type == "timer.fired"]
    assert len(fired) == 10_000
    assert min(fired) >= int(moment)


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


# --- the store -------------------------------------------------------------------------------


def tamper(project: Path, *statements: str) -> None:
    """Change the journal behind its back."""
    file = sqlite3.connect(project / ".agentflow" / "journal.db")
    with file:
        for statement in statements:
            file.execute(statement)
    file.close()


@pytest.fixture
def damaged(reopen: Reopen, spec: Spec, project: Path) -> Reopen:
    """A store with two executions that wait, `bad` with a changed event."""
    engine = reopen()
    for name in ("bad", "good"):
        execution = engine.start(spec(GATE), id=name)
        send(engine, execution, "early", name)
    engine.close()
    tamper(project, "UPDATE events SET at = at - 1 WHERE execution_id = 'bad'")
    return reopen


def test_an_execution_with_a_corrupt_event_is_refused_and_others_go_on(damaged: Reopen) -> None:
    engine = damaged()
    with pytest.raises(Corrupt, match="execution bad"):
        engine.resume("bad")
    again = engine.resume("good")
    send(engine, again, "go")
    assert again.result(PATIENCE) == 1
    with pytest.raises(Corrupt, match="execution bad"):
        engine.execution("bad").events()
    assert engine.execution("bad").record().owner is None


@pytest.mark.parametrize("verb", ["resume", "history", "cancel"])
@pytest.mark.slow
def test_a_corrupt_event_is_one_clear_error_on_the_command_line(damaged: Reopen, verb: str) -> None:
    code, told, said = agentflow(verb, "bad")
    assert (code, told["error"]["code"]) == (7, "AF012")
    assert said.count("error[") == 1
    assert "backup" in told["error"]["help"]


@pytest.mark.slow
def test_an_engine_that_adopts_leaves_what_is_corrupt_and_takes_the_rest(
    damaged: Reopen, project: Path
) -> None:
    with Engine(executor="inline", root=project, adopt=True) as engine:
        good = engine.execution("good")
        send(engine, good, "go")
        assert good.result(PATIENCE) == 1
        assert engine.execution("bad").status not in {"succeeded", "failed"}


@pytest.mark.slow
def test_a_journal_of_a_newer_version_is_refused_and_left_alone(
    reopen: Reopen, spec: Spec, project: Path
) -> None:
    reopen().start(spec("  - {id: a, return: 5}"), id="e").result()
    engine = reopen()
    engine.close()
    file = project / ".agentflow" / "journal.db"
    tamper(
        project,
        f"UPDATE {schema.VERSION_TABLE} SET version_num = '9999'",
        "UPDATE agentflow_store SET compatible_from = '9000'",
    )
    before = file.read_bytes()
    with pytest.raises(Unavailable, match="newer"):
        Engine(executor="inline", root=project)
    for arguments in (["run", "flow.yaml"], ["show", "e"], ["executions"]):
        code, told, said = agentflow(*arguments)
        assert (code, told["error"]["code"]) == (7, "AF007")
        assert said.count("error[") == 1
    assert file.read_bytes() == before


READ_ONLY = 'mount --bind . . && mount -o remount,bind,ro . && cd "$PWD" && exec "$@"'
"""Runs a command with its folder on a read-only file system, which stops root, too."""

MAY_MOUNT = (
    shutil.which("unshare") is not None
    and subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode
    == 0
)


@pytest.mark.slow
@pytest.mark.skipif(not MAY_MOUNT, reason="allowed: only who may mount can make a folder read-only")
@pytest.mark.parametrize("existing", [False, True], ids=["no store yet", "a store"])
def test_a_read_only_folder_is_one_clear_error(
    reopen: Reopen, spec: Spec, project: Path, *, existing: bool
) -> None:
    loaded = spec("  - {id: a, return: 5}")
    if existing:
        engine = reopen()
        engine.start(loaded, id="e").result()
        engine.close()
    command = ["unshare", "--mount", "sh", "-c", READ_ONLY, "sh", sys.executable, "-m", "agentflow"]
    code, told, said = shell(*command, "run", "flow.yaml", "--json")
    assert (code, told["error"]["code"]) == (7, "AF007")
    assert "Read-only file system" in told["error"]["message"]
    assert said.count("error[") == 1
    assert "DATABASE_URL" in told["error"]["help"]
