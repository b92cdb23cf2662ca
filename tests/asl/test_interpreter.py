from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from agentflow.adapters.aws.asl import simulate as package
from agentflow.adapters.aws.asl.read import read
from agentflow.adapters.aws.asl.simulate.execution import Identity
from agentflow.adapters.aws.asl.simulate.machine import Interpreter
from agentflow.adapters.aws.asl.simulate.protocol import (
    Cancel,
    Completed,
    Effect,
    Event,
    Failed,
    Fired,
    Invoke,
    StartTimer,
    Stopped,
)

LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:"


def task(name: str, **fields: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": LAMBDA + name, "End": True, **fields}


def single(state: dict[str, Any]) -> dict[str, Any]:
    return {"StartAt": "S", "States": {"S": state}}


BUSY = single(
    {
        "Type": "Parallel",
        "Branches": [
            {"StartAt": "A", "States": {"A": task("a", TimeoutSeconds=5)}},
            {
                "StartAt": "B",
                "States": {
                    "B": task("b", Retry=[{"ErrorEquals": ["X"], "JitterStrategy": "FULL"}])
                },
            },
        ],
        "ResultSelector": {"id.$": "States.UUID()", "both.$": "$"},
        "End": True,
    }
)


def interpreter(definition: dict[str, Any] = BUSY) -> Interpreter:
    return Interpreter(read(definition), {"n": 1}, Identity("e", "m"))


def invocations(effects: list[Effect]) -> dict[str, str]:
    return {effect.state: effect.key for effect in effects if isinstance(effect, Invoke)}


def story() -> tuple[Interpreter, list[Event], list[list[Effect]]]:
    """An execution with a retry, as events and what each of them caused."""
    machine = interpreter()
    effects = [machine.start(0)]
    keys = invocations(effects[0])
    events: list[Event] = [Failed(1, keys["B"], "X", "no")]
    effects.append(machine.advance(events[-1]))
    [timer] = [effect for effect in effects[-1] if isinstance(effect, StartTimer)]
    events.append(Completed(1.5, keys["A"], "a"))
    effects.append(machine.advance(events[-1]))
    events.append(Fired(timer.at, timer.key))
    effects.append(machine.advance(events[-1]))
    events.append(Completed(3, invocations(effects[-1])["B"], "b"))
    effects.append(machine.advance(events[-1]))
    return machine, events, effects


def test_work_is_asked_for_and_its_results_come_back_as_events() -> None:
    machine, _, effects = story()

    assert [type(effect) for effect in effects[0]] == [StartTimer, Invoke, StartTimer, Invoke]
    assert machine.outcome.output["both"] == ["a", "b"]


def test_the_same_events_have_the_same_effects_and_history() -> None:
    first, events, effects = story()
    second = interpreter()

    again = [second.start(0), *(second.advance(event) for event in events)]

    assert again == effects
    assert second.outcome == first.outcome


def test_a_failed_branch_cancels_what_the_others_asked_for() -> None:
    machine = interpreter()
    keys = invocations(machine.start(0))

    effects = machine.advance(Failed(1, keys["B"], "Y", "no"))

    cancelled = {effect.key for effect in effects if isinstance(effect, Cancel)}
    deadline = "arn:aws:states:us-east-1:123456789012:execution:m:e@deadline"
    assert cancelled == {keys["A"], keys["A"] + "@timeout", deadline}
    assert (machine.outcome.status, machine.outcome.error) == ("FAILED", "Y")


def test_a_late_event_changes_nothing() -> None:
    machine = interpreter()
    keys = invocations(machine.start(0))
    machine.advance(Fired(5, keys["A"] + "@timeout"))
    ended = machine.outcome

    assert machine.advance(Completed(6, keys["A"], "late")) == []
    assert machine.outcome == ended
    assert ended.error == "States.Timeout"


def test_an_execution_can_be_stopped_from_outside() -> None:
    machine = interpreter()
    keys = invocations(machine.start(0))

    effects = machine.advance(Stopped(2, "Stopped", "by hand"))

    assert {effect.key for effect in effects} >= set(keys.values())
    assert (machine.outcome.status, machine.outcome.cause) == ("ABORTED", "by hand")


@pytest.mark.parametrize(
    "module",
    [
        "batches",
        "execution",
        "machine",
        "maps",
        "protocol",
        "settings",
        "states",
        "strands",
        "tasks",
    ],
)
def test_the_interpreter_imports_no_clock_and_no_io(module: str) -> None:
    source = (Path(package.__file__).parent / f"{module}.py").read_text()
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(source))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }

    assert not imported & {"asyncio", "os", "pathlib", "socket", "threading", "time", "uuid"}
