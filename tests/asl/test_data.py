from __future__ import annotations

from typing import Any

import pytest

from agentflow.adapters.aws.asl.simulate import simulate
from agentflow.adapters.aws.asl.simulate.handlers import by_name
from tests.asl.machines import LAMBDA, machine, passing


@pytest.mark.parametrize(
    ("state", "given", "expected"),
    [
        pytest.param({"InputPath": None}, {"a": 1}, {}, id="InputPath null is an empty object"),
        pytest.param({"OutputPath": None}, {"a": 1}, {}, id="OutputPath null too"),
        pytest.param({"Result": 5, "ResultPath": None}, {"a": 1}, {"a": 1}, id="result dropped"),
        pytest.param(
            {"Result": 5, "ResultPath": "$.x.y"}, {"a": 1}, {"a": 1, "x": {"y": 5}}, id="path made"
        ),
        pytest.param(
            {"Result": 5, "ResultPath": "$.a[1]"}, {"a": [1, 2]}, {"a": [1, 5]}, id="into a list"
        ),
        pytest.param(
            {"InputPath": "$.a", "Result": 5, "ResultPath": "$.x"},
            {"a": {"b": 1}},
            {"a": {"b": 1}, "x": 5},
            id="the result is put into the whole input",
        ),
        pytest.param({"Result": {"x.$": "$"}}, {}, {"x.$": "$"}, id="Result is literal"),
        pytest.param({"OutputPath": "$.a[3]"}, {"a": [1]}, None, id="beyond a list is null"),
        pytest.param(
            {"Parameters": {"v": [{"w.$": "$.a"}], "x": "$.a"}},
            {"a": 1},
            {"v": [{"w": 1}], "x": "$.a"},
            id="templates inside lists",
        ),
        pytest.param({"Parameters": {"x.$": "$.a[1:]"}}, {}, {"x": []}, id="a slice of nothing"),
        pytest.param(
            {"Parameters": {"x.$": "$..b"}},
            {"a": [{"b": 1}, {"b": 2}]},
            {"x": [1, 2]},
            id="descent",
        ),
        pytest.param(
            {"Parameters": {"x.$": "$.a[?(@.b > 1 && @.c == 'q')].b"}},
            {"a": [{"b": 2, "c": "q"}, {"b": 3, "c": "r"}, {"b": 1, "c": "q"}]},
            {"x": [2]},
            id="a filter",
        ),
        pytest.param(
            {"Parameters": {"x.$": "$.a[(@.length-1)]"}},
            {"a": [1, 2]},
            {"x": 2},
            id="the last item",
        ),
        pytest.param({"Parameters": {"x.$": "$$.State.Name"}}, {}, {"x": "S"}, id="context"),
        pytest.param(
            {"Parameters": {"x.$": "$['a b']['c.d']"}}, {"a b": {"c.d": 1}}, {"x": 1}, id="quoted"
        ),
    ],
)
def test_a_pass_state_places_its_result(state: Any, given: Any, expected: Any) -> None:
    outcome = simulate(machine({"Type": "Pass", **state}), given)

    assert (outcome.status, outcome.output) == ("SUCCEEDED", expected)


@pytest.mark.parametrize(
    ("state", "given", "cause"),
    [
        pytest.param(
            {"InputPath": "$.a.b"}, {}, "Missing property in path $['a']", id="on the way"
        ),
        pytest.param({"InputPath": "$.a"}, {}, "No results for path: $['a']", id="at the end"),
        pytest.param(
            {"Parameters": {"x.$": "$.a"}},
            {},
            "The JSONPath '$.a' specified for the field 'x.$' could not be found in the input '{}'",
            id="in a template",
        ),
        pytest.param(
            {"Parameters": {"x.$": "States.ArrayGetItem($.a, 3)"}},
            {"a": [1]},
            "The function 'States.ArrayGetItem($.a, 3)' had the following error",
            id="in an intrinsic function",
        ),
    ],
)
def test_a_path_that_leads_nowhere_is_a_runtime_error(state: Any, given: Any, cause: str) -> None:
    outcome = simulate(machine({"Type": "Pass", **state}), given)

    assert (outcome.status, outcome.error) == ("FAILED", "States.Runtime")
    assert cause in str(outcome.cause)
    assert "executing the state 'S' (entered at the event id #2)" in str(outcome.cause)


