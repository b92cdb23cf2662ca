"""The limits of Step Functions, and how much of them a workflow uses, as far as can be told.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
"""

from __future__ import annotations

from agentflow.adapters.aws.writer import Writer
from agentflow.adapters.report import Limit
from agentflow.spec.model import Fork, Loop, Map, States
from agentflow.spec.survey import steps

DEFINITION = 1_048_576
"""Characters of a definition."""
PAYLOAD = 262_144
"""Bytes of an input, output or variable."""
HISTORY = 25_000
"""Events of a Standard execution."""
PER_TASK = 5
"""Events of one Lambda task: entered, scheduled, started, succeeded, exited."""


def check_limits(w: Writer, text: str) -> None:
    """Note the limits, and refuse what is surely over one; `text` is without blanks and breaks."""
    size = len(text)
    w.report.limits += [
        Limit("definition, characters", size, DEFINITION, "as it is deployed, without blanks"),
        Limit("input, output or variable, bytes", None, PAYLOAD, "each value"),
        _history(w),
    ]
    if size > DEFINITION:
        w.refusals.refuse(
            "AF603",
            f"the definition has {size:,} characters",
            w.workflow.span,
            f"Step Functions takes {DEFINITION:,}",
            "move parts to workflows of their own and `run` them; declare the types of the input, "
            "which makes expressions short",
        )


def _history(w: Writer) -> Limit:
    if w.settings.kind == "express":
        return Limit("duration, seconds", None, 300, "an Express execution")
    every = list(steps(w.workflow.do))
    at_least = PER_TASK * len(every)
    repeats = [each.id for each in every if isinstance(each.action, Loop | Map | States)]
    forks = sum(isinstance(each.action, Fork) for each in every)
    if repeats:
        shown = ", ".join(dict.fromkeys(repeats[:3]))
        note = f"about {PER_TASK} for each step and round; `{shown}` repeat with the data"
        return Limit("history, events", None, HISTORY, note)
    return Limit("history, events", at_least + 2 * forks, HISTORY, "about, without retries")
