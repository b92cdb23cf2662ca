"""The words that describe a step's progress; how they reach a screen is the views' business."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentflow.cli import text
from agentflow.runtime.journal.protocol import ENDED

if TYPE_CHECKING:
    from agentflow.cli.progress import Progress, Retrying, State, StepProgress, Waiting

MARKS: dict[State, str] = {
    "pending": "·",
    "running": "▶",
    "succeeded": "✓",
    "skipped": "-",
    "failed": "✗",
    "cancelled": "⊘",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the live table."""

    state: State | None
    """`None`: a line that stands for several steps."""
    name: str
    share: float | None = None
    """How much of a map is done, from 0 to 1, while it runs."""
    count: str = ""
    detail: str = ""
    time: str = ""


def table(progress: Progress, now: float, height: int) -> list[Row]:
    """The steps as rows, at most `height` of them: what runs, and its neighbours."""
    steps = progress.steps
    first, room = _window(progress, height)
    over = progress.status in ENDED
    rows = [
        _row(step, steps[place - 1] if place else None, now, over=over)
        for place, step in enumerate(steps[first : first + room], first)
    ]
    after = len(steps) - first - room
    head = [Row(None, f"… {text.counted(first, 'step')} before")] if first else []
    tail = [Row(None, f"… {text.counted(after, 'more step')}")] if after > 0 else []
    return [*head, *rows, *tail]


def _window(progress: Progress, height: int) -> tuple[int, int]:
    """Which steps are shown: the place of the first, and how many."""
    steps = progress.steps
    if len(steps) <= height:
        return 0, len(steps)
    room = max(height - 2, 1)
    busy = (i for i, step in enumerate(steps) if step.state in ("running", "failed", "cancelled"))
    middle = next(busy, len(steps) - 1 if progress.status == "succeeded" else 0)
    return min(max(middle - room // 2, 0), len(steps) - room), room


def ending(step: StepProgress) -> str:
    """How a step ended, in a line: `succeeded 18.9s, 40 items, 1 retry`."""
    took = _took(step, step.ended)
    return ", ".join([f"{step.state} {took}".rstrip(), *details(step)])


def details(step: StepProgress) -> list[str]:
    """What else there is to say of a step: `["40 items", "1 retry"]`."""
    items = step.items
    parts = []
    if items is not None and step.state == "succeeded":
        parts.append(text.counted(items.done, "item"))
    elif items is not None:
        parts.append(counted(step))
    parts += busy(step)
    if step.retries:
        parts.append("1 retry" if step.retries == 1 else f"{step.retries} retries")
    return parts


def counted(step: StepProgress) -> str:
    """How many items are done, of how many: `27/40`."""
    items = step.items
    if items is None:
        return ""
    return f"{items.done}/{items.total}" if items.total is not None else f"{items.done} done"


def busy(step: StepProgress) -> list[str]:
    """What a step is busy with: `["8 running", "1 retrying"]`; how far a pipeline's stages are."""
    parts = []
    if step.items is not None and step.state == "running" and len(step.items.stages) > 1:
        parts += [f"{stage} {count}" for stage, count in step.items.stages.items()]
    if step.running:
        parts.append(f"{step.running} running")
    if step.retrying:
        parts.append(f"{len(step.retrying)} retrying")
    if step.items is not None and step.items.failed:
        parts.append(f"{len(step.items.failed)} failed")
    if step.waits:
        parts.append(f"waits for {next(reversed(step.waits.values()))}")
    return parts


def retrying(happening: Retrying) -> str:
    """`2/3 in 2s: RateLimitError: 429 Too Many Requests`."""
    limit = happening.attempts
    of = f"/{limit}" if limit is not None and happening.attempt <= limit else ""
    seconds = round(happening.delay, 1)
    delay = f" in {seconds:g}s" if seconds > 0 else ""
    return f"{happening.attempt}{of}{delay}: {error_line(happening.error)}"


def waiting(happening: Waiting, execution: str) -> str:
    """What a step waits for, and the command that answers it."""
    if happening.approval:
        return f"waits for approval: agentflow approve {execution} {happening.name}"
    return f"waits for a message: agentflow signal {execution} {happening.name}"


def error_line(error: object) -> str:
    """An error's name and message on one line."""
    if not isinstance(error, dict):
        return "unknown error"
    message = text.printable(" ".join(str(error.get("message", "")).split()))
    if len(message) > 160:
        message = message[:159] + "…"
    return f"{error.get('name')}: {message}" if message else f"{error.get('name')}"


def _row(step: StepProgress, before: StepProgress | None, now: float, *, over: bool) -> Row:
    if step.state == "pending":
        waits = f"waits for {before.id}" if before is not None else ""
        return Row("pending", step.id, detail="not started" if over else waits)
    if step.state == "running":
        return _running(step, now)
    if step.state == "skipped":
        return Row("skipped", step.id, detail="skipped")
    detail = " · ".join(details(step))
    return Row(step.state, step.id, detail=detail, time=_took(step, step.ended))


def _running(step: StepProgress, now: float) -> Row:
    items = step.items
    share = None
    detail = busy(step)
    if items is not None and items.total:
        share = min((items.done + len(items.failed)) / items.total, 1.0)
        if share == 1.0 and step.running:
            detail = ["reducing"]
    return Row("running", step.id, share, counted(step), " · ".join(detail), _took(step, now))


def _took(step: StepProgress, until: float | None) -> str:
    if step.started is None or until is None:
        return ""
    return text.duration(until - step.started)
