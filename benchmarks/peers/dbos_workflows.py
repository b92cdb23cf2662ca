"""DBOS on SQLite, measured in a process of its own: a request a line, an answer a line.

`python dbos_workflows.py FOLDER [wal]` runs DBOS as it is shipped, or with SQLite's write-ahead
log. A request is `WORK COUNT`; the answer is a rate per second, of the fastest of the ways in which
DBOS offers that work. This file runs in the environment of its peer and imports nothing of ours.
"""

# mypy: disable-error-code="import-not-found, untyped-decorator"
# Types are checked without DBOS.

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path

from dbos import DBOS


@DBOS.step()
def nothing() -> None:
    """What is called."""


@DBOS.step()
async def nothing_async() -> None:
    """The same as a coroutine."""


@DBOS.workflow()
def steps(count: int) -> None:
    """Steps one after another."""
    for _ in range(count):
        nothing()


@DBOS.workflow()
async def steps_async(count: int) -> None:
    """The same with coroutines."""
    for _ in range(count):
        await nothing_async()


@DBOS.workflow()
async def together(count: int) -> None:
    """Steps at the same time; over a queue of workflows it takes several times as long."""
    await asyncio.gather(*(nothing_async() for _ in range(count)))


def crowd(count: int) -> None:
    """Workflows of three steps, started at once."""
    for handle in [DBOS.start_workflow(steps, 3) for _ in range(count)]:
        handle.get_result()


def crowd_async(count: int) -> None:
    """The same with coroutines."""

    async def every() -> None:
        handles = [await DBOS.start_workflow_async(steps_async, 3) for _ in range(count)]
        await asyncio.gather(*(handle.get_result() for handle in handles))

    asyncio.run(every())


WORKS: dict[str, tuple[Callable[[int], object], ...]] = {
    "chain": (steps, lambda count: asyncio.run(steps_async(count))),
    "fanout": (lambda count: asyncio.run(together(count)),),
    "crowd": (crowd, crowd_async),
}


def serve(folder: Path, *, wal: bool) -> None:
    """Answer requests until there are no more."""
    file = folder / "dbos.sqlite"
    if wal:
        with sqlite3.connect(file) as connection:
            connection.execute("PRAGMA journal_mode = WAL")  # the file keeps it
    DBOS(
        config={
            "name": "benchmark",
            "system_database_url": f"sqlite:///{file}",
            "log_level": "ERROR",
        }
    )
    DBOS.launch()
    steps(1)
    print("ready", flush=True)
    for request in sys.stdin:
        work, count = request.split()
        print(max(rate(way, int(count)) for way in WORKS[work]), flush=True)
    DBOS.destroy()


def rate(way: Callable[[int], object], count: int) -> float:
    """How many a second."""
    began = time.perf_counter()
    way(count)
    return count / (time.perf_counter() - began)


if __name__ == "__main__":
    serve(Path(sys.argv[1]), wal="wal" in sys.argv[2:])
