"""Rewriting a workflow until a target can say it.

`PASSES` is the whole pipeline, in order. A pass is a function from workflow to workflow, and what
it gives means the same: its tests run both on the machine and compare the outcomes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from agentflow.adapters.lowering.limits import block_timeouts, is_timed
from agentflow.adapters.lowering.lists import pipelines, reductions
from agentflow.adapters.lowering.steps import attempts, conditions, defaults, handlers
from agentflow.adapters.target import Capabilities, Feature
from agentflow.spec.model import Action, Call, Map, Pipeline, Step, Workflow


@dataclass(frozen=True, slots=True)
class Pass:
    """One rewriting, and what it makes go away."""

    replaces: type[Action] | Feature | None
    """`None`: it runs for every target."""
    rewrite: Callable[[Workflow], Workflow]


PASSES: tuple[Pass, ...] = (
    Pass("block timeout", block_timeouts),
    Pass(Pipeline, pipelines),
    Pass(None, defaults),
    Pass("reduce", reductions),
    Pass("attempts", attempts),
    Pass("handlers", handlers),
    Pass("condition", conditions),
)


def lower(workflow: Workflow, capabilities: Capabilities) -> Workflow:
    """The workflow without what the target only has by way of something else."""
    for each in PASSES:
        if each.replaces is None or capabilities.lowers(each.replaces):
            workflow = each.rewrite(workflow)
    return workflow


_FIELDS: Final[Mapping[Feature, str]] = {
    "reduce": "reduce",
    "attempts": "retry",
    "block timeout": "timeout",
}
"""What an author calls what is told of."""


def told(step: Step, capabilities: Capabilities) -> list[str]:
    """What the passes make of a step as its author wrote it, in the words of the target's tables.

    `if` and `catch` are not told: what they become says nothing that their author did not say.
    """
    map_ = step.action if isinstance(step.action, Map) else None
    is_call = isinstance(step.action, Call) or (map_ is not None and isinstance(map_.body, Call))
    carried: dict[Feature, bool] = {
        "reduce": map_ is not None and map_.reduce is not None,
        "attempts": step.retry is not None and not is_call,
        "block timeout": step.timeout is not None and not is_timed(step),
    }
    lowered = [each for each, there in carried.items() if there and capabilities.lowers(each)]
    kind = type(step.action)
    found = [capabilities.steps[kind].how] if capabilities.lowers(kind) else []
    found += [f"{_FIELDS[each]}: {capabilities.features[each].how}" for each in lowered]
    if map_ is not None and map_.batch is not None and map_.tolerate and "reduce" in lowered:
        found.append("batch: items are called one by one, so that null is told from a failed item")
    return found
