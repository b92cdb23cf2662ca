"""Machines made up for imports, each with an input."""

from __future__ import annotations

from agentflow.errors import Json


def machine(**states: Json) -> Json:
    return {"StartAt": next(iter(states)), "States": states}


def task(name: str, **fields: Json) -> Json:
    arn = f"arn:aws:lambda:eu-west-1:123456789012:function:{name}"
    return {"Type": "Task", "Resource": arn, **fields}


def catch(*names: str, to: str, **fields: Json) -> Json:
    return {"ErrorEquals": [*names], "Next": to, **fields}


ECHO = {"Type": "Pass", "End": True}
FAIL = {"Type": "Fail", "Error": "Gone", "Cause": "for good"}
FAILING = task("check", Parameters={"fail": True}, End=True)


def each_child(state: Json, **fields: Json) -> Json:
    """A distributed map whose children have one state."""
    config = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}}
    return {"Type": "Map", "ItemProcessor": {**config, **machine(I=state)}, "End": True, **fields}


MACHINES: dict[str, tuple[Json, Json]] = {
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
    "items with their index": (
        machine(
            M={
                "Type": "Map",
                "ItemsPath": "$.items",
                "ItemSelector": {
                    "n.$": "$$.Map.Item.Index",
                    "v.$": "$$.Map.Item.Value",
                    "all.$": "$.items",
                },
                "ItemProcessor": machine(A=ECHO),
                "End": True,
            }
        ),
        {"items": ["a", "b"]},
    ),
    "a distributed map has an error of its own": (
        machine(
            M={
                "Type": "Map",
                "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, **machine(A=FAILING)},
                "End": True,
            }
        ),
        [1],
    ),
    "a distributed map of an object": (
        machine(
            M={
                "Type": "Map",
                "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, **machine(A=ECHO)},
                "End": True,
            }
        ),
        {"a": 1},
    ),
    "failures that are tolerated": (
        machine(M=each_child(task("check", End=True), ToleratedFailureCount=2)),
        [{"fail": True}, {}, {"fail": True}],
    ),
    "failures that are more than tolerated, caught": (
        machine(
            M=each_child(
                task("check", End=True),
                ToleratedFailurePercentage=50,
                Catch=[catch("States.ExceedToleratedFailureThreshold", to="E")],
            ),
            E=ECHO,
        ),
        [{"fail": True}, {}, {"fail": True}],
    ),
    "limits from the data": (
        machine(
            M=each_child(
                task("check", End=True),
                ItemsPath="$.items",
                MaxConcurrencyPath="$.limit",
                ToleratedFailureCountPath="$.limit",
                ToleratedFailurePercentagePath="$.share",
            )
        ),
        {"items": [{"fail": True}, {}], "limit": "1", "share": 0},
    ),
    "a limit that is none": (
        machine(M=each_child(ECHO, ItemsPath="$.items", ToleratedFailurePercentagePath="$.share")),
        {"items": [], "share": 100.5},
    ),
    "batches": (
        machine(
            M={
                "Type": "Map",
                "ItemBatcher": {"MaxItemsPerBatch": 2},
                "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, **machine(A=ECHO)},
                "End": True,
            }
        ),
        [1, 2, 3],
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
    "heartbeats that nobody can send": (
        machine(A=task("check", HeartbeatSecondsPath="$.every", End=True)),
        {"every": 5},
    ),
    "heartbeats that no number tells": (
        machine(A=task("check", HeartbeatSecondsPath="$.every", End=True)),
        {"every": "often"},
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
    "an execution for each item of an execution for each item": (
        machine(
            M=each_child(
                {
                    **each_child(
                        {
                            "Type": "Pass",
                            "Parameters": {
                                "in.$": "$$.Execution.Input.Items[0]",
                                "of.$": "States.ArrayLength($.Items)",
                            },
                            "End": True,
                        }
                    ),
                    "ItemsPath": "$.xs",
                    "ItemBatcher": {"MaxInputBytesPerBatch": 1000},
                    "ItemProcessor": {
                        "ProcessorConfig": {"Mode": "DISTRIBUTED"},
                        **machine(
                            J={
                                "Type": "Pass",
                                "Parameters": {"in.$": "$$.Execution.Input.Items[0]"},
                                "End": True,
                            }
                        ),
                    },
                }
            )
        ),
        [{"xs": [1, 2]}, {"xs": [3]}],
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
    "a map that reads how often it was retried": (
        machine(
            M={
                "Type": "Map",
                "ItemSelector": {"v.$": "$$.Map.Item.Value", "again.$": "$$.State.RetryCount"},
                "ItemProcessor": machine(
                    I={
                        "Type": "Choice",
                        "Choices": [{"Variable": "$.again", "NumericEquals": 2, "Next": "K"}],
                        "Default": "J",
                    },
                    J=FAIL,
                    K={"Type": "Pass", "End": True},
                ),
                "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 3}],
                "End": True,
            }
        ),
        [1, 2],
    ),
    "a state that does no work is never retried": (
        machine(A={"Type": "Pass", "Parameters": {"n.$": "$$.State.RetryCount"}, "End": True}),
        {},
    ),
    "the machine takes too long": (
        {"TimeoutSeconds": 5, **machine(A={"Type": "Wait", "Seconds": 9, "End": True})},
        {},
    ),
}
