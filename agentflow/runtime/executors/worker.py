"""A worker process: takes jobs from a socket, runs functions, writes frames.

It knows neither Ray nor the orchestrator, and starts with nothing heavier than the functions kit.
Plain functions run in the main thread, as their authors expect; coroutine functions run beside
them in one event loop. It dies with its pool.
"""

from __future__ import annotations

import asyncio
import os
import time
from functools import lru_cache
from pathlib import Path

from agentflow.errors import Json
from agentflow.functions.encoding import decode, dump
from agentflow.functions.invoke import Outcome, Stream, invoke, invoke_async, is_async
from agentflow.runtime.executors.calls import Call, failure, within
from agentflow.runtime.executors.cells import COROUTINES
from agentflow.runtime.executors.threads import LoopThread
from agentflow.runtime.executors.wire import (
    COUNT,
    INDEX,
    SECONDS,
    Job,
    Kind,
    Shape,
)
from agentflow.runtime.executors.worker_ends import Ends, free_cells, open_ends
from agentflow.runtime.executors.yields import Yields

WORKER_ROOT = "AGENTFLOW_WORKER_ROOT"
"""The variable that says where the project is on this node of a cluster."""


def main(parent: int, jobs: int, results: int, control: int, page: int) -> None:
    """Serve until the pool is gone; all but `parent`, its process id, are file descriptors."""
    Worker(open_ends(parent, jobs, results, control, page)).serve()


@lru_cache(maxsize=64)
def _local(root: str) -> str:
    """The project's root on this machine: on a cluster, where its copy is."""
    given = os.environ.get(WORKER_ROOT)
    return given or (root if Path(root).is_dir() else str(Path.cwd()))


class Worker:
    """Runs jobs, one plain function at a time."""

    def __init__(self, ends: Ends) -> None:
        self._ends = ends
        self._cells = ends.cells
        self._coroutines: Coroutines | None = None

    def serve(self) -> None:
        """Take one job after another."""
        for job in self._ends.jobs():
            self._cells.begin(0, job.id)
            self._run(job)

    def _run(self, job: Job) -> None:
        call = call_of_job(job)
        if job.shape is Shape.STREAM:
            self._stream(job, call)
        elif not job.apart and is_async(call.function, call.root):
            if self._coroutines is None:
                self._coroutines = Coroutines(self._ends)
            self._coroutines.take(job, call)
        elif job.shape is Shape.CALL:
            self._call(job, call)
        else:
            self._batch(job, call)
        self._cells.clear(0)

    def _call(self, job: Job, call: Call) -> None:
        self._cells.begin(0, job.id)
        outcome = invoke(
            call.function,
            call.root,
            decode(job.body),
            call.context(),
            printed=self._ends.printer(job.id),
        )
        self._ended()
        self._ends.send(*answer(job.id, outcome))

    def _ended(self) -> None:
        """A function has returned; if it forked, so it has in the child, which has no say here."""
        self._ends.exit_if_forked()
        self._cells.ended(0)

    def _batch(self, job: Job, call: Call) -> None:
        indexes, calls = items(job)
        printed = self._ends.printer(job.id)
        outcomes: list[bytes] = []
        began = time.perf_counter()
        for index, arguments in zip(indexes, calls, strict=True):
            self._cells.begin(0, job.id, index)
            outcome = invoke(
                call.function, call.root, arguments, call.context(index), printed=printed
            )
            self._ended()
            if job.timeout:  # the next item may be the one this process is killed for
                self._ends.send(Kind.ITEM, job.id, INDEX.pack(index) + item(outcome))
            else:
                outcomes.append(item(outcome))
        elapsed = SECONDS.pack(time.perf_counter() - began)
        self._ends.send(Kind.BATCH, job.id, elapsed + b",".join(outcomes))

    def _stream(self, job: Job, call: Call) -> None:
        stream = Stream(
            call.function,
            call.root,
            decode(job.body),
            call.context(bounded=False),
            skip=job.skip,
            printed=self._ends.printer(job.id),
        )
        yields = Yields(lambda values: self._ends.send(Kind.YIELDED, job.id, values))
        allowed, used = job.demand, 0.0
        while True:
            self._cells.ended(0)
            if allowed == 0:
                yields.flush()
            while allowed == 0:
                allowed += self._demanded()
            self._cells.begin(0, job.id, used=used)
            began = time.perf_counter()
            outcome = stream.next()
            used += time.perf_counter() - began
            self._ended()
            if outcome is None or outcome.error is not None:
                break
            assert outcome.value is not None
            yields.add(outcome.value)
            allowed -= 1
        yields.close()
        stream.close()
        self._ends.send(*answer(job.id, outcome or Outcome(b"null", elapsed=used)))

    def _demanded(self) -> int:
        return sum(
            COUNT.unpack(payload)[0]
            for kind, _, payload in self._ends.commands()
            if kind is Kind.DEMAND
        )


