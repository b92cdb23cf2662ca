"""A chain of 100 steps, each durable before the next begins, on Ray and in this process.

Beside it, in the same Ray, calls of one actor, each waited for, which keep nothing; and DBOS, which
keeps every step.
"""

from __future__ import annotations

import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from agentflow import Engine, loads
from agentflow.runtime.executors.ray import RayExecutor
from agentflow.spec.load import Loaded
from benchmarks.calls import nothing
from benchmarks.figures import Figures, medians, scaled
from benchmarks.peers.dbos_rates import Dbos

ROOT = Path(__file__).resolve().parent.parent
STEPS = 100
ROUNDS = 9


def run(scale: float = 1.0) -> Figures:
    """Steps a second, and the ratios."""
    steps = scaled(STEPS, scale, 5)
    with (
        tempfile.TemporaryDirectory(dir=Path.cwd()) as folder,
        Engine(executor=RayExecutor(), root=ROOT, store=f"sqlite:///{folder}/ray.db") as on_ray,
        Engine(executor="inline", root=ROOT, store=f"sqlite:///{folder}/inline.db") as inline,
        Dbos(Path(folder), "steps/s") as dbos,
    ):
        chain = loads(chain_of(steps), root=ROOT)
        for engine in (on_ray, inline):
            rate(engine, chain, steps)  # Ray runs, and a worker has imported the function
        found = medians(
            {
                "on Ray, steps/s": partial(rate, on_ray, chain, steps),
                "Ray actor calls/s": partial(actor_rate, actor(), steps),
                "inline, steps/s": partial(rate, inline, chain, steps),
                **dbos.works("chain", steps),
            },
            ROUNDS if scale == 1 else 1,
        )
        return {
            **found,
            "rate on Ray / bare actor calls": found["on Ray, steps/s"] / found["Ray actor calls/s"],
            "inline rate / DBOS": dbos.ratio(found["inline, steps/s"], found),
        }


def chain_of(steps: int) -> str:
    """A workflow of calls one after another."""
    lines = [f"  - {{id: s{n}, call: benchmarks.calls.nothing}}" for n in range(steps)]
    return "\n".join(["workflow: chain", "do:", *lines, ""])


def rate(engine: Engine, workflow: Loaded, steps: int) -> float:
    """Steps a second of one execution, from `start` to its result."""
    began = time.perf_counter()
    engine.start(workflow).result()
    return steps / (time.perf_counter() - began)


def actor() -> Any:
    """A Ray actor that answers calls of a function that does nothing."""
    import ray

    class Caller:
        def call(self) -> None:
            nothing()

    remote: Any = ray.remote(max_restarts=0, num_cpus=0)
    caller = remote(Caller).remote()
    ray.get(caller.call.remote())
    return caller


def actor_rate(caller: Any, calls: int) -> float:
    """Calls a second, each answered before the next."""
    import ray

    began = time.perf_counter()
    for _ in range(calls):
        ray.get(caller.call.remote())
    return calls / (time.perf_counter() - began)
