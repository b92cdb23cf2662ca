"""A pass for time limits of whole blocks: the block becomes a workflow of its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from agentflow.adapters.lowering.rewriting import change_steps, expression, expressions, names
from agentflow.spec.expressions.tree import free_names
from agentflow.spec.model import (
    Block,
    Call,
    Listen,
    Map,
    Return,
    Run,
    Set,
    Step,
    Workflow,
)
from agentflow.spec.survey import inner_blocks, returns, steps


def block_timeouts(workflow: Workflow) -> Workflow:
    """A block with a time limit becomes a child workflow that is run with the limit.

    The child gets what the block reads as its input. A block that sets names of the workflow
    around it, returns from it, or reads `execution` cannot be taken out and stays as it is.
    """
    children = dict(workflow.children)

    def change(step: Step) -> Step:
        if step.timeout is None or is_timed(step) or not _is_separable(step, workflow):
            return step
        name = f"{workflow.name}.{step.id}"
        while name in children:
            name += "_"
        read = _read(step)
        children[name] = _child(name, step, read, workflow)
        given = {each: expression(each, step.span) for each in read}
        return replace(step, action=Run(name, given, step.span))

    changed = change_steps(workflow, change)
    return replace(changed, children=children)


def is_timed(step: Step) -> bool:
    """Whether a step's time limit is that of one piece of work, which every target can bound."""
    if isinstance(step.action, Map):
        return isinstance(step.action.body, Call)
    return isinstance(step.action, Call | Listen | Run)


def _read(step: Step) -> list[str]:
    """The names that a step's action reads and does not bind itself."""
    own = set(names(step.action))
    trees = (each.tree for each in expressions(step.action))
    found = dict.fromkeys(name.name for tree in trees for name in free_names(tree))
    return [name for name in found if name not in own]


def _is_separable(step: Step, workflow: Workflow) -> bool:
    bare = replace(step, catch=())  # handlers run when the time is over
    inside = [each for inner in inner_blocks(bare) for each in steps(inner.block)]
    places = {step.span, *(each.span for each in inside)}
    outside = (each for each in steps(workflow.do) if each.span not in places)
    leaves = isinstance(step.action, Return) or any(
        returns(inner.block) for inner in inner_blocks(bare) if not inner.parallel
    )
    shared = _bound(outside) & _bound(inside)
    return not leaves and not shared and "execution" not in _read(step)


def _bound(every: Iterable[Step]) -> set[str]:
    """The names that steps `set`."""
    return {n for each in every if isinstance(each.action, Set) for n in each.action.names}


def _child(name: str, step: Step, read: list[str], workflow: Workflow) -> Workflow:
    span = step.span
    begin = Set({each: expression(f"input.{each}", span) for each in read})
    work = Step(step.id, step.action, span)
    taken = {*names(step), *read}
    first = "names"
    while first in taken:
        first += "_"
    return Workflow(
        name=name,
        do=Block((Step(first, begin, span), work) if read else (work,)),
        span=span,
        version=workflow.version,
        description=f"`{step.id}` of {workflow.name}, which has a time limit",
        retry=workflow.retry,
        call_timeout=workflow.call_timeout,
        secrets=workflow.secrets,
        concurrency=workflow.concurrency,
        targets=workflow.targets,
        children=dict(workflow.children),
    )
