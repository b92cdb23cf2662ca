"""Rebuilding workflows: blocks inside steps replaced, names made up that nobody has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

from agentflow.errors import Diagnostic, Span
from agentflow.spec.expressions import parse_expression
from agentflow.spec.expressions.template import Expression
from agentflow.spec.model import (
    Block,
    Catch,
    Fork,
    Loop,
    Map,
    Pipeline,
    Saga,
    Set,
    States,
    Step,
    Switch,
    Try,
    Workflow,
)

Change: TypeAlias = Callable[[Step], Step]


def change_steps(workflow: Workflow, change: Change) -> Workflow:
    """The workflow with every step replaced, those inside a step before the step itself."""
    return replace(workflow, do=change_block(workflow.do, change))


def change_block(block: Block, change: Change) -> Block:
    """The same for a block."""
    return Block(tuple(change(_inside(step, change)) for step in block.steps))


def _inside(step: Step, change: Change) -> Step:
    """The step with the blocks inside it changed."""

    def inner(block: Block) -> Block:
        return change_block(block, change)

    catch = tuple(_handler(each, inner) for each in step.catch)
    return replace(step, action=_action(step.action, inner), catch=catch)


def _handler(catch: Catch, inner: Callable[[Block], Block]) -> Catch:
    return replace(catch, do=inner(catch.do))


def _action(action: Any, inner: Callable[[Block], Block]) -> Any:
    match action:
        case Switch(cases, otherwise):
            return Switch(
                tuple(replace(case, do=inner(case.do)) for case in cases),
                None if otherwise is None else inner(otherwise),
            )
        case Fork(branches):
            return replace(action, branches={name: inner(b) for name, b in branches.items()})
        case Map(body=Block() as body):
            return replace(action, body=inner(body))
        case Loop(do) | Saga(do):
            return replace(action, do=inner(do))
        case Try(do, catch, final):
            return Try(
                inner(do),
                tuple(_handler(each, inner) for each in catch),
                None if final is None else inner(final),
            )
        case Pipeline(stages=stages):
            changed = (
                replace(stage, body=inner(stage.body)) if isinstance(stage.body, Block) else stage
                for stage in stages
            )
            return replace(action, stages=tuple(changed))
        case States(states=states):
            changed_states = {n: replace(s, do=inner(s.do)) for n, s in states.items()}
            return replace(action, states=changed_states)
        case _:
            return action


def wrapped(step: Step, *steps: Step) -> Step:
    """Steps in the place of one: a block whose value is that of the last of them."""
    return Step(step.id, Try(Block(steps)), step.span, description=step.description)


def expression(source: str, span: Span) -> Expression:
    """An expression that a pass writes; it stands for what is at `span`."""
    diagnostics: list[Diagnostic] = []
    parsed = parse_expression(source, lambda start, end: span, diagnostics)
    assert parsed is not None, diagnostics
    return parsed


def expressions(part: object) -> Iterator[Expression]:
    """Every expression in a part of a workflow, in the order of the model."""
    if isinstance(part, Expression):
        yield part
    elif isinstance(part, dict):
        for value in part.values():
            yield from expressions(value)
    elif isinstance(part, tuple | list):
        for item in part:
            yield from expressions(item)
    elif is_dataclass(part) and not isinstance(part, Span):
        for each in fields(part):
            if each.name not in ("children", "span"):
                yield from expressions(getattr(part, each.name))


class Fresh:
    """Names that nothing in a workflow has."""

    def __init__(self, workflow: Workflow) -> None:
        self._workflow = workflow

    @cached_property
    def _taken(self) -> set[str]:
        """Looked for when a name is wanted: most passes have nothing to do."""
        return {*names(self._workflow.do), "input", "execution", "items"}

    def name(self, wish: str) -> str:
        """The wished name, or with a number behind it."""
        found, number = wish, 2
        while found in self._taken:
            found, number = f"{wish}_{number}", number + 1
        self._taken.add(found)
        return found


def names(part: object) -> Iterator[str]:
    """Every name that a part of a workflow binds or gives to something in it."""
    if isinstance(part, dict):
        for value in part.values():
            yield from names(value)
    elif isinstance(part, tuple | list):
        for item in part:
            yield from names(item)
    elif is_dataclass(part) and not isinstance(part, Expression | Span):
        if isinstance(part, Set):
            yield from part.names
        for each in fields(part):
            value = getattr(part, each.name)
            if each.name in ("id", "bind", "index") and isinstance(value, str):
                yield value
            elif each.name != "span":
                yield from names(value)
