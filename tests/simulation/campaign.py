"""Many seeds on several cores, and what they add up to."""

from __future__ import annotations

import gc
import logging
import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tests.simulation.seeds import Verdict, run_seed
from tests.simulation.store import Store
from tests.simulation.world import draw_cases

T = TypeVar("T")
R = TypeVar("R")

CHUNK = 40
"""Seeds that a worker process takes at once."""


@dataclass(slots=True)
class Summary:
    """What a campaign came to."""

    runs: int = 0
    """Seeds."""
    executions: int = 0
    crashes: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    violations: dict[int, list[str]] = field(default_factory=dict)
    """By seed."""
    seconds: float = 0.0

    def add(self, verdict: Verdict) -> None:
        """Count a seed."""
        self.runs += 1
        self.executions += verdict.executions
        self.crashes += verdict.crashes
        self.faults += verdict.faults
        if verdict.problems:
            self.violations[verdict.seed] = verdict.problems

    def as_json(self) -> dict[str, Any]:
        """One JSON object."""
        return {
            "runs": self.runs,
            "executions": self.executions,
            "crashes": self.crashes,
            "faults": dict(sorted(self.faults.items())),
            "violations": [
                {"seed": seed, "problems": problems}
                for seed, problems in sorted(self.violations.items())
            ],
            "seconds": round(self.seconds, 1),
        }


def seeds_for(executions: int, first: int) -> list[int]:
    """As many seeds, from `first` on, as it takes for that many executions."""
    seeds, count = [], 0
    while count < executions:
        seeds.append(first + len(seeds))
        count += len(draw_cases(seeds[-1]))
    return seeds


def simulate(
    seeds: Sequence[int], jobs: int, progress: Callable[[Summary], None] = lambda summary: None
) -> Summary:
    """Run seeds and add them up; `progress` is called after each batch of them."""
    summary = Summary()
    began = time.monotonic()
    for verdicts in _batches(seeds, jobs):
        for verdict in verdicts:
            summary.add(verdict)
        summary.seconds = time.monotonic() - began
        progress(summary)
    return summary


def _batches(seeds: Sequence[int], jobs: int) -> Iterator[list[Verdict]]:
    chunks = [seeds[start : start + CHUNK] for start in range(0, len(seeds), CHUNK)]
    yield from in_processes(run_chunk, chunks, jobs)


def in_processes(work: Callable[[T], R], parts: Sequence[T], jobs: int) -> Iterator[R]:
    """Do parts of a work in several processes; results come as they are ready."""
    if jobs == 1:
        yield from map(work, parts)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        for done in as_completed([pool.submit(work, part) for part in parts]):
            yield done.result()


def run_chunk(seeds: Sequence[int]) -> list[Verdict]:
    """Run some seeds in this process."""
    gc.set_threshold(100_000, 20, 20)  # a seventh of the time, for some memory
    with quiet(), Store() as store:
        return [run_seed(seed, store) for seed in seeds]


@contextmanager
def quiet() -> Iterator[None]:
    """The engine's log is off while faults are made on purpose."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