@pytest.mark.parametrize(
    ("state", "given", "cause"),
    [
        ({"ResultPath": "$.x"}, "text", 'Unable to apply ReferencePath $.x to input "text"'),
        ({"ResultPath": "$.x"}, [1, 2], 'Unable to apply step "x" to input [1,2]'),
        ({"ResultPath": "$.a.x"}, {"a": 1}, 'Unable to apply step "x" to input {"a":1}'),
        (
            {"Type": "Map", "ItemsPath": "$.a.l", "ItemProcessor": passing({})},
            {"a": {"b": 1}},
            'Unable to apply step "l" to input {"a":{"b":1}}',
        ),
    ],
)
def test_a_place_that_is_not_there_has_its_own_error(state: Any, given: Any, cause: str) -> None:
    """The name and the words are those that users quote of the service."""
    outcome = simulate(machine({"Type": "Pass", **state}), given)

    assert (outcome.error, outcome.cause) == ("States.ReferencePathConflict", cause)


def test_assign_and_output_see_the_variables_of_before() -> None:
    first = {"Type": "Pass", "Assign": {"a": 1, "b": 2}, "Next": "S1"}
    swap = {"Type": "Pass", "Assign": {"a.$": "$b", "b.$": "$a"}, "OutputPath": "$a", "Next": "S2"}
    last = {"Type": "Pass", "Parameters": {"a.$": "$a", "b.$": "$b", "in.$": "$"}}

    outcome = simulate(machine(first, swap, last), {})

    assert outcome.output == {"a": 2, "b": 1, "in": 1}


def test_branches_read_outer_variables_and_write_their_own() -> None:
    branch = {
        "StartAt": "A",
        "States": {
            "A": {"Type": "Pass", "Assign": {"z": 9}, "Next": "B"},
            "B": {"Type": "Pass", "Parameters": {"x.$": "$x", "z.$": "$z"}, "End": True},
        },
    }
    outcome = simulate(
        machine(
            {"Type": "Pass", "Assign": {"x": 1}, "Next": "S1"},
            {"Type": "Parallel", "Branches": [branch], "ResultPath": "$.r", "Next": "S2"},
            {"Type": "Pass", "Parameters": {"x.$": "$x", "r.$": "$.r"}},
        ),
        {},
    )

    assert outcome.output == {"x": 1, "r": [{"x": 1, "z": 9}]}


KIB = 1024


@pytest.mark.parametrize(
    ("state", "given", "told"),
    [
        pytest.param(
            {"Type": "Pass", "Parameters": {"a.$": "$", "b.$": "$"}},
            "x" * 200 * KIB,
            "The state/task 'S' returned a result with a size",
            id="an output",
        ),
        pytest.param(
            {"Type": "Task", "Resource": LAMBDA + "f", "Parameters": {"a.$": "$", "b.$": "$"}},
            "x" * 200 * KIB,
            "The state/task 'S' provided parameters with a size",
            id="the parameters of a task",
        ),
        pytest.param(
            {"Type": "Pass", "Assign": {"a.$": "$", "b.$": "$"}},
            "x" * 200 * KIB,
            "The state/task 'S' assigned variables with a size",
            id="the variables of one state",
        ),
    ],
)
def test_data_has_a_limit(state: Any, given: Any, told: str) -> None:
    outcome = simulate(machine(state), given, by_name({"f": lambda event: None}))

    assert outcome.error == "States.DataLimitExceeded"
    assert str(outcome.cause).startswith(told)


def test_data_that_nobody_can_write_fails_the_state() -> None:
    deep: Any = []
    for _ in range(5_000):
        deep = [deep]

    outcome = simulate(machine({"Type": "Pass"}), deep)

    assert outcome.error == "States.Runtime"
    assert "nested too deeply" in str(outcome.cause)


@pytest.mark.slow
@pytest.mark.parametrize(("count", "status"), [(40, "SUCCEEDED"), (42, "FAILED")])
def test_all_variables_have_a_limit(count: int, status: str) -> None:
    states = [
        {"Type": "Pass", "Assign": {f"v{number}.$": "$"}, "Next": f"S{number + 1}"}
        for number in range(count)
    ]

    outcome = simulate(machine(*states, {"Type": "Pass"}), "x" * 250 * KIB)

    assert outcome.status == status
    assert outcome.error == (None if status == "SUCCEEDED" else "States.DataLimitExceeded")
