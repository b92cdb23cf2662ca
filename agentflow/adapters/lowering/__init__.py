"""Rewriting a workflow until a target can say it.

`PASSES` is the whole pipeline, in order. A pass is a function from workflow to workflow, and what
it gives means the same: its tests run both on the machine and compare the outcomes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agentflow.adapters.lowering.limits import block_timeouts
from agentflow.adapters.lowering.lists import pipelines, reductions
from agentflow.adapters.lowering.steps import attempts, conditions, defaults, handlers
from agentflow.adapters.target import Capabilities, Feature
from agentflow.spec.model import Action, Pipeline, Workflow


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
