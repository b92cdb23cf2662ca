"""Functions outside of the engine: the same validation, context and errors, on Lambda and HTTP."""

from __future__ import annotations

import http.client
import io
import json
import logging
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from agentflow.adapters.aws.objects import Objects
from agentflow.adapters.bundle.helper import Helper
from agentflow.errors import Json
from agentflow.functions.hosts.aws_lambda import PAYLOAD, Handler
from agentflow.functions.hosts.calls import Setting
from agentflow.functions.hosts.http import main as serve
from agentflow.functions.hosts.http import serving
from tests.aws_deploy.projects import project

NAMES = ("total", "reserve", "whoami", "count", "large", "fails_largely", "later")
OURS = r'^{"name":'
FUNCTIONS = [f"shop.orders.{name}" for name in NAMES]


class Invocation:
    """What Lambda tells about an invocation."""

    aws_request_id = "request-1"

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


@pytest.fixture
def log() -> list[str]:
    return []


@pytest.fixture
def handler(tmp_path: Path, log: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Handler]:
    monkeypatch.setenv("AGENTFLOW_WORKFLOW", "shopping")
    monkeypatch.setenv("AGENTFLOW_SECRETS", "TOKEN,OTHER")
    monkeypatch.setenv("TOKEN", "s3cret")
    made = Handler(FUNCTIONS, project(tmp_path), helper=Helper(), write=log.append)
    yield made
    made.host.close()


def call(handler: Handler, function: str, **arguments: Json) -> Json:
    about = {"execution": "e1", "step": "items[3].total"}
    payload = {"function": f"shop.orders.{function}", "arguments": arguments, **about}
    return handler(payload, Invocation())


def test_a_function_is_called_by_name_with_checked_arguments(handler: Handler) -> None:
    assert call(handler, "total", items=["tea", "cup"]) == 8
    assert call(handler, "later", x=1) == 2


def test_the_context_tells_who_calls(handler: Handler) -> None:
    assert call(handler, "whoami") == {
        "execution": "e1",
        "step": "items[3].total",
        "attempt": 1,
        "workflow": "shopping",
        "key": "e1/items[3].total",
        "secret": "s3cret",
        "bounded": True,
    }


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


def test_values_that_come_one_by_one_are_a_list(handler: Handler) -> None:
    assert call(handler, "count", n=3) == [0, 1, 2]


@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        pytest.param("reserve", {"item": "tea"}, "OutOfStock", id="its own"),
        pytest.param("total", {"items": ["pen"]}, "KeyError", id="of Python"),
        pytest.param("total", {"itms": []}, "InvalidInput", id="wrong arguments"),
        pytest.param("total", {"items": [1]}, "InvalidInput", id="a wrong type"),
        pytest.param("missing", {}, "FunctionNotFound", id="not in the bundle"),
        pytest.param("large", {"size": PAYLOAD}, "PayloadTooLarge", id="too large a result"),
    ],
)
def test_an_error_leaves_as_a_class_of_its_name(
    handler: Handler, function: str, arguments: Json, name: str
) -> None:
    with pytest.raises(Exception, match=OURS) as raised:
        call(handler, function, **arguments)
    assert type(raised.value).__name__ == name
    value = json.loads(str(raised.value))
    assert list(value) == ["name", "message", "data", "cause"]
    assert value["name"] == name


def test_data_of_an_error_travels_with_it(handler: Handler) -> None:
    with pytest.raises(Exception, match=OURS) as raised:
        call(handler, "reserve", item="tea")
    assert json.loads(str(raised.value))["data"] == {"item": "tea"}


def test_data_that_would_not_fit_is_left_out_and_that_is_said(handler: Handler) -> None:
    with pytest.raises(Exception, match=OURS) as raised:
        call(handler, "fails_largely", size=60_000)
    value = json.loads(str(raised.value))
    assert value["data"] is None
    assert value["message"].startswith("large data (its data of 60,002 bytes is left out")
    assert len(str(raised.value)) < 32_768


def test_only_functions_of_the_bundle_are_called(handler: Handler) -> None:
    with pytest.raises(Exception, match=OURS) as raised:
        handler({"function": "os.system", "arguments": {"command": "true"}}, Invocation())
    assert type(raised.value).__name__ == "FunctionNotFound"


@pytest.mark.parametrize("payload", [None, [], "text", {}, {"what": 1}])
def test_a_payload_that_asks_for_nothing_is_refused(handler: Handler, payload: Json) -> None:
    with pytest.raises(Exception, match=OURS) as raised:
        handler(payload, Invocation())
    assert type(raised.value).__name__ == "InvalidInput"


def test_what_functions_print_is_a_line_of_json_with_the_execution(
    handler: Handler, log: list[str]
) -> None:
    call(handler, "total", items=["tea"])
    (line,) = map(json.loads, log)
    assert (line["level"], line["message"]) == ("INFO", "adding 1")
    assert (line["execution"], line["step"]) == ("e1", "items[3].total")
    assert line["function"] == "shop.orders.total"


