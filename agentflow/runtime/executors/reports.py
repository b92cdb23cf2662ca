"""Between the orchestrator's words, tasks and reports, and the workers'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agentflow.runtime.executors.calls import Call
from agentflow.runtime.executors.protocol import Report, Task


def call_of(task: Task) -> Call:
    """What a worker must know of a task."""
    return Call(
        task.function,
        task.root,
        task.execution,
        task.workflow,
        task.key,
        task.attempt,
        task.secrets,
        task.timeout,
    )


def joined(reports: Sequence[Report]) -> list[Report]:
    """Reports with neighbours of one stream, or of one output, put together."""
    result: list[Report] = []
    for report in reports:
        last = result[-1] if result else None
        if (
            last is not None
            and report.kind in {"yielded", "printed"}
            and (last.kind, last.execution, last.key, last.attempt)
            == (report.kind, report.execution, report.key, report.attempt)
        ):
            values = [*last.values, *(report.values or ())] if last.values is not None else None
            result[-1] = replace(last, values=values, lines=last.lines + report.lines)
        else:
            result.append(report)
    return result
