"""The way to an account: credentials, region, endpoint, and how long is waited."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from agentflow.adapters.aws.deploy.client import Cloud, connect
from agentflow.adapters.aws.deploy.executions import call
from agentflow.errors import NotAllowed, Unavailable, UsageError
from tests.aws_deploy.moto_cloud import REGION, Account

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment that knows nothing of AWS."""
    for variable in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",
    ):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return monkeypatch


def test_missing_credentials_are_told_with_the_remedy(
    bare: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(NotAllowed, match="credentials") as refused:
        connect(REGION, "http://127.0.0.1:9")
    assert "aws configure" in refused.value.help


def test_a_missing_region_is_told_with_the_remedy(bare: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="region"):
        connect()


def test_the_region_and_the_endpoint_may_come_from_the_environment(
    bare: pytest.MonkeyPatch, aws: Account
) -> None:
    bare.setenv("AWS_REGION", "eu-north-1")
    bare.setenv("AWS_ENDPOINT_URL", aws.url)
    bare.setenv("AWS_ACCESS_KEY_ID", "x")
    bare.setenv("AWS_SECRET_ACCESS_KEY", "x")
    assert connect().arns.region == "eu-north-1"
    assert connect("eu-west-1").arns.region == "eu-west-1"


@pytest.mark.parametrize("url", ["notaurl", "localhost:4566", "http://"])
def test_an_endpoint_that_is_no_url_is_told(bare: pytest.MonkeyPatch, url: str) -> None:
    with pytest.raises(UsageError, match="no URL of an endpoint"):
        connect(REGION, url)


@pytest.fixture
def stranger() -> Iterator[str]:
    """The URL of a server that answers in HTML, whatever it is asked."""

    class Page(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_error(501)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_an_endpoint_that_is_not_aws_is_told(bare: pytest.MonkeyPatch, stranger: str) -> None:
    bare.setenv("AWS_ACCESS_KEY_ID", "x")
    bare.setenv("AWS_SECRET_ACCESS_KEY", "x")
    bare.setattr("agentflow.adapters.aws.deploy.client.FIRST_ATTEMPTS", 1)
    with pytest.raises(Unavailable, match="what answers is not AWS") as refused:
        connect(REGION, stranger)
    assert "--endpoint-url" in refused.value.help


def test_variables_that_are_empty_are_as_if_they_were_not_set(
    bare: pytest.MonkeyPatch, aws: Account
) -> None:
    for variable in ("AWS_REGION", "AWS_ENDPOINT_URL"):
        bare.setenv(variable, "")
    with pytest.raises(UsageError, match="no AWS region is chosen"):
        connect()
    bare.setenv("AWS_ACCESS_KEY_ID", "x")
    bare.setenv("AWS_SECRET_ACCESS_KEY", "x")
    assert connect(REGION, aws.url).arns.region == REGION


def test_what_aws_would_not_be_asked_is_told_as_a_mistake_on_one_line(cloud: Cloud) -> None:
    with pytest.raises(UsageError, match=r"FunctionName.*min length: 1"):
        call(cloud, "", {})


def test_a_missing_profile_is_told(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(UsageError, match="nobody") as refused:
        connect(REGION)
    assert refused.value.help


def test_a_call_that_takes_long_is_waited_for_and_not_made_twice(cloud: Cloud) -> None:
    config = cloud.patient("lambda").meta.config
    assert config.read_timeout > 900  # as long as Lambda lets an invocation take
    assert config.retries["total_max_attempts"] == 1
