"""What states can see and set: refused before anything runs, as on the service."""

from __future__ import annotations

from typing import Any

import pytest

from agentflow.adapters.aws.asl.read import read
from agentflow.errors import SpecError
from tests.asl.machines import LAMBDA, distributed, jsonata, machine, passing

PASS: dict[str, Any] = {"Type": "Pass"}
TASK: dict[str, Any] = {"Type": "Task", "Resource": LAMBDA + "f"}


def catching(**fields: Any) -> dict[str, Any]:
    catcher = {"ErrorEquals": ["States.ALL"], "Next": "S1", **fields}
    return jsonata({**TASK, "Catch": [catcher], "Next": "S1"}, PASS)


def choosing(condition: str) -> dict[str, Any]:
    rules = [{"Condition": "{% " + condition + " %}", "Next": "S1"}]
    return jsonata({"Type": "Choice", "Choices": rules, "Default": "S1"}, PASS)


def told(definition: dict[str, Any]) -> list[str]:
    """What is refused of a definition."""
    try:
        read(definition)
    except SpecError as error:
        return [f"{each.code} {each.message}" for each in error.diagnostics]
    return []


@pytest.mark.parametrize(
    "definition",
    [
        pytest.param(jsonata({**TASK, "Output": "{% $states.result %}"}), id="a result"),
        pytest.param(jsonata({**TASK, "Assign": {"r": "{% $states.result.a %}"}}), id="assigned"),
        pytest.param(catching(Output="{% $states.errorOutput.Error %}"), id="an error"),
        pytest.param(jsonata({**PASS, "Output": "{% ($states).result %}"}), id="another way to it"),
        pytest.param(jsonata({**PASS, "Output": "{% $states.input.result %}"}), id="of the input"),
        pytest.param(jsonata({**PASS, "Output": "{% '$states.result' %}"}), id="a text"),
        pytest.param(
            jsonata({**PASS, "Output": "{% ($f := function($states) { $states.result }; 1) %}"}),
            id="a parameter of that name",
        ),
    ],
)
def test_what_is_there_can_be_read(definition: dict[str, Any]) -> None:
    assert told(definition) == []


@pytest.mark.parametrize(
    ("definition", "member"),
    [
        pytest.param(jsonata({**PASS, "Output": "{% $states.result %}"}), "result", id="Pass"),
        pytest.param(
            jsonata({**TASK, "Arguments": {"a": ["{% $states.result %}"]}}),
            "result",
            id="Arguments",
        ),
        pytest.param(catching(Output="{% $states.result %}"), "result", id="a catcher"),
        pytest.param(
            jsonata({**TASK, "Output": "{% $states.errorOutput %}"}), "errorOutput", id="Output"
        ),
        pytest.param(choosing("$exists($states.result)"), "result", id="Condition"),
        pytest.param(
            jsonata({"Type": "Wait", "Seconds": "{% $states.result %}"}), "result", id="Seconds"
        ),
        pytest.param(jsonata({**PASS, "Output": "{% $states.inptu.a %}"}), "inptu", id="unknown"),
    ],
)
def test_what_is_not_there_is_refused(definition: dict[str, Any], member: str) -> None:
    state = definition["StartAt"]

    assert told(definition) == [f"AF302 state `{state}`: `$states.{member}` is not there"]


def branching(assign: dict[str, Any], *others: dict[str, Any], **top: Any) -> dict[str, Any]:
    branch = passing({"Assign": assign})
    return machine(*others, {"Type": "Parallel", "Branches": [branch]}, **top)


@pytest.mark.parametrize(
    ("definition", "refused"),
    [
        pytest.param(
            branching({"x": 1}, {**PASS, "Assign": {"x": 0}, "Next": "S1"}), True, id="before"
        ),
        pytest.param(
            branching({"x.$": "$.a"}, {**PASS, "Assign": {"x.$": "$"}, "Next": "S1"}),
            True,
            id="with paths",
        ),
        pytest.param(
            branching({"y": 1}, {**PASS, "Assign": {"x": 0}, "Next": "S1"}), False, id="another"
        ),
        pytest.param(
            machine(
                {
                    "Type": "Parallel",
                    "Branches": [passing({"Assign": {"x": 1}})],
                    "Assign": {"x": 2},
                }
            ),
            False,
            id="after",
        ),
    ],
)
def test_a_branch_assigns_no_variable_of_the_states_around(
    definition: dict[str, Any], refused: bool
) -> None:
    message = "AF306 state `P` assigns `x`, which states around it assign"

    assert told(definition) == ([message] if refused else [])


def test_a_child_execution_has_variables_of_its_own() -> None:
    before = {**PASS, "Assign": {"x": 0}, "Next": "S1"}
    assert told(machine(before, distributed(passing({"Assign": {"x": 1}})))) == []


def test_two_maps_have_two_labels() -> None:
    first = distributed(passing({}), Label="same", Next="S1")
    inner = {"StartAt": "Q", "States": {"Q": {"Type": "Pass", "End": True}}}
    second = distributed(inner, Label="same")

    assert told(machine(first, second)) == ["AF305 there are two maps labelled `same`"]
