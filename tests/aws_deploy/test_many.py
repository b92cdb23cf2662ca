"""Many calls in one invocation: batches of a map, and the combining of its results."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from agentflow.adapters.aws.objects import Objects
from agentflow.adapters.bundle.helper import Helper
from agentflow.errors import Json
from agentflow.functions.hosts.aws_lambda import PAYLOAD, Handler
from tests.aws_deploy.invocations import FUNCTIONS, Invocation
from tests.aws_deploy.projects import project


def test_a_batch_has_an_outcome_for_each_item(handler: Handler, log: list[str]) -> None:
    asked = {
        "items": [{"item": ["tea"], "index": 4}, {"item": ["x"], "index": 5}, {"item": 1, "index": 6}],
        "as": "names",
        "at": "place",
        "with": {"items": "${ names if place != 6 else names.items }"},
        "names": {"other": 1},
        "on": ["KeyError"],
    }  # fmt: skip
    payload = {"function": "shop.orders.total", "batch": asked, "execution": "e1", "step": "totals"}
    first, second, third = handler(payload, Invocation())
    assert first == {"index": 4, "value": 3}
    assert (second["index"], second["failure"]["name"], second["again"]) == (5, "KeyError", True)
    assert (third["failure"]["name"], "again" in third) == ("TypeMismatch", False)
    assert [json.loads(line)["step"] for line in log][:2] == ["totals[4]", "totals[5]"]


def test_a_result_that_is_too_large_is_the_failure_of_its_item_alone(handler: Handler) -> None:
    def batch(*sizes: int) -> Json:
        items = [{"item": size, "index": index} for index, size in enumerate(sizes)]
        given = {"size": "${ size }"}
        asked = {"items": items, "as": "size", "with": given, "names": {}, "on": []}
        about = {"execution": "e1", "step": "texts"}
        return handler({"function": "shop.orders.large", "batch": asked, **about}, Invocation())

    first, second = batch(3, PAYLOAD + 1)
    assert (first["value"], second["failure"]["name"]) == ("xxx", "PayloadTooLarge")
    with pytest.raises(Exception, match="fewer items") as refused:
        batch(PAYLOAD // 2, PAYLOAD // 2)
    assert type(refused.value).__name__ == "PayloadTooLarge"


def test_a_host_without_a_helper_makes_no_batches(tmp_path: Path) -> None:
    made = Handler(FUNCTIONS, project(tmp_path))
    with closing(made.host), pytest.raises(Exception, match="single calls only"):
        made({"function": "shop.orders.total", "batch": {}}, Invocation())


MANIFEST = {
    "DestinationBucket": "lake",
    "MapRunArn": "arn:aws:states:us-east-1:123456789012:mapRun:m/a:1",
    "ResultFiles": {
        "FAILED": [{"Key": "maps/1/FAILED_0.json", "Size": 9}],
        "PENDING": [],
        "SUCCEEDED": [{"Key": "maps/1/SUCCEEDED_0.json", "Size": 9}],
    },
}
ROWS = {
    "maps/1/SUCCEEDED_0.json": [
        {"Status": "SUCCEEDED", "Input": '{"index":2,"item":0}', "Output": '{"value":["cup"]}'},
        {"Status": "SUCCEEDED", "Input": '{"index":0,"item":0}', "Output": '{"value":["tea"]}'},
        {
            "Status": "SUCCEEDED",
            "Input": '{"Items":[{"index":3},{"index":4}]}',
            "Output": '[{"index":4,"value":[]},{"index":3,"value":["tea"]}]',
        },
    ],
    "maps/1/FAILED_0.json": [
        {
            "Status": "FAILED",
            "Input": '{"index":1,"item":0}',
            "Error": "States.DataLimitExceeded",
            "Cause": "too large",
        },
    ],
}


def test_what_a_map_wrote_is_read_in_the_order_of_its_items() -> None:
    """Files as Step Functions documents them."""
    files = {"maps/1/manifest.json": MANIFEST, **ROWS}
    objects = Objects(lambda bucket, key: json.dumps(files[key]))
    found = objects.outcomes({"Bucket": "lake", "Key": "maps/1/manifest.json"})
    failure = found[1]["failure"]
    assert (failure["name"], failure["message"]) == ("PayloadTooLarge", "too large")
    values = {index: each["value"] for index, each in found.items() if index != 1}
    assert values == {0: ["tea"], 2: ["cup"], 3: ["tea"], 4: []}


def test_what_is_combined_on_the_way_may_be_larger_than_the_state_machine_takes(
    tmp_path: Path,
) -> None:
    values = json.dumps({"value": ["tea"]})
    rows = [
        {"Status": "SUCCEEDED", "Input": f'{{"index":{n}}}', "Output": values} for n in range(3)
    ]
    files = {"m": {"ResultFiles": {"SUCCEEDED": [{"Key": "s"}]}}, "s": rows}
    helper = Helper(stored=Objects(lambda bucket, key: json.dumps(files[key])))
    made = Handler(FUNCTIONS, project(tmp_path), helper=helper, write=lambda line: None)
    asked = {
        "results": {"Bucket": "lake", "Key": "m"},
        "arity": 2,
        # Two lists at first, then two long texts: whose length is the size of the last text.
        "with": {"size": f"${{ {PAYLOAD + 1} if len(items) < 2 or items[0] == ['tea'] else 2 }}"},
        "names": {},
        "tolerate": {"count": 0},
        "retry": None,
    }
    about = {"execution": "e1", "step": "texts"}
    with closing(made.host):
        assert (
            made({"function": "shop.orders.large", "reduce": asked, **about}, Invocation()) == "xx"
        )
