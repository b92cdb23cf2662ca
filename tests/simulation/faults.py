"""Faults planted in the engine, each of which the simulation has to find.

A simulation that finds nothing proves nothing. A fault is a small patch of the real code; most are
what an engine would look like if somebody had not thought of something, some are bugs that this
simulation found when it was new.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import count
from typing import Any
from unittest.mock import patch

from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex

from agentflow.errors import AgentFlowError, Json
from agentflow.runtime.alarm import Alarm
from agentflow.runtime.custody import Custody
from agentflow.runtime.host import Held, Host
from agentflow.runtime.journal.errors import Fenced
from agentflow.runtime.journal.protocol import Record
from agentflow.runtime.journal.store import Journal
from agentflow.runtime.journal.tables import EVENTS
from agentflow.runtime.live import Live
from agentflow.runtime.machine import Machine
from agentflow.runtime.machine.calls import CallFrame
from agentflow.runtime.machine.pipeline import PipelineFrame
from agentflow.runtime.machine.protocol import CallCompleted, CallFailed, CancelRequested, Event
from agentflow.runtime.machine.saga import SagaFrame
from agentflow.runtime.machine.sources import StreamSource
from agentflow.runtime.orchestrator import Orchestrator
from agentflow.runtime.recovery import rebuild
from agentflow.runtime.turn import Group
from agentflow.spec.load import Loaded
from tests.simulation.campaign import quiet
from tests.simulation.seeds import run_seed
from tests.simulation.shape import Shape
from tests.simulation.shapes import PIPELINE, SHAPES
from tests.simulation.store import Store

PATIENCE_SECONDS = 100.0
"""For each planted fault; a second is usual."""

Plant = Callable[[Store], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True)
class Finding:
    """How a planted fault was found, if it was."""

    fault: str
    seed: int | None
    seeds: int
    """How many were tried."""
    seconds: float
    problem: str


@dataclass(frozen=True, slots=True)
class Fault:
    """A way to plant a fault, and where it would show."""

    plant: Plant
    shapes: tuple[Shape, ...]
    extremes: dict[str, float]
    """Weather that brings it to light."""


FAULTS: dict[str, Fault] = {}
"""By what is wrong, in a few words."""


def fault(
    what: str, shapes: tuple[Shape, ...] = SHAPES, **extremes: float
) -> Callable[[Plant], Plant]:
    """Add a fault to the table."""

    def add(plant: Plant) -> Plant:
        FAULTS[what] = Fault(plant, shapes, extremes)
        return plant

    return add


def find(what: str, store: Store, *, seconds: float) -> Finding:
    """Plant a fault and try seeds until one has a violation, for at most so long."""
    began = time.monotonic()
    planted = FAULTS[what]
    for seed in count(1):
        with planted.plant(store):
            verdict = run_seed(seed, store, shapes=planted.shapes, extremes=planted.extremes)
        spent = time.monotonic() - began
        if verdict.problems:
            return Finding(what, seed, seed, spent, verdict.problems[0])
        if spent > seconds:
            return Finding(what, None, seed, spent, "")
    raise AssertionError


def find_alone(what: str) -> Finding:
    """`find` in a process of its own."""
    with quiet(), Store() as store:
        return find(what, store, seconds=PATIENCE_SECONDS)


# --- the journal ------------------------------------------------------------------------------

_append = Journal.append


@fault("an owner that lost the execution may write")
def _any_epoch(store: Store) -> AbstractContextManager[object]:
    def append(self: Journal, records: Any, changes: Any, epochs: Any, consumed: Any = ()) -> None:
        current = {execution: self.execution(execution).epoch for execution in epochs}
        _append(self, records, changes, current, consumed)

    return patch.object(Journal, "append", append)


@fault("events follow whatever is there")
def _any_seq(store: Store) -> AbstractContextManager[object]:
    def append(self: Journal, records: Any, changes: Any, epochs: Any, consumed: Any = ()) -> None:
        heads = {execution: self.execution(execution).head for execution in epochs}
        numbered = []
        for record in records:
            heads[record.execution] += 1
            numbered.append(replace(record, seq=heads[record.execution]))
        _append(self, numbered, changes, epochs, consumed)

    return patch.object(Journal, "append", append)


@fault("no unique index over completions")
@contextlib.contextmanager
def _no_index(store: Store) -> Iterator[None]:
    index = next(index for index in EVENTS.indexes if index.name == "one_completion_per_step")
    store.execute(f"DROP INDEX {index.name}")
    try:
        yield
    finally:
        store.execute("DELETE FROM events")
        store.execute(str(CreateIndex(index).compile(dialect=sqlite.dialect())))


@fault("a group is written in two transactions")
def _two_transactions(store: Store) -> AbstractContextManager[object]:
    def append(self: Journal, records: Any, changes: Any, epochs: Any, consumed: Any = ()) -> None:
        if len(records) > 1:
            first, records = records[0], records[1:]
            _append(self, [first], [], {first.execution: epochs[first.execution]})
        _append(self, records, changes, epochs, consumed)

    return patch.object(Journal, "append", append)


@fault("it is not noted that a message was taken")
def _not_consumed(store: Store) -> AbstractContextManager[object]:
    def append(self: Journal, records: Any, changes: Any, epochs: Any, consumed: Any = ()) -> None:
        _append(self, records, changes, epochs)

    return patch.object(Journal, "append", append)


@fault("messages that come early are not looked for")
def _deaf(store: Store) -> AbstractContextManager[object]:
    return patch.object(Journal, "messages_for", lambda self, execution, name: [])


@fault("an engine that is alive may be taken from")
def _nobody_lives(store: Store) -> AbstractContextManager[object]:
    return patch.object(Journal, "_living", lambda self, connection, owners: set())


# --- the orchestrator -------------------------------------------------------------------------

_commit = Orchestrator._commit


@fault("commands are carried out before the commit")
def _hasty(store: Store) -> AbstractContextManager[object]:
    async def commit(self: Orchestrator, group: Group) -> None:
        self._carry_out(list(group.lives.values()))
        await _commit(self, group)
        group.lives.clear()

    return patch.object(Orchestrator, "_commit", commit)


@fault("a commit is not waited for")
def _no_wait(store: Store) -> AbstractContextManager[object]:
    append = Host.append

    async def hand_over(self: Host, *group: Any) -> None:
        task = asyncio.get_running_loop().create_task(append(self, *group))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())

    return patch.object(Host, "append", hand_over)


@fault("what a fenced commit depends on is done all the same")
def _unfenced(store: Store) -> AbstractContextManager[object]:
    async def commit(self: Orchestrator, group: Group) -> None:
        with contextlib.suppress(Fenced):
            if group.records:
                await self._store.append(group.records, group.changes, group.epochs, group.consumed)

    return patch.object(Orchestrator, "_commit", commit)


@fault("timers ring early")
def _early(store: Store) -> AbstractContextManager[object]:
    begin = Alarm.__init__

    def init(self: Alarm, clock: Callable[[], float], ring: Any) -> None:
        begin(self, lambda: clock() + 0.05, ring)

    return patch.object(Alarm, "__init__", init)


# --- the host and what it owns ----------------------------------------------------------------


@fault("a start is acknowledged before it is written")
def _early_start(store: Store) -> AbstractContextManager[object]:
    start = Host.start

    async def promise(self: Host, loaded: Loaded, input: Json, id: str | None) -> Held:
        task = asyncio.get_running_loop().create_task(start(self, loaded, input, id))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return Held(None, None)  # type: ignore[arg-type]  # there is nothing yet

    return patch.object(Host, "start", promise)


@fault("a cancellation is acknowledged before it is written", cancel=1.0, crash_write=0.05)
def _early_cancel(store: Store) -> AbstractContextManager[object]:
    cancel = Host.cancel

    async def promise(self: Host, id: str, reason: str) -> Held:
        live = self.orchestrator.live(id)
        if live is None:
            return await cancel(self, id, reason)
        self.orchestrator.post(id, CancelRequested(self._clock(), reason))
        return Held(self._journal.execution(id), live)

    return patch.object(Host, "cancel", promise)


@fault("one engine may take an execution over twice at once", theft=2.0, latency=0.05)
def _no_lock(store: Store) -> AbstractContextManager[object]:
    @contextlib.asynccontextmanager
    async def alone(self: Custody, id: str) -> Any:
        await self._upkeep.enlist()
        yield

    return patch.object(Custody, "alone", alone)


@fault("what was owned without being served is not given back", write_unanswered=0.1)
def _kept(store: Store) -> AbstractContextManager[object]:
    async def give_back(self: Custody, id: str) -> None:
        pass

    return patch.object(Custody, "_give_back", give_back)


@fault("what the journal refused is owned on without being served", contradiction=0.1)
def _kept_in_vain(store: Store) -> AbstractContextManager[object]:
    async def set_right(self: Custody, live: Live, error: AgentFlowError) -> None:
        live.ended.set_exception(error)

    return patch.object(Custody, "set_right", set_right)


# --- recovery and the machine -----------------------------------------------------------------


@fault("replay leaves the last event out")
def _short_replay(store: Store) -> AbstractContextManager[object]:
    def short(program: Any, records: Sequence[Record], *observe: Any) -> Machine:
        return rebuild(program, records[:-1] or records, *observe)

    return patch("agentflow.runtime.recovery.rebuild", short)


@fault("replay takes what a retry set aside")
def _all_replay(store: Store) -> AbstractContextManager[object]:
    def everything(program: Any, records: Sequence[Record], *observe: Any) -> Machine:
        return rebuild(program, [replace(r, superseded=False) for r in records], *observe)

    return patch("agentflow.runtime.recovery.rebuild", everything)


@fault("what is outstanding is not asked for again")
def _forgetful(store: Store) -> AbstractContextManager[object]:
    return patch.object(Machine, "outstanding", lambda self: [])


@fault("the attempt of a call's result is not compared")
def _any_attempt(store: Store) -> AbstractContextManager[object]:
    receive = CallFrame.receive

    def careless(self: CallFrame, machine: Machine, event: Event) -> object:
        if isinstance(event, CallCompleted | CallFailed):
            event = replace(event, attempt=self._attempt)
        return receive(self, machine, event)

    return patch.object(CallFrame, "receive", careless)


@fault("the attempt of a stream's values is not compared", (PIPELINE,), zombie=0.5)
def _any_stream(store: Store) -> AbstractContextManager[object]:
    receive = PipelineFrame.receive

    def careless(self: PipelineFrame, machine: Machine, event: Any) -> object:
        assert isinstance(self._source, StreamSource)
        return receive(self, machine, replace(event, attempt=self._source.attempt))

    return patch.object(PipelineFrame, "receive", careless)


@fault("a saga undoes in the order in which it did")
def _wrong_order(store: Store) -> AbstractContextManager[object]:
    compensate = SagaFrame._compensate

    def forwards(self: SagaFrame, machine: Machine) -> object:
        self._undo.reverse()
        started = compensate(self, machine)
        self._undo.reverse()
        return started

    return patch.object(SagaFrame, "_compensate", forwards)


@fault("a lost worker counts as the call's own failure")
def _no_budget(store: Store) -> AbstractContextManager[object]:
    return patch("agentflow.runtime.machine.calls.CRASH_BUDGET", 1)
