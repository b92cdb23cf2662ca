"""Values to rows and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Row

from agentflow.errors import Fault, Json
from agentflow.runtime.journal.chain import completes, link
from agentflow.runtime.journal.errors import Corrupt
from agentflow.runtime.journal.protocol import (
    ENDED,
    Change,
    Message,
    Record,
    StoredExecution,
    StoredSpec,
)

MAX_VALUE_BYTES = 64 * 1024 * 1024
"""The largest value of an event. Larger ones belong in files or an object store."""


def encode(value: Json, *, of: str) -> str:
    """The JSON text of a value; `of` names it in errors.

    Raises:
        Fault: `InvalidOutput` if it is not I-JSON, `PayloadTooLarge` above 64 MB.
    """
    try:
        text = orjson.dumps(value, option=orjson.OPT_STRICT_INTEGER)
    except TypeError as error:
        raise Fault("InvalidOutput", f"{of} is not JSON: {error}") from error
    if len(text) > MAX_VALUE_BYTES:
        raise Fault(
            "PayloadTooLarge",
            f"{of} is {len(text) / 2**20:.0f} MB of JSON, more than the "
            f"{MAX_VALUE_BYTES // 2**20} MB an event may hold; write it to a file or an object "
            "store and pass its address",
        )
    return text.decode()


def decode(text: str) -> Json:
    """The value of a JSON text that was stored outside the hash chain.

    Raises:
        Corrupt: it is not JSON.
    """
    try:
        return orjson.loads(text)
    except (orjson.JSONDecodeError, TypeError) as error:
        raise Corrupt(f"the store is damaged: a value in it is not JSON ({error})") from error


def same(one: Json, other: Json) -> bool:
    """Whether two values are the same JSON; the order of keys does not matter."""
    sort = orjson.OPT_SORT_KEYS
    return orjson.dumps(one, option=sort) == orjson.dumps(other, option=sort)


def spec_row(spec: StoredSpec) -> dict[str, Any]:
    """The columns of a row of `specs` that the value gives."""
    return {
        "digest": spec.digest,
        "name": spec.name,
        "version": spec.version,
        "text": spec.text,
        "path": spec.path,
        "children": encode(spec.children, of=f"the list of children of {spec.name}"),
    }


def spec_of(row: Row[Any]) -> StoredSpec:
    """The value of a row of `specs`."""
    return StoredSpec(row.digest, row.name, row.version, row.text, row.path, decode(row.children))


def execution_row(execution: StoredExecution) -> dict[str, Any]:
    """The columns of a row of `executions` that the value gives."""
    return {
        "id": execution.id,
        "workflow": execution.workflow,
        "version": execution.version,
        "digest": execution.digest,
        "root": execution.root,
        "status": execution.status,
        "input": encode(execution.input, of="the input"),
        "output": encode(execution.output, of="the output"),
        "error": encode(execution.error, of="the error"),
        "origin": execution.origin,
        "started_at": execution.started_at,
        "ended_at": execution.ended_at,
        "owner": execution.owner,
        "epoch": execution.epoch,
        "head": execution.head,
        "parent": execution.parent,
        "parent_key": execution.parent_key,
        "labels": encode(execution.labels, of="the labels"),
    }


def execution_of(row: Row[Any]) -> StoredExecution:
    """The value of a row of `executions`."""
    return StoredExecution(
        id=row.id,
        workflow=row.workflow,
        version=row.version,
        digest=row.digest,
        root=row.root,
        status=row.status,
        input=decode(row.input),
        output=decode(row.output),
        error=decode(row.error),
        origin=row.origin,
        started_at=row.started_at,
        ended_at=row.ended_at,
        owner=row.owner,
        epoch=row.epoch,
        head=row.head,
        parent=row.parent,
        parent_key=row.parent_key,
        labels=decode(row.labels),
    )


def message_row(message: Message) -> dict[str, Any]:
    """The columns of a row of `messages` that the value gives."""
    return {
        "id": message.id,
        "execution_id": message.execution,
        "name": message.name,
        "correlation": encode(message.correlation, of="the correlation"),
        "data": encode(message.data, of="the message"),
        "at": message.at,
    }


def message_of(row: Row[Any]) -> Message:
    """The value of a row of `messages`."""
    return Message(
        id=row.id,
        name=row.name,
        correlation=decode(row.correlation),
        data=decode(row.data),
        at=row.at,
        execution=row.execution_id,
    )


def event_rows(records: Sequence[Record], previous: bytes) -> list[dict[str, Any]]:
    """The rows of consecutive events of one execution; `previous` is the hash before them."""
    rows = []
    for record in records:
        at = float(record.at)  # an int would come back as a float, with another hash
        data = encode(record.data, of=f"the value of event {record.type} of '{record.step or ''}'")
        columns = (record.seq, record.type, record.step, record.attempt, at)
        previous = link(previous, record.execution, columns, data)
        rows.append(
            {
                "execution_id": record.execution,
                "seq": record.seq,
                "type": record.type,
                "step": record.step,
                "attempt": record.attempt,
                "at": at,
                "data": data,
                "hash": previous,
                "completes": completes(record),
                "superseded": False,
            }
        )
    return rows


def head_row(last: Mapping[str, Any]) -> dict[str, Any]:
    """What the row of the execution keeps of its last event; parameters of an update."""
    return {"of": last["execution_id"], "head": last["seq"], "head_hash": last["hash"]}


def change_row(change: Change, owner: str | None) -> dict[str, Any]:
    """What a change sets in the row of its execution, which loses its owner at its end."""
    return {
        "of": change.execution,
        "status": change.status,
        "output": encode(change.output, of="the output"),
        "error": encode(change.error, of="the error"),
        "origin": change.origin,
        "ended_at": change.ended_at,
        "owner": None if change.status in ENDED else owner,
    }
