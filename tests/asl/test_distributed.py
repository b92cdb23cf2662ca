from __future__ import annotations

import datetime as dt
import gzip
import io
import json
from typing import Any

import pytest

from agentflow.adapters.aws.asl.simulate import simulate
from agentflow.adapters.aws.asl.simulate.handlers import by_name
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


@pytest.mark.parametrize(
    ("config", "content", "items"),
    [
        pytest.param({"InputType": "JSON"}, "[1, 2]", [1, 2], id="JSON"),
        pytest.param(
            {"InputType": "JSON", "ItemsPointer": "/a/b"}, '{"a":{"b":[3]}}', [3], id="pointer"
        ),
        pytest.param(
            {"InputType": "JSONL"}, '{"a":1}\n{"a":2}\n', [{"a": 1}, {"a": 2}], id="JSONL"
        ),
        pytest.param(
            {"InputType": "JSONL"},
            '"a\u2028b"\r\n"\x85"',
            ["a\u2028b", "\x85"],
            id="odd ends of lines",
        ),
        pytest.param(
            {"InputType": "JSON"}, b"\xef\xbb\xbf[1]", [1], id="a mark of its bytes' order"
        ),
        pytest.param(
            {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"},
            'a,b\n1,"x,y"\n',
            [{"a": "1", "b": "x,y"}],
            id="CSV",
        ),
        pytest.param(
            {
                "InputType": "CSV",
                "CSVHeaderLocation": "GIVEN",
                "CSVHeaders": ["p", "q"],
                "CSVDelimiter": "PIPE",
                "MaxItems": 1,
            },
            "1|2\n3|4\n",
            [{"p": "1", "q": "2"}],
            id="CSV with headers of its own",
        ),
        pytest.param(
            {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"},
            f"a\n{'x' * 150_000}\n",
            [{"a": "x" * 150_000}],
            id="CSV with a long field",
        ),
    ],
)
def test_items_are_read_from_an_object(config: Any, content: str | bytes, items: Any) -> None:
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": config,
        "Parameters": {"Bucket": "b", "Key.$": "$.key"},
    }

    outcome = simulate(
        machine(distributed(passing({}), ItemReader=reader)), {"key": "k"}, objects={"b/k": content}
    )

    assert outcome.output == items


@pytest.mark.parametrize(
    ("config", "content", "cause"),
    [
        pytest.param({"InputType": "JSON"}, "5", "non-iterable", id="no list"),
        pytest.param(
            {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"},
            "a,a\n",
            "duplicates",
            id="twice",
        ),
        pytest.param({"InputType": "JSON", "MaxItems": -1}, "[]", "positive", id="negative"),
        pytest.param({"InputType": "JSON"}, None, "does not exist", id="no object"),
        pytest.param({"InputType": "JSON"}, "[1", "Expecting", id="no JSON"),
        pytest.param({"InputType": "JSON"}, b"\xff", "cannot be read", id="no text"),
        pytest.param(
            {"InputType": "PARQUET"},
            b"PAR1",
            "cannot be read",
            id="no table",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"InputType": "JSON", "ItemsPointer": "/a/b"},
            '{"a": 5}',
            "ReaderConfig.ItemsPointer does not match any valid path",
            id="a pointer that leads nowhere",
        ),
        pytest.param(
            {"InputType": "JSON", "ItemsPointer": "/7"},
            "[1]",
            "ReaderConfig.ItemsPointer does not match any valid path",
            id="a pointer beyond the list",
        ),
    ],
)
def test_items_that_cannot_be_read_fail_the_map(config: Any, content: Any, cause: str) -> None:
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": config,
        "Parameters": {"Bucket": "b", "Key": "k"},
    }
    objects = {} if content is None else {"b/k": content}

    outcome = simulate(machine(distributed(passing({}), ItemReader=reader)), {}, objects=objects)

    assert outcome.error == "States.ItemReaderFailed"
    assert cause in str(outcome.cause)
    assert [event.type for event in outcome.history[2:-1]] == [
        "MapStateStarted",
        "MapRunStarted",
        "MapRunFailed",
        "MapStateFailed",
    ]


