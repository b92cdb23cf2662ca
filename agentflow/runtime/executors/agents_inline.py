"""Agents in this process: their instances, and the calls that wait for them and run in them.

A call that is awaited is cancelled when its time is over. One that runs in a thread and does not
return ends its instance: nothing in Python can end the thread, and it may still change the object.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable

from agentflow.errors import Fault, Json
from agentflow.functions.encoding import decode, duplicate
from agentflow.functions.failures import Stopped
from agentflow.functions.instances import AgentState, Instance
from agentflow.functions.invoke import Outcome
from agentflow.runtime.executors.agents import Directory, Place, Reached
from agentflow.runtime.executors.calls import lost_error, timeout_error, within
from agentflow.runtime.executors.inline_runs import Home, Item, Run, cancel
from agentflow.runtime.executors.pool import GRACE
from agentflow.runtime.executors.protocol import Memory, Task
from agentflow.runtime.executors.threads import Threads


class InlineAgents:
    """The instances of one executor."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._directory = Directory()
        self._seats: dict[Place, Seat] = {}

    def run(self, task: Task, memory: Memory) -> Run:
        """A task that calls an agent, not begun yet."""
        return AgentRun(self._home, task, self, memory)

    def reach(self, task: Task) -> tuple[Reached, Seat]:
        """What a task reaches, and the seat of its instance.

        Raises:
            Fault: there is no such agent.
        """
        reached = self._directory.find(task)
        if reached.place not in self._seats:
            self._seats[reached.place] = Seat(self._home, reached, self._forget)
        return reached, self._seats[reached.place]

    def _forget(self, place: Place) -> None:
        self._seats.pop(place).close()


class Seat:
    """One instance, the calls in it, and those that wait for their turn."""

    def __init__(self, home: Home, reached: Reached, forget: Callable[[Place], None]) -> None:
        self._home = home
        self._reached = reached
        self._forget = forget
        self._waiting: deque[AgentRun] = deque()
        self._running: set[AgentRun] = set()
        self._idle: asyncio.TimerHandle | None = None
        self._renew()

    def enter(self, run: AgentRun) -> None:
        """A call comes."""
        self._waiting.append(run)
        self._feed()

    def leave(self, run: AgentRun) -> None:
        """A call is over, or is no longer wanted before it began."""
        if run in self._waiting:
            self._waiting.remove(run)
        self._running.discard(run)
        self._feed()

    def holds(self, run: AgentRun) -> bool:
        """Whether a call runs in the instance."""
        return run in self._running

    def give_up(self, guilty: AgentRun) -> None:
        """End the instance because of a call in it that cannot be stopped."""
        if guilty not in self._running:
            return
        neighbours = self._running - {guilty}
        self._running.clear()
        self._renew()
        for run in neighbours:
            run.lose()
        self._feed()

    def close(self) -> None:
        """Let the threads end."""
        self.threads.close()

    def _renew(self) -> None:
        root, agent, _ = self._reached.place
        self._instance = Instance(agent, self._reached.reference, root)
        self.threads = Threads(self._reached.options.max_concurrency)

    def _feed(self) -> None:
        while self._waiting and len(self._running) < self._reached.options.max_concurrency:
            run = self._waiting.popleft()
            self._running.add(run)
            run.start(self._instance, self.threads)
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        if not self._running:
            self._idle = self._home.after(
                self._reached.options.idle_timeout, lambda: self._forget(self._reached.place)
            )


