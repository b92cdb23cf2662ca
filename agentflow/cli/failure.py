"""Why an execution failed, for the person who will mend it: the cause first, then what to do."""

from __future__ import annotations

import linecache
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agentflow.cli import places, rows, text
from agentflow.errors import ExecutionFailed
from agentflow.runtime.machine.protocol import outcomes_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agentflow.cli.places import Place
    from agentflow.errors import Json, Span
    from agentflow.runtime.journal.protocol import Record, StoredExecution
    from agentflow.spec.model import Retry, Workflow

_FRAMES = 5
"""The innermost frames are shown; the mistake is rarely further out."""
_LINES = 12
"""Lines of a long message."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One failed attempt of the call that failed in the end."""

    number: int
    at: float
    trace: Json


@dataclass(frozen=True, slots=True)
class Failure:
    """What is known about a failed execution."""

    error: dict[str, Json]
    origin: str | None
    """The key of the step the error came from."""
    place: Place | None
    excerpt: str
    """The line of the spec where the step stands."""
    attempts: tuple[Attempt, ...]
    arguments: Json
    """What the failed call was called with, where known."""
    kept: int
    """Results that a retry would keep; 0 where a retry cannot help."""


def explain(
    record: StoredExecution,
    history: Sequence[Record],
    workflow: Workflow | None,
    source: str,
    arguments: Json = None,
    *,
    kept: int = 0,
) -> Failure:
    """Gather what a failed execution's record, history and spec (`source` is its text) say.

    `kept` is how many results a retry would keep.
    """
    origin = record.origin
    place = places.find(workflow, origin) if workflow is not None and origin else None
    excerpt = "" if place is None else _line(place.span, source, record.root)
    counting = [event for event in history if not event.superseded]
    attempts = tuple(_attempts(counting, origin)) if origin else ()
    return Failure(record.error, origin, place, excerpt, attempts, arguments, kept)


def results(history: Sequence[Record]) -> int:
    """How many results a history holds."""
    return sum(_results(record) for record in history if not record.superseded)


def kept_words(number: int) -> str:
    """What that means for the user."""
    which = "1 result is" if number == 1 else f"{number} results are"
    return f"{which} in the journal and will not run again"


def render(failure: Failure, root: str) -> str:
    """The failure as text; files inside `root` are named from there."""
    lines_of_message = str(failure.error.get("message", "")).expandtabs(4).splitlines() or [""]
    message, *more = map(text.printable, lines_of_message[: _LINES + 1])
    step = f"step `{failure.origin}` failed: " if failure.origin else ""
    name = str(failure.error.get("name"))
    lines = [f"error[{ExecutionFailed.code}]: {step}{name}{': ' if message else ''}{message}"]
    lines += [f"   |  {line}" for line in more]
    if failure.place is not None:
        called = f"  (calls {failure.place.function})" if failure.place.function else ""
        lines.append(f"  --> {failure.place.span}{called}")
    lines += _code(failure, root)
    lines += [f"   = {topic:<7} {words}" for topic, words in _facts(failure)]
    return "\n".join(lines)


def _line(span: Span, source: str, root: str) -> str:
    """The line where a step stands: in its spec, or in the Python file it was compiled from."""
    if span.file.endswith(".py"):
        inside = linecache.getline(str(Path(root, span.file)), span.line)
        return (inside or linecache.getline(span.file, span.line)).rstrip("\n")
    lines = source.splitlines()
    return lines[span.line - 1] if span.line <= len(lines) else ""


def _code(failure: Failure, root: str) -> list[str]:
    """The user's own frames, or else the line of the spec."""
    trace = failure.attempts[-1].trace if failure.attempts else None
    if trace:
        body = [line for frame in trace[-_FRAMES:] for line in _frame(frame, root)]
    elif failure.place is not None and failure.excerpt:
        caret = " " * (failure.place.span.column - 1) + "^"
        body = [f"   |  {failure.excerpt}", f"   |  {caret}"]
    else:
        return []
    return ["   |", *body, "   |"]


def _frame(frame: Json, root: str) -> list[str]:
    file = Path(frame["file"])
    shown = file.relative_to(root) if file.is_relative_to(root) else file
    lines = [f"   |  {shown}:{frame['line']}  in {frame['function']}"]
    if frame.get("code"):
        lines.append(f"   |      {str(frame['code']).strip()}")
    return lines


def _facts(failure: Failure) -> Iterator[tuple[str, str]]:
    cause = failure.error.get("cause")
    if cause:
        yield "cause", rows.error_line(cause)
    if failure.error.get("data") is not None:
        yield "data", text.shortened(failure.error["data"])
    if failure.attempts:
        retry = failure.place.retry if failure.place is not None else None
        yield "attempt", _tries(failure.attempts, retry)
    if failure.arguments is not None:
        yield "input", text.shortened(failure.arguments)
    if failure.kept:
        yield "kept", kept_words(failure.kept)


def _tries(attempts: Sequence[Attempt], retry: Retry | None) -> str:
    tried = [f"{attempt.number} {text.clock(attempt.at)}" for attempt in attempts]
    if len(tried) > 6:
        tried = [*tried[:3], *tried[-2:]]
    policy = ""
    if retry is not None and retry.max_attempts > 1:
        policy = f" (interval {retry.interval:g}s, max {retry.max_attempts})"
    return ", attempt ".join(tried) + policy


_ITEM = re.compile(r"(.*)\[(\d+)\](\.[^.\[\]]+|)")
"""The key of an item: owner, index, and the stage if the owner is a pipeline."""
_BATCH = re.compile(r"(.*)\[(\d+):(\d+)\](\.[^.\[\]]+|)")


def _attempts(history: Sequence[Record], origin: str) -> Iterator[Attempt]:
    item = _ITEM.fullmatch(origin)
    for record in history:
        if record.type == "call.failed" and record.step == origin:
            yield Attempt(record.attempt or 1, record.at, record.data.get("trace"))
        elif record.type == "batch.completed" and item is not None:
            outcome = _outcome(record, item[1], int(item[2]), item[3])
            if outcome is not None and "error" in outcome:
                yield Attempt(record.attempt or 1, record.at, outcome.get("trace"))


def _outcome(record: Record, owner: str, index: int, stage: str) -> Json:
    """What became of an item in a batch; `None` if it was not in it."""
    batch = _BATCH.fullmatch(record.step or "")
    if batch is None or (batch[1], batch[4]) != (owner, stage):
        return None
    first, last = int(batch[2]), int(batch[3])
    return outcomes_of(record.data)[index - first] if first <= index < last else None


def _results(record: Record) -> int:
    match record.type:
        case "call.completed":
            return 1
        case "batch.completed":
            return sum("value" in outcome for outcome in outcomes_of(record.data))
        case "child.ended":
            return int(record.data["status"] == "succeeded")
        case _:
            return 0
