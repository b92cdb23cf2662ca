"""The way to an account: credentials, region, endpoint, and how long is waited."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentflow.adapters.aws.deploy.client import Cloud, connect
from agentflow.errors import NotAllowed, UsageError
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


def test_a_missing_profile_is_told(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(UsageError, match="nobody") as refused:
        connect(REGION)
    assert refused.value.help


def test_a_call_that_takes_long_is_waited_for_and_not_made_twice(cloud: Cloud) -> None:
    config = cloud.patient("lambda").meta.config
    assert config.read_timeout > 900  # as long as Lambda lets an invocation take
    assert config.retries["total_max_attempts"] == 1
