"""Distributed maps with batches and written results: the same here, and one Map again on AWS."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import boto3  # type: ignore[import-untyped]  # it has no types
import pytest
from moto import mock_aws

from agentflow.adapters.aws.asl.read import read
from agentflow.adapters.aws.asl.simulate import simulate
from agentflow.adapters.aws.causes import error_of
from agentflow.adapters.aws.compile import definition
from agentflow.adapters.aws.imports import import_machine
from agentflow.errors import Json
from agentflow.runtime import virtual
from agentflow.spec.load import Loaded, loads
from agentflow.spec.write import to_yaml
from tests.aws_import.cases import EPOCH, call
from tests.aws_import.machines import ECHO, FAIL, catch, each_child, machine

GET, PUT = "arn:aws:states:::s3:getObject", "arn:aws:states:::s3:putObject"
ROWS = '[{"n": 1}, {"n": 2}, {"n": 3}, {"n": 4}, {"n": 5}]'
INPUT: dict[str, Json] = {
    "rows": json.loads(ROWS),
    "size": 2,
    "bytes": 30,
    "place": "out",
    "by": {"a": 1, "b": 2},
}
OBJECTS: dict[str, str | bytes] = {"box/rows.json": ROWS, "box/rows.csv": "n\n1\n2\n3\n"}
READER = {
    "Resource": GET,
    "ReaderConfig": {"InputType": "JSON"},
    "Parameters": {"Bucket": "box", "Key": "rows.json"},
}
WRITER = {"Resource": PUT, "Parameters": {"Bucket": "box", "Prefix.$": "$.place"}}
FEW = {"ItemsPath": "$.rows"}


def odd(**fields: Json) -> Json:
    """A map one of whose children fails."""
    states = machine(
        I={
            "Type": "Choice",
            "Choices": [
                {"Variable": "$.n", "NumericEquals": 2, "Next": "F"},
                {"Variable": "$.Items[0].n", "NumericEquals": 3, "Next": "F"},
            ],
            "Default": "E",
        },
        E=ECHO,
        F=FAIL,
    )
    made = each_child(ECHO, **fields)
    return {**made, "ItemProcessor": {**made["ItemProcessor"], **states}}


def chosen(test: str, **fields: Json) -> Json:
    """The same with JSONata, whose child fails by a condition."""
    states = {
        "QueryLanguage": "JSONata",
        **machine(
            I={"Type": "Choice", "Choices": [{"Condition": test, "Next": "F"}], "Default": "E"},
            E={"Type": "Pass", "Output": "{% $states.input %}", "End": True},
            F=FAIL,
        ),
    }
    made = each_child(ECHO, **fields)
    return {**made, "ItemProcessor": {**made["ItemProcessor"], **states}}


def jsonata(**states: Json) -> Json:
    return {"QueryLanguage": "JSONata", **machine(**states)}


BATCH_INPUT = {"place.$": "$.place", "all.$": "States.ArrayLength($.rows)"}
MAPS: dict[str, Json] = {
    "batches by a path, with an input": machine(
        A=each_child(
            ECHO, **FEW, ItemBatcher={"MaxItemsPerBatchPath": "$.size", "BatchInput": BATCH_INPUT}
        )
    ),
    "a batch of none": machine(
        A=each_child(ECHO, **FEW, ItemBatcher={"MaxItemsPerBatchPath": "$.by"})
    ),
    "batches of an object": machine(
        A=each_child(ECHO, ItemsPath="$.by", ItemBatcher={"MaxItemsPerBatch": 2})
    ),
    "batches that may fail": machine(
        A=chosen(
            "{% $states.input.Items[0].n = 3 %}",
            **FEW,
            ItemBatcher={"MaxItemsPerBatch": 2},
            ToleratedFailureCount=2,
        )
    ),
    "batches of which too many fail": machine(
        A=chosen(
            "{% $states.input.Items[0].n = 3 %}",
            **FEW,
            ItemBatcher={"MaxItemsPerBatch": 2},
            ToleratedFailurePercentage=39,
            Catch=[catch("States.ExceedToleratedFailureThreshold", to="B", ResultPath="$.e")],
        ),
        B=ECHO,
    ),
    "batches by size": machine(
        A=each_child(ECHO, **FEW, ItemBatcher={"MaxInputBytesPerBatchPath": "$.bytes"})
    ),
    "batches by size and number": jsonata(
        A=each_child(
            ECHO,
            Items="{% $states.input.rows %}",
            ItemBatcher={
                "MaxItemsPerBatch": "{% $states.input.size %}",
                "MaxInputBytesPerBatch": "{% $states.input.bytes + 20 %}",
                "BatchInput": {"at": "{% $states.input.place %}"},
            },
        )
    ),
    "selected items in batches": machine(
        A=each_child(
            ECHO,
            **FEW,
            ItemSelector={
                "i.$": "$$.Map.Item.Index",
                "v.$": "$$.Map.Item.Value.n",
                "at.$": "States.Format('{}!', $.place)",
            },
            ItemBatcher={"MaxItemsPerBatch": 2},
            ResultPath="$.done",
        )
    ),
    "items of variables, selected in batches": machine(
        V={"Type": "Pass", "Assign": {"rows.$": "$.rows", "at.$": "$.place"}, "Next": "A"},
        A=each_child(
            ECHO,
            ItemsPath="$rows",
            ItemSelector={"v.$": "$$.Map.Item.Value.n", "at.$": "$at"},
            ItemBatcher={"MaxItemsPerBatch": 3, "BatchInput": {"by.$": "$.by"}},
        ),
    ),
    "read items in batches": machine(
        A=each_child(ECHO, ItemReader=READER, ItemBatcher={"MaxItemsPerBatch": 2})
    ),
    "a read table in batches that may fail": machine(
        A=chosen(
            "{% $states.input.Items[0].n = '3' %}",
            ItemReader={
                "Resource": GET,
                "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"},
                "Parameters": {"Bucket": "box", "Key": "rows.csv"},
            },
            ItemBatcher={"MaxItemsPerBatch": 2, "BatchInput": {"x": 1}},
            ToleratedFailurePercentage=50,
        )
    ),
    "an object that is not there, in batches": machine(
        A=each_child(
            ECHO,
            ItemReader={**READER, "Parameters": {"Bucket": "box", "Key": "nowhere.json"}},
            ItemBatcher={"MaxItemsPerBatch": 2},
            Catch=[catch("States.ItemReaderFailed", to="B", ResultPath="$.e")],
        ),
        B={"Type": "Pass", "OutputPath": "$.e.Error", "End": True},
    ),
    "results that are written": machine(
        A=each_child(ECHO, **FEW, ResultWriter=WRITER, Label="Rows")
    ),
    "results that are written in JSONata": jsonata(
        A=each_child(
            ECHO,
            Items="{% $states.input.rows %}",
            ItemSelector={"v": "{% $states.context.Map.Item.Value.n * 2 %}"},
            ResultWriter={
                "Resource": PUT,
                "Arguments": {"Bucket": "box", "Prefix": "{% 'in/' & $states.input.place %}"},
                "WriterConfig": {"Transformation": "COMPACT"},
            },
            Output="{% $states.result.ResultWriterDetails.Bucket %}",
        )
    ),
    "results of failures are written too": machine(
        A=odd(**FEW, ResultWriter=WRITER, ToleratedFailurePercentage=40)
    ),
    "results that are not written because of a failure": machine(
        A=odd(**FEW, ResultWriter=WRITER)
    ),
    "results that are made flat": machine(
        A=each_child(
            {"Type": "Pass", "Parameters": {"l.$": "States.Array($.n, $.n)"}, "OutputPath": "$.l", "End": True},
            **FEW,
            ResultWriter={"WriterConfig": {"Transformation": "FLATTEN"}},
        )
    ),
    "a child that reads its execution": machine(
        A=each_child(
            {
                "Type": "Pass",
                "Parameters": {"in.$": "$$.Execution.Input", "text.$": "States.Format('{}', $$.Execution.Input.n)"},
                "End": True,
            },
            **FEW,
        )
    ),
    "everything at once": machine(
        A=odd(
            ItemReader=READER,
            ItemSelector={"n.$": "$$.Map.Item.Value.n", "at.$": "$.place"},
            ItemBatcher={"MaxItemsPerBatchPath": "$.size", "BatchInput": {"at.$": "$.place"}},
            ResultWriter=WRITER,
            ToleratedFailureCount=2,
            MaxConcurrency=3,
            ResultPath="$.written",
        )
    ),
}  # fmt: skip
NATIVE = [
    name
    for name in MAPS
    if re.search(
        "ResultWriter|InputBytes|ItemReader.*Batcher|ItemSelector.*Batcher", str(MAPS[name])
    )
]


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """S3 with the objects, in process."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="box")
        for name, content in OBJECTS.items():
            client.put_object(Bucket="box", Key=name.removeprefix("box/"), Body=content)
        yield client


