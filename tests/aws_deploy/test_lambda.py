"""Functions on Lambda: the same validation, context, errors and logs as in the engine."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from agentflow.errors import Json
from agentflow.functions.hosts.aws_lambda import PAYLOAD, Handler
from tests.aws_deploy.invocations import FUNCTIONS, OURS, Invocation, call
from tests.aws_deploy.projects import project


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
