"""Map-reduce of a million tiny items: durable, chunked by hand for Ray, and one Ray task an item.

The program by hand is the fastest that was found: eight chunks, each a range or its items by value,
combined as they come. Ours starts from the same call a user makes, with Ray running and the workers
warm as they are for the second call of a process, and ends with everything in the journal.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import agentflow
from agentflow.runtime.batch.session import close_session
from benchmarks.figures import Figures, medians, scaled

ITEMS = 1_000_000
CHUNKS = 8
SINGLE = 2_000
"""Items for which a task each is made; the rate is what counts."""
ROUNDS = 9
ROOT = Path(__file__).resolve().parent.parent


def mix(x: int) -> int:
    """What is done with each item: about as little as can be."""
    return (x * 2654435761) & 0xFFFF


def run(scale: float = 1.0) -> Figures:
    """Median times, taking turns, and the ratios."""
    numbers = list(range(ITEMS))
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        store = f"sqlite:///{folder}/journal.db"

        def ours(items: Sequence[int]) -> Any:
            return agentflow.map_reduce(
                items, map=mix, reduce=sum, executor="ray", root=ROOT, store=store
            )

        try:
            ours(range(10_000))  # Ray is started, and every worker has imported the function
            by_range, by_value, one_each = _by_hand()
            works: dict[str, Callable[[], int]] = {
                "range": lambda: ours(range(ITEMS)),
                "range by hand": by_range,
                "list": lambda: ours(numbers),
                "list by hand": lambda: by_value(numbers),
            }
            expected = sum(map(mix, numbers))
            timed = {name: partial(_seconds, work, expected) for name, work in works.items()}
            seconds = medians(timed, scaled(ROUNDS, scale))
            single = _seconds(one_each, sum(map(mix, range(SINGLE)))) / SINGLE * ITEMS
        finally:
            close_session()
    return {
        "range, durable, ms": 1000 * seconds["range"],
        "range, hand-written, ms": 1000 * seconds["range by hand"],
        "list, durable, ms": 1000 * seconds["list"],
        "list, hand-written, ms": 1000 * seconds["list by hand"],
        "range, time / hand-written chunked Ray program": seconds["range"]
        / seconds["range by hand"],
        "list, time / hand-written chunked Ray program": seconds["list"] / seconds["list by hand"],
        "rate / one Ray task per item": single / seconds["range"],
    }


def _seconds(work: Callable[[], int], expected: int) -> float:
    began = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - began
    assert result == expected
    return seconds


def _by_hand() -> tuple[Callable[[], int], Callable[[list[int]], int], Callable[[], int]]:
    """The program by ranges, by values, and with a task for each item; Ray is running."""
    import ray

    remote = ray.remote(max_retries=0)
    chunk_of_range = remote(_chunk_of_range)
    chunk_of_values = remote(_chunk_of_values)
    one = remote(mix)
    size = ITEMS // CHUNKS

    def by_range() -> int:
        starts = range(0, ITEMS, size)
        return sum(ray.get([chunk_of_range.remote(n, n + size) for n in starts]))

    def by_value(numbers: list[int]) -> int:
        starts = range(0, ITEMS, size)
        return sum(ray.get([chunk_of_values.remote(numbers[n : n + size]) for n in starts]))

    def one_each() -> int:
        return sum(ray.get([one.remote(n) for n in range(SINGLE)]))

    for warm_up in (by_range, lambda: by_value(list(range(ITEMS))), one_each):
        warm_up()
    return by_range, by_value, one_each


def _chunk_of_range(start: int, stop: int) -> int:
    return sum(map(mix, range(start, stop)))


def _chunk_of_values(values: list[int]) -> int:
    return sum(map(mix, values))
