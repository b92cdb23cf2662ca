"""What one commit of events writes, and whether it may.

A commit is prepared without the store: values become text, large ones blobs. It is then written in
a transaction that holds the rows of its executions, and refused whole if one of them belongs to
somebody else, has ended, or has events the writer lacks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    Executable,
    Row,
    bindparam,
    delete,
    insert,
    literal,
    select,
    update,
)

from agentflow.errors import AgentFlowError, NotFound
from agentflow.runtime.journal.chain import LAST
from agentflow.runtime.journal.errors import AlreadyRecorded, Corrupt, Fenced, HistoryFull
from agentflow.runtime.journal.messages import concerns_execution, not_delivered
from agentflow.runtime.journal.ownership import locked
from agentflow.runtime.journal.protocol import CANCEL, Change, Record, Status
from agentflow.runtime.journal.reading import exists
from agentflow.runtime.journal.rows import (
    chained,
    change_row,
    event_rows,
    head_row,
    size_of,
    with_owner,
)
from agentflow.runtime.journal.tables import DELIVERIES, EVENTS, EXECUTIONS, MESSAGES
from agentflow.runtime.journal.values import Values

OPEN: frozenset[Status] = frozenset({"running", "waiting"})

# Statements that every commit runs are built once: that takes longer than running them.
RECORD = insert(EVENTS)
_DELIVER = insert(DELIVERIES)
_UPDATE = update(EXECUTIONS).where(EXECUTIONS.c.id == bindparam("of"))
_ADVANCE = _UPDATE.values(
    head=bindparam("new_head"),
    head_hash=bindparam("new_hash"),
    history_bytes=EXECUTIONS.c.history_bytes + bindparam("added_bytes"),
)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long one execution's history may become."""

    events: int
    bytes: int
    """Of the events' data, without what is in blobs."""


class Noted(NamedTuple):
    """A head that a commit makes."""

    execution: str
    seq: int
    hash: bytes
    at: float


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
        self._events: dict[str, list[dict[str, Any]]] = {execution: [] for execution in epochs}
        for row in event_rows(records, values):
            self._events[row["execution_id"]].append(row)
        self._changes = [change_row(change, values) for change in changes]
        if not self._events.keys() >= {change["of"] for change in self._changes}:
            raise KeyError("a change of an execution without an epoch")
        self._deliveries = [
            {"message_id": message, "execution_id": execution, "key": key}
            for message, execution, key in consumed
        ]

    @property
    def rows(self) -> Iterator[dict[str, Any]]:
        """All rows that hold values."""
        return chain(self._changes, *self._events.values())

    def lock(self, connection: Connection) -> dict[str, Row[Any]]:
        """The rows of its executions, kept from others until the end of the transaction."""
        return locked(connection, self._events)

    def is_recorded(self, connection: Connection, rows: Mapping[str, Row[Any]]) -> bool:
        """Whether it was written already, by a commit whose answer was lost."""
        written = {execution: events for execution, events in self._events.items() if events}
        for execution, events in written.items():
            row = rows.get(execution)
            if row is None or row.epoch != self._epochs[execution]:
                return False
            if row.head < events[-1]["seq"]:
                return False
        return bool(written) and all(
            _are_recorded(connection, execution, events) for execution, events in written.items()
        )

    def require_owned(self, rows: Mapping[str, Row[Any]], allowed: frozenset[Status]) -> None:
        """Refuse unless the owner writes the events that follow, in one of these states.

        Raises:
            Fenced: it does not.
        """
        reasons = {}
        for execution, events in self._events.items():
            row = rows.get(execution)
            if row is None:
                reasons[execution] = "does not exist"
            elif row.epoch != self._epochs[execution]:
                reasons[execution] = f"was taken over by {row.owner or 'another process'}"
            elif row.status not in allowed:
                reasons[execution] = f"is {row.status}"
            elif any(event["seq"] != seq for seq, event in enumerate(events, row.head + 1)):
                reasons[execution] = f"has {row.head} events, these do not follow"
        if reasons:
            raise Fenced(reasons)

    def require_room(self, rows: Mapping[str, Row[Any]], limits: Limits) -> None:
        """Refuse what makes a history too long, unless it ends the execution.

        Raises:
            HistoryFull: it does.
        """
        growing = {
            execution: events
            for execution, events in self._events.items()
            if events and events[-1]["type"] != LAST
        }
        long = [e for e, events in growing.items() if rows[e].head + len(events) > limits.events]
        if long:
            raise HistoryFull(long, f"{limits.events:,} events")
        large = [
            execution
            for execution, events in growing.items()
            if rows[execution].history_bytes + size_of(events) > limits.bytes
        ]
        if large:
            raise HistoryFull(large, f"{limits.bytes / 2**20:,.0f} MB of values in its rows")

    def write(self, connection: Connection, rows: Mapping[str, Row[Any]]) -> list[Noted]:
        """Write it, after the other questions were asked, and give the new heads."""
        chains = [
            chained(events, rows[execution].head_hash)
            for execution, events in self._events.items()
            if events
        ]
        _execute(connection, RECORD, list(chain(*chains)))
        _execute(connection, _DELIVER, self._deliveries)
        _execute(connection, _ADVANCE, [head_row(events) for events in chains])
        changes = [with_owner(change, rows[change["of"]].owner) for change in self._changes]
        _execute(connection, _UPDATE, changes)
        return [noted(events[-1]) for events in chains]

    def refusal(self, connection: Connection) -> AgentFlowError:
        """Which of the tables' rules it breaks, looked up after it was undone."""
        seen: set[tuple[str, str]] = set()
        for event in chain(*self._events.values()):
            if event["completes"] is None:
                continue
            place = (event["execution_id"], event["completes"])
            if place in seen or _is_completed(connection, *place):
                return AlreadyRecorded(*place, "the completion")
            seen.add(place)
        for delivery in self._deliveries:
            message, execution, key = delivery.values()
            if not exists(connection, MESSAGES.c.id == message):
                return NotFound(f"there is no message '{message}'")
            if (message, execution) in seen or _is_delivered(connection, message, execution):
                return AlreadyRecorded(execution, key, f"message '{message}'")
            seen.add((message, execution))
        return Corrupt("the store holds events beyond the end of a history")


def noted(event: Mapping[str, Any]) -> Noted:
    """The head that an event's row makes."""
    return Noted(event["execution_id"], event["seq"], event["hash"], event["at"])


def _execute(connection: Connection, statement: Executable, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(statement, rows)


def _are_recorded(connection: Connection, execution: str, events: Sequence[dict[str, Any]]) -> bool:
    columns = ("seq", "type", "step", "attempt", "at", "data")
    found = connection.execute(
        select(*(EVENTS.c[name] for name in columns))
        .where(
            EVENTS.c.execution_id == execution,
            EVENTS.c.seq.between(events[0]["seq"], events[-1]["seq"]),
        )
        .order_by(EVENTS.c.seq)
    )
    return [tuple(row) for row in found] == [tuple(e[name] for name in columns) for e in events]


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
