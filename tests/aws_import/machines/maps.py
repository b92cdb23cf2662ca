"""Machines made up for imports: items, children, batches and what is tolerated."""

from __future__ import annotations

from agentflow.errors import Json
from tests.aws_import.machines.parts import ECHO, FAIL, FAILING, catch, each_child, machine, task

MAPS: dict[str, tuple[Json, Json]] = {
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
    "a selector that fails is the map's own failure": (
        machine(
            M=each_child(
                ECHO,
                ItemsPath="$.xs",
                ItemSelector={"v.$": "$$.Map.Item.Value", "k.$": "$.k"},
                ToleratedFailureCount=5,
                Catch=[catch("States.ALL", to="E")],
            ),
            E=ECHO,
        ),
        {"xs": [1, 2]},
    ),
    "a selector sees the key and the value of an entry apart": (
        machine(
            M=each_child(
                ECHO,
                ItemsPath="$.o",
                ItemSelector={"k.$": "$$.Map.Item.Key", "v.$": "$$.Map.Item.Value.n"},
            )
        ),
        {"o": {"a": {"n": 1}, "b": {"n": 2}}},
    ),
}