class Coroutines:
    """Coroutine functions of a worker, side by side; each has a cell of its own."""

    def __init__(self, ends: Ends) -> None:
        self._ends = ends
        self._cells = ends.cells
        self._free = free_cells()
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._loop = LoopThread().loop
        self._loop.call_soon_threadsafe(self._loop.add_reader, ends.control, self._withdraw)

    def take(self, job: Job, call: Call) -> None:
        """Begin a job as soon as a cell is free."""
        cell = self._free.get()
        self._cells.begin(cell, job.id)
        self._ends.send(Kind.ASIDE, job.id)
        self._loop.call_soon_threadsafe(self._begin, cell, job, call)

    def _begin(self, cell: int, job: Job, call: Call) -> None:
        run = self._call if job.shape is Shape.CALL else self._batch
        task = self._loop.create_task(run(cell, job, call))
        self._tasks[job.id] = task
        task.add_done_callback(lambda task: self._end(task, cell, job.id))

    def _end(self, task: asyncio.Task[None], cell: int, id: int) -> None:
        del self._tasks[id]
        if task.cancelled():  # withdrawn: the pool hears that it is over, and tells nobody
            self._ends.send(*answer(id, Outcome(b"null")))
        self._cells.clear(cell)
        self._free.put(cell)

    async def _call(self, cell: int, job: Job, call: Call) -> None:
        self._cells.begin(cell, job.id)
        outcome = await self._invoke(job, call, decode(job.body), None)
        self._cells.ended(cell)
        self._ends.send(*answer(job.id, outcome))

    async def _batch(self, cell: int, job: Job, call: Call) -> None:
        indexes, calls = items(job)
        free = asyncio.Semaphore(1 if job.in_turn else COROUTINES)
        outcomes: dict[int, bytes] = {}
        began = time.perf_counter()

        async def one(index: int, arguments: Json) -> None:
            async with free:
                self._cells.begin(cell, job.id, index)  # as long as items move, nothing hangs
                outcome = await self._invoke(job, call, arguments, index)
            if job.timeout:
                self._ends.send(Kind.ITEM, job.id, INDEX.pack(index) + item(outcome))
            else:
                outcomes[index] = item(outcome)

        async with asyncio.TaskGroup() as group:
            for index, arguments in zip(indexes, calls, strict=True):
                group.create_task(one(index, arguments))
        self._cells.ended(cell)
        elapsed = SECONDS.pack(time.perf_counter() - began)
        ordered = b",".join(outcomes[index] for index in indexes if index in outcomes)
        self._ends.send(Kind.BATCH, job.id, elapsed + ordered)

    async def _invoke(self, job: Job, call: Call, arguments: Json, index: int | None) -> Outcome:
        run = invoke_async(
            call.function,
            call.root,
            arguments,
            call.context(index),
            printed=self._ends.printer(job.id),
        )
        return await within(job.timeout or None, run)

    def _withdraw(self) -> None:
        for kind, id, _ in self._ends.commands():
            if kind is Kind.WITHDRAW and id in self._tasks:
                self._tasks[id].cancel()


def call_of_job(job: Job) -> Call:
    """What a job says of its call, with the root on this machine."""
    function, root, *rest = decode(job.about)
    return Call(function, _local(root), *rest)


def items(job: Job) -> tuple[list[int], list[Json]]:
    """The indexes and arguments of a batch's items."""
    body = decode(job.body)
    if job.indexed:
        return body[0], body[1]
    return list(range(len(body))), body


def item(outcome: Outcome) -> bytes:
    """An item's outcome as JSON."""
    if outcome.error is None:
        assert outcome.value is not None
        return b'{"value":' + outcome.value + b"}"
    return dump(failure(outcome.error, outcome.trace))


def answer(id: int, outcome: Outcome) -> tuple[Kind, int, bytes]:
    """The frame that ends a call."""
    elapsed = SECONDS.pack(outcome.elapsed)
    if outcome.error is None:
        assert outcome.value is not None
        return Kind.COMPLETED, id, elapsed + outcome.value
    return Kind.FAILED, id, elapsed + dump(failure(outcome.error, outcome.trace))
