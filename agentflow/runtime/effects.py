"""What machines command, carried out: the only place where an execution reaches the world.

Everything here is asked for after the events that led to it are durable, and answers come back as
events. What takes time is a task of its own; if the journal fails one of them, the engine ends.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, assert_never

from agentflow.errors import AgentFlowError, Unavailable, fault_value
from agentflow.runtime.alarm import Alarm
from agentflow.runtime.exchange import child_id, task_of, unwanted_by
from agentflow.runtime.executors.protocol import Executor, Task
from agentflow.runtime.journal.protocol import Message
from agentflow.runtime.live import Live
from agentflow.runtime.machine.protocol import (
    AwaitMessage,
    CallStarted,
    ChildEnded,
    Command,
    Demand,
    EmitEvent,
    Event,
    EventEmitted,
    Finish,
    Invoke,
    InvokeBatch,
    Opened,
    OpenStream,
    RecordStart,
    StartChild,
    StartTimer,
    TimerFired,
    Withdraw,
)
from agentflow.runtime.mailbox import Listener, Mailbox
from agentflow.runtime.turn import Children, Store

log = logging.getLogger(__name__)


class Effects:
    """Carries out the commands of one orchestrator's executions.

    Args:
        lookup: Gives an execution that the orchestrator owns.
        post: Takes what comes of a command, as an event of an execution.
        fail: Takes the reason why the journal cannot be used any more.
    """

    def __init__(
        self,
        store: Store,
        executor: Executor,
        children: Children,
        *,
        lookup: Callable[[str], Live | None],
        post: Callable[[str, Event], None],
        fail: Callable[[AgentFlowError], None],
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._executor = executor
        self._children = children
        self._lookup = lookup
        self._post = post
        self._fail = fail
        self._clock = clock
        self._alarm = Alarm(clock, self._ring)
        self._background: set[asyncio.Task[None]] = set()
        self.mailbox = Mailbox(post, clock)

    def do(self, live: Live, command: Command, tasks: list[Task]) -> None:
        """Carry out a command; calls are added to `tasks`, to be submitted together."""
        match command:
            case Invoke() | InvokeBatch() | OpenStream():
                live.unopened.discard(command.key)
                if command.key in live.working:
                    tasks.append(task_of(live, command))
            case RecordStart():
                self._post(live.id, CallStarted(self._clock(), command.key, command.attempt))
            case Demand():
                self._executor.demand(live.id, command.key, command.count)
            case StartTimer():
                self._alarm.set(command.due, live.id, command.key)
            case AwaitMessage():
                self._listen(live, command)
            case StartChild():
                self._spawn(self._start_child(live, command))
            case EmitEvent():
                self._spawn(self._emit(live, command))
            case Withdraw():
                self._withdraw(live, command.key)
            case Opened() | Finish():
                pass
            case _:
                assert_never(command)

    def forsake(self, live: Live, error: AgentFlowError) -> None:
        """Stop what is under way for an execution that is served no more because of an `error`.

        Its children are left alone: they are executions of their own, and its next owner's, who may
        be this process again.
        """
        for listening in live.listeners.values():
            self.mailbox.forget(live, listening)
        for key in live.working:
            self._executor.withdraw(live.id, key)
        self._spawn(self._store.set_right(live, error))

    def withdraw_all(self, live: Live) -> None:
        """Stop everything that an execution has asked for, its children too."""
        for key in {*live.working, *live.timers, *live.listeners, *live.children}:
            self._withdraw(live, key)

    def tell_parent(self, parent: str, key: str, child: str) -> None:
        """A child execution has ended: its parent goes on, if this process owns it."""
        if self._lookup(parent) is not None:
            self._spawn(self._tell(parent, key, child))

    def stop(self) -> None:
        """Carry out nothing any more."""
        self._alarm.stop()
        for task in self._background:
            task.cancel()

    # --- messages -----------------------------------------------------------------------------

    def _listen(self, live: Live, command: AwaitMessage) -> None:
        listener = self.mailbox.listen(live, command)
        if listener is not None:
            self._spawn(self._search(listener))

    async def _search(self, listener: Listener) -> None:
        """Give a listener what was sent before it listened."""
        early: list[Message] = []
        try:
            early = await self._store.messages(listener.live.id, listener.command.name)
        except Unavailable:
            raise
        except AgentFlowError:
            log.exception("messages that %s waits for cannot be read", listener.live.id)
        self.mailbox.settle(listener, early)

    async def _emit(self, live: Live, command: EmitEvent) -> None:
        message = Message(
            id=f"{live.id}/{command.key}",
            name=command.type,
            correlation=command.subject,
            data=command.data,
            at=self._clock(),
        )
        await self._store.post(message)
        self.mailbox.deliver(message)
        self._post(live.id, EventEmitted(self._clock(), command.key))

    # --- children -----------------------------------------------------------------------------

    async def _start_child(self, live: Live, command: StartChild) -> None:
        child = child_id(live.id, command.key)
        try:
            runs = await self._children.start_child(
                live, command.key, command.workflow, command.input
            )
        except Unavailable:
            raise
        except AgentFlowError as error:
            value = fault_value("InvalidInput", error.message)
            self._post(live.id, ChildEnded(self._clock(), command.key, "failed", error=value))
            return
        if not runs:
            self.tell_parent(live.id, command.key, child)
        elif command.key in live.working:
            live.children[command.key] = child
        else:
            await self._children.cancel_child(child, unwanted_by(live.id))

    async def _tell(self, parent: str, key: str, child: str) -> None:
        live = self._lookup(parent)
        if live is None:
            return
        if key in live.working and await self._children.revive(child):
            live.children[key] = child
            return
        self._post(parent, await self._children.child_ended(child, key))

    # --- withdrawing --------------------------------------------------------------------------

    def _withdraw(self, live: Live, key: str) -> None:
        live.timers.pop(key, None)
        listening = live.listeners.pop(key, None)
        if listening is not None:
            self.mailbox.forget(live, listening)
        child = live.children.pop(key, None)
        if child is not None:
            self._spawn(self._children.cancel_child(child, unwanted_by(live.id)))
        self._executor.withdraw(live.id, key)

    # --- beside the turns ---------------------------------------------------------------------

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._reaped)

    def _reaped(self, task: asyncio.Task[None]) -> None:
        self._background.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Unavailable):
            self._fail(error)
        elif error is not None:
            log.error("carrying out a command failed", exc_info=error)

    def _ring(self, due: float, execution: str, key: str) -> None:
        live = self._lookup(execution)
        if live is not None and live.timers.get(key) == due:
            self._post(execution, TimerFired(self._clock(), key))
