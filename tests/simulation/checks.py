"""What must hold in every world; each check gives the ways in which it does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

from agentflow.errors import AgentFlowError, Conflict
from agentflow.runtime.journal.errors import AlreadyRecorded, Fenced
from agentflow.runtime.journal.protocol import ENDED, Message, Record
from tests.simulation.shape import Outcome
from tests.simulation.story import Story
from tests.simulation.users import Case, outcome_of
from tests.simulation.world import World

CANCEL_SECONDS = 8.0
"""How long a process may take to notice a cancellation that another one acknowledged: it looks
several times a second, but may be frozen."""


def violations(world: World, references: dict[str, Outcome]) -> list[str]:
    """Everything that is wrong with what happened in a world."""
    found = list(world.problems)
    cases = {case.id: case for case in world.cases}
    journal = world.store.journals[0]
    stories = []
    for id in world.store.owners:
        try:
            story = Story(world, journal.execution(id), journal.history(id))
        except AgentFlowError as error:
            found.append(f"{id}: {error.message}")
            continue
        stories.append(story)
        found += [f"{id}: {problem}" for problem in story.problems()]
        if id in cases:
            found += [f"{id}: {problem}" for problem in _case(story, cases[id], references[id])]
    found += _told(world)
    found += _messages(world, stories)
    found += _rules_of_the_store(world, stories)
    return found


def _case(story: Story, case: Case, reference: Outcome) -> Iterator[str]:
    """What is wrong with an execution, given its workflow and its outcome without faults."""
    outcome = story.outcome
    if outcome.status == "cancelled":
        if case.id not in story.world.users.told.asked_to_cancel:
            yield "it was cancelled, and nobody asked for that"
    elif outcome.status in ENDED and not case.shape.accepts(outcome, reference):
        yield f"it came to {outcome}, not to {reference}"
    if outcome.status in ("succeeded", "failed"):
        done = Counter(record.step for record in story.of_type("call.completed"))
        for key in case.shape.finals:
            if done[key] != 1:
                yield f"its final step `{key}` ran {done[key]} times"
    yield from _undone(story, case)


def _undone(story: Story, case: Case) -> Iterator[str]:
    """A failed or cancelled saga undoes what was completed, in reverse order; others nothing."""
    done = [str(record.step) for record in story.of_type("call.completed")]
    undone = [key for key in done if key.endswith(".compensate")]
    if case.shape.undone and story.stored.status in ENDED:
        completed = [key for key in done if key in case.shape.undone]
        failed = story.stored.status != "succeeded"
        expected = [f"{key}.compensate" for key in reversed(completed)] if failed else []
        if undone != expected:
            yield f"compensations {undone} instead of {expected}"
    for key in undone:
        if key.removesuffix(".compensate") not in done:
            yield f"`{key}` undoes what was not done"


def _told(world: World) -> Iterator[str]:
    """What clients were told is so."""
    told, store = world.users.told, world.store
    for id in sorted(told.started - set(store.owners)):
        yield f"{id}: its start was acknowledged, and there is no such execution"
    for id, outcome in told.outcomes.items():
        if outcome_of(store.journals[0].execution(id)) != outcome:
            yield f"{id}: a client was told {outcome}"
    for id, (order, time) in told.cancelled.items():
        commits = [commit for commit in store.commits if commit.execution == id]
        if id in told.retried or any(c.type == "cancel.requested" for c in commits):
            continue
        # Whoever takes over afterwards must find it, and one that runs on must notice it; an
        # execution of which only the end was not yet written is over.
        taken_over = min((s for s, _ in store.owners[id].since if s > order), default=None)
        went_on = [c for c in commits if c.order > order and c.type != "execution.ended"]
        if any(
            c.time > time + CANCEL_SECONDS or (taken_over is not None and c.order > taken_over)
            for c in went_on
        ):
            yield f"{id}: its cancellation was acknowledged, and is forgotten"


def _messages(world: World, stories: list[Story]) -> Iterator[str]:
    """Acknowledged messages are kept; each is taken at most once by an execution, as it was."""
    sent, store = world.users.told.messages, world.store
    kept = {row[0] for row in store.execute("SELECT id FROM messages")}
    for id in sorted(set(sent) - kept):
        yield f"message {id} was acknowledged, and is lost"
    taken: Counter[tuple[str, str]] = Counter()
    for story in stories:
        for record in story.of_type("message.received"):
            id = record.data["message"]
            taken[story.stored.id, id] += 1
            message = sent.get(id)
            if message is not None and (
                (message.data, message.execution) != (record.data["data"], story.stored.id)
            ):
                yield f"message {id} arrived as something else"
    noted = Counter(
        store.execute("SELECT execution_id, message_id FROM deliveries WHERE key <> ''")
    )
    if taken != noted:
        yield f"messages taken: {dict(taken)}; noted as taken: {dict(noted)}"
    for case in world.cases:
        for name in {signal.name for signal in case.shape.signals}:
            waiting = {m.id for m in store.journals[0].messages_for(case.id, name)}
            for message in sent.values():
                is_open = (message.execution, message.name) == (case.id, name)
                if is_open and (case.id, message.id) not in taken and message.id not in waiting:
                    yield f"message {message.id} waits no more, and nobody took it"


def _rules_of_the_store(world: World, stories: list[Story]) -> Iterator[str]:
    """The store refuses what a broken engine might write: its own last line of defence."""
    if not stories:
        return
    journal = world.store.journals[0]
    probe = replace(
        stories[0].stored,
        id="probe",
        status="running",
        parent=None,
        parent_key=None,
        owner="probe:1:simulated",
        epoch=1,
        output=None,
        error=None,
        origin=None,
        ended_at=None,
    )

    def record(seq: int, key: str) -> Record:
        return Record("probe", seq, "call.completed", 0.0, key, 1, {"value": seq})

    def append(*records: Record, epoch: int = 1) -> None:
        journal.append(records, [], {"probe": epoch})

    journal.create(probe, Record("probe", 1, "execution.started", 0.0, data={}))
    append(record(2, "a"))
    message = Message("probe", "probe", None, None, 0.0)
    journal.post(message)
    if journal.post(message):
        yield "the store takes a message twice"
    attacks: dict[str, tuple[type[Exception], Callable[[], object]]] = {
        "a second completion": (AlreadyRecorded, lambda: append(record(3, "a"))),
        "a gap": (Fenced, lambda: append(record(4, "b"))),
        "another event 2": (Fenced, lambda: append(record(2, "b"))),
        "an old epoch": (Fenced, lambda: append(record(3, "b"), epoch=0)),
        "a second owner": (Conflict, lambda: journal.claim("probe", "other:1:simulated")),
    }
    for what, (refusal, attack) in attacks.items():
        try:
            attack()
        except refusal:
            continue
        except AgentFlowError as error:
            yield f"the store answers {what} with {error!r}"
        else:
            yield f"the store takes {what}"