def imported(given: Json) -> Loaded:
    return loads(to_yaml(import_machine(read(given), "made").workflow))


def essence(found: Json) -> Json:
    """Without the names that executions and runs are given, and in one order."""
    if isinstance(found, dict):
        return {essence(key): essence(each) for key, each in found.items() if key != "Size"}
    if isinstance(found, list):
        return sorted(map(essence, found), key=str)
    if isinstance(found, str):
        hex_ = re.sub(r"[0-9a-f]{32}|[0-9a-f-]{36}", "ID", found)
        return re.sub(r"arn:aws:states:[\w:/.-]+", "ARN", hex_)
    return found


def theirs(given: Json) -> tuple[Json, Json]:
    """How a machine ends, and what it writes."""
    objects = {**OBJECTS}
    done = simulate(given, INPUT, objects=objects, started_at=EPOCH, machine_name="made")
    name = error_of(done.error or "", done.cause or "")["name"]
    written = {k: json.loads(v) for k, v in objects.items() if k not in OBJECTS}
    ended = [done.status.lower(), done.output, name]
    return essence(ended), essence(written)


def ours(loaded: Loaded, client: Any) -> tuple[Json, Json]:
    """The same of a workflow."""
    ended = virtual.run(loaded, INPUT, virtual.World(call, {}, EPOCH))
    written = {}
    for each in client.list_objects_v2(Bucket="box")["Contents"]:
        if (name := f"box/{each['Key']}") not in OBJECTS:
            body = client.get_object(Bucket="box", Key=each["Key"])["Body"].read()
            written[name] = json.loads(body)
    name = "" if ended.error is None else ended.error["name"]
    return essence([ended.status, ended.output, name]), essence(written)


