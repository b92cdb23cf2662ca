"""From a key, as the journal has it, to the place in the spec that it stands for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from agentflow.spec import model
from agentflow.spec.model import Block, Call, Compensation, Reduce, Retry, Stage, State, Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentflow.errors import Span

Node: TypeAlias = Step | Stage | State | Block | Reduce | Compensation

_SEGMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_-]*)(?:\[[0-9:]*\]|~\d+)*")


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the spec a key leads."""

    span: Span
    function: str | None
    """The function called there, if it is a call."""
    retry: Retry | None
    """The retry that applies to its attempts."""
    step: Step | None
    """The innermost step around it."""


def top(key: str) -> str:
    """The id of the top-level step a key belongs to."""
    match = _SEGMENT.match(key)
    return match[1] if match else key


def find(workflow: model.Workflow, key: str) -> Place | None:
    """The place a key leads to, as deep as it can be followed; `None` if nowhere."""
    node: Node = workflow.do
    trail: list[Node] = []
    for name in _SEGMENT.findall(key.partition("@")[0]):
        inner = next((inner for known, inner in _inside(node) if known == name), None)
        if inner is None:
            break
        node = inner
        trail.append(inner)
    return _place(workflow, trail) if trail else None


def count(workflow: model.Workflow) -> int:
    """How many steps a workflow has, in all its blocks."""
    return _count(workflow.do)


def _count(node: Node) -> int:
    return sum(isinstance(inner, Step) + _count(inner) for _, inner in _inside(node))


def _place(workflow: model.Workflow, trail: list[Node]) -> Place | None:
    step = next((node for node in reversed(trail) if isinstance(node, Step)), None)
    node = trail[-1] if not isinstance(trail[-1], Block) else step
    match node:
        case Step(action=action):
            call = action.body if isinstance(action, model.Map) else action
            span = node.span
            if isinstance(call, Call):
                return Place(span, call.function, node.retry or workflow.retry, step)
            return Place(span, None, node.retry, step)
        case Stage(body=Call(function=function)):
            return Place(node.span, function, node.retry or workflow.retry, step)
        case Reduce() | Compensation():
            return Place(node.span, node.function, node.retry or workflow.retry, step)
        case Stage() | State():
            return Place(node.span, None, None, step)
        case _:
            return None


def _inside(node: Node) -> Iterator[tuple[str, Node]]:
    """What a key may name next, below `node`."""
    match node:
        case Block(steps=steps):
            yield from ((step.id, step) for step in steps)
        case State(do=block) | Stage(body=Block() as block):
            yield from _inside(block)
        case Step(action=action, catch=catches):
            yield from _below(action)
            for handler in catches:
                yield from _inside(handler.do)


def _below(action: model.Action) -> Iterator[tuple[str, Node]]:
    match action:
        case Call(compensate=Compensation() as compensation):
            yield "compensate", compensation
        case model.Fork(branches=branches):
            yield from branches.items()
        case model.States(states=states):
            yield from states.items()
        case model.Pipeline(stages=stages, reduce=reduce):
            if reduce is not None:
                yield "reduce", reduce
            yield from ((stage.id, stage) for stage in stages)
        case model.Map(body=body, reduce=reduce):
            if reduce is not None:
                yield "reduce", reduce
            if isinstance(body, Block):
                yield from _inside(body)
        case model.Loop(do=block) | model.Saga(do=block):
            yield from _inside(block)
        case model.Switch(cases=cases, otherwise=otherwise):
            for block in [*(case.do for case in cases), *([otherwise] if otherwise else [])]:
                yield from _inside(block)
        case model.Try(do=block, catch=catches, final=final):
            blocks = [block, *(handler.do for handler in catches), *([final] if final else [])]
            for inner in blocks:
                yield from _inside(inner)
