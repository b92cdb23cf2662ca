"""A worker process: takes jobs from a socket, runs functions, writes frames.

It knows neither Ray nor the orchestrator, and starts with nothing heavier than the functions kit.
Plain functions run in the main thread, as their authors expect; coroutine functions run beside
them in one event loop. It dies with its pool.
"""

from __future__ import annotations

import asyncio
import ctypes
import faulthandler
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from queue import SimpleQueue

from agentflow.errors import Json
from agentflow.functions.capture import Redirection
from agentflow.functions.encoding import decode, dump
from agentflow.functions.invoke import Outcome, Stream, invoke, invoke_async, is_async
from agentflow.runtime.executors.calls import Call, failure, timeout_error
from agentflow.runtime.executors.cells import COROUTINES, Cells
from agentflow.runtime.executors.threads import LoopThread
from agentflow.runtime.executors.wire import (
    COUNT,
    INDEX,
    SECONDS,
    Frames,
    Job,
    Kind,
    Shape,
    frame,
)
from agentflow.runtime.executors.yields import Yields

MESSAGE_BYTES = 128 * 1024
"""The largest job that travels in one message; longer arguments lie in a file."""

WORKER_ROOT = "AGENTFLOW_WORKER_ROOT"
"""The variable that says where the project is on this node of a cluster."""

_PR_SET_PDEATHSIG = 1


def main(parent: int, jobs: int, results: int, control: int, page: int) -> None:
    """Serve until the pool is gone; all but `parent`, its process id, are file descriptors."""
    die_with(parent)
    faulthandler.enable()
    Redirection.begin()
    Worker(
        socket.socket(fileno=jobs),
        socket.socket(fileno=results),
        socket.socket(fileno=control),
        Cells(page),
    ).serve()


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its pool's thread ends, even inside a C loop."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it was gone before the kernel knew
        os._exit(1)


@lru_cache(maxsize=64)
def _local(root: str) -> str:
    """The project's root on this machine: on a cluster, where its copy is."""
    given = os.environ.get(WORKER_ROOT)
    return given or (root if Path(root).is_dir() else str(Path.cwd()))


class Worker:
    """Runs jobs, one plain function at a time."""

    def __init__(
        self,
        jobs: socket.socket,
        results: socket.socket,
        control: socket.socket,
        cells: Cells,
    ) -> None:
        self._jobs = jobs
        self._results = results
        self._control = control
        self._cells = cells
        self._writing = threading.Lock()
        self._coroutines: Coroutines | None = None
        self._pid = os.getpid()

    def serve(self) -> None:
        """Take one job after another."""
        self.send(Kind.READY, 0)
        buffer = bytearray(MESSAGE_BYTES)
        while size := self._jobs.recv_into(buffer):
            job = Job.unpack(bytes(memoryview(buffer)[:size]))
            self._cells.begin(0, job.id)
            self._run(job)
            if os.getpid() != self._pid:  # the function forked, and this is the child
                os._exit(0)

    def send(self, kind: Kind, id: int, payload: bytes = b"") -> None:
        """Write a frame; from any thread."""
        with self._writing:
            self._results.sendall(frame(kind, id, payload))

    def printer(self, id: int) -> Callable[[str], None]:
        """Where lines of a job go."""
        return lambda line: self.send(Kind.PRINTED, id, line.encode())

    def _run(self, job: Job) -> None:
        call = call_of_job(job)
        if job.shape is Shape.STREAM:
            self._stream(job, call)
        elif not job.apart and is_async(call.function, call.root):
            if self._coroutines is None:
                self._coroutines = Coroutines(self, self._control, self._cells)
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
            printed=self.printer(job.id),
        )
        self._cells.ended(0)
        self.send(*answer(job.id, outcome))

    def _batch(self, job: Job, call: Call) -> None:
        indexes, calls = items(job)
        printed = self.printer(job.id)
        outcomes: list[bytes] = []
        began = time.perf_counter()
        for index, arguments in zip(indexes, calls, strict=True):
            self._cells.begin(0, job.id, index)
            outcome = invoke(
                call.function, call.root, arguments, call.context(index), printed=printed
            )
            if job.timeout:  # the next item may be the one this process is killed for
                self._cells.ended(0)
                self.send(Kind.ITEM, job.id, INDEX.pack(index) + item(outcome))
            else:
                outcomes.append(item(outcome))
        self._cells.ended(0)
        elapsed = SECONDS.pack(time.perf_counter() - began)
        self.send(Kind.BATCH, job.id, elapsed + b",".join(outcomes))

    def _stream(self, job: Job, call: Call) -> None:
        stream = Stream(
            call.function,
            call.root,
            decode(job.body),
            call.context(bounded=False),
            skip=job.skip,
            printed=self.printer(job.id),
        )
        yields = Yields(lambda values: self.send(Kind.YIELDED, job.id, values))
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
            self._cells.ended(0)
            if outcome is None or outcome.error is not None:
                break
            assert outcome.value is not None
            yields.add(outcome.value)
            allowed -= 1
        yields.close()
        stream.close()
        self.send(*answer(job.id, outcome or Outcome(b"null", elapsed=used)))

    def _demanded(self) -> int:
        message = self._control.recv(64)
        if not message:  # the pool is gone
            os._exit(0)
        return sum(
            COUNT.unpack(payload)[0]
            for kind, _, payload in Frames().feed(message)
            if kind is Kind.DEMAND
        )


