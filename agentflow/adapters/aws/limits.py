"""The limits of Step Functions, and how much of them a workflow uses, as far as can be told.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from agentflow.adapters.aws.distributed import INLINE_CONCURRENCY, is_distributed
from agentflow.adapters.aws.settings import Settings
from agentflow.adapters.aws.writer import Writer
from agentflow.adapters.report import Limit
from agentflow.errors import Span
from agentflow.functions.durations import parse_duration
from agentflow.spec.expressions.template import Expression
from agentflow.spec.model import (
    Block,
    Call,
    Fork,
    Loop,
    Map,
    Pipeline,
    States,
    Step,
    Wait,
    Workflow,
)
from agentflow.spec.survey import inner_blocks, steps

DEFINITION = 1_048_576
"""Characters of a definition."""
PAYLOAD = 262_144
"""Bytes of an input, output or variable."""
HISTORY = 25_000
"""Events of a Standard execution."""
WIDE = 10_000
"""Child executions of a Distributed Map at once."""
YEAR = 365 * 24 * 3600
"""Seconds of a Standard execution."""
EXPRESS = 300
"""Seconds of an Express execution."""
INVOCATION = 900
"""Seconds of a Lambda invocation.

Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""
PER_TASK = 5
"""Events of one Lambda task: entered, scheduled, started, succeeded, exited."""


def check_limits(w: Writer, workflow: Workflow, text: str) -> None:
    """Note the limits, and refuse what is surely over one.

    `workflow` is as its author wrote it, `text` the definition without blanks and breaks.
    """
    size = len(text)
    w.report.limits += [
        Limit("definition, characters", size, DEFINITION, "as it is deployed, without blanks"),
        Limit("input, output or variable, bytes", None, PAYLOAD, "each value"),
        _history(w, workflow),
        *_concurrency(w),
    ]
    for step in steps(workflow.do):
        _check_step(w, step)
    if size > DEFINITION:
        w.refusals.refuse(
            "AF603",
            f"the definition has {size:,} characters",
            w.workflow.span,
            f"Step Functions takes {DEFINITION:,}",
            "move parts to workflows of their own and `run` them; declare the types of the input, "
            "which makes expressions short",
        )


def _check_step(w: Writer, step: Step) -> None:
    """Refuse what a step says that can never be; tell of a time limit that has no effect."""
    longest, what = (
        (EXPRESS, "an Express") if w.settings.kind == "express" else (YEAR, "a Standard")
    )
    wait = step.action.until if isinstance(step.action, Wait) else None
    duration = parse_duration(wait) if isinstance(wait, str) else wait
    if isinstance(duration, int | float) and duration > longest:
        w.refusals.refuse(
            "AF603",
            f"`{step.id}` waits {duration:,.0f} seconds",
            step.span,
            f"{what} execution ends after {longest:,} seconds",
            "let something else start a new execution then, such as EventBridge Scheduler",
        )
    size = _literal(step.action)
    if size > PAYLOAD:
        w.refusals.refuse(
            "AF603",
            f"`{step.id}` has {size:,} bytes of values",
            step.span,
            f"an input, output or variable of Step Functions has {PAYLOAD:,} at most",
            "keep them in a file that a function reads",
        )
    called = step.action.body if isinstance(step.action, Map) else step.action
    limit = step.timeout
    if isinstance(called, Call) and isinstance(limit, int | float) and limit > INVOCATION:
        w.note(f"`{step.id}` may take {limit:,.0f} seconds, a Lambda function {INVOCATION} at most")


def _literal(part: object) -> int:
    """Bytes of the texts that a part of a workflow has as they are; inner steps are apart."""
    match part:
        case str():
            return len(part.encode(errors="replace"))
        case dict():
            return sum(map(_literal, part.values()))
        case list() | tuple():
            return sum(map(_literal, part))
        case Block() | Expression() | Span():
            return 0
    if is_dataclass(part):
        return sum(_literal(getattr(part, each.name)) for each in fields(part))
    return 0


def _history(w: Writer, workflow: Workflow) -> Limit:
    if w.settings.kind == "express":
        return Limit("duration, seconds", None, EXPRESS, "an Express execution")
    every = list(_own_steps(w.workflow.do, w.settings))
    at_least = PER_TASK * len(every)
    written = _own_steps(workflow.do, w.settings)
    repeats = [each.id for each in written if _repeats(each, w.settings)]
    forks = sum(isinstance(each.action, Fork) for each in every)
    if repeats:
        shown = ", ".join(dict.fromkeys(repeats[:3]))
        note = f"about {PER_TASK} for each step and round; `{shown}` repeat with the data"
        return Limit("history, events", None, HISTORY, note)
    return Limit("history, events", at_least + 2 * forks, HISTORY, "about, without retries")


def _own_steps(block: Block, settings: Settings) -> Iterator[Step]:
    """The steps whose events are in this history: not those of child executions."""
    for step in block.steps:
        yield step
        if not (isinstance(step.action, Map) and is_distributed(step.action, settings)):
            for inner in inner_blocks(step):
                yield from _own_steps(inner.block, settings)


def _repeats(step: Step, settings: Settings) -> bool:
    if isinstance(step.action, Map):
        return not is_distributed(step.action, settings)
    return isinstance(step.action, Loop | Pipeline | States)


def _concurrency(w: Writer) -> Iterator[Limit]:
    """How many items run at once in the widest map of each kind."""
    maps = [each.action for each in steps(w.workflow.do) if isinstance(each.action, Map)]
    kinds = ((False, INLINE_CONCURRENCY, "inline"), (True, WIDE, "distributed"))
    for is_wide, allowed, how in kinds:
        found = [each.concurrency for each in maps if is_distributed(each, w.settings) == is_wide]
        if found:
            known = [each for each in found if each is not None]
            used = min(max(known), allowed) if len(known) == len(found) else None
            yield Limit(f"items of a map at once, {how}", used, allowed)
