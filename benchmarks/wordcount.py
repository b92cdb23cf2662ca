"""The main job against the same work as a person would write it for Ray, chunked by hand."""

from __future__ import annotations

import heapq
import os
import re
import statistics
import sysconfig
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from agentflow import Engine, load
from agentflow.runtime.executors.ray import RayExecutor
from benchmarks.figures import scaled

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 5
WORD = re.compile(rb"[a-z_]+")


def run(scale: float = 1.0) -> dict[str, float]:
    """Median times with Ray started, taking turns, and their ratio."""
    import ray

    folder = sysconfig.get_path("stdlib")
    job = {"folder": folder, "pattern": "*.py", "exclude": ["site-packages"]}
    workflow = load(ROOT / "specs" / "wordcount.yaml")
    with (
        tempfile.TemporaryDirectory(dir=Path.cwd()) as store,
        Engine(executor=RayExecutor(), root=ROOT, store=f"sqlite:///{store}/journal.db") as engine,
    ):
        ours, theirs = [], []
        engine.start(workflow, job).result()
        program = by_hand(ray)
        for _ in range(scaled(ROUNDS, scale)):
            result, seconds = timed(lambda: engine.start(workflow, job).result())
            ours.append(seconds)
            expected, seconds = timed(lambda: program(folder))
            theirs.append(seconds)
            assert result == expected
    return {
        "agentflow, s": statistics.median(ours),
        "hand-written, s": statistics.median(theirs),
        "time / hand-written chunked Ray program": statistics.median(ours)
        / statistics.median(theirs),
    }


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What it gives, and the seconds it took."""
    begun = time.perf_counter()
    return work(), time.perf_counter() - begun


def by_hand(ray: Any) -> Callable[[str], Any]:
    """The program: eight chunks of files of like size per CPU, counted in tasks, merged here."""

    @ray.remote(max_retries=0)  # type: ignore[untyped-decorator]  # ray is imported late
    def count(paths: list[str]) -> tuple[Counter[str], list[tuple[str, int]]]:
        words: Counter[bytes] = Counter()
        lengths = []
        for path in paths:
            found = WORD.findall(Path(path).read_bytes().lower())
            words.update(found)
            lengths.append((path, len(found)))
        return Counter({w.decode(): n for w, n in words.items()}), lengths

    def program(folder: str) -> Any:
        files = sorted(((path.stat().st_size, str(path)) for path in _files(folder)), reverse=True)
        number = 8 * int(ray.cluster_resources()["CPU"])
        parts = ray.get([count.remote([p for _, p in files[i::number]]) for i in range(number)])
        words: Counter[str] = Counter()
        for part, _ in parts:
            words.update(part)
        lengths = [
            {"path": str(Path(path).relative_to(folder)), "words": n}
            for _, part in parts
            for path, n in part
        ]
        top = heapq.nsmallest(20, words.items(), key=lambda e: (-e[1], e[0]))
        return {
            "files": len(lengths),
            "total_words": words.total(),
            "top": [{"word": word, "count": n} for word, n in top],
            "longest": heapq.nsmallest(10, lengths, key=lambda e: (-e["words"], e["path"])),
        }

    return program


def _files(folder: str) -> Iterator[Path]:
    for base, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "site-packages"]
        yield from (Path(base, name) for name in names if name.endswith(".py"))
