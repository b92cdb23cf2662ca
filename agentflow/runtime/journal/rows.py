"""Values to rows and back."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from sqlalchemy import Row

from agentflow.errors import fault_value
from agentflow.runtime.journal.chain import completes, link, seal
from agentflow.runtime.journal.errors import Corrupt
from agentflow.runtime.journal.protocol import (
    ENDED,
    Change,
    Message,
    Record,
    Status,
    StoredExecution,
    StoredSpec,
)
from agentflow.runtime.journal.values import Values, decode_inline, encode_inline

log = logging.getLogger(__name__)

_SPEC = ("digest", "name", "version", "text", "path", "children")
_MESSAGE = ("id", "execution_id", "name", "correlation", "data", "at")

_STATUSES = frozenset(get_args(Status))


def spec_row(spec: StoredSpec) -> dict[str, Any]:
    """The columns of a row of `specs` that the value gives."""
    row = {
        "digest": spec.digest,
        "name": spec.name,
        "version": spec.version,
        "text": spec.text,
        "path": spec.path,
        "children": encode_inline(spec.children, of=f"the list of children of {spec.name}"),
    }
    return {**row, "seal": seal(*(row[name] for name in _SPEC))}


def spec_of(row: Row[Any]) -> StoredSpec:
    """The value of a row of `specs`.

    Raises:
        Corrupt: it is not what was written.
    """
    if not _is_sealed(row, _SPEC):
        raise Corrupt(f"the stored text of workflow {row.name} is damaged")
    children = decode_inline(row.children)
    return StoredSpec(row.digest, row.name, row.version, row.text, row.path, children)


def execution_row(execution: StoredExecution, values: Values) -> dict[str, Any]:
    """The columns of a row of `executions` that the value gives."""
    return {
        "id": execution.id,
        "workflow": execution.workflow,
        "version": execution.version,
        "digest": execution.digest,
        "root": execution.root,
        "status": execution.status,
        "input": values.encode(execution.input, of="the input"),
        "output": values.encode(execution.output, of="the output"),
        "error": values.encode(execution.error, of="the error"),
        "origin": execution.origin,
        "started_at": float(execution.started_at),
        "ended_at": execution.ended_at,
        "owner": execution.owner,
        "epoch": execution.epoch,
        "head": execution.head,
        "parent": execution.parent,
        "parent_key": execution.parent_key,
        "labels": encode_inline(execution.labels, of="the labels"),
    }


def execution_of(row: Row[Any], values: Values) -> StoredExecution:
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


def listed(row: Row[Any], values: Values) -> StoredExecution:
    """The value of a row of `executions`, with an error for what cannot be read of it.

    One that is damaged must not keep its neighbours from being listed.
    """
    try:
        return execution_of(row, values)
    except Corrupt as damage:
        return _execution(row, error=fault_value("Corrupt", damage.message))


def _execution(row: Row[Any], **read: Any) -> StoredExecution:
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


def message_row(message: Message, values: Values) -> dict[str, Any]:
    """The columns of a row of `messages` that the value gives."""
    row = {
        "id": message.id,
        "execution_id": message.execution,
        "name": message.name,
        "correlation": encode_inline(message.correlation, of="the correlation"),
        "data": values.encode(message.data, of="the message"),
        "at": float(message.at),
    }
    return {**row, "seal": seal(*(row[name] for name in _MESSAGE))}


def message_of(row: Row[Any], values: Values) -> Message:
    """The value of a row of `messages`.

    Raises:
        Corrupt: it is not what was written.
    """
    if not _is_sealed(row, _MESSAGE):
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


def readable(row: Row[Any], values: Values) -> Message | None:
    """The value of a row of `messages`, `None` for one that is damaged."""
    try:
        return message_of(row, values)
    except Corrupt as damage:
        log.error("%s", damage)  # noqa: TRY400  # the message says it all
        return None


def event_rows(records: Sequence[Record], values: Values) -> list[dict[str, Any]]:
    """The rows of events, but for their hashes."""
    return [
        {
            "execution_id": record.execution,
            "seq": record.seq,
            "type": record.type,
            "step": record.step,
            "attempt": record.attempt,
            "at": float(record.at),  # an int would come back as a float, with another hash
            "data": values.encode(
                record.data, of=f"the value of event {record.type} of '{record.step or ''}'"
            ),
            "completes": completes(record),
            "superseded": False,
        }
        for record in records
    ]


def chained(rows: Sequence[dict[str, Any]], previous: bytes) -> list[dict[str, Any]]:
    """The rows of consecutive events of one execution; `previous` is the hash before them."""
    chain = []
    for row in rows:
        columns = (row["seq"], row["type"], row["step"], row["attempt"], row["at"])
        previous = link(previous, row["execution_id"], columns, row["data"])
        chain.append({**row, "hash": previous})
    return chain


def size_of(rows: Sequence[Mapping[str, Any]]) -> int:
    """How many bytes the data of events takes in its rows."""
    return sum(len(data) if (data := row["data"]).isascii() else len(data.encode()) for row in rows)


def head_row(chain: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the row of the execution keeps of the events that follow; parameters of an update."""
    last = chain[-1]
    return {
        "of": last["execution_id"],
        "new_head": last["seq"],
        "new_hash": last["hash"],
        "added_bytes": size_of(chain),
    }


def change_row(change: Change, values: Values) -> dict[str, Any]:
    """What a change sets in the row of its execution."""
    return {
        "of": change.execution,
        "status": change.status,
        "output": values.encode(change.output, of="the output"),
        "error": values.encode(change.error, of="the error"),
        "origin": change.origin,
        "ended_at": change.ended_at,
    }


def with_owner(row: dict[str, Any], owner: str | None) -> dict[str, Any]:
    """A change's row with the owner the execution has after it: none, at its end."""
    return {**row, "owner": None if row["status"] in ENDED else owner}


def _is_sealed(row: Row[Any], columns: Sequence[str]) -> bool:
    """Whether a row says what was written; one of the first version cannot tell."""
    if row.seal is None:
        return True
    try:
        return bool(row.seal == seal(*(getattr(row, name) for name in columns)))
    except TypeError:  # a column holds a value of another type
        return False
