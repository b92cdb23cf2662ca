"""What tests share: an account, a name for each test's own workflow there, a Lambda's handler."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentflow.adapters.aws.deploy.client import Cloud
from agentflow.adapters.bundle.helper import Helper
from agentflow.functions.hosts.aws_lambda import Handler
from tests.aws_deploy.command_line import Line
from tests.aws_deploy.invocations import FUNCTIONS
from tests.aws_deploy.moto_cloud import Account, account
from tests.aws_deploy.projects import digest, project, write
from tests.aws_deploy.workflows import SHOPPING


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An account whose state machines do not run."""
    with account(tmp_path_factory.mktemp("lambdas")) as made:
        yield made


@pytest.fixture(scope="module")
def cloud(aws: Account) -> Cloud:
    """Its clients."""
    return aws.connect()


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A name for the test's own workflow: all share one account."""
    plain = "".join(c if c.isalnum() else "_" for c in request.node.name)
    return f"{plain[5:32]}_{digest(request.node.name.encode())[:8]}"


@pytest.fixture
def log() -> list[str]:
    """The lines that the handler writes."""
    return []


@pytest.fixture
def handler(tmp_path: Path, log: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Handler]:
    """What Lambda calls, with the shop's functions."""
    monkeypatch.setenv("AGENTFLOW_WORKFLOW", "shopping")
    monkeypatch.setenv("AGENTFLOW_SECRETS", "TOKEN,OTHER")
    monkeypatch.setenv("TOKEN", "s3cret")
    made = Handler(FUNCTIONS, project(tmp_path), helper=Helper(), write=log.append)
    yield made
    made.host.close()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a workflow."""
    root = project(tmp_path_factory.mktemp("shop"))
    write(root / "specs" / "shopping.yaml", SHOPPING.format(name="shopping", more=""))
    return root


@pytest.fixture
def line(aws: Account, shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Line:
    """A command line in the shop's folder, for the account."""
    monkeypatch.chdir(shop)
    return Line(aws.url, capsys)


@pytest.fixture
def local(shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Line:
    """The same, for this machine alone."""
    monkeypatch.chdir(shop)
    return Line(None, capsys)
