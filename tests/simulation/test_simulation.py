"""The simulation in short: `python -m tests.simulation` runs it at length."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulation.campaign import quiet
from tests.simulation.faults import FAULTS, PATIENCE_SECONDS, find
from tests.simulation.seeds import reference, run_seed
from tests.simulation.shapes import BY_NAME, SHAPES
from tests.simulation.store import Store
from tests.simulation.sweep import sweep
from tests.simulation.weather import FAIR
from tests.simulation.world import World, draw_cases

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with quiet(), Store() as store:
        yield store


@pytest.mark.parametrize("first", range(1, 121, 20))
def test_nothing_is_lost_doubled_or_forgotten_in_any_weather(store: Store, first: int) -> None:
    for seed in range(first, first + 20):
        verdict = run_seed(seed, store)
        assert not verdict.problems, f"python -m tests.simulation --replay {seed}"


@pytest.mark.timeout(0)
@pytest.mark.parametrize("what", FAULTS)
def test_a_planted_fault_is_found(store: Store, what: str) -> None:
    # It is the same seed on every machine, however long the way there takes.
    assert find(what, store, seconds=10 * PATIENCE_SECONDS).seed is not None


def test_a_crash_at_any_place_changes_no_outcome() -> None:
    shapes = [BY_NAME[name] for name in ("loop", "states", "events", "family")]
    for swept in sweep(shapes, jobs=1):
        assert swept.points > 20
        assert swept.problems == []


def test_in_fair_weather_the_engine_comes_to_what_the_machine_alone_does(store: Store) -> None:
    for seed in range(1, 9):
        cases = draw_cases(seed)
        world = World(seed, store, cases, FAIR)
        world.run()
        expected = reference(seed, cases)
        for case in cases:
            outcome = world.users.told.outcomes[case.id]
            assert case.shape.accepts(outcome, expected[case.id])


def test_a_seed_replays_the_same_to_the_byte(store: Store) -> None:
    for seed in range(1, 21):
        first, again = (run_seed(seed, store, keeps_trace=True) for _ in range(2))
        assert first.trace == again.trace
        assert first.digest == again.digest


def test_a_seed_replays_the_same_in_another_process(root: Path) -> None:
    def trace(hash_seed: str) -> bytes:
        return subprocess.run(
            [sys.executable, "-m", "tests.simulation", "--replay", "7"],
            cwd=root,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
        ).stdout

    assert trace("1") == trace("2")


def test_every_shape_reads_and_ends_without_faults() -> None:
    for seed in range(20):
        for shape in SHAPES:
            cases = list(draw_cases(seed, (shape,)))
            for outcome in reference(seed, cases).values():
                assert outcome.status in ("succeeded", "failed")
