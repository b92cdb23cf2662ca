"""A workflow of one step, journaled on disk, in a process already warm: in it, and on Ray."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from agentflow import Engine, loads
from agentflow.runtime.executors.ray import RayExecutor
from agentflow.spec.load import Loaded
from benchmarks.figures import Figures, percentile, scaled

SPEC = 'workflow: hello\ndo:\n  - {id: a, call: os.path.basename, with: {p: "/a/${ input }"}}\n'
STARTS = 300


class Times(NamedTuple):
    """Seconds of one execution."""

    acknowledged: float
    """Until `start` returned: it is in the journal."""
    ended: float
    flush: float
    """Of a bare write and flush of the same disk, just before."""


def run(scale: float = 1.0) -> Figures:
    """Milliseconds from `start` to the acknowledgement and to the result; executors take turns."""
    starts = scaled(STARTS, scale, 10)
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        root = Path(folder)
        hello = loads(SPEC, root=root)
        with (
            Engine(executor="inline", root=root, store=f"sqlite:///{root}/inline.db") as inline,
            Engine(executor=RayExecutor(), root=root, store=f"sqlite:///{root}/ray.db") as on_ray,
            (root / "flush").open("wb", buffering=0) as file,
        ):
            engines = {"inline": inline, "on Ray": on_ray}
            found: dict[str, list[Times]] = {name: [] for name in engines}
            for n in range(starts + 20):
                for name, engine in engines.items():
                    found[name].append(_measure(engine, hello, str(n), file.fileno()))
    figures: Figures = {}
    for name, times in found.items():
        figures |= _figures(name, times[20:])  # the first ones import and start things
    return figures


def _measure(engine: Engine, hello: Loaded, input: str, file: int) -> Times:
    flush = _flush(file)
    begun = time.perf_counter()
    execution = engine.start(hello, input)
    acknowledged = time.perf_counter() - begun
    assert execution.result() == input
    return Times(acknowledged, time.perf_counter() - begun, flush)


def _figures(name: str, times: list[Times]) -> Figures:
    ended = [each.ended for each in times]
    acknowledged = [each.acknowledged for each in times]
    flush = statistics.median(each.flush for each in times)
    return {
        f"one step, {name}, journaled, p50 ms": 1000 * statistics.median(ended),
        f"one step, {name}, journaled, p99 ms": 1000 * percentile(ended, 0.99),
        f"start acknowledged, {name}, p50 ms": 1000 * statistics.median(acknowledged),
        f"start acknowledged, {name}, p99 ms": 1000 * percentile(acknowledged, 0.99),
        f"one step, {name}, p50 / two bare flushes of the disk": statistics.median(ended)
        / (2 * flush),
    }


def _flush(file: int) -> float:
    """Seconds of writing and flushing a few hundred bytes."""
    begun = time.perf_counter()
    os.write(file, bytes(300))
    os.fdatasync(file)
    return time.perf_counter() - begun
