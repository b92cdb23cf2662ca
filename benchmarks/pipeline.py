"""A pipeline of three stages on Ray, beside the same pipeline of Ray actors written by hand.

By hand there are two: actors that pass each item on by itself, and actors that pass on batches as
large as ours may become. Neither keeps anything: what is lost with a process is lost.

Memory is measured in a process of its own, while a pipeline runs whose results are reduced.
`python -m benchmarks.pipeline 1000000` measures with a million items.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

from agentflow import Engine
from agentflow.runtime.executors.ray import RayExecutor
from agentflow.runtime.notices import Changed, Notice
from agentflow.spec.load import Loaded, loads
from benchmarks.stages import decrease, double, increase, numbers
from benchmarks.waiting import resident

ROOT = Path(__file__).resolve().parent.parent
ITEMS = 100_000
SINGLE = 3_000
"""Items through the actors that pass on each by itself."""
EARLY = 10_000
"""From this item on memory should not grow."""
ROUNDS = 3
BUFFER = 2_000
AHEAD = 8
"""Batches, or thousands of items, that a program by hand has under way."""

PIPELINE = f"""
workflow: pipeline
do:
  - id: p
    pipeline:
      from: {{call: benchmarks.stages.numbers, with: {{count: "${{ input }}"}}}}
      buffer: {BUFFER}
      stages:
        - {{id: a, call: benchmarks.stages.increase, with: {{x: "${{ item }}"}}}}
        - {{id: b, call: benchmarks.stages.double, with: {{x: "${{ item }}"}}}}
        - {{id: c, call: benchmarks.stages.decrease, with: {{x: "${{ item }}"}}}}
      reduce: {{call: benchmarks.stages.total, arity: 1000}}
output: ${{ p }}
"""


def run() -> dict[str, float]:
    """Rates, the median of some rounds that take turns, and memory."""
    import ray

    with (
        tempfile.TemporaryDirectory(dir=Path.cwd()) as store,
        Engine(executor=RayExecutor(), root=ROOT, store=f"sqlite:///{store}/journal.db") as engine,
    ):
        workflow = loads(PIPELINE, path="pipeline.yaml", root=ROOT)
        engine.start(workflow, EARLY).result()
        batched, single = by_hand(ray, BUFFER), by_hand(ray, 1)
        rates: dict[str, list[float]] = {"agentflow": [], "batches": [], "single": []}
        for _ in range(ROUNDS):
            rates["agentflow"].append(rate(ITEMS, lambda n: engine.start(workflow, n).result()))
            rates["batches"].append(rate(ITEMS, batched))
            rates["single"].append(rate(SINGLE, single))
        latency = statistics.median(first(engine, workflow) for _ in range(ROUNDS))
    ours, batches, each = (statistics.median(found) for found in rates.values())
    return {
        "items/s": ours,
        "by hand in batches, items/s": batches,
        "by hand one by one, items/s": each,
        "time / hand-written actors with batches": batches / ours,
        "rate / hand-written actors one by one": ours / each,
        "first of 100,000 results, s": latency,
        **in_a_process(ITEMS),
    }


def rate(count: int, program: Callable[[int], Any]) -> float:
    """Items a second."""
    begun = time.perf_counter()
    assert program(count) == sum(2 * (x + 1) - 1 for x in range(count))
    return count / (time.perf_counter() - begun)


def first(engine: Engine, workflow: Loaded) -> float:
    """Seconds until the first result of many can be read."""
    begun = time.perf_counter()
    execution = engine.start(workflow, ITEMS)
    next(iter(execution.stream("p")))
    seconds = time.perf_counter() - begun
    execution.result()
    return seconds


class Stage:
    """A stage as an actor."""

    def __init__(self, function: Callable[[int], int]) -> None:
        self._function = function

    def work(self, items: list[int]) -> list[int]:
        """Take items through the stage."""
        return [self._function(x) for x in items]


def by_hand(ray: Any, size: int) -> Callable[[int], int]:
    """Three actors; what one gives goes to the next by reference, `size` items at a time."""
    actor = ray.remote(max_restarts=0, num_cpus=0)(Stage)
    stages = [actor.remote(function) for function in (increase, double, decrease)]

    def program(count: int) -> int:
        source, result, under_way = numbers(count), 0, deque[Any]()
        while batch := list(islice(source, size)):
            passed: Any = batch
            for stage in stages:
                passed = stage.work.remote(passed)
            under_way.append(passed)
            if len(under_way) > (AHEAD if size > 1 else 1000 * AHEAD):
                result += sum(ray.get(under_way.popleft()))
        return result + sum(sum(ray.get(reference)) for reference in under_way)

    return program


def in_a_process(count: int) -> dict[str, float]:
    """Memory and history of one run."""
    command = [sys.executable, "-m", "benchmarks.pipeline", str(count)]
    measured = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, float] = json.loads(measured.stdout)
    return figures


def measure(count: int) -> dict[str, float]:
    """Growth of this process behind item 10,000, and what the journal keeps."""
    memory = Memory()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as store:
        url = f"sqlite:///{store}/journal.db"
        begun = time.perf_counter()
        with Engine(executor=RayExecutor(), root=ROOT, store=url, watch=memory) as engine:
            workflow = loads(PIPELINE, path="pipeline.yaml", root=ROOT)
            execution = engine.start(workflow, count)
            execution.result()
            seconds = time.perf_counter() - begun
            size = engine.journal.history_size(execution.id)
    return {
        f"{count:,} items with the start of Ray, s": seconds,
        f"growth from item 10,000 to item {count:,}, MB": (memory.most - memory.early) / 1e6,
        f"events of {count:,} items": size.events,
        f"history of {count:,} items, MB": size.bytes / 1e6,
    }


class Memory:
    """Watches how many items are through the last stage, and this process's memory."""

    def __init__(self) -> None:
        self.early = 0
        self.most = 0
        self._through = 0

    def __call__(self, notice: Notice) -> None:
        """Look, whenever items came through."""
        if not isinstance(notice, Changed):
            return
        for event in notice.events:
            if getattr(event, "key", "").endswith("].c"):
                self._through += len(getattr(event, "outcomes", [None]))
        if self._through >= EARLY:
            self.most = max(self.most, resident())
            self.early = self.early or self.most


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]) if len(sys.argv) > 1 else ITEMS)))
