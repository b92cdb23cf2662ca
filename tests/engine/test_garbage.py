"""An engine has Python's cycle collector look less often, and gives it back."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentflow import Engine
from agentflow.runtime.garbage import THRESHOLDS


def engine(root: Path) -> Engine:
    return Engine(executor="inline", root=root, store=f"sqlite:///{root}/journal.db")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


def test_the_collector_is_relaxed_until_the_last_engine_is_closed(tmp_path: Path) -> None:
    gc.set_threshold(700, 10, 10)
    with engine(tmp_path):
        with engine(tmp_path):
            assert gc.get_threshold() == THRESHOLDS
        assert gc.get_threshold() == THRESHOLDS
    assert gc.get_threshold() == (700, 10, 10)


@pytest.mark.parametrize("chosen", [(50_000, 5, 5), (0, 10, 10)], ids=["seldom", "never"])
def test_what_a_program_has_chosen_stays(tmp_path: Path, chosen: tuple[int, int, int]) -> None:
    gc.set_threshold(*chosen)
    with engine(tmp_path):
        assert gc.get_threshold() == chosen
    assert gc.get_threshold() == chosen


def test_what_a_program_chooses_meanwhile_stays(tmp_path: Path) -> None:
    gc.set_threshold(700, 10, 10)
    with engine(tmp_path):
        gc.set_threshold(1_000, 10, 10)
    assert gc.get_threshold() == (1_000, 10, 10)
