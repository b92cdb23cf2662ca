"""Machines made up for imports: data on its way, and where states lead."""

from __future__ import annotations

from agentflow.errors import Json
from tests.aws_import.machines.parts import ECHO, FAIL, catch, machine, task

FLOW: dict[str, tuple[Json, Json]] = {
    "a result is placed": (
        machine(A=task("check", ResultPath="$.a.b", End=True)),
        {"x": 1},
    ),
    "a result is selected, placed and shown": (
        machine(
            A=task(
                "check",
                InputPath="$.in",
                Parameters={"x.$": "$.x", "me.$": "$$.State.Name"},
                ResultSelector={"ok.$": "$.ok"},
                ResultPath="$.got",
                OutputPath="$.got",
                End=True,
            )
        ),
        {"in": {"x": 1}},
    ),
    "branches give a list": (
        machine(
            P={
                "Type": "Parallel",
                "Branches": [machine(A=task("check", End=True)), machine(B=ECHO)],
                "ResultPath": "$.both",
                "End": True,
            }
        ),
        {"x": 1},
    ),
    "a loop by jumping back": (
        machine(
            Count=task("count", ResultPath="$.count", Next="Enough?"),
            **{
                "Enough?": {
                    "Type": "Choice",
                    "Choices": [
                        {"Variable": "$.count", "NumericGreaterThan": 3, "Next": "Done"},
                        {"Variable": "$.count", "NumericLessThan": 0, "Next": "Bad"},
                    ],
                    "Default": "Pause",
                },
                "Pause": {"Type": "Wait", "Seconds": 3600, "Next": "Count"},
                "Done": {"Type": "Succeed", "OutputPath": "$.count"},
                "Bad": FAIL,
            },
        ),
        {},
    ),
    "a loop through a handler": (
        machine(
            A=task("flaky", Catch=[catch("Busy", to="Pause", ResultPath=None)], Next="B"),
            Pause={"Type": "Wait", "Seconds": 5, "Next": "A"},
            B=ECHO,
        ),
        {},
    ),
    "a choice without a default in a loop": (
        machine(
            A=task("count", ResultPath="$.count", Next="B"),
            B={
                "Type": "Choice",
                "Choices": [
                    {"Variable": "$.count", "NumericLessThan": 3, "Next": "A"},
                    {"Variable": "$.count", "NumericEquals": 9, "Next": "C"},
                ],
            },
            C=ECHO,
        ),
        {},
    ),
    "heartbeats that nobody can send": (
        machine(A=task("check", HeartbeatSecondsPath="$.every", End=True)),
        {"every": 5},
    ),
    "heartbeats that no number tells": (
        machine(A=task("check", HeartbeatSecondsPath="$.every", End=True)),
        {"every": "often"},
    ),
    "a state that does no work is never retried": (
        machine(A={"Type": "Pass", "Parameters": {"n.$": "$$.State.RetryCount"}, "End": True}),
        {},
    ),
    "the machine takes too long": (
        {"TimeoutSeconds": 5, **machine(A={"Type": "Wait", "Seconds": 9, "End": True})},
        {},
    ),
    "rules that lead to one state": (
        machine(
            A={
                "Type": "Choice",
                "Choices": [
                    {"Variable": "$.s", "StringEquals": "FAILED", "Next": "B"},
                    {"Variable": "$.s", "StringEquals": "ABORTED", "Next": "B"},
                    {"Variable": "$.s", "StringEquals": "NEW", "Next": "C"},
                    {"Variable": "$.s", "StringEquals": "LATE", "Next": "B"},
                    {"Variable": "$.s", "StringEquals": "HELD", "Next": "C"},
                ],
                "Default": "C",
            },
            B=task("count", ResultPath="$.bad", Next="D"),
            C=task("count", ResultPath="$.good", Next="D"),
            D=ECHO,
        ),
        {"s": "LATE"},
    ),
    "names of states that are names of ours": (
        machine(
            data={
                "Type": "Pass",
                "Result": "${not a symbol",
                "ResultPath": "$.input",
                "Next": "if",
            },
            **{
                "if": task("check", InputPath="$['a b']", ResultPath="$.items", Next="now() 🎉"),
                "now() 🎉": {
                    "Type": "Choice",
                    "Choices": [
                        {"Variable": "$$.Execution.Input.from", "StringEquals": 'q"\\', "Next": "É"}
                    ],
                },
                "É": {"Type": "Pass", "Parameters": {"": 1, "class.$": "$.items.ok"}, "End": True},
            },
        ),
        {"a b": {"x": None}, "from": 'q"\\'},
    ),
    "a choice that leads to one state is made": (
        machine(
            A={
                "Type": "Choice",
                "Choices": [{"Variable": "$.nowhere", "StringEquals": "x", "Next": "B"}],
                "Default": "B",
            },
            B=task("count", End=True),
        ),
        {},
    ),
    "a result that goes nowhere is selected": (
        machine(
            A=task("count", ResultSelector={"x.$": "$.nowhere"}, ResultPath=None, Next="B"),
            B=task("check", End=True),
        ),
        {},
    ),
}
