"""The shell around the machines: commits their events, then does what they command.

One loop serves all executions of this process. A turn takes every event that has arrived, lets the
machines advance, writes all records in one transaction, and only when that is durable carries out
the commands. Events that arrive meanwhile make the next turn: that is the group commit.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from agentflow.errors import AgentFlowError, Fault, Unavailable, fault_value
from agentflow.runtime.effects import Effects
from agentflow.runtime.exchange import event_of, joined_values
from agentflow.runtime.executors.protocol import Executor, Report, Task
from agentflow.runtime.journal.errors import AlreadyRecorded, Fenced, HistoryFull
from agentflow.runtime.journal.protocol import CANCEL, Message
from agentflow.runtime.live import Live
from agentflow.runtime.machine.protocol import (
    BatchCompleted,
    CallCompleted,
    CallFailed,
    CancelRequested,
    Command,
    Event,
    Finish,
    MessageReceived,
    Resumed,
    Started,
)
from agentflow.runtime.memory import AgentMemory
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
        memory: AgentMemory,
        watch: Callable[[Notice], None],
        printed: Callable[[Live, str, tuple[str, ...]], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._executor = executor
        self._memory = memory
        self._watch = watch
        self._printed = printed
        self._clock = clock
        self._lives: dict[str, Live] = {}
        self._arrived: list[tuple[str, Event]] = []
        self._wake = asyncio.Event()
        self._expected: dict[str, list[Message]] = {}
        """Requests to cancel executions that are being brought back."""
        self._broken: AgentFlowError | None = None
        """Why the journal cannot be used, found out beside the turns."""
        self._effects = Effects(
            store,
            executor,
            children,
            lookup=self.live,
            post=self.post,
            fail=self.give_up,
            clock=clock,
        )
        self.mailbox = self._effects.mailbox
        self.tell_parent = self._effects.tell_parent

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

    @contextmanager
    def expecting(self, execution: str) -> Iterator[None]:
        """While an execution is being brought back: keep the requests to cancel it that come."""
        self._expected[execution] = []
        try:
            yield
        finally:
            del self._expected[execution]

    def resume(self, live: Live, requests: Sequence[Message]) -> None:
        """Serve an execution that was brought back; `requests` to cancel it were read with it."""
        self.adopt(live)
        self.post(live.id, Resumed(self._clock()))
        # In the same turn, so that no call is made only to be withdrawn.
        for request in [*requests, *self._expected.get(live.id, ())]:
            self.deliver(request)

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
        execution = message.execution or ""
        if execution in self._expected:
            self._expected[execution].append(message)
        live = self._lives.get(execution)
        if live is not None and message.id not in live.received:
            live.received.add(message.id)
            reason = message.data if isinstance(message.data, str) else ""
            self.cancel(live.id, reason, message.id)

    def take_reports(self, reports: Sequence[Report]) -> None:
        """What an executor reports."""
        at = self._clock()
        for report in reports:
            live = self._lives.get(report.execution)
            # Of a stream that ran before it was brought back, values may have been missed.
            if live is None or report.key in live.unopened:
                continue
            if report.kind == "printed":
                self._printed(live, report.key, report.lines)
                continue
            secrets = secret_values(live.spec.workflow.secrets)
            clean = replace(report, error=redact(report.error, secrets)) if secrets else report
            self._memory.reported(live, report)
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
            records = group.records
            await self._commit(group)
            self._memory.recorded(records)
            self._carry_out(list(group.lives.values()))

    def give_up(self, error: AgentFlowError) -> None:
        """Something beside the turns failed so that no more can be taken; `serve` raises it."""
        self._broken = error
        self._wake.set()

    def lose(self, lives: Sequence[Live]) -> None:
        """Stop working for executions that others own by now; what is being committed is not."""
        for live in lives:
            if self._lives.get(live.id) is live and not live.is_over:
                reason = "was taken over while this engine was not heard of"
                self._drop([live], Fenced({live.id: reason}))

    def abandon(self, error: BaseException | None) -> None:
        """Give every execution up; it stays as recorded and can be resumed."""
        for live in self._lives.values():
            if not live.ended.done():
                live.ended.set_exception(error or asyncio.CancelledError())
        self._lives.clear()
        self._effects.stop()

    # --- a turn -------------------------------------------------------------------------------

    def _take(self, arrived: list[tuple[str, Event]]) -> Group:
        """Let the machines advance; nothing is durable yet and nothing is done."""
        group = Group()
        for execution, event in joined_values(arrived):
            live = self._lives.get(execution)
            if live is not None and not live.is_over:
                self._advance(group, live, event)
        self._memory.turned()
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
                self._drop([live], _broken(live.id, bug))
                group.leave_out([live.id])
                return
            if machine.ignored != ignored:
                if isinstance(event, CallCompleted | CallFailed | BatchCompleted):
                    group.records.append(live.refusal(event))
                    group.epochs[live.id] = live.epoch
                return
            live.note(event, commands)
            group.records.extend(self._memory.taken(live, event))
            group.records.append(live.record(event))
        elif isinstance(event, Started | Resumed):
            commands = []  # it is at its end already, and only that is to be written
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
        """Write a group; without the executions of which the journal knows something else."""
        while group.records:
            try:
                await self._store.append(group.records, group.changes, group.epochs, group.consumed)
            except Unavailable:
                raise
            except HistoryFull as error:
                self._cut_short(group, error.executions, "LimitExceeded", error.message)
            except AlreadyRecorded as error:
                self._leave_out(group, [error.execution], error)
            except Fenced as error:
                self._leave_out(group, error.executions, error)
            except (Fault, AgentFlowError) as error:
                if len(group.epochs) > 1:
                    await self._commit_apart(group)
                    return
                if isinstance(error, Fault):
                    self._cut_short(group, list(group.epochs), error.name, error.message)
                else:
                    self._leave_out(group, list(group.epochs), error)
            else:
                return

    async def _commit_apart(self, group: Group) -> None:
        """Write a group one execution after another: one of them has what cannot be recorded."""
        for part in group.apart():
            await self._commit(part)
            group.lives |= part.lives

    def _leave_out(self, group: Group, executions: Sequence[str], error: AgentFlowError) -> None:
        """Take executions out of a group of which the journal refused them."""
        self._drop([live for e in executions if (live := self._served(group, e))], error)
        group.leave_out(executions)

    def _served(self, group: Group, execution: str) -> Live | None:
        """What a group was gathered for, unless it was lost, and perhaps taken over anew, since."""
        live = self._lives.get(execution)
        return live if live is not None and live.epoch == group.epochs[execution] else None

    def _drop(self, lives: Sequence[Live], error: AgentFlowError) -> None:
        """Stop working for executions; they are served on from their history if they are ours."""
        for live in lives:
            del self._lives[live.id]
            self._effects.forsake(live, error)
        # Of what has arrived, only cancellations concern whoever takes them over.
        gone = {live.id for live in lives}
        self._arrived = [
            (execution, event)
            for execution, event in self._arrived
            if execution not in gone or isinstance(event, CancelRequested)
        ]

    def _cut_short(self, group: Group, executions: Sequence[str], name: str, message: str) -> None:
        """End executions as failed of whom nothing but their end can be recorded."""
        for execution in executions:
            unwritten = sum(record.execution == execution for record in group.records)
            live = self._served(group, execution)
            group.leave_out([execution])
            if live is None:
                continue
            live.head -= unwritten
            finish, at = Finish("failed", error=fault_value(name, message)), self._clock()
            end = live.last_event(finish, at)
            group.records.append(live.record(end))
            group.changes.append(live.ending(finish, at))
            group.epochs[execution] = live.epoch
            group.lives[execution] = (live, [end], [])
            self._effects.withdraw_all(live)

    # --- carrying out -------------------------------------------------------------------------

    def _carry_out(self, turns: list[tuple[Live, list[Event], list[Command]]]) -> None:
        """Do what the machines want. What it depends on is durable."""
        tasks: list[Task] = []
        for live, events, commands in turns:
            if self._lives.get(live.id) is not live:  # lost since it was committed
                continue
            self._watch(Changed(live.id, tuple(events), tuple(commands)))
            asked: list[Task] = []
            for command in commands:
                self._effects.do(live, command, asked)
            if asked and any(isinstance(event, Resumed) for event in events):
                asked = self._unanswered(asked)
            tasks += asked
            if live.is_over:
                self._end(live)
        if tasks:
            self._executor.submit(tasks)

    def _unanswered(self, tasks: list[Task]) -> list[Task]:
        """What need not be asked: after a take-over, the answer to who had asked before may come.

        It was given before the call is made again, and will be recorded: then it must not be made.
        """
        answered = {
            (execution, event.key, event.attempt)
            for execution, event in self._arrived
            if isinstance(event, CallCompleted | CallFailed | BatchCompleted)
        }
        return [task for task in tasks if (task.execution, task.key, task.attempt) not in answered]

    def _end(self, live: Live) -> None:
        del self._lives[live.id]
        if live.parent is not None:
            parent, key = live.parent
            self.tell_parent(parent, key, live.id)
        if not live.ended.done():
            live.ended.set_result(live.end)


def _broken(execution: str, bug: Exception) -> AgentFlowError:
    return AgentFlowError(
        f"execution {execution} met a bug of AgentFlow: {type(bug).__name__}: {bug}",
        help="its history is kept; please report this",
    )
