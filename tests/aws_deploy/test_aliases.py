"""Aliases: a new version takes over by shares, and goes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentflow.adapters.aws.deploy.client import Cloud
from agentflow.adapters.aws.deploy.deployment import Alias, deploy
from agentflow.adapters.aws.deploy.ledger import Ledger
from agentflow.adapters.aws.deploy.machines import roll_back
from agentflow.errors import NotFound
from tests.aws_deploy.workflows import LIVE, packed, put, shares

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def test_a_new_version_takes_over_by_shares_and_goes_back(
    cloud: Cloud, name: str, tmp_path: Path
) -> None:
    put(cloud, packed(tmp_path, name), LIVE)
    new = packed(tmp_path, name, more=", more: 2")
    put(cloud, new, Alias("live", 10))
    assert shares(cloud, name) == {1: 90, 2: 10}
    _, changes = put(cloud, new, Alias("live", 10))
    assert changes == []
    put(cloud, new, Alias("live", 50))
    assert shares(cloud, name) == {1: 50, 2: 50}
    put(cloud, new, LIVE)
    assert shares(cloud, name) == {2: 100}
    roll_back(cloud, Ledger(), name, "live")
    assert shares(cloud, name) == {1: 100}


def test_a_share_is_told_to_have_no_effect_where_there_is_nothing_to_share_with(
    cloud: Cloud, name: str, tmp_path: Path
) -> None:
    package, words = packed(tmp_path, name), "all of it goes to version 1, not 10 %"
    for action in ("create", "keep"):
        ledger = Ledger()
        deploy(package, cloud, ledger, Alias("live", 10))
        assert ledger.changes[-1].action == action
        assert [words in note for note in ledger.notes] == [False, True]  # the first: a secret
        assert shares(cloud, name) == {1: 100}


def test_a_rollback_from_two_versions_goes_to_the_older(
    cloud: Cloud, name: str, tmp_path: Path
) -> None:
    put(cloud, packed(tmp_path, name), LIVE)
    put(cloud, packed(tmp_path, name, more=", more: 3"), Alias("live", 10))
    ledger = Ledger(is_plan=True)
    roll_back(cloud, ledger, name, "live")
    assert shares(cloud, name) == {1: 90, 2: 10}
    assert ledger.changes[0].detail == "90 % to version 1, 10 % to version 2 → 100 % to version 1"
    roll_back(cloud, Ledger(), name, "live")
    assert shares(cloud, name) == {1: 100}


def test_a_rollback_needs_something_to_go_back_to(cloud: Cloud, name: str, tmp_path: Path) -> None:
    put(cloud, packed(tmp_path, name), LIVE)
    with pytest.raises(NotFound, match="no version"):
        roll_back(cloud, Ledger(), name, "live")
    with pytest.raises(NotFound, match="no alias `other`"):
        roll_back(cloud, Ledger(), name, "other")
