"""The process of one agent's instance: takes calls from a socket and runs them in it.

As many calls run at once as its host gives. Methods that are coroutines run in one event loop,
others in threads; with one call at a time it is always the same thread.
"""

from __future__ import annotations

import asyncio
import threading

from agentflow.functions.context import Context
from agentflow.functions.instances import Instance
from agentflow.functions.invoke import Outcome
from agentflow.runtime.executors.agents_wire import AgentCall, agent_call, state_frame
from agentflow.runtime.executors.calls import within
from agentflow.runtime.executors.threads import LoopThread, Threads
from agentflow.runtime.executors.wire import Job, Kind
from agentflow.runtime.executors.worker import answer, call_of_job
from agentflow.runtime.executors.worker_ends import Ends, free_cells, open_ends


def main(parent: int, jobs: int, results: int, control: int, page: int) -> None:
    """Serve until the host is gone; all but `parent`, its process id, are file descriptors."""
    AgentWorker(open_ends(parent, jobs, results, control, page)).serve()


class AgentWorker:
    """Runs the calls of one instance; each has a cell of its own."""

    def __init__(self, ends: Ends) -> None:
        self._ends = ends
        self._cells = ends.cells
        self._free = free_cells()
        self._threads: Threads
        self._instance: Instance | None = None
        self._opening = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def serve(self) -> None:
        """Take one call after another."""
        for job in self._ends.jobs():
            self._take(job)

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
        self._ends.send(Kind.BEGUN, job.id)
        if instance.is_async(call.method):
            self._ends.send(Kind.ASIDE, job.id)
            loop = self._coroutines()
            loop.call_soon_threadsafe(self._open, cell, job, call, context, instance)
            return True
        printed = self._ends.printer(job.id)
        outcome = instance.run(call.method, call.arguments, context, call.known, printed=printed)
        self._ends.exit_if_forked()
        self._end(cell, job.id, instance, outcome)
        return True

    def _coroutines(self) -> asyncio.AbstractEventLoop:
        with self._opening:
            if self._loop is None:
                self._loop = LoopThread().loop
                readable = self._ends.control
                self._loop.call_soon_threadsafe(self._loop.add_reader, readable, self._withdraw)
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
        printed = self._ends.printer(job.id)
        run = instance.run_async(call.method, call.arguments, context, call.known, printed=printed)
        try:
            outcome = await within(job.timeout or None, run)
        except asyncio.CancelledError:  # withdrawn: the host hears that it is over
            outcome = Outcome(b"null")
        del self._tasks[job.id]
        self._end(cell, job.id, instance, outcome)

    def _withdraw(self) -> None:
        for kind, id, _ in self._ends.commands():
            if kind is Kind.WITHDRAW and id in self._tasks:
                self._tasks[id].cancel()

    # --- in both ---

    def _end(self, cell: int, id: int, instance: Instance, outcome: Outcome) -> None:
        outcome, state = instance.ended(outcome, printed=self._ends.printer(id))
        self._cells.ended(cell)
        if state is not None:
            self._ends.send(*state_frame(id, state))
        self._cells.clear(cell)  # before the answer: the host may give the next call at once
        self._free.put(cell)
        self._ends.send(*answer(id, outcome))
