"""What must hold in every world: each check gives the ways in which it does not.

They compare four accounts of the same thing: the workers' ledger, the events as they were when
they were committed, the journal as it is in the end, and what clients were told.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from agentflow.errors import AgentFlowError
from agentflow.runtime.catalog import Catalog
from agentflow.runtime.journal.protocol import ENDED, Record, StoredExecution
from agentflow.runtime.machine import Machine
from agentflow.runtime.machine.protocol import Command, Event, StartTimer, TimerFired, Withdraw
from agentflow.runtime.recovery import rebuild
from tests.simulation.functions import item_key
from tests.simulation.shapes import Outcome
from tests.simulation.store import Commit
from tests.simulation.world import Case, World, outcome_of

_ONCE = frozenset(
    {"call.completed", "batch.completed", "message.received", "child.ended", "event.emitted"}
)
"""Events of which an execution has at most one for each key."""


def violations(world: World, references: dict[str, Outcome]) -> list[str]:
    """Everything that is wrong with what happened in a world."""
    found = list(world.problems)
    cases = {case.id: case for case in world.cases}
    journal = world.store.journals[0]
    for id in world.store.owners:
        try:
            story = Story(world, journal.execution(id), journal.history(id))
        except AgentFlowError as error:
            found.append(f"{id}: {error.message}")
            continue
        found += [f"{id}: {problem}" for problem in story.problems()]
        case = cases.get(id)
        if case is not None:
            found += [f"{id}: {problem}" for problem in _case(story, case, references[id])]
    found += _told(world)
    found += _messages(world)
    return found


@dataclass(frozen=True)
class Story:
    """One execution, as the journal has it in the end."""

    world: World
    stored: StoredExecution
    records: list[Record]

    def problems(self) -> Iterator[str]:
        """What is wrong with it, whatever its workflow is."""
        yield from self._is_what_was_committed()
        yield from self._ends_once()
        yield from self._completes_once()
        yield from self._was_really_done()
        yield from self._starts_nothing_completed()
        yield from self._leads_to_its_end()

    @cached_property
    def commits(self) -> list[Commit]:
        """Its events, when they were committed."""
        return [c for c in self.world.store.commits if c.execution == self.stored.id]

    def of_type(self, *types: str) -> list[Record]:
        """Its records of these types, in order."""
        return [record for record in self.records if record.type in types]

    def _is_what_was_committed(self) -> Iterator[str]:
        then = [(c.seq, c.type, c.step, c.attempt, c.at, json.loads(c.data)) for c in self.commits]
        now = [(r.seq, r.type, r.step, r.attempt, r.at, r.data) for r in self.records]
        if then != now:
            yield "its history is not what was committed"

    def _ends_once(self) -> Iterator[str]:
        ends = self.of_type("execution.ended")
        if self.stored.status in ENDED and (len(ends) != 1 or self.records[-1] is not ends[0]):
            yield f"it has {len(ends)} ends, and its last event is {self.records[-1].type}"
        if ends and outcome_of(self.stored) != Outcome(
            ends[0].data["status"], ends[0].data["output"], ends[0].data["error"]
        ):
            yield "its row does not say what its last event says"

    def _completes_once(self) -> Iterator[str]:
        counts = Counter(r.step for r in self.records if r.type in _ONCE)
        for key, count in counts.items():
            if count > 1:
                yield f"`{key}` is completed {count} times"
        waits = Counter(
            r.step for r in self.of_type("timer.fired") if not str(r.step).endswith("@retry")
        )
        for key, count in waits.items():
            if count > 1:
                yield f"the timer `{key}` fired {count} times"

    def _was_really_done(self) -> Iterator[str]:
        given: Counter[str | None] = Counter()
        for record in self.records:
            match record.type:
                case "call.completed":
                    results = [f"completed {record.data['value']}"]
                case "batch.completed":
                    results = [f"batch {record.data['outcomes']}"]
                case "stream.yielded":
                    first = given[record.step]
                    given[record.step] += len(record.data["values"])
                    results = [f"yielded {i} {v}" for i, v in enumerate(record.data["values"], first)]
                case _:
                    continue
            for result in results:
                place = (self.stored.id, str(record.step), record.attempt or 0, result)
                if place not in self.world.workers.ledger.results:
                    yield f"`{record.step}` #{record.attempt}: no worker came to `{result}`"

    def _starts_nothing_completed(self) -> Iterator[str]:
        completed = {key: c.order for c in self.commits for key in _completed(c)}
        for start in self.world.workers.ledger.starts:
            done = completed.get(start.key)
            if start.execution != self.stored.id or done is None or start.order < done:
                continue
            if start.epoch == self.world.store.epoch_at(start.execution, start.order):
                yield f"`{start.key}` #{start.attempt} was started after its completion"

    def _leads_to_its_end(self) -> Iterator[str]:
        """Replayed, the history gives the recorded end, and no timer fired early."""
        due: dict[str, float] = {}
        early: list[str] = []

        def observe(event: Event, commands: list[Command]) -> None:
            if isinstance(event, TimerFired):
                moment = due.pop(event.key, None)
                if moment is None:
                    early.append(f"the timer `{event.key}` was not set")
                elif event.at < moment:
                    early.append(f"the timer `{event.key}` fired {moment - event.at:g} s early")
            for command in commands:
                if isinstance(command, StartTimer):
                    due[command.key] = command.due
                elif isinstance(command, Withdraw):
                    due.pop(command.key, None)

        catalog = Catalog(self.world.store.journals[0])
        loaded = catalog.started_with(self.stored)
        machine: Machine = rebuild(catalog.program(loaded), self.records, observe)
        yield from early
        finish = machine.finished
        if self.stored.status not in ENDED:
            return
        if finish is None:
            yield "its history, replayed, does not come to an end"
        elif Outcome(finish.status, finish.output, finish.error) != outcome_of(self.stored):
            yield f"its history, replayed, ends with {finish}"


def _completed(commit: Commit) -> list[str]:
    """The keys of the calls that a commit completes."""
    if commit.type == "call.completed":
        return [str(commit.step)]
    if commit.type == "batch.completed":
        outcomes = json.loads(commit.data)["outcomes"]
        return [
            item_key(str(commit.step), place)
            for place, outcome in enumerate(outcomes)
            if "value" in outcome
        ]
    return []


def _case(story: Story, case: Case, reference: Outcome) -> Iterator[str]:
    """What is wrong with an execution, given its workflow and its outcome without faults."""
    actual = outcome_of(story.stored)
    if actual.status == "cancelled":
        if case.id not in story.world.told.asked_to_cancel:
            yield "it was cancelled, and nobody asked for that"
    elif actual.status in ENDED and not case.shape.accepts(actual, reference):
        yield f"it came to {actual}, not to {reference}"
    yield from _undone(story, case)
    if actual.status in ("succeeded", "failed"):
        done = Counter(r.step for r in story.of_type("call.completed"))
        for key in case.shape.finals:
            if done[key] != 1:
                yield f"its final step `{key}` ran {done[key]} times"


def _undone(story: Story, case: Case) -> Iterator[str]:
    """A failed or cancelled saga undoes what was completed, in reverse order; others nothing."""
    done = [str(r.step) for r in story.of_type("call.completed")]
    undone = [key for key in done if key.endswith(".compensate")]
    if case.shape.undone:
        completed = [key for key in done if key in case.shape.undone]
        failed = story.stored.status in ("failed", "cancelled")
        expected = [f"{key}.compensate" for key in reversed(completed)] if failed else []
        if story.stored.status in ENDED and undone != expected:
            yield f"compensations {undone} instead of {expected}"
    for key in undone:
        if key.removesuffix(".compensate") not in done:
            yield f"`{key}` undoes what was not done"


def _told(world: World) -> Iterator[str]:
    """What clients were told is so."""
    journal = world.store.journals[0]
    for id in sorted(world.told.started - set(world.store.owners)):
        yield f"{id}: its start was acknowledged, and there is no such execution"
    for id, outcome in world.told.outcomes.items():
        if outcome_of(journal.execution(id)) != outcome:
            yield f"{id}: a client was told {outcome}"
    for id, order in world.told.cancelled.items():
        later = [c for c in world.store.commits if c.execution == id and c.order > order]
        taken = any(c.type == "cancel.requested" for c in world.store.commits if c.execution == id)
        groups = len({c.time for c in later})
        if not taken and groups > 1:
            yield f"{id}: its cancellation was acknowledged, and is forgotten"


def _messages(world: World) -> Iterator[str]:
    """Acknowledged messages are kept; each is taken at most once by an execution, as it was."""
    journal = world.store.journals[0]
    kept = {row[0] for row in world.store.execute("SELECT id FROM messages")}
    for id in sorted(set(world.told.messages) - kept):
        yield f"message {id} was acknowledged, and is lost"
    taken: Counter[tuple[str, str]] = Counter()
    for commit in world.store.commits:
        if commit.type == "message.received":
            data = json.loads(commit.data)
            taken[commit.execution, data["message"]] += 1
            sent = world.told.messages.get(data["message"])
            if sent is not None and (sent.data != data["data"] or sent.execution != commit.execution):
                yield f"message {sent.id} arrived as something else"
    delivered = Counter(
        (row[0], row[1])
        for row in world.store.execute(
            "SELECT execution_id, message_id FROM deliveries WHERE key <> ''"
        )
    )
    if taken != delivered:
        yield f"messages were taken {taken}, and noted as taken {delivered}"
    for case in world.cases:
        if not case.shape.signals or case.id not in world.store.owners:
            continue
        for name in {signal.name for signal in case.shape.signals}:
            waiting = {message.id for message in journal.messages_for(case.id, name)}
            expected = {
                id
                for id, message in world.told.messages.items()
                if message.execution == case.id
                and message.name == name
                and (case.id, id) not in taken
            }
            if not expected <= waiting:
                yield f"messages {expected - waiting} wait no more, and nobody took them"
