"""Functions over HTTP on this machine."""

from __future__ import annotations

import http.client
import io
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from agentflow.errors import Json
from agentflow.functions.hosts.calls import Setting
from agentflow.functions.hosts.http import main as serve
from agentflow.functions.hosts.http import serving
from tests.aws_deploy.invocations import FUNCTIONS
from tests.aws_deploy.projects import project


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with serving(Setting(FUNCTIONS, str(project(tmp_path)))) as url:
        yield url


JSON = {"Content-Type": "application/json"}


def post(url: str, path: str, body: str, headers: dict[str, str] = JSON) -> tuple[int, Json]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
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
        pytest.param("/shop.orders.large", '{"size": NaN}', JSON, 400, "InvalidInput", id="NaN"),
        pytest.param("/shop.orders.large", '{"size": 1e999}', JSON, 400, "InvalidInput", id="inf"),
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
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
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
