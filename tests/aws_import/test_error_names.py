"""Every kind of failure under every name: retried and caught as the service does, or let pass."""

from __future__ import annotations

from typing import Any

import pytest

from agentflow.errors import Json
from tests.aws_import.machines import ECHO, catch, machine, task
from tests.aws_import.worlds import compiled, essence, ours, theirs

BAD_PATH = {"Type": "Pass", "InputPath": "$.nowhere", "End": True}
BAD_QUERY = {
    "Type": "Pass",
    "QueryLanguage": "JSONata",
    "Output": "{% $states.input.nowhere %}",
    "End": True,
}


def counting(then: Json) -> Json:
    """A machine that calls a function, and then does something."""
    return machine(A=task("count", Next="B"), B=then)


def around(*inner: Json, **fields: Json) -> dict[str, Json]:
    """A Parallel state around machines."""
    return {"Type": "Parallel", "Branches": [*inner], **fields}


WORK: dict[str, dict[str, Json]] = {
    "a function that fails": task("check", Parameters={"fail": True}),
    "a function that fails with a name of ours, among queries": {
        "Type": "Task",
        "QueryLanguage": "JSONata",
        "Resource": task("moody")["Resource"],
        "Arguments": {"moods": "{% ['InvalidInput', 'InvalidInput'] %}"},
        "Output": "{% $states.result %}",
    },
    "a function that fails with a name of ours in a branch": around(
        machine(A=task("moody", Parameters={"moods": ["InvalidInput"] * 2}, End=True))
    ),
    "a function that is late": task("slow", TimeoutSeconds=5),
    "arguments at a path that leads nowhere": task("check", Parameters={"x.$": "$.nowhere"}),
    "a result that is no text to select from": task("count", ResultSelector={"x.$": "$.nowhere"}),
    "a query that fails before the work": {
        "Type": "Task",
        "QueryLanguage": "JSONata",
        "Resource": task("check")["Resource"],
        "Arguments": "{% $states.input.nowhere %}",
    },
    "a query that fails after the work": {
        "Type": "Task",
        "QueryLanguage": "JSONata",
        "Resource": task("count")["Resource"],
        "Output": "{% $states.result.nowhere %}",
    },
    "a late function in a branch": around(machine(A=task("slow", TimeoutSeconds=5, End=True))),
    "a path that leads nowhere in a branch": around(counting(BAD_PATH)),
    "a path in a branch of a state with queries": around(
        counting(BAD_PATH), QueryLanguage="JSONata"
    ),
    "a query that fails in a branch": around(counting(BAD_QUERY)),
    "items that are not there": {
        "Type": "Map",
        "ItemsPath": "$.nowhere",
        "ItemProcessor": machine(A=ECHO),
    },
    "items that are no list": {
        "Type": "Map",
        "ItemsPath": "$.items[0]",
        "ItemProcessor": machine(A=ECHO),
    },
    "a choice that has no way out in an iteration": {
        "Type": "Map",
        "ItemsPath": "$.items",
        "ItemProcessor": machine(
            A={**task("count"), "Next": "B"},
            B={
                "Type": "Choice",
                "Choices": [{"Variable": "$", "IsString": True, "Next": "C"}],
            },
            C=ECHO,
        ),
    },
}
NAMES: list[tuple[str, ...]] = [
    ("States.ALL",),
    ("States.TaskFailed",),
    ("States.TaskFailed", "States.Timeout"),
    ("States.TaskFailed", "States.QueryEvaluationError"),
    ("States.QueryEvaluationError",),
    ("States.Timeout",),
    ("OutOfStock", "States.Runtime"),
]


def handled(work: dict[str, Json], names: tuple[str, ...], way: str) -> Json:
    """A machine whose work is retried, or caught, under these names."""
    fields: dict[str, Any] = {
        "retried": {"Retry": [{"ErrorEquals": [*names], "MaxAttempts": 1}]},
        "caught": {"Catch": [catch(*names, to="E")]},
        "caught first": {"Catch": [catch(*names, to="E"), catch("States.ALL", to="F")]},
    }[way]
    ends = {
        each["Next"]: {"Type": "Pass", "Result": each["Next"], "End": True}
        for each in fields.get("Catch", ())
    }
    return machine(W={**work, **fields, "End": True}, **ends)


@pytest.mark.parametrize(
    "way", ["retried", pytest.param("caught", marks=pytest.mark.slow), "caught first"]
)
@pytest.mark.parametrize("work", WORK.values(), ids=WORK.keys())
def test_each_name_takes_what_the_service_says(work: dict[str, Json], way: str) -> None:
    data: Json = {"items": [{}]}
    for names in NAMES:
        if way == "caught first" and names == ("States.ALL",):
            continue
        given = handled(work, names, way)
        (wanted, there) = theirs(given, data)
        for found, here in (ours(given, data), compiled(given, data)):
            assert (essence(found), here.calls) == (essence(wanted), there.calls), names
