"""The process of one agent's instance: takes calls from a socket and runs them in it.

As many calls run at once as its host gives. Methods that are coroutines run in one event loop,
others in threads; with one call at a time it is always the same thread.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import socket
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

from agentflow.functions.capture import Redirection
from agentflow.functions.context import Context
from agentflow.functions.instances import Instance
from agentflow.functions.invoke import Outcome
from agentflow.runtime.executors.agents_wire import AgentCall, agent_call, state_frame
from agentflow.runtime.executors.calls import timeout_error
from agentflow.runtime.executors.cells import COROUTINES, Cells
from agentflow.runtime.executors.threads import LoopThread, Threads
from agentflow.runtime.executors.wire import Frames, Job, Kind, frame
from agentflow.runtime.executors.worker import MESSAGE_BYTES, answer, call_of_job, die_with


def main(parent: int, jobs: int, results: int, control: int, page: int) -> None:
    """Serve until the host is gone; all but `parent`, its process id, are file descriptors."""
    die_with(parent)
    faulthandler.enable()
    Redirection.begin()
    AgentWorker(
        socket.socket(fileno=jobs),
        socket.socket(fileno=results),
        socket.socket(fileno=control),
        Cells(page),
    ).serve()


class AgentWorker:
    """Runs the calls of one instance; each has a cell of its own."""

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
        self._free: SimpleQueue[int] = SimpleQueue()
        for cell in range(1, COROUTINES + 1):
            self._free.put(cell)
        self._writing = threading.Lock()
        self._threads: Threads
        self._instance: Instance | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._pid = os.getpid()

    def serve(self) -> None:
        """Take one call after another."""
        self._send(Kind.READY, 0)
        buffer = bytearray(MESSAGE_BYTES)
        while size := self._jobs.recv_into(buffer):
            self._take(Job.unpack(bytes(memoryview(buffer)[:size])))

    def _take(self, job: Job) -> None:
        cell = self._free.get()
        self._cells.begin(cell, job.id)
        call = agent_call(job)
        context = call_of_job(job).context()
        if self._instance is None:
            self._instance = Instance(call.agent, call.reference, call_of_job(job).root)
            self._threads = Threads(call.max_concurrency)
        instance = self._instance
        self._threads.put(lambda: self._serve(cell, job, call, context, instance))

    # --- in a thread ---

    def _serve(
        self, cell: int, job: Job, call: AgentCall, context: Context, instance: Instance
    ) -> bool:
        self._send(Kind.BEGUN, job.id)
        if instance.is_async(call.method):
            self._send(Kind.ASIDE, job.id)
            loop = self._coroutines()
            loop.call_soon_threadsafe(self._open, cell, job, call, context, instance)
            return True
        printed = self._printer(job.id)
        outcome = instance.run(call.method, call.arguments, context, call.known, printed=printed)
        if os.getpid() != self._pid:  # the method forked, and this is the child
            os._exit(0)
        self._end(cell, job.id, instance, outcome)
        return True

    def _coroutines(self) -> asyncio.AbstractEventLoop:
        with self._writing:
            if self._loop is None:
                self._loop = LoopThread().loop
                descriptor = self._control.fileno()
                self._loop.call_soon_threadsafe(self._loop.add_reader, descriptor, self._withdraw)
            return self._loop

    # --- in the loop ---

    def _open(
        self, cell: int, job: Job, call: AgentCall, context: Context, instance: Instance
    ) -> None:
        assert self._loop is not None
        run = self._await(cell, job, call, context, instance)
        self._tasks[job.id] = self._loop.create_task(run)

    async def _await(
        self, cell: int, job: Job, call: AgentCall, context: Context, instance: Instance
    ) -> None:
        began = time.perf_counter()
        printed = self._printer(job.id)
        try:
            async with asyncio.timeout(job.timeout or None):
                outcome = await instance.run_async(
                    call.method, call.arguments, context, call.known, printed=printed
                )
        except TimeoutError:
            elapsed = time.perf_counter() - began
            outcome = Outcome(error=timeout_error(job.timeout), trace=[], elapsed=elapsed)
        except asyncio.CancelledError:  # withdrawn: the host hears that it is over
            outcome = Outcome(b"null")
        del self._tasks[job.id]
        self._end(cell, job.id, instance, outcome)

    def _withdraw(self) -> None:
        message = self._control.recv(64)
        if not message:  # the host is gone
            os._exit(0)
        for kind, id, _ in Frames().feed(message):
            if kind is Kind.WITHDRAW and id in self._tasks:
                self._tasks[id].cancel()

    # --- in both ---

    def _end(self, cell: int, id: int, instance: Instance, outcome: Outcome) -> None:
        outcome, state = instance.ended(outcome, printed=self._printer(id))
        self._cells.ended(cell)
        if state is not None:
            self._send(*state_frame(id, state))
        self._cells.clear(cell)  # before the answer: the host may give the next call at once
        self._free.put(cell)
        self._send(*answer(id, outcome))

    def _printer(self, id: int) -> Callable[[str], None]:
        return lambda line: self._send(Kind.PRINTED, id, line.encode())

    def _send(self, kind: Kind, id: int, payload: bytes = b"") -> None:
        with self._writing:
            self._results.sendall(frame(kind, id, payload))
