"""What a whole workflow binds: for saying where a name is that cannot be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agentflow.errors import Span
from agentflow.spec.model import (
    Block,
    Fork,
    Loop,
    Map,
    Pipeline,
    Return,
    Saga,
    Set,
    States,
    Step,
    Switch,
    Try,
    Workflow,
)


@dataclass(frozen=True, slots=True)
class Inner:
    """A block inside a step."""

    block: Block
    where: str
    """How messages call it: "branch `left` of `facts`"."""
    remedy: str
    """How to get at what it finds."""
    parallel: bool = False


@dataclass(frozen=True, slots=True)
class Bound:
    """A name that is bound somewhere in the workflow."""

    what: str
    span: Span
    block: Block | None
    """The block it belongs to; `None` for names of one step only, such as `as`."""
    step: str
    """The id of the step that binds it."""
    remedy: str


def inner_blocks(step: Step) -> Iterator[Inner]:
    """The blocks directly inside a step, in the order of the spec."""
    id = step.id  # the language's word
    value = f"read `{id}`, whose result is that of the block that ran, or `set` a name before it"
    match step.action:
        case Switch(cases, otherwise):
            blocks = [case.do for case in cases] + ([otherwise] if otherwise else [])
            yield from (Inner(block, f"switch `{id}`", value) for block in blocks)
        case Fork(branches):
            for name, block in branches.items():
                remedy = f"branches give back results: read `{id}.{name}`"
                yield Inner(block, f"branch `{name}` of `{id}`", remedy, parallel=True)
        case Map(body=Block() as block):
            remedy = f"items give back results: read `{id}`, the list of them"
            yield Inner(block, f"map `{id}`", remedy, parallel=True)
        case Loop(do):
            yield Inner(do, f"loop `{id}`", value)
        case Try(do, catch, final):
            handlers = [handler.do for handler in catch]
            for block in (do, *handlers, *([final] if final else [])):
                yield Inner(block, f"try `{id}`", value)
        case Saga(do):
            yield Inner(do, f"saga `{id}`", value)
        case Pipeline(stages=stages):
            for stage in stages:
                if isinstance(stage.body, Block):
                    remedy = "the next stage reads what it gives back under the pipeline's `as`"
                    where = f"stage `{stage.id}` of `{id}`"
                    yield Inner(stage.body, where, remedy, parallel=True)
        case States(states=states):
            for name, state in states.items():
                remedy = f"a state's names end with it: `set` a name before `{id}`"
                yield Inner(state.do, f"state `{name}` of `{id}`", remedy)
        case _:
            pass
    for handler in step.catch:
        yield Inner(handler.do, f"a handler of `{id}`", value)


def steps(block: Block) -> Iterator[Step]:
    """All steps of a block and of the blocks inside it."""
    for step in block.steps:
        yield step
        for inner in inner_blocks(step):
            yield from steps(inner.block)


def returns(block: Block) -> bool:
    """Whether a block may give its value by `return`."""
    return any(
        isinstance(step.action, Return)
        or any(returns(inner.block) for inner in inner_blocks(step) if not inner.parallel)
        for step in block.steps
    )


class Survey:
    """The names of a workflow: where each is bound, and how often it is `set`."""

    def __init__(self, workflow: Workflow, places: Mapping[tuple[Span, str], Span]) -> None:
        self.bound: dict[str, list[Bound]] = {}
        self.assigned: Counter[str] = Counter()
        self._places = places
        self._block(Inner(workflow.do, "the workflow", ""))

    def _block(self, inner: Inner) -> None:
        for step in inner.block.steps:
            result = f"the result of a step inside {inner.where}"
            self._note(step.id, Bound(result, step.span, inner.block, step.id, inner.remedy))
            if isinstance(step.action, Set):
                for name in step.action.names:
                    self.assigned[name] += 1
                    self._variable(name, step, inner)
            self._own_names(step)
            for each in inner_blocks(step):
                self._block(each)

    def _variable(self, name: str, step: Step, inner: Inner) -> None:
        span = self._places.get((step.span, f"set.{name}"), step.span)
        remedy = inner.remedy if inner.parallel else f"`set` it before {inner.where} too"
        what = f"set inside {inner.where}"
        self._note(name, Bound(what, span, inner.block, step.id, remedy))

    def _own_names(self, step: Step) -> None:
        """Names that only the blocks and calls of one step read."""
        action = step.action
        if isinstance(action, Map | Loop | Pipeline) and action.bind:
            self._own(action.bind, "as", "the item of", step.id, step.span)
        if isinstance(action, Map | Loop) and action.index:
            self._own(action.index, "index", "the index of", step.id, step.span)
        for handler in (*step.catch, *(action.catch if isinstance(action, Try) else ())):
            if handler.bind:
                what = "the error of a handler of"
                self._own(handler.bind, "as", what, step.id, handler.span)

    def _own(self, name: str, field: str, what: str, step: str, owner: Span) -> None:
        span = self._places.get((owner, field), owner)
        remedy = f"it is bound on line {span.line}"
        self._note(name, Bound(f"{what} `{step}`", span, None, step, remedy))

    def _note(self, name: str, bound: Bound) -> None:
        self.bound.setdefault(name, []).append(bound)
