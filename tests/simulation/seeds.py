"""What a seed is: executions in some weather, compared with what they come to without faults."""

from __future__ import annotations

import random
import signal
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from tests.simulation.checks import violations
from tests.simulation.reference import outcome_without_faults
from tests.simulation.shape import Outcome, Shape
from tests.simulation.shapes import SHAPES
from tests.simulation.store import Store
from tests.simulation.users import Case
from tests.simulation.weather import forecast
from tests.simulation.world import World, draw_cases

HANG_SECONDS = 60
"""Real seconds after which a seed is taken for an endless loop; they take some 0.1 s."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a seed."""

    seed: int
    executions: int = 0
    crashes: int = 0
    points: int = 0
    """Places at which a process could have died."""
    faults: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    digest: str = ""
    trace: list[str] = field(default_factory=list)


def run_seed(
    seed: int,
    store: Store,
    *,
    shapes: Sequence[Shape] = SHAPES,
    extremes: Mapping[str, float] | None = None,
    keeps_trace: bool = False,
) -> Verdict:
    """Simulate a seed and judge it.

    `shapes` and `extremes` (of the weather) narrow it down to what one is looking for.
    """
    cases = draw_cases(seed, shapes)
    weather = replace(forecast(random.Random(f"weather {seed}")), **(extremes or {}))
    try:
        with _limit():
            references = reference(seed, cases)
            world = World(seed, store, cases, weather, keeps_trace=keeps_trace)
            return judged(world, references)
    except TimeoutError:
        return Verdict(seed, len(cases), problems=[f"does not end within {HANG_SECONDS} s"])


def reference(seed: int, cases: list[Case]) -> dict[str, Outcome]:
    """What executions come to without faults."""
    return {
        case.id: outcome_without_faults(
            seed, case.id, case.shape.loaded, case.input, case.shape.signals
        )
        for case in cases
    }


def crashes(faults: Counter[str]) -> int:
    """How often a process died in the middle of something."""
    return sum(count for fault, count in faults.items() if fault.startswith("crash"))


def judged(world: World, references: dict[str, Outcome]) -> Verdict:
    """Let a world happen, and compare it with the outcomes it must have."""
    world.run()
    return Verdict(
        world.seed,
        len(world.cases),
        crashes(world.faults),
        world.points,
        world.faults,
        violations(world, references),
        world.digest,
        world.trace,
    )


@contextmanager
def _limit() -> Iterator[None]:
    """Raise `TimeoutError` where a simulation goes round in circles."""

    def ring(number: int, frame: object) -> None:
        raise TimeoutError

    previous = signal.signal(signal.SIGALRM, ring)
    signal.alarm(HANG_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
