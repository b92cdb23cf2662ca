"""Time limits that a state machine cannot keep, refused."""

from __future__ import annotations

from agentflow.adapters.lowering.limits import cleans_up, is_timed
from agentflow.adapters.refusals import Refusals
from agentflow.spec.model import Run, Step, Workflow


def check_timeout(step: Step, workflow: Workflow, refusals: Refusals) -> None:
    """Refuse the time limit of a block that could not be taken out, or of what cleans up."""
    if step.timeout is None:
        return
    if not is_timed(step):
        refusals.refuse(
            "AF602",
            f"`{step.id}` has a time limit for a block that cannot run on its own",
            step.span,
            "it sets names outside, returns from the workflow, reads `execution`, or cleans up "
            "when it is stopped",
            "put the limit on the calls inside, or let the block give back a result",
        )
    elif isinstance(step.action, Run):
        child = workflow.children[step.action.workflow]
        if cleans_up(child.do, child.children):
            refusals.refuse(
                "AF602",
                f"`{step.id}` has a time limit for `{child.name}`, which cleans up",
                step.span,
                "an execution that is stopped does nothing more: no `finally`, no compensation",
                "put the limit on the calls inside it",
            )
