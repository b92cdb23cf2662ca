"""A workflow of one step on the inline executor, journaled on disk, in a process already warm."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path

from agentflow import Engine, loads

SPEC = 'workflow: hello\ndo:\n  - {id: a, call: os.path.basename, with: {p: "/a/${ input }"}}\n'


def run(rounds: int = 300) -> dict[str, float]:
    """Milliseconds from `start` to the result, and of a bare flush of the same disk."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        root = Path(folder)
        hello = loads(SPEC, root=root)
        with Engine(executor="inline", root=root) as engine:
            for n in range(20):
                engine.start(hello, str(n)).result()
            times = []
            for n in range(rounds):
                begun = time.perf_counter()
                assert engine.start(hello, str(n)).result() == str(n)
                times.append(time.perf_counter() - begun)
        flush = _flush(root / "flush", rounds)
    times.sort()
    return {
        "one step, inline, journaled, p50 ms": 1000 * statistics.median(times),
        "one step, inline, journaled, p99 ms": 1000 * times[int(0.99 * rounds)],
        "p50 / two bare flushes of the disk": statistics.median(times) / (2 * flush),
    }


def _flush(file: Path, rounds: int) -> float:
    """Median seconds of writing and flushing a few hundred bytes."""
    times = []
    with file.open("wb", buffering=0) as out:
        for _ in range(rounds):
            begun = time.perf_counter()
            out.write(bytes(300))
            os.fdatasync(out.fileno())
            times.append(time.perf_counter() - begun)
    return statistics.median(times)