class AgentRun(Run):
    """One call of an agent."""

    def __init__(self, home: Home, task: Task, agents: InlineAgents, memory: Memory) -> None:
        super().__init__(home, task)
        self._agents = agents
        self._memory = memory
        self._item: Item | None = None
        self._is_async = False
        self._seat: Seat | None = None
        self._instance: Instance
        self._known: AgentState | None = None
        self._awaited: asyncio.Task[None] | None = None
        """Kept here while it runs: an event loop does not keep its tasks."""

    # --- in the executor's loop ---

    def begin(self) -> None:
        try:
            self._reached, self._seat = self._agents.reach(self.task)
        except Fault as fault:
            error = fault.value()
            self.executor.post(lambda: self.fail(error))
            return
        self._seat.enter(self)

    def start(self, instance: Instance, threads: Threads) -> None:
        """The instance is free for it."""
        self._instance = instance
        self._threads = threads
        if self._reached.keeps_state:
            self._awaited = asyncio.get_running_loop().create_task(self._start_with_state())
        else:
            self._threads.put(self._serve)

    def stop(self) -> None:
        self.stopped = True
        seat, item = self._seat, self._item
        if seat is None:
            return
        if item is None or not item.claim.take():
            seat.leave(self)
            return
        item.interrupt()
        if self._is_async:
            self.executor.after(GRACE, lambda: seat.give_up(self))
        else:
            seat.give_up(self)

    def lose(self) -> None:
        """Its instance is ended because of another call in it."""
        item = self._item
        if item is not None and not item.claim.take():
            return
        self.stopped = True
        if item is not None:
            item.interrupt()
        self.fail(lost_error("another call in its instance could not be stopped"))

    async def _start_with_state(self) -> None:
        self._known = await self._memory.last(self.task, self._reached.options.name)
        if not self.stopped:
            self._threads.put(self._serve)

    def _watch(self, item: Item) -> None:
        if self.task.timeout is not None and not self.stopped:
            limit = self.task.timeout + (GRACE if self._is_async else 0.0)
            item.timer = self.executor.after(limit, self._expire)

    def _expire(self) -> None:
        item, seat = self._item, self._seat
        assert item is not None
        assert seat is not None
        if item.claim.take():
            item.interrupt()
            assert self.task.timeout is not None
            seat.give_up(self)
            self.fail(timeout_error(self.task.timeout))

    def _finish(self, outcome: Outcome, state: AgentState | None) -> None:
        self._left()
        about: dict[str, Json] = {
            "elapsed": outcome.elapsed,
            "state": self._reached.kept(self.task, state),
        }
        if outcome.error is None:
            assert outcome.value is not None
            report = self.report("completed", value=decode(outcome.value), **about)
        else:
            report = self.report("failed", error=outcome.error, trace=outcome.trace, **about)
        self.executor.tell(self, report)

    def _left(self) -> None:
        assert self._seat is not None
        if self._item is not None and self._item.timer is not None:
            self._item.timer.cancel()
        self._seat.leave(self)

    # --- in a thread ---

    def _serve(self) -> bool:
        if self.stopped:
            return True
        self._is_async = self._instance.is_async(self._reached.method)
        if self._is_async:
            self.executor.post(self._begin_coroutine)
            return True
        ident = threading.get_ident()
        item = self._enter(lambda: self._threads.stop(ident))
        if self.stopped:
            return item.claim.take()
        try:
            outcome = self._instance.run(*self._arguments(), printed=self.printed)
            outcome, state = self._instance.ended(outcome, printed=self.printed)
        except Stopped:
            return False
        if not item.claim.take():
            return False
        self.executor.post(lambda: self._finish(outcome, state))
        return True

    def _enter(self, interrupt: Callable[[], None]) -> Item:
        item = self._item = Item(0, interrupt)
        self.executor.post(lambda: self._watch(item))
        return item

    def _arguments(self) -> tuple[str, Json, Json, AgentState | None]:
        arguments = duplicate(self.task.calls[0])
        return self._reached.method, arguments, self.call.context(), self._known

    # --- in the coroutines' loop ---

    def _begin_coroutine(self) -> None:
        if not self.stopped:
            loop = self.executor.coroutines
            loop.call_soon_threadsafe(self._open_coroutine, loop)

    def _open_coroutine(self, loop: asyncio.AbstractEventLoop) -> None:
        self._awaited = loop.create_task(self._await(loop))

    async def _await(self, loop: asyncio.AbstractEventLoop) -> None:
        task = asyncio.current_task()
        assert task is not None
        item = self._enter(lambda: cancel(loop, task))
        if self.stopped:
            return
        run = self._instance.run_async(*self._arguments(), printed=self.printed)
        try:
            outcome = await within(self.task.timeout, run)
        except asyncio.CancelledError:
            self._instance.ended(Outcome(), printed=self.printed)
            self.executor.post(self._left)
            raise
        ended, state = self._instance.ended(outcome, printed=self.printed)
        if item.claim.take():
            self.executor.post(lambda: self._finish(ended, state))
        else:
            self.executor.post(self._left)
