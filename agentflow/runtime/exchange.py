"""Between the machine's words and the executor's: commands become tasks, reports become events."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from itertools import groupby

from agentflow.runtime.executors.protocol import Report, Task
from agentflow.runtime.live import Live
from agentflow.runtime.machine.protocol import (
    BatchCompleted,
    CallCompleted,
    CallFailed,
    Event,
    Invoke,
    InvokeBatch,
    OpenStream,
    StreamYielded,
)


def child_id(parent: str, key: str) -> str:
    """The id of the execution that a `run` step starts: the same however often it is started."""
    return f"{parent}-{hashlib.blake2b(key.encode(), digest_size=4).hexdigest()}"


def unwanted_by(parent: str) -> str:
    """Why a child is cancelled whose parent has no use for it any more."""
    return f"no longer wanted by {parent}"


def event_of(report: Report, at: float) -> Event:
    """What a report tells the machine."""
    match report.kind:
        case "completed":
            return CallCompleted(at, report.key, report.attempt, report.value)
        case "failed":
            return CallFailed(at, report.key, report.attempt, report.error, report.trace)
        case "batch":
            return BatchCompleted(at, report.key, report.attempt, report.values, report.elapsed)
        case "yielded":
            return StreamYielded(at, report.key, report.attempt, report.values)
        case _:
            raise AssertionError(report.kind)


def joined_values(arrived: list[tuple[str, Event]]) -> list[tuple[str, Event]]:
    """The events of a turn, with neighbouring values of one stream in one event."""
    result: list[tuple[str, Event]] = []
    for _, group in groupby(arrived, key=_stream_of):
        members = list(group)
        given = [event for _, event in members if isinstance(event, StreamYielded)]
        if len(given) > 1:
            values = [value for event in given for value in event.values]
            members = [(members[0][0], replace(given[0], values=values))]
        result.extend(members)
    return result


def _stream_of(arrived: tuple[str, Event]) -> tuple[str, str, int] | None:
    execution, event = arrived
    return (execution, event.key, event.attempt) if isinstance(event, StreamYielded) else None


def task_of(live: Live, command: Invoke | InvokeBatch | OpenStream) -> Task:
    """What a command asks of the executor."""
    workflow = live.spec.workflow
    kind, demand, skip = "call", 0, 0
    calls = command.calls if isinstance(command, InvokeBatch) else [command.arguments]
    if isinstance(command, InvokeBatch):
        kind = "batch"
    elif isinstance(command, OpenStream):
        kind, demand, skip = "stream", command.demand, command.skip
    return Task(
        execution=live.id,
        key=command.key,
        attempt=command.attempt,
        kind=kind,  # type: ignore[arg-type]  # one of the three literals
        function=command.function,
        calls=calls,
        root=str(live.spec.root),
        workflow=workflow.name,
        timeout=command.timeout,
        resources=command.resources,
        secrets=workflow.secrets,
        demand=demand,
        skip=skip,
        at_most_once=isinstance(command, Invoke) and command.at_most_once,
        in_turn=isinstance(command, InvokeBatch) and command.in_turn,
        agent_key=command.agent_key if isinstance(command, Invoke) else None,
    )
