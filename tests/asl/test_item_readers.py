"""What distributed maps read: objects, rows, listings, inventories."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import json
from typing import Any

import pytest

from agentflow.adapters.aws.asl.simulate import simulate
from agentflow.adapters.aws.asl.simulate.handlers import by_name
from tests.asl.machines import distributed, machine, passing


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
