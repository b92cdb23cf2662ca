"""What one commit of events writes, and whether it may.

A commit is prepared without the store: values become text, large ones blobs. It is then written in
a transaction that holds the rows of its executions, and refused whole if one of them belongs to
somebody else, has ended, or has events the writer lacks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, insert, literal, select, update

from agentflow.errors import AgentFlowError, NotFound
from agentflow.runtime.journal.chain import LAST
from agentflow.runtime.journal.columns import EventColumns
from agentflow.runtime.journal.errors import AlreadyRecorded, Corrupt, Fenced, HistoryFull
from agentflow.runtime.journal.heads import Noted
from agentflow.runtime.journal.messages import concerns_execution, not_delivered
from agentflow.runtime.journal.ownership import Standing, locked
from agentflow.runtime.journal.protocol import CANCEL, ENDED, Change, Record, Status
from agentflow.runtime.journal.reading import exists
from agentflow.runtime.journal.rows import (
    Changed,
    NewEvent,
    chained,
    changed,
    new_event,
    size_of,
)
from agentflow.runtime.journal.statements import Statement
from agentflow.runtime.journal.tables import DELIVERIES, EVENTS, EXECUTIONS, MESSAGES
from agentflow.runtime.journal.values import Values

OPEN: frozenset[Status] = frozenset({"running", "waiting"})

RECORD = Statement(insert(EVENTS), *EventColumns._fields)
_RECORDED = Statement(
    select(*(EVENTS.c[name] for name in NewEvent._fields))
    .where(
        EVENTS.c.execution_id == bindparam("of"),
        EVENTS.c.seq.between(bindparam("first"), bindparam("last")),
    )
    .order_by(EVENTS.c.seq),
    "of",
    "first",
    "last",
)
_DELIVER = Statement(insert(DELIVERIES), "message_id", "execution_id", "key")
_OF = EXECUTIONS.c.id == bindparam("of")
_ADVANCE = Statement(
    update(EXECUTIONS)
    .where(_OF)
    .values(
        head=bindparam("new_head"),
        head_hash=bindparam("new_hash"),
        history_bytes=EXECUTIONS.c.history_bytes + bindparam("added_bytes"),
    ),
    "new_head",
    "new_hash",
    "added_bytes",
    "of",
)
_CHANGED = (*Changed._fields[1:], "owner")
_CHANGE = Statement(
    update(EXECUTIONS).where(_OF).values({name: bindparam(f"new_{name}") for name in _CHANGED}),
    "of",
    *(f"new_{name}" for name in _CHANGED),
)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long one execution's history may become."""

    events: int
    bytes: int
    """Of the events' data, without what is in blobs."""