def test_what_is_logged_on_lambda_becomes_lines_of_calls_too(
    tmp_path: Path, log: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = """\
import logging

def warn(context):
    logging.getLogger("shop").warning("low stock")
    context.logger.info("once")
"""
    past_calls: list[str] = []
    runtime = type(
        "LambdaLoggerHandler", (logging.Handler,), {"__module__": "awslambdaric.bootstrap"}
    )
    handler = runtime()
    handler.emit = lambda record: past_calls.append(record.getMessage())
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [handler])
    made = Handler(["shop.logs.warn"], project(tmp_path, shop__logs=source), write=log.append)
    made({"function": "shop.logs.warn", "execution": "e1", "step": "a"}, Invocation())
    made.host.close()
    lines = [json.loads(line) for line in log]
    assert [line["message"] for line in lines] == ["WARNING low stock", "INFO once"]
    assert {line["execution"] for line in lines} == {"e1"}
    assert past_calls == []


def test_a_failure_is_logged_with_the_frames_of_the_user(handler: Handler, log: list[str]) -> None:
    with pytest.raises(Exception, match="OutOfStock"):
        call(handler, "reserve", item="tea")
    (line,) = map(json.loads, log)
    assert (line["level"], line["error"]) == ("ERROR", "OutOfStock")
    assert line["trace"][0]["file"] == "shop/orders.py"
    assert line["request"] == "request-1"


@pytest.mark.parametrize(
    ("payload", "answer"),
    [
        pytest.param(
            {"evaluate": {"v1": "${ a.b + 1 }", "v2": "so ${ a }"}, "names": {"a": {"b": 2}}},
            {"v1": 3, "v2": 'so {"b":2}'},
            id="expressions",
        ),
        pytest.param({"check": {"n": 1}, "schema": {"required": ["n"]}}, {"n": 1}, id="an input"),
    ],
)
def test_the_helper_answers_what_is_no_call(handler: Handler, payload: Json, answer: Json) -> None:
    assert handler(payload, Invocation()) == answer


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        ({"evaluate": {"v1": "${ a.b }"}, "names": {"a": {}}}, "MissingKey"),
        ({"check": {}, "schema": {"required": ["n"]}}, "InvalidInput"),
    ],
)
def test_faults_of_the_helper_have_their_names(handler: Handler, payload: Json, name: str) -> None:
    with pytest.raises(Exception, match=OURS) as raised:
        handler(payload, Invocation())
    assert type(raised.value).__name__ == name


def test_chance_is_the_same_when_a_step_asks_again(handler: Handler) -> None:
    payload = {"evaluate": {"v1": "${ uuid() }"}, "names": {}, "execution": "e", "step": "s"}
    assert handler(payload, Invocation()) == handler(payload, Invocation())


def test_a_lambda_of_one_function_runs_no_other(
    tmp_path: Path, log: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTFLOW_FUNCTION", "shop.orders.count")
    made = Handler(FUNCTIONS, project(tmp_path), write=log.append)
    try:
        assert call(made, "count", n=1) == [0]
        with pytest.raises(Exception, match="FunctionNotFound"):
            call(made, "total", items=[])
    finally:
        made.host.close()


# --- HTTP -----------------------------------------------------------------------------------------


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with serving(Setting(FUNCTIONS, str(project(tmp_path)))) as url:
        yield url


JSON = {"Content-Type": "application/json"}


def post(url: str, path: str, body: str, headers: dict[str, str] = JSON) -> tuple[int, Json]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    try:
        connection.request("POST", path, body.encode(), headers)
        answer = connection.getresponse()
        return answer.status, json.load(io.TextIOWrapper(answer))
    finally:
        connection.close()


def test_functions_are_served_over_http_by_name(url: str) -> None:
    assert post(url, "/shop.orders.total", '{"items": ["cup"]}') == (200, 5)
    payload = {"function": "shop.orders.count", "arguments": {"n": 2}}
    assert post(url, "/", json.dumps(payload)) == (200, [0, 1])


@pytest.mark.parametrize(
    ("path", "body", "headers", "status", "name"),
    [
        pytest.param("/shop.orders.x", "{}", JSON, 404, "FunctionNotFound", id="unknown"),
        pytest.param("/shop.orders.total", "{", JSON, 400, "InvalidInput", id="not JSON"),
        pytest.param("/shop.orders.total", "{}", {}, 400, "InvalidInput", id="a form"),
        pytest.param(
            "/shop.orders.total",
            '{"items": []}',
            {**JSON, "Host": "evil.example"},
            400,
            "InvalidInput",
            id="another host's name",
        ),
        pytest.param("/shop.orders.reserve", '{"item": "a"}', JSON, 500, "OutOfStock", id="own"),
    ],
)
def test_errors_over_http_are_values(
    url: str, path: str, body: str, headers: dict[str, str], status: int, name: str
) -> None:
    got, value = post(url, path, body, headers)
    assert (got, value["name"]) == (status, name)


def test_a_request_that_is_no_call_is_answered_in_json(url: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    with closing(connection):
        connection.request("GET", "/shop.orders.total")
        answer = connection.getresponse()
        assert answer.status == 501
        assert "GET" in json.load(io.TextIOWrapper(answer))["message"]


@pytest.mark.parametrize(
    ("function", "port", "message"),
    [
        pytest.param("shop.orders.ttal", "0", "no function 'ttal'", id="an unknown function"),
        pytest.param("shop.orders.total", None, "choose another with --port", id="a taken port"),
        pytest.param("shop.orders.total", "99999", "cannot listen on port 99999", id="no port"),
    ],
)
def test_a_host_that_cannot_serve_says_why(
    url: str, tmp_path: Path, capsys: Any, function: str, port: str | None, message: str
) -> None:
    taken = str(urlsplit(url).port)
    with pytest.raises(SystemExit) as ended:
        serve([function, "--root", str(tmp_path), "--port", port or taken])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