@pytest.mark.parametrize("name", MAPS)
def test_a_map_run_ends_and_writes_the_same_here(name: str, stored: Any) -> None:
    given = MAPS[name]
    assert ours(imported(given), stored) == theirs(given)


KEPT = ("ItemReader", "ItemSelector", "ItemBatcher", "ResultWriter", "Label")


def maps_of(given: Json) -> list[dict[str, Json]]:
    """What each distributed map of a definition has beside its children."""
    if isinstance(given, list):
        return [each for part in given for each in maps_of(part)]
    if not isinstance(given, dict):
        return []
    own = [{key: given[key] for key in given if key in KEPT}] if "ItemProcessor" in given else []
    return [each for each in own if each] + maps_of(list(given.values()))


@pytest.mark.parametrize("name", MAPS)
def test_a_map_run_ends_and_writes_the_same_compiled(name: str) -> None:
    given = MAPS[name]
    assert theirs(definition(imported(given))) == theirs(given)


@pytest.mark.parametrize("name", MAPS)
def test_a_map_run_comes_back_as_it_went(name: str) -> None:
    first = imported(MAPS[name])
    there = definition(first)
    assert imported(there).text == first.text
    edited = definition(imported({**there, "Comment": "changed"}))
    assert theirs(edited) == theirs(there)
    if name in NATIVE:
        assert [set(each) for each in maps_of(there)] == [set(each) for each in maps_of(MAPS[name])]
        assert [set(each) for each in maps_of(edited)] == [set(each) for each in maps_of(there)]


def test_results_for_which_there_is_no_bucket_fail_as_on_the_service(stored: Any) -> None:
    given = machine(
        A=each_child(
            ECHO,
            **FEW,
            ResultWriter={"Resource": PUT, "Parameters": {"Bucket": "nowhere"}},
            Catch=[catch("States.ResultWriterFailed", to="B")],
        ),
        B={"Type": "Pass", "OutputPath": "$.Error", "End": True},
    )
    assert ours(imported(given), stored)[0] == essence(
        ["succeeded", "States.ResultWriterFailed", ""]
    )
