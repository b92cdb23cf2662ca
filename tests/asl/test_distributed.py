from __future__ import annotations

import json
from typing import Any

import pytest

from agentflow.adapters.aws.asl.simulate import simulate
from tests.asl.machines import distributed, jsonata, machine, passing


def test_a_distributed_map_takes_the_entries_of_an_object() -> None:
    outcome = simulate(machine(distributed(passing({}), ItemsPath="$.o")), {"o": {"a": 1}})

    assert outcome.output == [{"Key": "a", "Value": 1}]


@pytest.mark.parametrize(
    ("fields", "selected"),
    [
        pytest.param(
            {"ItemsPath": "$.o", "ItemSelector": {"i.$": "$$.Map.Item"}},
            {"i": {"Index": 0, "Key": "a", "Value": 1}},
            id="an entry",
        ),
        pytest.param(
            {"ItemsPath": "$.l", "ItemSelector": {"i.$": "$$.Map.Item"}},
            {"i": {"Index": 0, "Value": {"Key": "a", "Value": 1}}},
            id="an object that looks like one",
        ),
    ],
)
def test_a_selector_sees_the_key_and_the_value_of_an_entry(fields: Any, selected: Any) -> None:
    given = {"o": {"a": 1}, "l": [{"Key": "a", "Value": 1}]}

    assert simulate(machine(distributed(passing({}), **fields)), given).output == [selected]


def test_entries_of_an_object_are_put_in_no_batches_with_jsonata() -> None:
    state = distributed(
        passing({}), Items="{% $states.input %}", ItemBatcher={"MaxItemsPerBatch": 2}
    )

    assert simulate(jsonata(state), {"a": 1}).error == "States.QueryEvaluationError"


def test_a_child_has_the_state_machine_of_its_map_run() -> None:
    state = distributed(passing({"InputPath": "$$.StateMachine.Id"}), Label="run")

    outcome = simulate(machine(state), [1], machine_name="m")

    assert outcome.output == ["arn:aws:states:us-east-1:123456789012:stateMachine:m/run"]


ODD = {
    "StartAt": "C",
    "States": {
        "C": {
            "Type": "Choice",
            "Choices": [{"Variable": "$", "NumericGreaterThan": 1, "Next": "F"}],
            "Default": "P",
        },
        "P": {"Type": "Pass", "End": True},
        "F": {"Type": "Fail", "Error": "Big", "Cause": "too big"},
    },
}
FAILED = {"Status": "FAILED", "Error": "Big", "Cause": "too big"}


@pytest.mark.parametrize(
    ("fields", "result"),
    [
        pytest.param({"ToleratedFailureCount": 1}, [1, FAILED, 0], id="a count"),
        pytest.param({"ToleratedFailurePercentage": 34}, [1, FAILED, 0], id="a percentage"),
        pytest.param({"ToleratedFailurePercentage": 33}, None, id="too small a percentage"),
        pytest.param({"ToleratedFailureCount": 0}, None, id="zero counts as unset"),
        pytest.param(
            {"ToleratedFailureCount": 0, "ToleratedFailurePercentage": 50},
            [1, FAILED, 0],
            id="zero beside a percentage",
        ),
        pytest.param(
            {"ToleratedFailureCount": 1, "ToleratedFailurePercentage": 33}, None, id="one of two"
        ),
        pytest.param({}, None, id="nothing is tolerated"),
    ],
)
def test_a_distributed_map_tolerates_failures(fields: Any, result: Any) -> None:
    outcome = simulate(machine(distributed(ODD, **fields)), [1, 2, 0])

    assert outcome.output == result
    assert outcome.error == (None if result else "States.ExceedToleratedFailureThreshold")


def test_items_are_put_together() -> None:
    batcher = {"MaxItemsPerBatch": 2, "BatchInput": {"k.$": "$.k"}}
    state = distributed(passing({}), ItemsPath="$.a", ItemBatcher=batcher)

    outcome = simulate(machine(state), {"a": [1, 2, 3], "k": 9})

    assert outcome.output == [
        {"Items": [1, 2], "BatchInput": {"k": 9}},
        {"Items": [3], "BatchInput": {"k": 9}},
    ]


@pytest.mark.parametrize(
    ("batcher", "batches"),
    [
        pytest.param(
            {"MaxInputBytesPerBatch": 21}, [["ab", "cd"], ["e" * 20]], id="as many as fit"
        ),
        pytest.param(
            {"MaxInputBytesPerBatch": 20}, [["ab"], ["cd"], ["e" * 20]], id="one byte less"
        ),
        pytest.param(
            {"MaxInputBytesPerBatchPath": "$.most", "MaxItemsPerBatch": 1},
            [["ab"], ["cd"], ["e" * 20]],
            id="bytes and items",
        ),
        pytest.param({"MaxItemsPerBatch": 9}, [["ab", "cd", "e" * 20]], id="fewer than may be"),
    ],
)
def test_a_batch_holds_what_fits(batcher: Any, batches: list[list[str]]) -> None:
    state = distributed(passing({}), ItemsPath="$.items", ItemBatcher=batcher)

    outcome = simulate(machine(state), {"items": ["ab", "cd", "e" * 20], "most": 1000})

    assert [child["Items"] for child in outcome.output] == batches


def test_results_are_written_where_the_input_of_the_state_says() -> None:
    writer = {
        "Resource": "arn:aws:states:::s3:putObject",
        "Parameters": {"Bucket.$": "$.bucket", "Prefix": "p"},
    }
    state = distributed(passing({}), InputPath="$.i", ItemsPath="$.items", ResultWriter=writer)
    objects: dict[str, str | bytes] = {}

    outcome = simulate(machine(state), {"i": {"items": [1, 2], "bucket": "out"}}, objects=objects)

    details = outcome.output["ResultWriterDetails"]
    manifest = json.loads(objects[f"{details['Bucket']}/{details['Key']}"])
    [file] = manifest["ResultFiles"]["SUCCEEDED"]
    rows = json.loads(objects[f"out/{file['Key']}"])
    assert [row["Output"] for row in rows] == ["1", "2"]


@pytest.mark.parametrize(
    ("config", "name", "content"),
    [
        pytest.param({"Transformation": "COMPACT"}, "SUCCEEDED_0.json", "[[1],[2,3]]", id="JSON"),
        pytest.param(
            {"Transformation": "FLATTEN", "OutputType": "JSONL"},
            "SUCCEEDED_0.jsonl",
            "1\n2\n3\n",
            id="lines",
        ),
    ],
)
def test_results_are_written_as_a_writer_wants_them(config: Any, name: str, content: str) -> None:
    writer = {
        "Resource": "arn:aws:states:::s3:putObject",
        "Parameters": {"Bucket": "out"},
        "WriterConfig": config,
    }
    objects: dict[str, str | bytes] = {}

    simulate(machine(distributed(passing({}), ResultWriter=writer)), [[1], [2, 3]], objects=objects)

    assert [text for key, text in objects.items() if key.endswith(name)] == [content]


def test_the_outputs_of_children_are_in_the_order_of_their_items() -> None:
    slow = {"StartAt": "W", "States": {"W": {"Type": "Wait", "SecondsPath": "$", "End": True}}}
    writer = {"WriterConfig": {"Transformation": "COMPACT"}}

    outcome = simulate(machine(distributed(slow, ResultWriter=writer)), [3, 1, 2])

    assert outcome.output == [3, 1, 2]
