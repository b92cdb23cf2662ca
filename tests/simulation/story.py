"""What must hold for one execution, whatever its workflow is.

Three accounts of it are compared: the workers' ledger, the events as they were when they were
committed, and the journal as it is in the end.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from agentflow.runtime.journal.protocol import (
    ENDED,
    RETRIED,
    Record,
    StoredExecution,
)
from agentflow.runtime.machine import Machine, Program
from agentflow.runtime.machine.protocol import (
    EVENTS,
    BatchCompleted,
    CallCompleted,
    CallFailed,
    Command,
    Event,
    Invoke,
    InvokeBatch,
    OpenStream,
    StartTimer,
    StreamYielded,
    TimerFired,
    Withdraw,
    outcomes_of,
)
from agentflow.runtime.recovery import rebuild
from tests.simulation.functions import item_key
from tests.simulation.registry import compile_once, with_digest
from tests.simulation.shape import Outcome
from tests.simulation.store import EPOCH, Commit
from tests.simulation.users import outcome_of
from tests.simulation.world import World

_ONCE = frozenset(
    {
        "call.completed",
        "batch.completed",
        "message.received",
        "child.ended",
        "event.emitted",
        "timer.fired",
    }
)
"""Events of which an execution has at most one for each key, except the pauses before retries."""


@dataclass(frozen=True)
class Story:
    """One execution, as the journal has it in the end."""

    world: World
    stored: StoredExecution
    records: list[Record]

    def problems(self) -> Iterator[str]:
        """What is wrong with it."""
        yield from self._is_what_was_committed()
        yield from self._ends_once()
        yield from self._completes_once()
        yield from self._was_really_done()
        yield from self._starts_nothing_completed()
        yield from self._shows_what_was_refused()
        yield from self._follows_from_its_events()

    @cached_property
    def commits(self) -> list[Commit]:
        """Its events, when they were committed; the first has the number 1."""
        return [c for c in self.world.store.commits if c.execution == self.stored.id]

    @cached_property
    def current(self) -> list[Record]:
        """Its records that no retry set aside."""
        return [record for record in self.records if not record.superseded]

    def of_type(self, *types: str) -> list[Record]:
        """Its current records of these types, in order."""
        return [record for record in self.current if record.type in types]

    @property
    def outcome(self) -> Outcome:
        """What it came to."""
        return outcome_of(self.stored)

    def _is_what_was_committed(self) -> Iterator[str]:
        then = [(c.seq, c.type, c.step, c.attempt, c.at, json.loads(c.data)) for c in self.commits]
        now = [(r.seq, r.type, r.step, r.attempt, r.at, r.data) for r in self.records]
        if then != now:
            yield "its history is not what was committed"

    def _ends_once(self) -> Iterator[str]:
        ends = self.of_type("execution.ended")
        if self.stored.status in ENDED and (len(ends) != 1 or self.records[-1] is not ends[0]):
            yield f"it has {len(ends)} ends, and its last event is {self.records[-1].type}"
        if ends and self.stored.status not in ENDED:
            yield f"it has an end, and is {self.stored.status}"
        if ends and self.outcome != _outcome(ends[0]):
            yield "its row does not say what its last event says"

    def _completes_once(self) -> Iterator[str]:
        counts = Counter(
            (r.type, r.step)
            for r in self.current
            if r.type in _ONCE and not str(r.step).endswith("@retry")
        )
        for (type_, key), count in counts.items():
            if count > 1:
                yield f"{type_} of `{key}` stands there {count} times"

    def _was_really_done(self) -> Iterator[str]:
        given: Counter[str | None] = Counter()
        for record in self.current:
            match record.type:
                case "call.completed":
                    results = [f"completed {record.data['value']}"]
                case "batch.completed":
                    results = [f"batch {outcomes_of(record.data)}"]
                case "stream.yielded":
                    values = record.data["values"]
                    first = given[record.step]
                    given[record.step] += len(values)
                    results = [f"yielded {i} {v}" for i, v in enumerate(values, first)]
                case _:
                    continue
            for result in results:
                place = (self.stored.id, str(record.step), record.attempt or 0, result)
                if place not in self.world.workers.ledger.results:
                    yield f"`{record.step}` #{record.attempt}: no worker came to `{result}`"

    def _starts_nothing_completed(self) -> Iterator[str]:
        """No call is begun between its completion and a retry that sets that aside.

        Except by a process that lost the execution and could not know.
        """
        completed = [
            (key, commit.order, self._set_aside.get(commit.seq, float("inf")))
            for commit in self.commits
            for key in _completed(commit)
        ]
        starts = [s for s in self.world.workers.ledger.starts if s.execution == self.stored.id]
        for key, since, until in completed:
            for start in starts:
                if (
                    start.key == key
                    and since < start.order < until
                    and start.epoch == self._epoch_at(start.order)
                ):
                    yield f"`{key}` #{start.attempt} was started after its completion"

    def _shows_what_was_refused(self) -> Iterator[str]:
        """Every result a process was told of stands in the history: taken, or refused.

        Unless it died, lost the execution or saw it end before it could write that.
        """
        shown: Counter[tuple[str | None, int | None, str]] = Counter()
        for record in self.records:
            type_ = record.data["type"] if record.type == "result.refused" else record.type
            shown[record.step, record.attempt, type_] += 1
        groups = {
            c.group: (c.order, self._epoch_at(c.order))
            for c in self.commits
            if c.type != "execution.ended"
        }
        for commit in self.commits:
            if commit.type == "execution.ended":
                groups.pop(commit.group, None)
        told: Counter[tuple[str | None, int | None, str]] = Counter()
        for delivery in self.world.workers.ledger.deliveries:
            if delivery.execution == self.stored.id:
                # The group under way does not hold it yet; the one after that does.
                written = sum(
                    order > delivery.order and epoch == delivery.epoch
                    for order, epoch in groups.values()
                )
                told[delivery.what] += written > 1
        for what, count in told.items():
            if count > shown[what]:
                yield f"of {count} results {what} the history shows {shown[what]}"

    def _follows_from_its_events(self) -> Iterator[str]:
        """Replayed, the history leads to the recorded end, and to every start of a worker."""
        program = compile_once(with_digest(self.stored.digest).workflow)
        asked: dict[tuple[str, int], int] = {}
        found: dict[str, None] = {}
        for retry in [r.seq for r in self.records if r.type == RETRIED]:
            self._replay(program, _as_of(self.records, retry - 1), asked, found)
        machine = self._replay(program, self.records, asked, found)
        yield from found
        for start in self.world.workers.ledger.starts:
            if start.execution != self.stored.id:
                continue
            order = asked.get((start.key, start.attempt))
            if order is None or order > start.order:
                yield f"`{start.key}` #{start.attempt} was started before anything asked for it"
        if self.stored.status in ENDED:
            finish = machine.finished
            if finish is None:
                yield "its history, replayed, does not come to an end"
            elif Outcome(finish.status, finish.output, finish.error) != self.outcome:
                yield f"its history, replayed, ends with {finish}"

    def _replay(
        self,
        program: Program,
        records: list[Record],
        asked: dict[tuple[str, int], int],
        found: dict[str, None],
    ) -> Machine:
        """Replay records; note since when each call is asked for, and what is wrong."""
        events = [r for r in records if not r.superseded and r.type in EVENTS]
        position = 0
        due: dict[str, float] = {}
        attempts: dict[str, int] = {}

        def observe(event: Event, commands: list[Command]) -> None:
            nonlocal position
            commit = self.commits[events[position].seq - 1]
            position += 1
            match event:
                case TimerFired():
                    found.update(
                        dict.fromkeys(self._early(event, commit, due.pop(event.key, None)))
                    )
                case CallCompleted() | CallFailed() | BatchCompleted() | StreamYielded():
                    if event.attempt != attempts.get(event.key):
                        found[f"attempt {event.attempt} of `{event.key}` was taken for"
                              f" attempt {attempts.get(event.key)}"] = None  # fmt: skip
            for command in commands:
                match command:
                    case StartTimer():
                        due[command.key] = command.due
                    case Withdraw():
                        due.pop(command.key, None)
                    case Invoke() | OpenStream() | InvokeBatch():
                        attempts[command.key] = command.attempt
                        for key in _keys(command):
                            asked.setdefault((key, command.attempt), commit.order)

        return rebuild(program, records, observe)

    def _early(self, event: TimerFired, commit: Commit, due: float | None) -> Iterator[str]:
        if due is None:
            yield f"the timer `{event.key}` was not set"
        elif event.at < due:
            yield f"the timer `{event.key}` fired {due - event.at:g} s early"
        elif self.world.clocks_are_right and EPOCH + commit.time < due - 1e-6:
            yield f"the timer `{event.key}` was written {due - EPOCH - commit.time:g} s early"

    @cached_property
    def _set_aside(self) -> dict[int, int]:
        """When a retry set an event aside, by its number."""
        orders: dict[int, int] = {}
        for record in self.records:
            if record.type == RETRIED:
                for seq in range(record.data["from"], record.seq):
                    orders.setdefault(seq, self.commits[record.seq - 1].order)
        return orders

    def _epoch_at(self, order: int) -> int:
        return self.world.store.epoch_at(self.stored.id, order)


def _as_of(records: list[Record], length: int) -> list[Record]:
    """The first records as they were before any later retry."""
    kept = [replace(record, superseded=False) for record in records[:length]]
    for record in records[:length]:
        if record.type == RETRIED:
            for place in range(record.data["from"] - 1, record.seq - 1):
                kept[place] = replace(kept[place], superseded=True)
    return kept


def _keys(command: Invoke | OpenStream | InvokeBatch) -> list[str]:
    if isinstance(command, InvokeBatch):
        return [item_key(command.key, place) for place in range(len(command.calls))]
    return [command.key]


def _completed(commit: Commit) -> list[str]:
    """The keys of the calls that a commit completes."""
    if commit.type == "call.completed":
        return [str(commit.step)]
    if commit.type == "batch.completed":
        return [
            item_key(str(commit.step), place)
            for place, outcome in enumerate(outcomes_of(json.loads(commit.data)))
            if "value" in outcome
        ]
    return []


def _outcome(end: Record) -> Outcome:
    return Outcome(end.data["status"], end.data["output"], end.data["error"])
