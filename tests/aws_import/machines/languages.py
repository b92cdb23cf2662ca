"""Machines made up for imports: variables, and expressions of JSONata."""

from __future__ import annotations

from agentflow.errors import Json
from tests.aws_import.machines.parts import ECHO, FAIL, catch, machine, task

LANGUAGES: dict[str, tuple[Json, Json]] = {
    "variables": (
        machine(
            A={"Type": "Pass", "Assign": {"x.$": "$.x", "y": 2}, "Next": "B"},
            B={"Type": "Pass", "Assign": {"x.$": "$y", "y.$": "$x"}, "Next": "C"},
            C={"Type": "Pass", "Parameters": {"x.$": "$x", "y.$": "$y"}, "End": True},
        ),
        {"x": 1},
    ),
    "variables inside are those of the inside": (
        machine(
            A={"Type": "Pass", "Assign": {"x": 1}, "Next": "M"},
            M={
                "Type": "Map",
                "ItemProcessor": machine(
                    I={"Type": "Pass", "Assign": {"y.$": "$"}, "Next": "J"},
                    J={"Type": "Pass", "Parameters": {"x.$": "$x", "y.$": "$y"}, "End": True},
                ),
                "End": True,
            },
        ),
        [7, 8],
    ),
    "a variable that has no value": (
        machine(
            A={"Type": "Pass", "Assign": {"x": 1}, "Next": "B"},
            B={"Type": "Pass", "Parameters": {"z.$": "$z"}, "End": True},
        ),
        {},
    ),
    "JSONata": (
        {
            "QueryLanguage": "JSONata",
            **machine(
                A={
                    **task("check"),
                    "Arguments": {"total": "{% $sum($states.input.prices) %}"},
                    "Assign": {"seen": "{% $states.result.seen %}"},
                    "Output": "{% $states.input %}",
                    "Next": "B",
                },
                B={
                    "Type": "Choice",
                    "Choices": [{"Condition": "{% 'total' in $seen %}", "Next": "C"}],
                    "Default": "D",
                },
                C={"Type": "Pass", "Output": {"seen": "{% $seen %}"}, "End": True},
                D=FAIL,
            ),
        },
        {"prices": [1, 2.5]},
    ),
    "a failing expression of JSONata is caught": (
        {
            "QueryLanguage": "JSONata",
            **machine(
                A={
                    **task("check"),
                    "Arguments": "{% $states.input.nothing %}",
                    "Catch": [catch("States.QueryEvaluationError", to="E", Output="caught")],
                    "End": True,
                },
                E=ECHO,
            ),
        },
        {},
    ),
    "a handler that reads how often its task was retried": (
        {
            "QueryLanguage": "JSONata",
            **machine(
                A={
                    **task("moody"),
                    "Arguments": {
                        "moods": "{% $states.input.moods %}",
                        "again": "{% $string($states.context.State.RetryCount) %}",
                    },
                    "Retry": [{"ErrorEquals": ["Busy"], "MaxAttempts": 1}],
                    "Catch": [
                        catch("Busy", to="E", Output="{% $states.context.State.RetryCount %}")
                    ],
                    "End": True,
                },
                E=ECHO,
            ),
        },
        {"moods": ["Busy", "Busy"]},
    ),
    "a handler sees the name that the service has for what fails": (
        {
            "QueryLanguage": "JSONata",
            **machine(
                A={"Type": "Pass", "Assign": {"y": 1}, "Next": "B"},
                B={
                    **task("check"),
                    "Arguments": "{% $x %}",
                    "Catch": [
                        catch("States.ALL", to="E", Output="{% $states.errorOutput.Error %}")
                    ],
                    "End": True,
                },
                E=ECHO,
            ),
        },
        {},
    ),
    "JSONata among JSONPath, with variables of both": (
        machine(
            A={"Type": "Pass", "Assign": {"x.$": "$.x", "xs.$": "$.xs"}, "Next": "B"},
            B={
                **task("check"),
                "QueryLanguage": "JSONata",
                "Arguments": {"sum": "{% $sum($xs) + $x %}"},
                "Assign": {"x": "{% $x + 1 %}"},
                "Output": "{% $states.result.seen %}",
                "Next": "C",
            },
            C={
                "Type": "Pass",
                "Parameters": {"x.$": "$x", "seen.$": "$", "n.$": "States.ArrayLength($xs)"},
                "End": True,
            },
        ),
        {"x": 1, "xs": [1, 2]},
    ),
}
