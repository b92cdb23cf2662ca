"""What the executors' tests share: tasks of `project/trials.py`, and a bench to run them on."""

# ruff: noqa: ASYNC240  # other processes can be watched only by their files
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from agentflow.runtime.executors.pool import WorkerPool
from agentflow.runtime.executors.protocol import Executor, Report, Reporter, Task
from agentflow.runtime.executors.reports import job_of, report_of
from agentflow.runtime.executors.wire import frames

PROJECT = str(Path(__file__).parent / "project")


def call(
    function: str, key: str = "s", /, *, timeout: float | None = None, **arguments: Any
) -> Task:
    """A call of a function of `project/trials.py`."""
    return Task(
        "e1", key, 1, "call", f"trials.{function}", [arguments], PROJECT, "w", timeout=timeout
    )


def batch(function: str, calls: Sequence[Any], *, timeout: float | None = None) -> Task:
    """A batch of calls, as items of the map `m`."""
    key = f"m[0:{len(calls)}]"
    return Task("e1", key, 1, "batch", f"trials.{function}", calls, PROJECT, "w", timeout=timeout)


def stream(
    function: str, demand: int, *, skip: int = 0, timeout: float | None = None, **arguments: Any
) -> Task:
    """A stream under the key `p`."""
    return Task(
        "e1", "p", 1, "stream", f"trials.{function}", [arguments], PROJECT, "w",
        demand=demand, skip=skip, timeout=timeout,
    )  # fmt: skip


class Bench:
    """An executor with everything it reported."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.reports: list[Report] = []
        self._news = asyncio.Event()

    def take(self, reports: Sequence[Report]) -> None:
        self.reports.extend(reports)
        self._news.set()

    async def until(self, done: Callable[[], bool]) -> None:
        while not done():
            self._news.clear()
            await asyncio.wait_for(self._news.wait(), 100)

    def ended(self) -> dict[str, Report]:
        """The last report of each key."""
        return {r.key: r for r in self.reports if r.kind in {"completed", "failed", "batch"}}

    def printed(self, key: str) -> list[str]:
        return [
            line for r in self.reports if r.kind == "printed" and r.key == key for line in r.lines
        ]

    def values(self, key: str = "p") -> list[Any]:
        """What a stream gave."""
        return [
            v for r in self.reports if r.kind == "yielded" and r.key == key for v in r.values or ()
        ]

    async def run(self, *tasks: Task) -> dict[str, Report]:
        """Carry out tasks and wait for all of them."""
        keys = {task.key for task in tasks}
        self.reports.clear()
        self.executor.submit(tasks)
        await self.until(lambda: self.ended().keys() >= keys)
        return self.ended()

    async def outcome(self, task: Task) -> Report:
        return (await self.run(task))[task.key]

    async def outcome_in(
        self, task: Callable[[float], Task], enough: Callable[[Report], bool]
    ) -> Report:
        """What became of a task that was given enough time, on a busy machine more than else."""
        for timeout in (0.4, 4):
            report = await self.outcome(task(timeout))
            if enough(report):
                return report
        return await self.outcome(task(40))


@asynccontextmanager
async def started(executor: Executor) -> AsyncIterator[Bench]:
    """A bench with an executor that has started, until it is closed."""
    bench = Bench(executor)
    await executor.start(bench.take)
    yield bench
    await executor.close()


def told(report: Report) -> list[Any]:
    """The values of a batch, and the names of its errors."""
    assert report.values is not None
    return [v.get("value", v.get("error", {}).get("name")) for v in report.values]


class PoolExecutor:
    """A worker pool in this process, without Ray, behind the executors' protocol."""

    phase: str | None = None

    def __init__(self, *, parallel: int) -> None:
        self.parallel = parallel
        self._ids: dict[tuple[str, str], int] = {}
        self._tasks: dict[int, Task] = {}

    async def start(self, report: Reporter) -> None:
        self._report = report
        self.pool = WorkerPool(self.parallel, self._take)
        self.pool.start()

    def _take(self, data: bytes) -> None:
        found = [(kind, id, payload) for kind, id, payload in frames(data) if id in self._tasks]
        self._report([report_of(self._tasks[id], kind, payload) for kind, id, payload in found])

    def submit(self, tasks: Sequence[Task]) -> None:
        for task in tasks:
            id = len(self._tasks) + 1
            self._ids[task.execution, task.key] = id
            self._tasks[id] = task
            self.pool.submit(job_of(id, task))

    def withdraw(self, execution: str, key: str) -> None:
        self.pool.withdraw(self._ids[execution, key])

    def demand(self, execution: str, key: str, count: int) -> None:
        self.pool.demand(self._ids[execution, key], count)

    async def close(self) -> None:
        await self.pool.close()


async def exists(path: Path) -> None:
    """Wait until a function has written to a file."""
    while not path.exists() or not path.stat().st_size:
        await asyncio.sleep(0.005)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def gone(pid: int) -> None:
    """Wait until a process has ended."""
    while is_alive(pid):
        await asyncio.sleep(0.005)
