"""The hash chain over an execution's events: how it is made, and how a break is found.

An event's hash covers the hash of the event before it, its own columns and its data as they are
stored. An edited, removed, added or moved event therefore breaks the chain from there on, and the
hash of the last event, kept with the execution, shows a history that lost its end. SQLite itself
notices next to none of this: of single flipped bits its own check finds one in twenty.

Whether an event is superseded is not in its hash, because a `retry` changes it later. It follows
from the `execution.retried` events, which say from where on: `{"from": seq}`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import orjson

from agentflow.errors import Json
from agentflow.runtime.journal.errors import Corrupt
from agentflow.runtime.journal.protocol import Record

GENESIS = bytes(32)
"""What stands before the first event."""

RETRIED = "execution.retried"

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

    The pause before a retry ends as often as there are retries; it completes nothing.
    """
    if record.type in _COMPLETIONS and not (record.step or "").endswith("@retry"):
        return record.step
    return None


def link(previous: bytes, execution: str, event: tuple[Json, ...], data: str) -> bytes:
    """The hash of an event; `event` is `(seq, type, step, attempt, at)`."""
    head = orjson.dumps((execution, *event))
    return hashlib.blake2b(previous + head + data.encode(), digest_size=32).digest()


def verified(
    execution: str, events: Sequence[StoredEvent], *, head: int, head_hash: bytes
) -> list[Record]:
    """The records of a whole history, after every link was checked.

    Raises:
        Corrupt: an event was changed, removed, added or moved; names the first.
    """
    previous = GENESIS
    for seq, event in enumerate(events, 1):
        if event.seq != seq:
            raise _corrupt(execution, seq, "is missing")
        try:
            expected = link(previous, execution, event[:5], event.data)
        except (TypeError, AttributeError):  # a column holds a value of another type
            expected = b""
        if event.hash != expected:
            raise _corrupt(execution, seq, "or the one before it was changed")
        previous = event.hash
    if len(events) < head:
        raise _corrupt(execution, len(events) + 1, f"is missing, as is all up to {head}")
    if len(events) > head or previous != head_hash:
        raise _corrupt(execution, min(head + 1, len(events)), "was not written by AgentFlow")
    return _records(execution, events)


def _records(execution: str, events: Sequence[StoredEvent]) -> list[Record]:
    records = [
        Record(
            execution, e.seq, e.type, e.at, e.step, e.attempt, orjson.loads(e.data), e.superseded
        )
        for e in events
    ]
    set_aside = [False] * len(records)
    for record in records:
        if record.type == RETRIED:
            first = record.data["from"]
            set_aside[first - 1 : record.seq - 1] = [True] * (record.seq - first)
    for record, expected in zip(records, set_aside, strict=True):
        if record.superseded is not expected:
            raise _corrupt(execution, record.seq, "was marked as superseded, or unmarked")
    return records


def _corrupt(execution: str, seq: int, what: str) -> Corrupt:
    return Corrupt(f"the history of execution {execution} is damaged: event {seq} {what}", seq=seq)
