"""Short campaigns: whatever is killed, nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.campaign import wage
from tests.chaos.result import Plan


@pytest.mark.slow
async def test_nothing_is_lost_when_orchestrators_are_killed(tmp_path: Path) -> None:
    plan = Plan(seconds=12, executor="inline", faults_a_minute=40, limit=60, has_redis=False)
    result = await wage(plan, tmp_path)
    assert result.verdict.violations == []
    assert result.faults.total() > 0
    assert result.verdict.steps > 0


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_nothing_is_lost_when_parts_of_ray_are_killed(tmp_path: Path) -> None:
    plan = Plan(seconds=10, faults_a_minute=40, orchestrators=1, limit=30, has_redis=False)
    result = await wage(plan, tmp_path)
    assert result.verdict.violations == []
    assert result.verdict.steps > 0