class Coroutines:
    """Coroutine functions of a worker, side by side; each has a cell of its own."""

    def __init__(self, worker: Worker, control: socket.socket, cells: Cells) -> None:
        self._worker = worker
        self._control = control
        self._cells = cells
        self._free: SimpleQueue[int] = SimpleQueue()
        for cell in range(1, COROUTINES + 1):
            self._free.put(cell)
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._loop = LoopThread().loop
        self._loop.call_soon_threadsafe(self._loop.add_reader, control.fileno(), self._withdraw)

    def take(self, job: Job, call: Call) -> None:
        """Begin a job as soon as a cell is free."""
        cell = self._free.get()
        self._cells.begin(cell, job.id)
        self._worker.send(Kind.ASIDE, job.id)
        self._loop.call_soon_threadsafe(self._begin, cell, job, call)

    def _begin(self, cell: int, job: Job, call: Call) -> None:
        run = self._call if job.shape is Shape.CALL else self._batch
        task = self._loop.create_task(run(cell, job, call))
        self._tasks[job.id] = task
        task.add_done_callback(lambda task: self._end(task, cell, job.id))

    def _end(self, task: asyncio.Task[None], cell: int, id: int) -> None:
        del self._tasks[id]
        if task.cancelled():  # withdrawn: the pool hears that it is over, and tells nobody
            self._worker.send(*answer(id, Outcome(b"null")))
        self._cells.clear(cell)
        self._free.put(cell)

    async def _call(self, cell: int, job: Job, call: Call) -> None:
        self._cells.begin(cell, job.id)
        outcome = await self._invoke(job, call, decode(job.body), None)
        self._cells.ended(cell)
        self._worker.send(*answer(job.id, outcome))

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
                self._worker.send(Kind.ITEM, job.id, INDEX.pack(index) + item(outcome))
            else:
                outcomes[index] = item(outcome)

        async with asyncio.TaskGroup() as group:
            for index, arguments in zip(indexes, calls, strict=True):
                group.create_task(one(index, arguments))
        self._cells.ended(cell)
        elapsed = SECONDS.pack(time.perf_counter() - began)
        ordered = b",".join(outcomes[index] for index in indexes if index in outcomes)
        self._worker.send(Kind.BATCH, job.id, elapsed + ordered)

    async def _invoke(self, job: Job, call: Call, arguments: Json, index: int | None) -> Outcome:
        try:
            async with asyncio.timeout(job.timeout or None):
                return await invoke_async(
                    call.function,
                    call.root,
                    arguments,
                    call.context(index),
                    printed=self._worker.printer(job.id),
                )
        except TimeoutError:
            return Outcome(error=timeout_error(job.timeout), trace=[], elapsed=job.timeout)

    def _withdraw(self) -> None:
        message = self._control.recv(64)
        if not message:  # the pool is gone
            os._exit(0)
        for kind, id, _ in Frames().feed(message):
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


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
