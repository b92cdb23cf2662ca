"""A pass for time limits of whole blocks: the block becomes a workflow of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace

from agentflow.adapters.lowering.rewriting import change_steps, expression, expressions, names
from agentflow.errors import Span
from agentflow.spec.expressions.template import Expression
from agentflow.spec.expressions.tree import free_names
from agentflow.spec.model import (
    Block,
    Call,
    Listen,
    Map,
    Raise,
    Reduce,
    Return,
    Run,
    Set,
    Step,
    Try,
    Workflow,
)
from agentflow.spec.survey import inner_blocks, returns, steps


def block_timeouts(workflow: Workflow) -> Workflow:
    """A block with a time limit becomes a child workflow that is run with the limit.

    The child gets what the block reads as its input. A block that sets names of the workflow
    around it, returns from it, or reads `execution` cannot be taken out and stays as it is; nor can
    one that cleans up, because nothing of a child runs when its time is over.
    """
    children = dict(workflow.children)

    def change(step: Step) -> Step:
        if step.timeout is None or is_timed(step):
            return step
        if isinstance(step.action, Set | Raise | Return) and isinstance(step.timeout, int | float):
            return replace(step, timeout=None)  # it takes no time
        around = replace(workflow, children=children)
        if not _is_separable(step, around):
            return step
        name = f"{workflow.name}.{step.id}"
        while name in children:
            name += "_"
        read = _read(step)
        children[name] = _child(name, step, read, around)
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
    return [name for name in dict.fromkeys(_names_in(step.action)) if name not in own]


def _names_in(part: object) -> Iterator[str]:
    """The names that a part of a workflow reads; what combines results has `items` of its own."""
    if isinstance(part, Reduce):
        found = (name for each in expressions(part) for name in free_names(each.tree))
        yield from (name.name for name in found if name.name != "items")
    elif isinstance(part, Expression):
        yield from (name.name for name in free_names(part.tree))
    elif isinstance(part, dict):
        yield from _names_in(tuple(part.values()))
    elif isinstance(part, tuple | list):
        for each in part:
            yield from _names_in(each)
    elif is_dataclass(part) and not isinstance(part, Span):
        yield from _names_in([getattr(part, each.name) for each in fields(part)])


def _is_separable(step: Step, workflow: Workflow) -> bool:
    bare = replace(step, catch=())  # handlers run when the time is over
    inside = [each for inner in inner_blocks(bare) for each in steps(inner.block)]
    places = {step.span, *(each.span for each in inside)}
    outside = (each for each in steps(workflow.do) if each.span not in places)
    leaves = isinstance(step.action, Return) or any(
        returns(inner.block) for inner in inner_blocks(bare) if not inner.parallel
    )
    shared = _bound(outside) & _bound(inside)
    block = Block((replace(bare, timeout=None),))
    if leaves or shared or cleans_up(block, workflow.children):
        return False
    return "execution" not in _read(step)


def cleans_up(block: Block, children: Mapping[str, Workflow]) -> bool:
    """Whether a block, or a child that it runs, has something to do when it is stopped."""
    return any(_has_clean_up(step, children) for step in steps(block))


def _has_clean_up(step: Step, children: Mapping[str, Workflow]) -> bool:
    match step.action:
        case Try(final=Block()):
            return True
        case Call(compensate=undo) | Map(body=Call(compensate=undo)):
            return undo is not None
        case Run(name):
            return cleans_up(children[name].do, children[name].children)
        case _:
            return False


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
