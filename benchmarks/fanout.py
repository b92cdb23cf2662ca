"""10,000 calls of a function that does nothing, each journaled, on Ray.

Beside it, in the same Ray, a Ray task for each call, which keeps nothing; and DBOS, which keeps a
step for each. Those two make fewer calls: rates are compared.
"""

from __future__ import annotations

import tempfile
import time
from functools import partial
from pathlib import Path

from agentflow import Engine, loads
from agentflow.runtime.executors.ray import RayExecutor
from agentflow.spec.load import Loaded
from benchmarks.calls import nothing
from benchmarks.figures import Figures, medians, scaled
from benchmarks.peers.dbos_rates import Dbos

ROOT = Path(__file__).resolve().parent.parent
CALLS = 10_000
TASKS = 2_000
DBOS_STEPS = 300
ROUNDS = 5

FAN = "{id: m, map: '${ range(input) }', call: benchmarks.calls.nothing"


def run(scale: float = 1.0) -> Figures:
    """Calls a second, and the ratios."""
    calls, tasks, steps = (scaled(count, scale, 20) for count in (CALLS, TASKS, DBOS_STEPS))
    with (
        tempfile.TemporaryDirectory(dir=Path.cwd()) as folder,
        Engine(executor=RayExecutor(), root=ROOT, store=f"sqlite:///{folder}/journal.db") as engine,
        Dbos(Path(folder), "steps/s") as dbos,
    ):
        each, batches = (
            loads(f"workflow: fan\ndo:\n  - {FAN}{more}}}\n", root=ROOT)
            for more in ("", ", batch: auto")
        )
        for workflow in (each, batches):
            rate(engine, workflow, calls)  # Ray runs, and every worker has imported the function
        found = medians(
            {
                "calls/s": partial(rate, engine, each, calls),
                "Ray tasks/s": partial(tasks_rate, tasks),
                "calls/s with batch: auto": partial(rate, engine, batches, calls),
                **dbos.works("fanout", steps),
            },
            ROUNDS if scale == 1 else 1,
        )
        return {
            **found,
            "rate / one Ray task per call": found["calls/s"] / found["Ray tasks/s"],
            "rate / DBOS": dbos.ratio(found["calls/s"], found),
        }


def rate(engine: Engine, workflow: Loaded, calls: int) -> float:
    """Calls a second of one execution, from `start` to its result."""
    began = time.perf_counter()
    assert engine.start(workflow, calls).result() == [None] * calls
    return calls / (time.perf_counter() - began)


def tasks_rate(count: int) -> float:
    """Ray tasks a second, submitted at once."""
    import ray

    function = ray.remote(max_retries=0, retry_exceptions=False)(nothing)
    ray.get(function.remote())
    began = time.perf_counter()
    ray.get([function.remote() for _ in range(count)])
    return count / (time.perf_counter() - began)
