"""Machines made up for imports: what fails, is retried and is caught."""

from __future__ import annotations

from agentflow.errors import Json
from tests.aws_import.machines.parts import ECHO, FAIL, catch, machine, task


def _failing_inside(error: str, *caught: str) -> Json:
    """A Parallel with a Fail state in its branch, and a handler for its error."""
    return machine(
        A={
            "Type": "Parallel",
            "Branches": [machine(F={"Type": "Fail", "Error": error, "Cause": "for good"})],
            "Catch": [catch(*(caught or [error]), to="B")],
            "End": True,
        },
        B=ECHO,
    )


FAILURES: dict[str, tuple[Json, Json]] = {
    "a handler joins what follows": (
        machine(
            A=task("check", Catch=[catch("OutOfStock", to="C", ResultPath="$.e")], Next="B"),
            B={"Type": "Pass", "Result": "b", "ResultPath": "$.b", "Next": "C"},
            C=ECHO,
        ),
        {"fail": True},
    ),
    "a handler that is not taken": (
        machine(
            A=task("check", Catch=[catch("States.ALL", to="E")], ResultPath="$.checked", Next="B"),
            B={"Type": "Pass", "Result": "b", "ResultPath": "$.b", "Next": "C"},
            E={"Type": "Pass", "Result": "e", "Next": "C"},
            C=ECHO,
        ),
        {},
    ),
    "a handler that fails": (
        machine(A=task("check", Catch=[catch("States.ALL", to="E")], End=True), E=FAIL),
        {"fail": True},
    ),
    "an error that no handler takes": (
        machine(A=task("check", Catch=[catch("Busy", to="E")], End=True), E=ECHO),
        {"fail": True},
    ),
    "timeouts are no failed tasks": (
        machine(
            A=task("check", Catch=[catch("States.TaskFailed", to="E")], End=True),
            E=ECHO,
        ),
        {"fail": True},
    ),
    "retries": (
        machine(A=task("flaky", Retry=[{"ErrorEquals": ["Busy"], "MaxAttempts": 2}], End=True)),
        {},
    ),
    "retriers that count for themselves": (
        machine(
            A=task(
                "moody",
                Retry=[
                    {"ErrorEquals": ["Busy"], "MaxAttempts": 2},
                    {"ErrorEquals": ["States.ALL"], "MaxAttempts": 1, "BackoffRate": 1.5},
                ],
                ResultSelector={"got.$": "$"},
                ResultPath="$.a",
                End=True,
            )
        ),
        {"moods": ["Busy", "OutOfStock", "Busy"]},
    ),
    "the first retrier that matches is used up": (
        machine(
            A=task(
                "moody",
                Retry=[
                    {"ErrorEquals": ["Busy"], "MaxAttempts": 1},
                    {"ErrorEquals": ["States.ALL"], "MaxAttempts": 5},
                ],
                Catch=[catch("Busy", to="E", ResultPath="$.e")],
                End=True,
            ),
            E={"Type": "Pass", "OutputPath": "$.e.Error", "End": True},
        ),
        {"moods": ["Busy", "OutOfStock", "Busy", "Busy"]},
    ),
    "all errors but one are retried": (
        machine(
            A=task(
                "moody",
                Retry=[
                    {"ErrorEquals": ["OutOfStock"], "MaxAttempts": 0},
                    {"ErrorEquals": ["States.ALL"], "MaxAttempts": 5},
                ],
                End=True,
            )
        ),
        {"moods": ["Busy", "OutOfStock"]},
    ),
    "branches with several retriers": (
        machine(
            P={
                "Type": "Parallel",
                "Branches": [machine(A=task("moody", End=True))],
                "Retry": [
                    {"ErrorEquals": ["Busy"], "MaxAttempts": 1},
                    {"ErrorEquals": ["OutOfStock"], "MaxAttempts": 1},
                ],
                "End": True,
            }
        ),
        {"moods": ["OutOfStock", "Busy"]},
    ),
    "retries that are used up": (
        machine(
            A=task(
                "flaky",
                Retry=[{"ErrorEquals": ["States.ALL"], "MaxAttempts": 1}],
                Catch=[catch("Busy", to="E")],
                End=True,
            ),
            E=ECHO,
        ),
        {},
    ),
    "retries of Lambda's own failures are left out": (
        machine(
            A=task(
                "flaky",
                Retry=[
                    {"ErrorEquals": ["Lambda.ServiceException", "Lambda.SdkClientException"]},
                    {"ErrorEquals": ["Busy"]},
                ],
                End=True,
            )
        ),
        {},
    ),
    "the error of a branch is caught with its cause": (
        machine(
            P={
                "Type": "Parallel",
                "Branches": [machine(A=FAIL), machine(B=ECHO)],
                "Catch": [catch("States.ALL", to="E", ResultPath="$.e")],
                "End": True,
            },
            E=ECHO,
        ),
        {},
    ),
    "a runtime error in a branch is not caught": (
        machine(
            P={
                "Type": "Parallel",
                "Branches": [machine(A={"Type": "Pass", "InputPath": "$.nowhere", "End": True})],
                "Catch": [catch("States.ALL", to="E")],
                "End": True,
            },
            E=ECHO,
        ),
        {},
    ),
    "arguments that are not there are not caught": (
        machine(
            A=task(
                "check",
                Parameters={"x.$": "$.nowhere"},
                Catch=[catch("States.ALL", to="E")],
                End=True,
            ),
            E=ECHO,
        ),
        {},
    ),
    "a task that reads how often it was retried": (
        machine(
            A=task(
                "moody",
                Parameters={"moods.$": "$.moods", "again.$": "$$.State.RetryCount"},
                Retry=[{"ErrorEquals": ["Busy"], "MaxAttempts": 2}],
                ResultSelector={"after.$": "$$.State.RetryCount", "got.$": "$"},
                Next="B",
            ),
            B=ECHO,
        ),
        {"moods": ["Busy", "Busy"]},
    ),
    "a cause that is no text": (
        machine(A={"Type": "Fail", "Error": "Gone", "CausePath": "$.why"}),
        {"why": 5},
    ),
    "a role that is not there": (
        machine(A=task("check", Credentials={"RoleArn.$": "$.role"}, End=True)),
        {},
    ),
    "a time limit that is not there is read before anything is asked for": (
        machine(
            A={
                "Type": "Task",
                "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
                "Parameters": {"FunctionName": "check", "Payload": {"t.$": "$$.Task.Token"}},
                "TimeoutSecondsPath": "$.limit",
                "Catch": [catch("States.ALL", to="E")],
                "End": True,
            },
            E=ECHO,
        ),
        {},
    ),
    "a task that is undone by going back": (
        machine(
            A=task("count", ResultPath="$.count", Next="B"),
            B=task(
                "check",
                Catch=[catch("OutOfStock", to="Undo", ResultPath="$.why")],
                ResultPath=None,
                End=True,
            ),
            Undo=task(
                "flaky",
                Catch=[catch("States.TaskFailed", to="Undo", ResultPath="$.again")],
                ResultPath="$.undone",
                Next="Failed",
            ),
            Failed={"Type": "Fail", "ErrorPath": "$.why.Error", "CausePath": "$.again.Error"},
        ),
        {"fail": True},
    ),
    "a state is entered once, however often it is retried": (
        machine(
            A=task(
                "moody",
                Parameters={"moods.$": "$.moods", "at.$": "$$.State.EnteredTime"},
                Retry=[
                    {"ErrorEquals": ["Busy"], "IntervalSeconds": 60},
                    {"ErrorEquals": ["OutOfStock"], "MaxDelaySeconds": 5},
                ],
                ResultSelector={"n.$": "$", "at.$": "$$.State.EnteredTime"},
                End=True,
            )
        ),
        {"moods": ["Busy", "OutOfStock", "Busy"]},
    ),
    "an error of a Fail inside that has a name of ours": (_failing_inside("MissingKey"), {}),
    "an error that a Fail inside passes on, with a name of ours": (
        machine(
            A={
                "Type": "Parallel",
                "Branches": [machine(F={"Type": "Fail", "ErrorPath": "$.error"})],
                "Catch": [catch("States.ALL", to="B")],
                "End": True,
            },
            B=ECHO,
        ),
        {"error": "LoopLimit"},
    ),
    "an error of a Fail inside that has the service's name": (
        _failing_inside("States.Timeout", "States.Timeout"),
        {},
    ),
    "an error of a Fail inside that is a time limit, which is no failed task": (
        _failing_inside("States.Timeout", "States.TaskFailed"),
        {},
    ),
}
