"""An account for the tests of a module, and a name for each test's own workflow there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agentflow.adapters.aws.deploy.client import Cloud
from tests.aws_deploy.moto_cloud import Account, account
from tests.aws_deploy.projects import digest


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
