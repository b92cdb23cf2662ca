"""Passes that turn what any step may carry into steps of its own: `if`, `catch`, `retry`."""

from __future__ import annotations

from dataclasses import dataclass, replace

from agentflow.adapters.lowering.rewriting import Fresh, change_steps, expression, wrapped
from agentflow.spec.model import (
    Block,
    Call,
    Case,
    Catch,
    Loop,
    Map,
    Raise,
    Retry,
    Set,
    Step,
    Switch,
    Try,
    Wait,
    Workflow,
)


@dataclass(frozen=True, slots=True)
class Attempts(Loop):
    """The attempts of a step: they are no rounds of the author's, and keys call them `step~2`."""


def defaults(workflow: Workflow) -> Workflow:
    """`defaults.retry` and `defaults.timeout` are written to the calls that state none."""

    def change(step: Step) -> Step:
        match step.action:
            case Call() as call:
                action: Call | Map = _compensated(call, workflow)
            case Map(body=Call() as call) as map_:
                action = replace(map_, body=_compensated(call, workflow))
            case _:
                return _reduced(step, workflow)
        step = replace(
            step,
            action=action,
            retry=step.retry or workflow.retry,
            timeout=workflow.call_timeout if step.timeout is None else step.timeout,
        )
        return _reduced(step, workflow)

    if workflow.retry is None and workflow.call_timeout is None:
        return workflow
    return replace(change_steps(workflow, change), retry=None, call_timeout=None)


def _compensated(call: Call, workflow: Workflow) -> Call:
    undo = call.compensate
    if undo is None:
        return call
    timeout = workflow.call_timeout if undo.timeout is None else undo.timeout
    undo = replace(undo, retry=undo.retry or workflow.retry, timeout=timeout)
    return replace(call, compensate=undo)


def _reduced(step: Step, workflow: Workflow) -> Step:
    if not isinstance(step.action, Map) or step.action.reduce is None:
        return step
    reduce = step.action.reduce
    timeout = workflow.call_timeout if reduce.timeout is None else reduce.timeout
    reduce = replace(reduce, retry=reduce.retry or workflow.retry, timeout=timeout)
    return replace(step, action=replace(step.action, reduce=reduce))


def conditions(workflow: Workflow) -> Workflow:
    """`if` becomes a `switch` with one case."""

    def change(step: Step) -> Step:
        if step.when is None:
            return step
        inner = Block((replace(step, when=None),))
        return Step(step.id, Switch((Case(step.when, inner),)), step.span)

    return change_steps(workflow, change)


def handlers(workflow: Workflow) -> Workflow:
    """A step's `catch` becomes a `try` around it."""

    def change(step: Step) -> Step:
        if not step.catch:
            return step
        inner = replace(step, catch=(), when=None)
        return Step(step.id, Try(Block((inner,)), step.catch), step.span, when=step.when)

    return change_steps(workflow, change)


def attempts(workflow: Workflow) -> Workflow:
    """`retry` of a step that is no call becomes a loop around a `try`."""
    fresh = Fresh(workflow)

    def change(step: Step) -> Step:
        match step.action:
            case Call() | Map(body=Call()):
                return step
        return step if step.retry is None else _repeated(step, step.retry, fresh)

    return change_steps(workflow, change)


def _repeated(step: Step, retry: Retry, fresh: Fresh) -> Step:
    span = step.span
    again, delay, error = (fresh.name(f"{step.id}_{what}") for what in ("again", "delay", "error"))
    attempt = fresh.name(f"{step.id}_attempt")
    more = expression(f"{attempt} + 1 < {retry.max_attempts}", span)
    pause = Step(fresh.name("pause"), Wait(expression(delay, span)), span)
    longer = f"min({delay} * {retry.backoff!r}, {retry.max_interval!r})"
    mark = Set({again: True, delay: expression(longer, span)})
    another = Block(((pause,) if retry.interval > 0 else ()) + (_set("again", mark, step, fresh),))
    give_up = Block((Step(fresh.name("give_up"), Raise(expression(error, span)), span),))
    decide = Switch((Case(more, another),), give_up)
    caught = Catch(retry.on, Block((Step(fresh.name("decide"), decide, span),)), span, error)
    catches: tuple[Catch, ...] = (caught,)
    if "*" in retry.on and "Interrupted" not in retry.on:
        # Whether an at-most-once call took effect is unknown: only a retry that says so repeats it.
        rethrow = Block((Step(fresh.name("pass_on"), Raise(expression(error, span)), span),))
        catches = (Catch(("Interrupted",), rethrow, span, error), caught)
    inner = replace(step, retry=None, catch=(), when=None)
    round_ = Block(
        (
            _set("begin", Set({again: False}), step, fresh),
            Step(step.id, Try(Block((inner,)), catches), span),
        )
    )
    loop = Attempts(
        round_,
        condition=expression(f"not {again}", span),
        until=True,
        index=attempt,
        max=retry.max_attempts,
    )
    first = Set({again: False, delay: min(retry.interval, retry.max_interval)})
    body = wrapped(
        step,
        _set("first", first, step, fresh),
        Step(fresh.name("attempts"), loop, span),
    )
    return replace(body, when=step.when, catch=step.catch)


def _set(wish: str, action: Set, step: Step, fresh: Fresh) -> Step:
    return Step(fresh.name(wish), action, step.span)
