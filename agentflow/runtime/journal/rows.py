"""Values to rows and back."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, NamedTuple, get_args

from agentflow.errors import fault_value
from agentflow.runtime.journal.chain import completes, link, seal
from agentflow.runtime.journal.columns import (
    EventColumns,
    ExecutionColumns,
    MessageColumns,
    SpecColumns,
)
from agentflow.runtime.journal.errors import Corrupt
from agentflow.runtime.journal.protocol import (
    Change,
    Message,
    Record,
    Status,
    StoredExecution,
    StoredSpec,
)
from agentflow.runtime.journal.values import Values, decode_inline, encode_inline

log = logging.getLogger(__name__)

_STATUSES = frozenset(get_args(Status))


def spec_row(spec: StoredSpec) -> SpecColumns:
    """The columns of a row of `specs` that the value gives."""
    children = encode_inline(spec.children, of=f"the list of children of {spec.name}")
    said = (spec.digest, spec.name, spec.version, spec.text, spec.path, children)
    return SpecColumns(*said, seal(*said))


def spec_of(row: SpecColumns) -> StoredSpec:
    """The value of a row of `specs`.

    Raises:
        Corrupt: it is not what was written.
    """
    if not _is_sealed(row):
        raise Corrupt(f"the stored text of workflow {row.name} is damaged")
    children = decode_inline(row.children)
    return StoredSpec(row.digest, row.name, row.version, row.text, row.path, children)


def execution_row(execution: StoredExecution, values: Values) -> ExecutionColumns:
    """The row of a new execution, but for what comes of its first event and of when that is."""
    return ExecutionColumns(
        id=execution.id,
        workflow=execution.workflow,
        version=execution.version,
        digest=execution.digest,
        root=execution.root,
        status=execution.status,
        input=values.encode(execution.input, of="the input"),
        output=values.encode(execution.output, of="the output"),
        error=values.encode(execution.error, of="the error"),
        origin=execution.origin,
        started_at=float(execution.started_at),
        ended_at=execution.ended_at,
        owner=execution.owner,
        epoch=execution.epoch,
        head=execution.head,
        head_hash=b"",
        history_bytes=0,
        parent=execution.parent,
        parent_key=execution.parent_key,
        labels=encode_inline(execution.labels, of="the labels"),
        deaf_until=0,
    )


def execution_of(row: ExecutionColumns, values: Values) -> StoredExecution:
    """The value of a row of `executions`.

    Raises:
        Corrupt: a value in it cannot be read.
    """
    what = f"the record of execution {row.id} is damaged"
    if row.status not in _STATUSES:
        raise Corrupt(f"{what}: its status is {row.status!r}")
    try:
        input, output, error = values.decode_all([row.input, row.output, row.error])
        labels = decode_inline(row.labels)
    except Corrupt as damage:
        raise Corrupt(f"{what}: {damage.message}") from damage
    return _execution(row, input=input, output=output, error=error, labels=labels)


def listed(row: ExecutionColumns, values: Values) -> StoredExecution:
    """The value of a row of `executions`, with an error for what cannot be read of it.

    One that is damaged must not keep its neighbours from being listed.
    """
    try:
        return execution_of(row, values)
    except Corrupt as damage:
        return _execution(row, error=fault_value("Corrupt", damage.message))


def _execution(row: ExecutionColumns, **read: Any) -> StoredExecution:
    values = {"input": None, "output": None, "error": None, "labels": {}, **read}
    return StoredExecution(
        id=row.id,
        workflow=row.workflow,
        version=row.version,
        digest=row.digest,
        root=row.root,
        status=row.status,
        origin=row.origin,
        started_at=row.started_at,
        ended_at=row.ended_at,
        owner=row.owner,
        epoch=row.epoch,
        head=row.head,
        parent=row.parent,
        parent_key=row.parent_key,
        **values,
    )


def message_row(message: Message, values: Values) -> MessageColumns:
    """The columns of a row of `messages` that the value gives."""
    said = (
        message.id,
        message.execution,
        message.name,
        encode_inline(message.correlation, of="the correlation"),
        values.encode(message.data, of="the message"),
        float(message.at),
    )
    return MessageColumns(*said, seal(*said))


def message_of(row: MessageColumns, values: Values) -> Message:
    """The value of a row of `messages`.

    Raises:
        Corrupt: it is not what was written.
    """
    if not _is_sealed(row):
        raise Corrupt(f"message '{row.id}' is damaged")
    try:
        data, correlation = values.decode(row.data), decode_inline(row.correlation)
    except Corrupt as damage:
        raise Corrupt(f"message '{row.id}' is damaged: {damage.message}") from damage
    return Message(
        id=row.id,
        name=row.name,
        correlation=correlation,
        data=data,
        at=row.at,
        execution=row.execution_id,
    )


def readable(row: MessageColumns, values: Values) -> Message | None:
    """The value of a row of `messages`, `None` for one that is damaged."""
    try:
        return message_of(row, values)
    except Corrupt as damage:
        log.error("%s", damage)  # noqa: TRY400  # the message says it all
        return None


class NewEvent(NamedTuple):
    """The row of an event that is to be written, but for its hash."""

    seq: int
    type: str
    step: str | None
    attempt: int | None
    at: float
    data: str
    completes: str | None


def new_event(record: Record, values: Values) -> NewEvent:
    """The row of an event, but for its hash."""
    return NewEvent(
        record.seq,
        record.type,
        record.step,
        record.attempt,
        float(record.at),  # an int would come back as a float, with another hash
        values.encode(record.data, of=f"the value of event {record.type} of '{record.step or ''}'"),
        completes(record),
    )


def chained(execution: str, events: Sequence[NewEvent], previous: bytes) -> list[EventColumns]:
    """The rows of consecutive events of one execution; `previous` is the hash before them."""
    rows = []
    for event in events:
        previous = link(previous, execution, event[:5], event.data)
        rows.append(EventColumns(execution, *event[:6], previous, event.completes, False))
    return rows


def size_of(events: Sequence[NewEvent]) -> int:
    """How many bytes the data of events takes in its rows."""
    return sum(len(data) if (data := e.data).isascii() else len(data.encode()) for e in events)


class Changed(NamedTuple):
    """What a change sets in the row of its execution."""

    execution: str
    status: Status
    output: str
    error: str
    origin: str | None
    ended_at: float | None


def changed(change: Change, values: Values) -> Changed:
    """The columns that a change sets."""
    return Changed(
        change.execution,
        change.status,
        values.encode(change.output, of="the output"),
        values.encode(change.error, of="the error"),
        change.origin,
        change.ended_at,
    )


def _is_sealed(row: MessageColumns | SpecColumns) -> bool:
    """Whether a row says what was written; one of the first version cannot tell."""
    if row.seal is None:
        return True
    try:
        return row.seal == seal(*row[:-1])
    except TypeError:  # a column holds a value of another type
        return False
