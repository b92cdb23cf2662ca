"""Maps that read their items from S3: the same items here, and an ItemReader again on AWS."""

from __future__ import annotations

from collections.abc import Iterator

import boto3  # type: ignore[import-untyped]  # it has no types
import pytest
from moto import mock_aws

from agentflow.adapters.aws.asl.read import read
from agentflow.adapters.aws.asl.simulate import simulate
from agentflow.adapters.aws.causes import error_of
from agentflow.adapters.aws.compile import definition
from agentflow.adapters.aws.imports import import_machine
from agentflow.adapters.refusals import CannotExpress
from agentflow.errors import Json
from agentflow.runtime import virtual
from agentflow.spec.load import Loaded, loads
from agentflow.spec.write import to_yaml
from tests.aws_import.cases import EPOCH, call
from tests.aws_import.machines import ECHO, FAIL, catch, each_child, machine

OBJECTS: dict[str, str | bytes] = {
    "box/rows.json": '{"rows": [{"n": 1}, {"n": 2}, {"n": 3}]}',
    "box/rows.jsonl": '{"n": 1}\n{"n": 2}\n{"n": 3}\n',
    "box/rows.csv": "n;m\n1;x\n2;y\n",
    "box/in/1": "x",
    "box/in/2": "yy",
    "box/manifest.json": (
        '{"destinationBucket": "arn:aws:s3:::box", "fileSchema": "n, m", "files": [{"key": "1.csv"}]}'
    ),
    "box/1.csv": "1,x\n2,y\n",
}
GET = "arn:aws:states:::s3:getObject"
INPUT = {"key": "rows.json", "most": 2}


def reader(key: str, kind: str, **config: Json) -> Json:
    return {
        "Resource": GET,
        "ReaderConfig": {"InputType": kind, **config},
        "Parameters": {"Bucket": "box", "Key": key},
    }


JSON_ROWS = {
    "Resource": GET,
    "ReaderConfig": {"InputType": "JSON", "ItemsPointer": "/rows"},
    "Parameters": {"Bucket": "box", "Key.$": "$.key"},
}
MISSING = reader("nowhere.json", "JSON")
ODD = each_child(ECHO)["ItemProcessor"] | machine(
    I={
        "Type": "Choice",
        "Choices": [{"Variable": "$.n", "NumericEquals": 2, "Next": "F"}],
        "Default": "E",
    },
    E=ECHO,
    F=FAIL,
)

MAPS: dict[str, Json] = {
    "a list": machine(A=each_child(ECHO, ItemReader=JSON_ROWS)),
    "some lines": machine(A=each_child(ECHO, ItemReader=reader("rows.jsonl", "JSONL", MaxItems=2))),
    "as many as the input says": machine(
        A=each_child(ECHO, ItemReader=reader("rows.jsonl", "JSONL", MaxItemsPath="$.most"))
    ),
    "a table": machine(
        A=each_child(
            ECHO,
            ItemReader=reader(
                "rows.csv", "CSV", CSVHeaderLocation="FIRST_ROW", CSVDelimiter="SEMICOLON"
            ),
        )
    ),
    "an inventory": machine(A=each_child(ECHO, ItemReader=reader("manifest.json", "MANIFEST"))),
    "a listing": machine(
        A=each_child(
            ECHO,
            ItemReader={
                "Resource": "arn:aws:states:::s3:listObjectsV2",
                "Parameters": {"Bucket": "box", "Prefix": "in/"},
            },
        )
    ),
    "items with what is around them": machine(
        A=each_child(
            ECHO,
            ItemReader=JSON_ROWS,
            ItemSelector={"i.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value", "k.$": "$.key"},
            ResultPath="$.rows",
        )
    ),
    "a key from JSONata": {
        "QueryLanguage": "JSONata",
        **machine(
            A=each_child(
                ECHO,
                ItemReader={
                    "Resource": GET,
                    "ReaderConfig": {"InputType": "JSONL", "MaxItems": "{% $states.input.most %}"},
                    "Arguments": {"Bucket": "box", "Key": "{% $states.input.key & 'l' %}"},
                },
            )
        ),
    },
    "an object that is not there": machine(A=each_child(ECHO, ItemReader=MISSING)),
    "a pointer that leads nowhere": machine(
        A=each_child(ECHO, ItemReader=reader("rows.json", "JSON", ItemsPointer="/none"))
    ),
    "a failure that is caught": machine(
        A=each_child(
            ECHO,
            ItemReader=MISSING,
            Retry=[{"ErrorEquals": ["States.ItemReaderFailed"], "MaxAttempts": 1}],
            Catch=[catch("States.ItemReaderFailed", to="B", ResultPath="$.error")],
        ),
        B=ECHO,
    ),
    "an item that fails": machine(
        A=each_child(ECHO, ItemReader=JSON_ROWS) | {"ItemProcessor": ODD}
    ),
    "an item that may fail": machine(
        A=each_child(ECHO, ItemReader=JSON_ROWS, ToleratedFailurePercentage=50)
        | {"ItemProcessor": ODD}
    ),
}