class Commit:
    """Events of any number of executions, and what they change."""

    def __init__(
        self,
        records: Sequence[Record],
        changes: Sequence[Change],
        epochs: Mapping[str, int],
        consumed: Sequence[tuple[str, str, str]],
        values: Values,
    ) -> None:
        self._epochs = epochs
        self._events: dict[str, list[NewEvent]] = {execution: [] for execution in epochs}
        for record in records:
            self._events[record.execution].append(new_event(record, values))
        self._written = {e: events for e, events in self._events.items() if events}
        self._sizes = {e: size_of(events) for e, events in self._written.items()}
        self._changes = [changed(change, values) for change in changes]
        if not self._events.keys() >= {change.execution for change in self._changes}:
            raise KeyError("a change of an execution without an epoch")
        self._consumed = consumed

    @property
    def texts(self) -> Iterator[str]:
        """All values in it, as they will be stored."""
        for events in self._written.values():
            for event in events:
                yield event.data
        for change in self._changes:
            yield change.output
            yield change.error

    def lock(self, connection: Connection) -> dict[str, Standing]:
        """Where its executions stand, kept from others until the end of the transaction."""
        return locked(connection, self._events)

    def is_recorded(self, connection: Connection, found: Mapping[str, Standing]) -> bool:
        """Whether it was written already, by a commit whose answer was lost."""
        for execution, events in self._written.items():
            standing = found.get(execution)
            if standing is None or standing.epoch != self._epochs[execution]:
                return False
            if standing.head < events[-1].seq:
                return False
        return bool(self._written) and all(
            _RECORDED.rows(connection, execution, events[0].seq, events[-1].seq) == events
            for execution, events in self._written.items()
        )

    def require_owned(self, found: Mapping[str, Standing], allowed: frozenset[Status]) -> None:
        """Refuse unless the owner writes the events that follow, in one of these states.

        Raises:
            Fenced: it does not.
        """
        reasons = {}
        for execution, events in self._events.items():
            standing = found.get(execution)
            if standing is None:
                reasons[execution] = "does not exist"
            elif standing.epoch != self._epochs[execution]:
                reasons[execution] = f"was taken over by {standing.owner or 'another process'}"
            elif standing.status not in allowed:
                reasons[execution] = f"is {standing.status}"
            elif any(event.seq != seq for seq, event in enumerate(events, standing.head + 1)):
                reasons[execution] = f"has {standing.head} events, these do not follow"
        if reasons:
            raise Fenced(reasons)

    def require_room(self, found: Mapping[str, Standing], limits: Limits) -> None:
        """Refuse what makes a history too long, unless it ends the execution.

        Raises:
            HistoryFull: it does.
        """
        long, large = [], []
        for execution, events in self._written.items():
            if events[-1].type == LAST:
                continue
            if found[execution].head + len(events) > limits.events:
                long.append(execution)
            if found[execution].history_bytes + self._sizes[execution] > limits.bytes:
                large.append(execution)
        if long:
            raise HistoryFull(long, f"{limits.events:,} events")
        if large:
            raise HistoryFull(large, f"{limits.bytes / 2**20:,.0f} MB of values in its rows")

    def write(self, connection: Connection, found: Mapping[str, Standing]) -> list[Noted]:
        """Write it, after the other questions were asked, and give the new heads."""
        rows: list[EventColumns] = []
        heads = []
        for execution, events in self._written.items():
            rows += chained(execution, events, found[execution].head_hash)
            heads.append(noted(rows[-1]))
        RECORD.run_all(connection, rows)
        _DELIVER.run_all(connection, self._consumed)
        _ADVANCE.run_all(
            connection, [(h.seq, h.hash, self._sizes[h.execution], h.execution) for h in heads]
        )
        _CHANGE.run_all(
            connection,
            # Who has ended has no owner any more.
            [(*c, None if c.status in ENDED else found[c.execution].owner) for c in self._changes],
        )
        return heads

    def refusal(self, connection: Connection) -> AgentFlowError:
        """Which of the tables' rules it breaks, looked up after it was undone."""
        seen: set[tuple[str, str]] = set()
        for execution, events in self._events.items():
            for key in (event.completes for event in events if event.completes is not None):
                if (execution, key) in seen or _is_completed(connection, execution, key):
                    return AlreadyRecorded(execution, key, "the completion")
                seen.add((execution, key))
        for message, execution, key in self._consumed:
            if not exists(connection, MESSAGES.c.id == message):
                return NotFound(f"there is no message '{message}'")
            if (message, execution) in seen or _is_delivered(connection, message, execution):
                return AlreadyRecorded(execution, key, f"message '{message}'")
            seen.add((message, execution))
        return Corrupt("the store holds events beyond the end of a history")


def noted(last: EventColumns) -> Noted:
    """The head that an event's row makes."""
    return Noted(last.execution_id, last.seq, last.hash, last.at)


def _is_completed(connection: Connection, execution: str, key: str) -> bool:
    return exists(
        connection,
        EVENTS.c.execution_id == execution,
        EVENTS.c.completes == key,
        ~EVENTS.c.superseded,
    )


def _is_delivered(connection: Connection, message: str, execution: str) -> bool:
    return exists(
        connection,
        DELIVERIES.c.message_id == message,
        DELIVERIES.c.execution_id == execution,
    )


def set_aside(connection: Connection, execution_id: str, from_seq: int) -> None:
    """Mark events as superseded, and give back the messages that they took."""
    aside = (EVENTS.c.execution_id == execution_id) & (EVENTS.c.seq >= from_seq)
    undone = select(EVENTS.c.step).where(aside, EVENTS.c.type == "message.received")
    cancellations = select(MESSAGES.c.id, EXECUTIONS.c.id, literal("")).where(
        EXECUTIONS.c.id == execution_id,
        MESSAGES.c.name == CANCEL,
        concerns_execution(),
        not_delivered(),
    )
    connection.execute(
        delete(DELIVERIES).where(
            DELIVERIES.c.execution_id == execution_id, DELIVERIES.c.key.in_(undone)
        )
    )
    dropped = insert(DELIVERIES).from_select(["message_id", "execution_id", "key"], cancellations)
    connection.execute(dropped)
    connection.execute(update(EVENTS).where(aside).values(superseded=True))
