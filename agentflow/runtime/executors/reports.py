"""Between the orchestrator's words, tasks and reports, and the workers': jobs and frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from agentflow.errors import Json
from agentflow.functions.encoding import decode, dump
from agentflow.runtime.executors.calls import Call
from agentflow.runtime.executors.protocol import Report, Task
from agentflow.runtime.executors.wire import SECONDS, Job, Kind, Shape

_SHAPES = {"call": Shape.CALL, "batch": Shape.BATCH, "stream": Shape.STREAM}


def call_of(task: Task) -> Call:
    """What a worker must know of a task."""
    return Call(*_about(task))


def job_of(id: int, task: Task) -> Job:
    """A task as a job for a worker pool."""
    shape = _SHAPES[task.kind]
    body = list(task.calls) if shape is Shape.BATCH else task.calls[0]
    return Job(
        id,
        shape,
        dump(_about(task)),
        dump(body),
        task.timeout or 0.0,
        task.demand,
        task.skip,
        once=task.at_most_once,
        in_turn=task.in_turn,
    )


def failed(task: Task, error: Json) -> Report:
    """That a task failed, for a reason of the executor's own."""
    about = (task.execution, task.key, task.attempt)
    return Report(*about, "failed", error=error, trace=[])


def report_of(task: Task, kind: Kind, payload: bytes) -> Report:
    """What a frame of a worker pool says about a task."""
    about = (task.execution, task.key, task.attempt)
    match kind:
        case Kind.YIELDED:
            return Report(*about, "yielded", values=decode(b"[" + payload + b"]"))
        case Kind.PRINTED:
            return Report(*about, "printed", lines=(payload.decode(errors="replace"),))
    (elapsed,) = SECONDS.unpack_from(payload)
    said = payload[SECONDS.size :]
    match kind:
        case Kind.COMPLETED:
            return Report(*about, "completed", value=decode(said), elapsed=elapsed)
        case Kind.BATCH:
            return Report(*about, "batch", values=decode(b"[" + said + b"]"), elapsed=elapsed)
    found = decode(said)
    return Report(*about, "failed", error=found["error"], trace=found["trace"], elapsed=elapsed)


def joined(reports: Sequence[Report]) -> list[Report]:
    """Reports with neighbours of one stream, or of one output, put together."""
    result: list[Report] = []
    for (kind, *_), group in groupby(reports, key=_stream_of):
        first, *rest = group
        if rest and kind == "yielded":
            first = replace(first, values=[v for r in (first, *rest) for v in r.values or ()])
        elif rest and kind == "printed":
            first = replace(first, lines=tuple(line for r in (first, *rest) for line in r.lines))
        elif rest:
            result.append(first)
            result.extend(rest[:-1])
            first = rest[-1]
        result.append(first)
    return result


def _stream_of(report: Report) -> tuple[str, str, str, int]:
    return report.kind, report.execution, report.key, report.attempt


def _about(task: Task) -> tuple[str, str, str, str, str, int, tuple[str, ...], float | None]:
    """The fields of a `Call`, in their order."""
    return (
        task.function,
        task.root,
        task.execution,
        task.workflow,
        task.key,
        task.attempt,
        task.secrets,
        task.timeout,
    )
