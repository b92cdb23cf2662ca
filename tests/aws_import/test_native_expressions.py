"""Foreign expressions, compiled: states of the service's own, with the same outcome."""

from __future__ import annotations

import pytest

from agentflow.adapters.aws.compile import definition
from agentflow.errors import Json
from agentflow.spec.load import loads
from tests.aws_import.machines import machine
from tests.aws_import.native import (
    ending,
    imported,
    jsonata,
    passing,
    states_of,
)

SAME: dict[str, tuple[Json, Json]] = {
    "JSONata over the input": (
        jsonata(A=passing(Output={"sum": "{% $sum($states.input.xs) %}", "as": "it is"})),
        {"xs": [1, 2, 3.5]},
    ),
    "JSONata with variables, one called as ours is": (
        jsonata(
            A={"Type": "Pass", "Assign": {"data": [3], "vars": 4, "count": 5}, "Next": "B"},
            B=passing(Output="{% [$data[0] + $vars + $count, $count($states.input.xs)] %}"),
        ),
        {"xs": [1, 2]},
    ),
    "JSONata with variables that are called as functions of ours are": (
        jsonata(
            A={"Type": "Pass", "Assign": {"total": 3, "at": "x", "items": [1]}, "Next": "B"},
            B={
                "Type": "Choice",
                "Choices": [{"Condition": "{% $total > 2 %}", "Next": "C"}],
                "Default": "C",
            },
            C=passing(Output="{% [$total + $states.input.n, $at, $items] %}"),
        ),
        {"n": 1},
    ),
    "JSONata that binds names of its own": (
        jsonata(
            A=passing(Output="{% ($f := function($states) { $states.x + 1 }; $f($states.input)) %}")
        ),
        {"x": 1},
    ),
    "JSONata whose function has a parameter that is called as a variable": (
        jsonata(
            A={"Type": "Pass", "Assign": {"x": [1, 2], "y": 3}, "Next": "B"},
            B=passing(
                Output="{% ($f := function($x) { $x * $y }; $y := $y + 1; $append($map($x, $f), $y)) %}"
            ),
        ),
        {},
    ),
    "JSONata that says `$states` in texts and comments": (
        jsonata(A=passing(Output="{% '$states' /* $states */ & $states.input.x %}")),
        {"x": "!"},
    ),
    "JSONata that fails": (
        jsonata(A=passing(Output="{% $states.input.x + 1 %}")),
        {"x": "text"},
    ),
    "JSONata that gives nothing": (jsonata(A=passing(Output="{% $states.input.y %}")), {}),
    "conditions of JSONata": (
        jsonata(
            A={
                "Type": "Choice",
                "Choices": [
                    {"Condition": "{% $states.input.x > 2 %}", "Next": "B"},
                    {"Condition": "{% $states.input.x > 1 %}", "Next": "C"},
                ],
                "Default": "C",
            },
            B=passing(Output="b"),
            C=passing(Output="c"),
        ),
        {"x": 3},
    ),
    "a condition that is no boolean": (
        jsonata(
            A={
                "Type": "Choice",
                "Choices": [{"Condition": "{% $states.input.x %}", "Next": "B"}],
                "Default": "B",
            },
            B=passing(),
        ),
        {"x": 3},
    ),
    "an intrinsic function": (
        machine(
            A=passing(Parameters={"text.$": "States.Format('{} $.x of {}', $.x, $$.State.Name)"})
        ),
        {"x": 1},
    ),
    "paths with many results, of variables too": (
        machine(
            A={"Type": "Pass", "Assign": {"all.$": "$.xs"}, "Next": "B"},
            B=passing(Parameters={"a.$": "$all[*].n", "b.$": "$.xs[?(@.n > $.least)].n"}),
        ),
        {"xs": [{"n": 1}, {"n": 2}], "least": 1},
    ),
    "a path that leads nowhere, inside a list": (
        machine(A=passing(Parameters={"a.$": "States.ArrayLength($.nowhere)"})),
        {},
    ),
    "a result put into a list": (
        machine(A=passing(Result="new", ResultPath="$.xs[1].name")),
        {"xs": [{}, {"name": "old", "kept": True}]},
    ),
    "rules that JSONPath alone decides": (
        machine(
            A={
                "Type": "Choice",
                "Choices": [
                    {"Variable": "$.when", "TimestampLessThan": "2024-01-01T00:00:00Z", "Next": "B"}
                ],
                "Default": "C",
            },
            B=passing(Result="before"),
            C=passing(Result="after"),
        ),
        {"when": "2023-05-05T00:00:00Z"},
    ),
    "two languages inside a map": (
        machine(
            A={
                "Type": "Map",
                "ItemProcessor": machine(
                    I={"Type": "Pass", "Parameters": {"l.$": "States.ArrayLength($)"}, "Next": "J"},
                    J={
                        "Type": "Pass",
                        "QueryLanguage": "JSONata",
                        "Output": "{% $string($states.input.l) %}",
                        "End": True,
                    },
                ),
                "End": True,
            }
        ),
        [[1, 2], []],
    ),
    "seconds and times from the data": (
        machine(
            A={"Type": "Wait", "SecondsPath": "$.s", "Next": "B"},
            B={"Type": "Wait", "TimestampPath": "$.t", "End": True},
        ),
        {"s": 2, "t": "2024-02-29T12:30:00.123456+02:00"},
    ),
    "seconds that are none": (
        machine(A={"Type": "Wait", "SecondsPath": "$.s", "End": True}),
        {"s": 1.5},
    ),
    "a day that is none": (
        machine(A={"Type": "Wait", "TimestampPath": "$.t", "End": True}),
        {"t": "2023-02-30T12:30:00Z"},
    ),
}


@pytest.mark.parametrize("name", SAME)
def test_a_foreign_expression_means_the_same_compiled(name: str) -> None:
    given, data = SAME[name]
    there = definition(imported(given))
    assert "Task" not in {state["Type"] for state in states_of(there)}
    assert ending(there, data) == ending(given, data)


@pytest.mark.parametrize("name", SAME)
def test_a_foreign_expression_comes_back_as_it_went(name: str) -> None:
    first = imported(SAME[name][0])
    there = definition(first)
    second = imported(there)
    assert second.text == first.text
    assert definition(second) == there


def test_a_failing_expression_is_caught_where_the_workflow_says_so() -> None:
    spec = """
workflow: caught
do:
  - id: sum
    call: agentflow.adapters.aws.foreign.jsonata
    with: {template: "{% $sum($states.input) %}", states: {input: "${ input }"}}
    catch:
      - on: States.QueryEvaluationError
        do:
          - id: none
            return: nothing
output: ${ sum }
"""
    there = definition(loads(spec))
    assert ending(there, [1, 2])[:2] == ["SUCCEEDED", 3]
    assert ending(there, ["a"])[:2] == ["SUCCEEDED", "nothing"]
