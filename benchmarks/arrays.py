"""Map-reduce of arrays of 8 MB: durable, and by hand for Ray with references and nothing recorded.

Each array is a chunk of its own, so that all of them pass between the map and the reduce. Ours go
through blobs, which are on the disk before they are combined; by hand they go through Ray's object
store, in memory. With the sizes that measured time gives to chunks, most arrays would be combined
where they are made.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import agentflow
from agentflow.runtime.batch.session import close_session
from benchmarks.figures import Figures, medians, scaled

COUNT = 64
NUMBERS = 1_000_000
ARITY = 16
ROUNDS = 5
ROOT = Path(__file__).resolve().parent.parent


def filled(x: int) -> Any:
    """An array of 8 MB."""
    return np.full(NUMBERS, float(x))


def added(arrays: list[Any]) -> Any:
    """Their sum, in the first of them."""
    for array in arrays[1:]:
        arrays[0] += array
    return arrays[0]


def run(scale: float = 1.0) -> Figures:
    """Median times, taking turns, and their ratio."""
    count = scaled(COUNT, scale, 4)
    expected = float(sum(range(count)))
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        store = f"sqlite:///{folder}/journal.db"

        def ours(**options: Any) -> Any:
            return agentflow.map_reduce(
                range(count), map=filled, reduce=added, arity=ARITY, executor="ray", root=ROOT,
                store=store, **options,
            )  # fmt: skip

        try:
            ours()  # Ray is started, and every worker has imported the function
            works: dict[str, Callable[[], Any]] = {
                "each": lambda: ours(chunk=1),
                "auto": ours,
                "by hand": _by_hand(count),
            }
            timed = {name: partial(_seconds, work, expected) for name, work in works.items()}
            seconds = medians(timed, scaled(ROUNDS, scale))
        finally:
            close_session()
    return {
        "recorded one by one, ms": 1000 * seconds["each"],
        "recorded as measured time says, ms": 1000 * seconds["auto"],
        "hand-written with references, not recorded, ms": 1000 * seconds["by hand"],
        "one by one, time / hand-written with references": seconds["each"] / seconds["by hand"],
        "by measured time, time / hand-written with references": seconds["auto"]
        / seconds["by hand"],
    }


def _seconds(work: Callable[[], Any], expected: float) -> float:
    began = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - began
    assert result[0] == result[-1] == expected
    return seconds


def _by_hand(count: int) -> Callable[[], Any]:
    """A task for each array and one for every sixteen of them; Ray is running."""
    import ray

    make = ray.remote(max_retries=0)(filled)
    add = ray.remote(max_retries=0)(_added_apart)

    def work() -> Any:
        left = [make.remote(x) for x in range(count)]
        while len(left) > 1:
            left = [add.remote(*left[at : at + ARITY]) for at in range(0, len(left), ARITY)]
        return ray.get(left[0])

    work()
    return work


def _added_apart(*arrays: Any) -> Any:
    """Their sum, in a new one: what comes from the object store cannot be written into."""
    return added([arrays[0].copy(), *arrays[1:]])
