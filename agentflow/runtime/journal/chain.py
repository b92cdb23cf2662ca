"""The hash chain over an execution's events, and what it is compared with when it is read.

An event's hash covers the hash of the event before it, its own columns and its data as they are
stored. The first one covers what the execution was started with: its workflow, its input, its
place. An edited, removed, added or moved event therefore breaks the chain from there on, and the
hash of the last event, kept with the execution, shows a history that lost its end. How an execution
ended is in its last event, so its row is compared with that. SQLite itself notices next to none of
this: of single flipped bits its own check finds one in twenty.

Whether an event is superseded is not in its hash, because a `retry` changes it later. It follows
from the `execution.retried` events, which say from where on: `{"from": seq}`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from operator import attrgetter
from typing import NamedTuple

import orjson

from agentflow.errors import Json
from agentflow.runtime.journal.columns import ExecutionColumns
from agentflow.runtime.journal.errors import Corrupt
from agentflow.runtime.journal.protocol import ENDED, RETRIED, Record
from agentflow.runtime.journal.values import Values, same

_OLD_GENESIS = bytes(32)
"""What stands before the first event where the first version of the journal wrote it."""

_STARTED_WITH = attrgetter(
    "id",
    "workflow",
    "version",
    "digest",
    "root",
    "input",
    "started_at",
    "parent",
    "parent_key",
    "labels",
    "deaf_until",
)
"""Columns of an execution that never change."""

LAST = "execution.ended"

_COMPLETIONS = frozenset(
    {
        "call.completed",
        "batch.completed",
        "child.ended",
        "message.received",
        "event.emitted",
        "timer.fired",
    }
)


class StoredEvent(NamedTuple):
    """A row of `events`, in the order its columns are read."""

    seq: int
    type: str
    step: str | None
    attempt: int | None
    at: float
    data: str
    hash: bytes
    superseded: bool


def completes(record: Record) -> str | None:
    """The key that must not be completed twice, if the event completes one.

    The pause before a retry ends as often as there are retries, and a timeout that is forgiven may
    run out again; they complete nothing.
    """
    if record.type in _COMPLETIONS and not (record.step or "").endswith(("@retry", "@timeout")):
        return record.step
    return None


def seal(*columns: Json) -> bytes:
    """The hash of what a row says."""
    return hashlib.blake2b(orjson.dumps(columns), digest_size=32).digest()


def genesis(row: ExecutionColumns) -> bytes:
    """What stands before the first event of the execution with these columns."""
    return seal(*_STARTED_WITH(row))


def link(previous: bytes, execution: str, event: tuple[Json, ...], data: str) -> bytes:
    """The hash of an event; `event` is `(seq, type, step, attempt, at)`."""
    head = orjson.dumps((execution, *event))
    return hashlib.blake2b(previous + head + data.encode(), digest_size=32).digest()


def verified(row: ExecutionColumns, events: Sequence[StoredEvent], values: Values) -> list[Record]:
    """The records of a whole history, after every link was checked.

    Raises:
        Corrupt: an event was changed, removed, added or moved, or the execution's row is not what
            was written; names the first event that is wrong.
    """
    execution: str = row.id
    previous = _origin(row, events[:1])
    for seq, event in enumerate(events, 1):
        if event.seq != seq:
            raise _corrupt(execution, seq, "is missing")
        if event.hash != _link(previous, execution, event):
            what = "was changed, or the execution's row was" if seq == 1 else _CHANGED
            raise _corrupt(execution, seq, what)
        previous = event.hash
    if len(events) < row.head:
        raise _corrupt(execution, len(events) + 1, f"is missing, as is all up to {row.head}")
    if len(events) > row.head or previous != row.head_hash:
        raise _corrupt(execution, min(row.head + 1, len(events)), "was not written by AgentFlow")
    records = _records(execution, events, values)
    _verify_set_aside(records)
    _compare_end(row, records[-1], values)
    return records


def verified_part(
    row: ExecutionColumns, after: int, events: Sequence[StoredEvent], values: Values
) -> list[Record]:
    """The records behind event number `after`; `events` begins with that event, if there is one.

    Raises:
        Corrupt: an event was changed, removed, added or moved.
    """
    for seq, event in enumerate(events, after or 1):
        if event.seq != seq:
            raise _corrupt(row.id, seq, "is missing")
    if after and not events:
        raise _corrupt(row.id, after, "is missing")
    known, new = (events[:1], events[1:]) if after else ([], events)
    previous = known[0].hash if known else _origin(row, new[:1])
    for event in new:
        if event.hash != _link(previous, row.id, event):
            raise _corrupt(row.id, event.seq, _CHANGED)
        previous = event.hash
    if new and new[-1].seq == row.head and previous != row.head_hash:
        raise _corrupt(row.id, row.head, "was not written by AgentFlow")
    return _records(row.id, new, values)


def verify_end(row: ExecutionColumns, last: Sequence[StoredEvent], values: Values) -> None:
    """Check that a row says what its last event says; `last` holds that and the one before it.

    Raises:
        Corrupt: it does not, or the event was changed.
    """
    previous = last[-2].hash if len(last) > 1 else _origin(row, last)
    event = last[-1] if last else None
    if event is None or event.hash != row.head_hash:
        raise _corrupt(row.id, row.head, _CHANGED)
    if event.hash != _link(previous, row.id, event):
        raise _corrupt(row.id, row.head, _CHANGED)
    (record,) = _records(row.id, [event], values)
    _compare_end(row, record, values)


def verify_open(row: ExecutionColumns) -> None:
    """Check that the row of an execution that has not ended tells of no end.

    Raises:
        Corrupt: it does.
    """
    if (row.output, row.error, row.origin) != ("null", "null", None):
        raise _contradiction(row.id, f"is {row.status}, and has a result")


def _compare_end(row: ExecutionColumns, last: Record, values: Values) -> None:
    if (row.status in ENDED) != (last.type == LAST):
        raise _contradiction(row.id, f"is {row.status}, and its last event is {last.type}")
    if row.status not in ENDED:
        verify_open(row)
        return
    try:
        output, error = values.decode_all([row.output, row.error])
    except Corrupt as damage:
        raise _contradiction(row.id, f"cannot be read: {damage.message}") from damage
    said = {"status": row.status, "output": output, "error": error, "origin": row.origin}
    for name, value in said.items():
        if name in last.data and not same(value, last.data[name]):
            raise _contradiction(row.id, f"has another {name} than its last event")


def _origin(row: ExecutionColumns, first: Sequence[StoredEvent]) -> bytes:
    """What stands before the first event: by now, or as the first version wrote it."""
    try:
        origin = genesis(row)
    except TypeError:  # a column holds a value of another type
        return b""
    if first and first[0].hash == _link(_OLD_GENESIS, row.id, first[0]):
        return _OLD_GENESIS
    return origin


def _link(previous: bytes, execution: str, event: StoredEvent) -> bytes:
    try:
        return link(previous, execution, event[:5], event.data)
    except (TypeError, AttributeError):  # a column holds a value of another type
        return b""


def _records(execution: str, events: Sequence[StoredEvent], values: Values) -> list[Record]:
    try:
        data = values.decode_all([event.data for event in events])
    except Corrupt as error:
        seq = events[(error.seq or 1) - 1].seq
        raise _corrupt(execution, seq, f"cannot be read: {error.message}") from error
    return [
        Record(execution, e.seq, e.type, e.at, e.step, e.attempt, value, e.superseded)
        for e, value in zip(events, data, strict=True)
    ]


def _verify_set_aside(records: Sequence[Record]) -> None:
    set_aside = [False] * len(records)
    for record in records:
        if record.type == RETRIED:
            first = record.data["from"]
            set_aside[first - 1 : record.seq - 1] = [True] * (record.seq - first)
    for record, expected in zip(records, set_aside, strict=True):
        if record.superseded is not expected:
            what = "was marked as superseded, or unmarked"
            raise _corrupt(record.execution, record.seq, what)


_CHANGED = "or the one before it was changed"


def _corrupt(execution: str, seq: int, what: str) -> Corrupt:
    return Corrupt(f"the history of execution {execution} is damaged: event {seq} {what}", seq=seq)


def _contradiction(execution: str, what: str) -> Corrupt:
    return Corrupt(f"the record of execution {execution} is damaged: it {what}")