@pytest.fixture(scope="module", autouse=True)
def stored() -> Iterator[None]:
    """S3 with the objects, in process; these tests only read them."""
    with pytest.MonkeyPatch.context() as environment, mock_aws():
        environment.setenv("AWS_ACCESS_KEY_ID", "testing")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        client = boto3.client("s3")
        client.create_bucket(Bucket="box")
        for name, content in OBJECTS.items():
            bucket, _, key = name.partition("/")
            client.put_object(Bucket=bucket, Key=key, Body=content)
        yield


def imported(given: Json) -> Loaded:
    return loads(to_yaml(import_machine(read(given), "made").workflow))


def theirs(given: Json) -> Json:
    done = simulate(given, INPUT, objects={**OBJECTS}, started_at=EPOCH, name="execution")
    name = error_of(done.error or "", done.cause or "")["name"]
    return [done.status.lower(), timeless(done.output), name]


def ours(loaded: Loaded) -> Json:
    ended = virtual.run(loaded, INPUT, virtual.World(call, {}, EPOCH))
    name = "" if ended.error is None else ended.error["name"]
    return [ended.status, timeless(ended.output), name]


def timeless(output: Json) -> Json:
    """The output without the times at which objects were stored."""
    if isinstance(output, list):
        return [timeless(item) for item in output]
    if isinstance(output, dict):
        return {key: timeless(item) for key, item in output.items() if key != "LastModified"}
    return output


def read_by(given: Json) -> list[Json]:
    """The resources of the readers of a definition."""
    if isinstance(given, list):
        return [each for part in given for each in read_by(part)]
    if not isinstance(given, dict):
        return []
    own = [given["ItemReader"]["Resource"]] if "ItemReader" in given else []
    return own + read_by(list(given.values()))


@pytest.mark.parametrize("name", MAPS)
def test_a_map_reads_the_same_items_here_and_compiled(name: str) -> None:
    given = MAPS[name]
    first = imported(given)
    there = definition(first)
    assert ours(first) == theirs(given)
    assert theirs(there) == theirs(given)


@pytest.mark.parametrize("name", MAPS)
def test_a_reader_comes_back_as_it_went(name: str) -> None:
    first = imported(MAPS[name])
    there = definition(first)
    assert imported(there).text == first.text
    assert len(read_by(there)) == 1
    assert read_by(there) == read_by(MAPS[name])


@pytest.mark.parametrize(
    "name", ["a list", "a key from JSONata", "a failure that is caught", "an item that may fail"]
)
def test_a_definition_that_was_changed_keeps_its_reader(name: str) -> None:
    there = definition(imported(MAPS[name]))
    edited = definition(imported({**there, "Comment": "changed"}))
    assert theirs(edited) == theirs(MAPS[name])
    assert read_by(edited) == read_by(there)


def test_items_that_no_map_takes_are_refused() -> None:
    spec = """
workflow: unread
do:
  - id: rows
    call: agentflow.adapters.aws.foreign.items
    with: {resource: "arn:aws:states:::s3:getObject", arguments: {Bucket: b, Key: k}}
output: ${ len(rows) }
"""
    with pytest.raises(CannotExpress) as caught:
        definition(loads(spec))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.message == "`rows` reads items that no map takes"
