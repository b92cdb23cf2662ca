"""1,000 executions of three steps, started at once, beside workflows of three steps of DBOS."""

from __future__ import annotations

import tempfile
import time
from functools import partial
from pathlib import Path

from agentflow import Engine, loads
from agentflow.runtime.executors.ray import RayExecutor
from agentflow.spec.load import Loaded
from benchmarks.figures import Figures, medians, scaled
from benchmarks.peers.dbos_rates import Dbos

ROOT = Path(__file__).resolve().parent.parent
EXECUTIONS = 1_000
DBOS_WORKFLOWS = 100
ROUNDS = 5

THREE = "workflow: three\ndo:\n" + "".join(
    f"  - {{id: {id}, call: benchmarks.calls.nothing}}\n" for id in "abc"
)


def run(scale: float = 1.0) -> Figures:
    """Executions a second on Ray and in this process, and the ratio."""
    executions, workflows = scaled(EXECUTIONS, scale, 5), scaled(DBOS_WORKFLOWS, scale, 5)
    with (
        tempfile.TemporaryDirectory(dir=Path.cwd()) as folder,
        Engine(executor=RayExecutor(), root=ROOT, store=f"sqlite:///{folder}/ray.db") as on_ray,
        Engine(executor="inline", root=ROOT, store=f"sqlite:///{folder}/inline.db") as inline,
        Dbos(Path(folder), "workflows/s") as dbos,
    ):
        three = loads(THREE, root=ROOT)
        works = {
            "executions/s": partial(rate, on_ray, three, executions),
            "inline, executions/s": partial(rate, inline, three, executions),
        }
        for work in works.values():
            work()  # Ray runs, and every worker has imported the function
        found = medians({**works, **dbos.works("crowd", workflows)}, ROUNDS if scale == 1 else 1)
        return {**found, "rate / DBOS": dbos.ratio(found["executions/s"], found)}


def rate(engine: Engine, workflow: Loaded, count: int) -> float:
    """Executions a second, from the start of all to the last one's result."""
    began = time.perf_counter()
    executions = engine.start_many(workflow, [None] * count)
    assert [execution.result() for execution in executions] == [None] * count
    return count / (time.perf_counter() - began)
