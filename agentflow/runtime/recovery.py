"""Bringing an execution back from its history, and finding where a failed one can go on."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agentflow.errors import Conflict
from agentflow.runtime.journal.protocol import (
    ENDED,
    FORKED,
    RETRIED,
    Record,
    StoredExecution,
)
from agentflow.runtime.live import Live
from agentflow.runtime.machine import Machine, Program
from agentflow.runtime.machine.pipeline import PipelineFrame
from agentflow.runtime.machine.protocol import EVENTS, Command, Event, restore
from agentflow.spec.load import Loaded


def rebuild(
    program: Program,
    records: Sequence[Record],
    observe: Callable[[Event, list[Command]], None] = lambda event, commands: None,
) -> Machine:
    """The machine that these records lead to; `observe` sees each event and what it led to."""
    machine = Machine(program)
    forgiven = {
        record.data["forgives"]: record.at
        for record in records
        if record.type == RETRIED and not record.superseded and record.data["forgives"]
    }
    for record in records:
        if record.superseded:
            continue
        if record.type in {RETRIED, FORKED}:
            machine.renew(record.at)
        if record.type not in EVENTS:
            continue
        event = restore(record.type, record.at, record.step, record.attempt, record.data)
        if record.seq in forgiven:
            observe(event, machine.forgive(event, forgiven[record.seq]))
        else:
            observe(event, machine.advance(event))
    return machine


def brought_back(
    stored: StoredExecution,
    epoch: int,
    loaded: Loaded,
    program: Program,
    records: Sequence[Record],
) -> Live:
    """An execution as it stood when its last record was written, owned under an epoch."""
    machine = rebuild(program, records)
    live = Live(
        stored.id,
        loaded,
        machine,
        epoch,
        records[-1].seq,
        status=stored.status,
        unopened={key for key, at in machine.pending.items() if isinstance(at, PipelineFrame)},
        parent=parent_of(stored),
    )
    live.received.update(
        record.data["message"]
        for record in records
        if record.type == "cancel.requested"
        or (record.type == "message.received" and not record.superseded)
    )
    return live


def parent_of(stored: StoredExecution) -> tuple[str, str] | None:
    """The execution whose `run` step started this one, and that step's key."""
    if stored.parent is None or stored.parent_key is None:
        return None
    return stored.parent, stored.parent_key


def require_open(stored: StoredExecution) -> None:
    """Refuse to change what has ended.

    Raises:
        Conflict: it has.
    """
    if stored.status in ENDED:
        became = "been cancelled" if stored.status == "cancelled" else stored.status
        raise Conflict(
            f"execution {stored.id} has already {became}", help=f"agentflow show {stored.id}"
        )


@dataclass(frozen=True, slots=True)
class RetryPoint:
    """Where a retry goes on."""

    from_seq: int
    """Events from here on are set aside."""
    forgives: int | None = None
    """The failure just before them that is a reason for one more attempt."""
    child: str | None = None
    """The key of the `run` step whose child has to be retried first."""


def retry_point(execution: StoredExecution, records: Sequence[Record]) -> RetryPoint:
    """Where an execution that failed or was cancelled can go on.

    Raises:
        Conflict: it cannot; the message says why.
    """
    current = [record for record in records if not record.superseded]
    if execution.status == "cancelled":
        point = _cancellation(current)
    elif execution.status == "failed":
        point = _failure(execution, current)
    else:
        raise Conflict(
            f"execution {execution.id} is {execution.status}, there is nothing to retry",
            help=f"agentflow show {execution.id}",
        )
    undone = [
        record.step
        for record in current
        if record.seq >= point.from_seq and (record.step or "").endswith(".compensate")
    ]
    if undone:
        raise Conflict(
            f"the saga of execution {execution.id} has been undone (`{undone[0]}`), "
            "so its steps cannot be kept",
            help="start a new execution",
        )
    return point


def kept_by(point: RetryPoint, records: Sequence[Record]) -> list[Record]:
    """What a retry does not set aside."""
    return [record for record in records if record.seq < point.from_seq]


def cancel_reason(records: Sequence[Record]) -> str:
    """Why an execution was cancelled first; empty if it was not, or nobody said."""
    asked = (record.data["reason"] for record in records if record.type == "cancel.requested")
    return str(next(asked, ""))


def _cancellation(records: Sequence[Record]) -> RetryPoint:
    return RetryPoint(next(r.seq for r in records if r.type == "cancel.requested"))


def _failure(execution: StoredExecution, records: Sequence[Record]) -> RetryPoint:
    origin = execution.origin or ""
    for record in reversed(records):
        match record.type:
            case "call.failed" if record.step == origin or _carries(record.step, origin):
                return RetryPoint(record.seq + 1, forgives=record.seq)
            case "batch.completed" if _carries(record.step, origin):
                return RetryPoint(record.seq + 1, forgives=record.seq)
            case "timer.fired" if _ran_out(execution) and _step_of(record) == origin:
                return RetryPoint(record.seq + 1, forgives=record.seq)
            case "child.ended" if record.step == origin:
                return RetryPoint(record.seq, child=origin)
    raise Conflict(
        f"execution {execution.id} failed in the workflow itself, at `{origin or 'the top'}`: "
        f"{execution.error['name']}: {execution.error['message']}; a retry would give the same",
        help="mend the spec or the input and start a new execution",
    )


def _ran_out(execution: StoredExecution) -> bool:
    """Whether a time limit may have ended it; other errors at the top have no step either."""
    return bool(execution.origin) or execution.error["name"] == "Timeout"


def _step_of(timer: Record) -> str:
    """The key of the step whose time ran out; that of the workflow is empty."""
    return _TIMEOUT.sub("", timer.step or "")


_TIMEOUT = re.compile(r"(~\d+)?@timeout$")
"""What the key of an attempt's timeout has beside the key of its step."""
_ITEM = re.compile(r"(.*)\[(\d+)\](\.[^.\[\]]+)?")
_BATCH = re.compile(r"(.*)\[(\d+):(\d+)\](\..+)?")


def _carries(batch: str | None, item: str) -> bool:
    """Whether a batch's key covers an item's: `counts[0:64]` carries `counts[17]`."""
    one, many = _ITEM.fullmatch(item), _BATCH.fullmatch(batch or "")
    if one is None or many is None or (one[1], one[3]) != (many[1], many[4]):
        return False
    return int(many[2]) <= int(one[2]) < int(many[3])
