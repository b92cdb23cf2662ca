"""Passes over lists: pipelines become maps, `reduce` becomes maps over fewer and fewer values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from agentflow.adapters.lowering.rewriting import (
    Fresh,
    change_block,
    change_steps,
    expression,
    wrapped,
)
from agentflow.errors import Span
from agentflow.spec.model import (
    Block,
    Call,
    Case,
    Loop,
    Map,
    Pipeline,
    Reduce,
    Return,
    Set,
    Stage,
    Step,
    Switch,
    Try,
    Workflow,
)
from agentflow.spec.survey import inner_blocks


def pipelines(workflow: Workflow) -> Workflow:
    """A pipeline becomes a map whose items go through all stages.

    As many items are under way as the narrowest stage allows, so that no stage ever holds more
    than it may. A source that is a call is waited for.
    """
    fresh = Fresh(workflow)

    def change(step: Step) -> Step:
        return _mapped(step, step.action, fresh) if isinstance(step.action, Pipeline) else step

    return change_steps(workflow, change)


def _mapped(step: Step, pipeline: Pipeline, fresh: Fresh) -> Step:
    body: list[Step] = []
    for place, stage in enumerate(pipeline.stages):
        if place:
            before = expression(pipeline.stages[place - 1].id, stage.span)
            body.append(Step(fresh.name("take"), Set({pipeline.bind: before}), stage.span))
        body.append(_stage(stage))
    narrowest = min(stage.concurrency for stage in pipeline.stages)
    items = pipeline.source
    before_it: tuple[Step, ...] = ()
    if isinstance(pipeline.source, Call):
        source = Step(fresh.name(f"{step.id}_source"), pipeline.source, pipeline.source.span)
        before_it, items = (source,), expression(source.id, source.span)
    flow = Map(
        items,
        Block(tuple(body)),
        bind=pipeline.bind,
        concurrency=narrowest,
        reduce=pipeline.reduce,
    )
    if not before_it:
        return replace(step, action=flow)
    inner = wrapped(step, *before_it, Step(step.id, flow, step.span))
    return replace(step, action=inner.action)


def _stage(stage: Stage) -> Step:
    if isinstance(stage.body, Call):
        return Step(stage.id, stage.body, stage.span, retry=stage.retry, timeout=stage.timeout)
    return Step(stage.id, Try(stage.body), stage.span, retry=stage.retry, timeout=stage.timeout)


def reductions(workflow: Workflow) -> Workflow:
    """A map's `reduce` becomes levels of smaller maps, and a last call.

    The groups are those of the machine: `arity` neighbours of one level make one of the next.
    Failed items that are tolerated are left out of their group.
    """
    fresh = Fresh(workflow)

    def change(step: Step) -> Step:
        if not isinstance(step.action, Map) or step.action.reduce is None:
            return step
        return _combined(step, step.action, step.action.reduce, fresh)

    return change_steps(workflow, change)


def _combined(step: Step, map_: Map, reduce: Reduce, fresh: Fresh) -> Step:
    span = reduce.span
    parts, level = fresh.name(f"{step.id}_parts"), fresh.name(f"{step.id}_level")
    mapped = replace(map_, reduce=None)
    own = isinstance(map_.body, Call)  # else they bound and repeat the whole step
    retry, timeout = (step.retry, step.timeout) if own else (None, None)
    if map_.tolerate:
        mapped, retry, timeout = _kept(step, mapped, fresh)
    first = f"[part if part != null else [] for part in {parts}]" if map_.tolerate else parts
    values = f"flatten({level})" if map_.tolerate else level
    last = Loop(
        Block((_call(reduce, fresh),)), items=expression(f"[{values}]", span), bind="items", max=1
    )
    body = wrapped(
        step,
        Step(parts, mapped, step.span, retry=retry, timeout=timeout),
        Step(fresh.name("begin"), Set({level: expression(first, span)}), span),
        _levels(reduce, level, fresh, tolerant=bool(map_.tolerate)),
        Step(fresh.name("combine"), last, span),
    )
    outer = (None, None) if own else (step.retry, step.timeout)
    return replace(body, when=step.when, catch=step.catch, retry=outer[0], timeout=outer[1])


def _kept(step: Step, map_: Map, fresh: Fresh) -> tuple[Map, None, None]:
    """The map with each result in a list of its own, so that null is told from a failed item."""
    value = fresh.name("value")
    body = (
        Step(value, map_.body, step.span, retry=step.retry, timeout=step.timeout)
        if isinstance(map_.body, Call)
        else Step(value, Try(_boxed(map_.body)), step.span)
    )
    keep = Step(fresh.name("keep"), Return(expression(f"[{value}]", step.span)), step.span)
    return replace(map_, body=Block((body, keep)), batch=None), None, None


def _boxed(body: Block) -> Block:
    """The body of an item whose `return` gives a list of the value, as the step behind it does."""
    ends = set(_returns(body))

    def change(step: Step) -> Step:
        if isinstance(step.action, Return) and step.span in ends:
            return replace(step, action=Return([step.action.value]))
        return step

    return change_block(body, change)


def _returns(block: Block) -> Iterator[Span]:
    """Where the `return` steps are that end the item, and not something inside it."""
    for step in block.steps:
        if isinstance(step.action, Return):
            yield step.span
        for inner in inner_blocks(step):
            if not inner.parallel:
                yield from _returns(inner.block)


def _levels(reduce: Reduce, level: str, fresh: Fresh, *, tolerant: bool) -> Step:
    """Combine groups while there are more values than one call takes."""
    span = reduce.span
    groups = fresh.name("groups")
    chunks = expression(f"chunked({level}, {reduce.arity})", span)
    body: Call | Block = Call(reduce.function, reduce.arguments, span, key=reduce.key)
    retry, timeout = reduce.retry, reduce.timeout
    bind = "items"
    if tolerant:
        bind = fresh.name("group")
        body, retry, timeout = _tolerant(reduce, bind, fresh, span), None, None
    combine = Map(chunks, body, bind=bind)
    round_ = Block(
        (
            Step(groups, combine, span, retry=retry, timeout=timeout),
            Step(fresh.name("rise"), Set({level: expression(groups, span)}), span),
        )
    )
    wide = expression(f"len({level}) > {reduce.arity}", span)
    return Step(fresh.name("levels"), Loop(round_, condition=wide), span)


def _tolerant(reduce: Reduce, group: str, fresh: Fresh, span: Span) -> Block:
    """Combine what is there of a group; nothing, if nothing is."""
    value = fresh.name("value")
    one = Loop(
        Block((_call(reduce, fresh),)),
        items=expression(f"[flatten({group})]", span),
        bind="items",
        max=1,
    )
    some = Block(
        (
            Step(value, one, span),
            Step(fresh.name("keep"), Return(expression(f"[{value}]", span)), span),
        )
    )
    none = Block((Step(fresh.name("skip"), Return([]), span),))
    full = expression(f"len(flatten({group})) > 0", span)
    return Block((Step(fresh.name("group"), Switch((Case(full, some),), none), span),))


def _call(reduce: Reduce, fresh: Fresh) -> Step:
    return Step(
        fresh.name("reduce"),
        Call(reduce.function, reduce.arguments, reduce.span, key=reduce.key),
        reduce.span,
        retry=reduce.retry,
        timeout=reduce.timeout,
    )
