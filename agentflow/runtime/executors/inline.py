"""Calls in this process: plain functions in threads, coroutine functions in an event loop.

Nothing is started and nothing is sent, so this is the fastest way to run small workflows and
tests. What a process of its own gives is missing: a function that crashes takes the process with
it, and one that holds the interpreter in C (a catastrophic regular expression) stops everything
in it. A call that blocks without holding it (`time.sleep`, a socket) times out at once, but its
thread is only left behind: nothing in Python can end it.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from agentflow.functions.capture import Redirection
from agentflow.runtime.executors.agents import NoMemory, is_agent
from agentflow.runtime.executors.agents_inline import InlineAgents
from agentflow.runtime.executors.inline_runs import CallRun, Run, StreamRun
from agentflow.runtime.executors.protocol import Memory, Report, Reporter, Task
from agentflow.runtime.executors.reports import joined
from agentflow.runtime.executors.threads import LoopThread, Threads


class InlineExecutor:
    """Carries out tasks in this process; `parallel` plain functions at once.

    A function's own threads, and subprocesses, print where this process prints.
    """

    phase: str | None = None

    def __init__(self, *, parallel: int | None = None) -> None:
        self.parallel = parallel or min(8, 2 * (os.cpu_count() or 1))
        self._runs: dict[tuple[str, str], Run] = {}
        self._messages: deque[Callable[[], None]] = deque()
        self._awake = False
        self._reports: list[Report] = []
        self._coroutines: LoopThread | None = None
        self._agents = InlineAgents(self)
        self.memory: Memory = NoMemory()

    async def start(self, report: Reporter) -> None:
        """Get ready; takes no time."""
        self._loop = asyncio.get_running_loop()
        self._report = report
        self.threads = Threads(self.parallel)
        Redirection.begin()

    def submit(self, tasks: Sequence[Task]) -> None:
        """Take tasks; return at once."""
        for task in tasks:
            self.withdraw(task.execution, task.key)
            run = self._run(task)
            self._runs[task.execution, task.key] = run
            run.begin()

    def _run(self, task: Task) -> Run:
        if is_agent(task):
            return self._agents.run(task, self.memory)
        return StreamRun(self, task) if task.kind == "stream" else CallRun(self, task)

    def withdraw(self, execution: str, key: str) -> None:
        """Stop a task, as far as that is possible in this process."""
        run = self._runs.pop((execution, key), None)
        if run is not None:
            run.stop()

    def demand(self, execution: str, key: str, count: int) -> None:
        """Allow a stream `count` more values."""
        run = self._runs.get((execution, key))
        if isinstance(run, StreamRun):
            run.demand(count)

    async def close(self) -> None:
        """Stop what can be stopped and leave the rest behind."""
        for execution, key in list(self._runs):
            self.withdraw(execution, key)
        self.threads.close()
        if self._coroutines is not None:
            self._coroutines.close()
            self._coroutines = None
        Redirection.end()

    # --- for runs, in the loop's thread ---

    @property
    def coroutines(self) -> asyncio.AbstractEventLoop:
        """The loop of coroutine functions."""
        if self._coroutines is None:
            self._coroutines = LoopThread()
        return self._coroutines.loop

    def after(self, seconds: float, act: Callable[[], None]) -> asyncio.TimerHandle:
        """Do something later."""
        return self._loop.call_later(seconds, act)

    def tell(self, run: Run, report: Report) -> None:
        """Report, unless the run was withdrawn; what follows on its like joins it."""
        task = run.task
        if self._runs.get((task.execution, task.key)) is not run:
            return
        if report.kind not in {"yielded", "printed"}:
            del self._runs[task.execution, task.key]
        if not self._reports:
            self._loop.call_soon(self._flush)
        self._reports.append(report)

    def _flush(self) -> None:
        reports, self._reports = self._reports, []
        self._report(joined(reports))

    # --- for runs, in any thread ---

    def post(self, message: Callable[[], None]) -> None:
        """Have `message` called in the loop's thread, soon, in order."""
        self._messages.append(message)
        if not self._awake:
            self._awake = True
            with suppress(RuntimeError):  # the loop is closed: nobody waits for a late thread
                self._loop.call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        self._awake = False
        while self._messages:
            self._messages.popleft()()
