"""The shell around the machines: commits their events, then does what they command.

One loop serves all executions of this process. A turn takes every event that has arrived, lets the
machines advance, writes all records in one transaction, and only when that is durable carries out
the commands. Events that arrive meanwhile make the next turn: that is the group commit.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any, assert_never

from agentflow.errors import AgentFlowError, Unavailable
from agentflow.runtime.alarm import Alarm
from agentflow.runtime.exchange import child_id, event_of, task_of
from agentflow.runtime.executors.protocol import Executor, Report, Task
from agentflow.runtime.journal.errors import AlreadyRecorded, Fenced
from agentflow.runtime.journal.protocol import CANCEL, Message
from agentflow.runtime.live import Live
from agentflow.runtime.machine.protocol import (
    AwaitMessage,
    BatchCompleted,
    CallCompleted,
    CallFailed,
    CallStarted,
    CancelRequested,
    ChildEnded,
    Command,
    Demand,
    EmitEvent,
    Event,
    EventEmitted,
    Finish,
    Invoke,
    InvokeBatch,
    MessageReceived,
    Opened,
    OpenStream,
    RecordStart,
    Resumed,
    StartChild,
    Started,
    StartTimer,
    TimerFired,
    Withdraw,
)
from agentflow.runtime.mailbox import Mailbox
from agentflow.runtime.notices import Changed, Notice
from agentflow.runtime.redaction import redact, secret_values
from agentflow.runtime.turn import Children, Group, Store

log = logging.getLogger(__name__)


class Orchestrator:
    """Owns executions. All methods run in its event loop's thread."""

    def __init__(
        self,
        store: Store,
        executor: Executor,
        children: Children,
        *,
        watch: Callable[[Notice], None],
        printed: Callable[[Live, str, tuple[str, ...]], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._executor = executor
        self._children = children
        self._watch = watch
        self._printed = printed
        self._clock = clock
        self._lives: dict[str, Live] = {}
        self._arrived: list[tuple[str, Event]] = []
        self._wake = asyncio.Event()
        self._alarm = Alarm(clock, self._ring)
        self._background: set[asyncio.Task[None]] = set()
        self._broken: AgentFlowError | None = None
        """Why the journal cannot be used, found out beside the turns."""
        self.mailbox = Mailbox(self.post, clock)

    @property
    def lives(self) -> Sequence[Live]:
        """The executions it owns."""
        return list(self._lives.values())

    def live(self, execution: str) -> Live | None:
        """An execution it owns."""
        return self._lives.get(execution)

    def adopt(self, live: Live) -> None:
        """Serve an execution from now on."""
        self._lives[live.id] = live

    def begin(self, live: Live, event: Event) -> None:
        """Serve a new execution, whose first `event` is recorded already."""
        self.adopt(live)
        commands = live.machine.advance(event)
        live.note(event, commands)
        if live.machine.finished is not None:
            self._arrived.append((live.id, event))
            self._wake.set()
            return
        self._carry_out([(live, [event], commands)])

    def post(self, execution: str, event: Event) -> None:
        """Something happened to an execution."""
        self._arrived.append((execution, event))
        self._wake.set()

    def cancel(self, execution: str, reason: str, message: str = "") -> None:
        """Unwind an execution: `finally` blocks and compensations run."""
        self.post(execution, CancelRequested(self._clock(), reason, message))

    def deliver(self, message: Message) -> None:
        """Somebody sent a message: to whom it concerns, if this process owns them."""
        if message.name != CANCEL:
            self.mailbox.deliver(message)
            return
        live = None if message.execution is None else self._lives.get(message.execution)
        if live is not None and message.id not in live.received:
            live.received.add(message.id)
            reason = message.data if isinstance(message.data, str) else ""
            self.cancel(live.id, reason, message.id)

    def take_reports(self, reports: Sequence[Report]) -> None:
        """What an executor reports."""
        at = self._clock()
        for report in reports:
            live = self._lives.get(report.execution)
            if live is None:
                continue
            if report.kind == "printed":
                self._printed(live, report.key, report.lines)
                continue
            secrets = secret_values(live.spec.workflow.secrets)
            clean = replace(report, error=redact(report.error, secrets)) if secrets else report
            self.post(report.execution, event_of(clean, at))

    async def serve(self) -> None:
        """Take turns until cancelled.

        Raises:
            Unavailable: the journal cannot be written; every execution stays as recorded.
        """
        while True:
            await self._wake.wait()
            self._wake.clear()
            arrived, self._arrived = self._arrived, []
            if self._broken is not None:
                raise self._broken
            group = self._take(arrived)
            await self._commit(group)
            self._carry_out(list(group.lives.values()))

    def give_up(self, error: AgentFlowError) -> None:
        """Something beside the turns failed so that no more can be taken; `serve` raises it."""
        self._broken = error
        self._wake.set()

    def abandon(self, error: BaseException | None) -> None:
        """Give every execution up; it stays as recorded and can be resumed."""
        for live in self._lives.values():
            if not live.ended.done():
                live.ended.set_exception(error or asyncio.CancelledError())
        self._lives.clear()
        self._alarm.stop()
        for task in self._background:
            task.cancel()

    # --- a turn -------------------------------------------------------------------------------

    def _take(self, arrived: list[tuple[str, Event]]) -> Group:
        """Let the machines advance; nothing is durable yet and nothing is done."""
        group = Group()
        for execution, event in arrived:
            live = self._lives.get(execution)
            if live is not None and not live.is_over:
                self._advance(group, live, event)
        for live, events, _ in group.lives.values():
            finish, at = live.machine.finished, events[-1].at
            if finish is not None:
                group.records.append(live.record(live.last_event(finish, at)))
            change = live.change(finish, at)
            if change is not None:
                group.changes.append(change)
        return group

    def _advance(self, group: Group, live: Live, event: Event) -> None:
        machine = live.machine
        if machine.finished is None:
            ignored = machine.ignored
            try:
                commands = machine.advance(event)
            except Exception as bug:  # the other executions go on
                log.exception("execution %s cannot take %s", live.id, event)
                self._drop([live.id], _broken(live.id, bug))
                group.leave_out([live.id])
                return
            if machine.ignored != ignored:
                if isinstance(event, CallCompleted | CallFailed | BatchCompleted):
                    group.records.append(live.refusal(event))
                    group.epochs[live.id] = live.epoch
                return
            live.note(event, commands)
            group.records.append(live.record(event))
        elif isinstance(event, Started | Resumed):
            commands = []
        else:
            return
        if isinstance(event, MessageReceived):
            group.consumed.append((event.message, live.id, event.key))
        elif isinstance(event, CancelRequested) and event.message:
            group.consumed.append((event.message, live.id, ""))
        _, events, so_far = group.lives.setdefault(live.id, (live, [], []))
        events.append(event)
        so_far.extend(commands)
        group.epochs[live.id] = live.epoch

    async def _commit(self, group: Group) -> None:
        """Write a group; without the executions that others have taken over."""
        while group.records:
            try:
                await self._store.append(group.records, group.changes, group.epochs, group.consumed)
            except Unavailable:
                raise
            except AgentFlowError as error:
                lost = _concerned(error) or list(group.epochs)
                self._drop(lost, error)
                group.leave_out(lost)
            else:
                return

    def _drop(self, executions: Sequence[str], error: AgentFlowError) -> None:
        """Another orchestrator took these over: stop working for them."""
        for execution in executions:
            live = self._lives.pop(execution, None)
            if live is None:
                continue
            for key in live.working:
                self._executor.withdraw(execution, key)
            if not live.ended.done():
                live.ended.set_exception(error)

    # --- carrying out -------------------------------------------------------------------------

    def _carry_out(self, turns: list[tuple[Live, list[Event], list[Command]]]) -> None:
        """Do what the machines want. What it depends on is durable."""
        tasks: list[Task] = []
        for live, events, commands in turns:
            self._watch(Changed(live.id, tuple(events), tuple(commands)))
            for command in commands:
                self._do(live, command, tasks)
            if live.is_over:
                self._end(live)
        if tasks:
            self._executor.submit(tasks)

    def _do(self, live: Live, command: Command, tasks: list[Task]) -> None:
        match command:
            case Invoke() | InvokeBatch() | OpenStream():
                if command.key in live.working:
                    tasks.append(task_of(live, command))
            case RecordStart():
                self.post(live.id, CallStarted(self._clock(), command.key, command.attempt))
            case Demand():
                self._executor.demand(live.id, command.key, command.count)
            case StartTimer():
                self._alarm.set(command.due, live.id, command.key)
            case AwaitMessage():
                self.mailbox.listen(live, command)
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

    def _withdraw(self, live: Live, key: str) -> None:
        live.timers.pop(key, None)
        listener = live.listeners.pop(key, None)
        if listener is not None:
            self.mailbox.forget(live, listener)
        child = live.children.pop(key, None)
        if child is not None:
            self._spawn(self._children.cancel_child(child, f"no longer wanted by {live.id}"))
        self._executor.withdraw(live.id, key)

    def _end(self, live: Live) -> None:
        del self._lives[live.id]
        if live.parent is not None:
            parent, key = live.parent
            self.tell_parent(parent, key, live.id)
        if not live.ended.done():
            live.ended.set_result(None)

    async def _start_child(self, live: Live, command: StartChild) -> None:
        child = child_id(live.id, command.key)
        try:
            runs = await self._children.start_child(
                live, command.key, command.workflow, command.input
            )
        except Unavailable:
            raise
        except AgentFlowError as error:
            value = {"name": "InvalidInput", "message": error.message, "data": None, "cause": None}
            self.post(live.id, ChildEnded(self._clock(), command.key, "failed", error=value))
            return
        if not runs:
            self.tell_parent(live.id, command.key, child)
        elif command.key in live.working:
            live.children[command.key] = child
        else:
            await self._children.cancel_child(child, f"no longer wanted by {live.id}")

    def tell_parent(self, parent: str, key: str, child: str) -> None:
        """A child execution has ended: its parent goes on, if this process owns it."""
        if parent in self._lives:
            self.post(parent, self._children.child_ended(child, key, self._clock()))

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
        self.post(live.id, EventEmitted(self._clock(), command.key))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._reaped)

    def _reaped(self, task: asyncio.Task[None]) -> None:
        self._background.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Unavailable):
            self.give_up(error)
        elif error is not None:
            log.error("carrying out a command failed", exc_info=error)

    def _ring(self, due: float, execution: str, key: str) -> None:
        live = self._lives.get(execution)
        if live is not None and live.timers.get(key) == due:
            self.post(execution, TimerFired(self._clock(), key))


def _concerned(error: AgentFlowError) -> list[str]:
    """The executions because of which a commit was refused."""
    if isinstance(error, AlreadyRecorded):
        return [error.execution]
    return list(error.executions) if isinstance(error, Fenced) else []


def _broken(execution: str, bug: Exception) -> AgentFlowError:
    return AgentFlowError(
        f"execution {execution} met a bug of AgentFlow: {type(bug).__name__}: {bug}",
        help="its history is kept; please report this",
    )