@pytest.mark.slow
def test_the_rows_of_a_parquet_file_are_items() -> None:
    import pyarrow as pa  # type: ignore[import-untyped]  # it has no types
    from pyarrow import parquet

    table = pa.table({"a": [1, 2], "day": [dt.date(2020, 1, 2), None]})
    parquet.write_table(table, written := io.BytesIO())
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "PARQUET"},
        "Parameters": {"Bucket": "b", "Key": "k"},
    }

    outcome = simulate(
        machine(distributed(passing({}), ItemReader=reader)),
        {},
        objects={"b/k": written.getvalue()},
    )

    assert outcome.output == [{"a": 1, "day": "2020-01-02"}, {"a": 2, "day": None}]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        pytest.param(gzip.compress(b"[1]"), "SUCCEEDED", id="packed"),
        pytest.param(b"[1]", "FAILED", id="not packed"),
        pytest.param(gzip.compress(b"[1]")[:-4], "FAILED", id="cut off"),
    ],
)
def test_what_is_packed_is_unpacked(content: bytes, status: str) -> None:
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "JSON"},
        "Parameters": {"Bucket": "b", "Key": "k.gz"},
    }

    outcome = simulate(
        machine(distributed(passing({}), ItemReader=reader)), {}, objects={"b/k.gz": content}
    )

    assert outcome.status == status
    assert outcome.error == (None if status == "SUCCEEDED" else "States.ItemReaderFailed")


LISTING = {
    "Resource": "arn:aws:states:::s3:listObjectsV2",
    "Parameters": {"Bucket": "b", "Prefix": "in/"},
}


def test_objects_of_a_bucket_are_listed() -> None:
    outcome = simulate(
        machine(distributed(passing({}), ItemReader=LISTING)),
        {},
        objects={"b/in/1": "x", "b/in/2": "y", "b/out": "z"},
        started_at=1_700_000_000.5,
    )

    assert [item["Key"] for item in outcome.output] == ["in/1", "in/2"]
    assert outcome.output[0] == {
        "Etag": '"9dd4e461268c8034f5c8564e155c67a6"',
        "Key": "in/1",
        "LastModified": 1_700_000_000,
        "Size": 1,
        "StorageClass": "STANDARD",
    }


def test_the_items_in_the_objects_of_a_listing_are_one_list() -> None:
    config = {"InputType": "JSONL", "Transformation": "LOAD_AND_FLATTEN"}
    state = distributed(passing({}), ItemReader={**LISTING, "ReaderConfig": config})

    outcome = simulate(machine(state), {}, objects={"b/in/1": "1\n2\n", "b/in/2": "[3]"})

    assert outcome.output == [1, 2, [3]]


@pytest.mark.parametrize(
    ("kind", "given", "items"),
    [
        pytest.param("CSV", "a\n1\n", [{"a": "1"}], id="text"),
        pytest.param("JSON", [1, 2], [1, 2], id="a list"),
        pytest.param("JSON", {"a": 1}, [{"Key": "a", "Value": 1}], id="an object"),
    ],
)
def test_whoever_does_the_work_gives_objects_that_are_not_stored(
    kind: str, given: Any, items: Any
) -> None:
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": kind, "CSVHeaderLocation": "FIRST_ROW"},
        "Parameters": {"Bucket": "b", "Key": "k"},
    }
    tasks = by_name({}, {"s3:getObject": lambda asked: given if asked["Key"] == "k" else None})

    outcome = simulate(machine(distributed(passing({}), ItemReader=reader)), {}, tasks)

    assert outcome.output == items


def test_the_files_of_an_inventory_are_read() -> None:
    manifest = {
        "destinationBucket": "arn:aws:s3:::b",
        "fileSchema": "Bucket, Key",
        "files": [{"key": "one.csv"}, {"key": "two.csv"}],
    }
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "MANIFEST"},
        "Parameters": {"Bucket": "b", "Key": "manifest.json"},
    }
    objects = {"b/manifest.json": json.dumps(manifest), "b/one.csv": "x,1\n", "b/two.csv": "x,2\n"}

    outcome = simulate(
        machine(distributed(passing({}), ItemReader=reader)), {}, objects={**objects}
    )

    assert outcome.output == [{"Bucket": "x", "Key": "1"}, {"Bucket": "x", "Key": "2"}]


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
