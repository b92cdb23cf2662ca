"""Where a workflow goes: which steps can never run, and which states are never entered."""

from __future__ import annotations

from agentflow.errors import Diagnostic, Span
from agentflow.spec.diagnostics import did_you_mean
from agentflow.spec.fields import listed
from agentflow.spec.model import (
    Action,
    Block,
    Loop,
    Raise,
    Return,
    Saga,
    States,
    Step,
    Switch,
    Try,
)


def unreachable(block: Block, diagnostics: list[Diagnostic]) -> None:
    """Note the first step of a block that can never run."""
    for before, step in zip(block.steps, block.steps[1:], strict=False):
        if _step_leaves(before):
            diagnostics.append(
                Diagnostic(
                    "AF308",
                    f"step `{step.id}` can never run",
                    step.span,
                    label="unreachable",
                    help=f"`{before.id}` before it always leaves the block: "
                    "remove what follows, or give it an `if`",
                )
            )
            return


def _leaves(block: Block | None) -> bool:
    """Whether what follows a block can never run."""
    return block is not None and any(_step_leaves(step) for step in block.steps)


def _step_leaves(step: Step) -> bool:
    return (
        step.when is None
        and _action_leaves(step.action)
        and all(_leaves(handler.do) for handler in step.catch)
    )


def _action_leaves(action: Action) -> bool:
    match action:
        case Return() | Raise():
            return True
        case Switch(cases, otherwise):
            return _leaves(otherwise) and all(_leaves(case.do) for case in cases)
        case Try(do, catch, final):
            body = _leaves(do) and all(_leaves(handler.do) for handler in catch)
            return body or _leaves(final)
        case Saga(do):
            return _leaves(do)
        case Loop(do=do, until=True):
            return _leaves(do)
        case _:
            return False


def transitions(states: States, start: Span, diagnostics: list[Diagnostic]) -> None:
    """Note transitions that lead nowhere, and states that nothing leads to."""
    known = len(diagnostics)
    _exists(states.start, start, states, diagnostics)
    for name, state in states.states.items():
        for transition in state.next:
            _exists(transition.to, transition.span, states, diagnostics)
        diagnostics.extend(
            Diagnostic(
                "AF308",
                f"the transitions of `{name}` after this one are never tried",
                transition.span,
                help="give it a `when`, or put it last",
            )
            for transition in state.next[:-1]
            if transition.when is None
        )
        if state.next and state.next[-1].when is not None:
            diagnostics.append(
                Diagnostic(
                    "AF311",
                    f"`{name}` may have nowhere to go",
                    state.next[-1].span,
                    label="the last transition has a `when`",
                    help="end `next` with an entry that has only `to`",
                )
            )
    if states.start and len(diagnostics) == known:
        _reached(states, diagnostics)


def _exists(name: str, span: Span, states: States, diagnostics: list[Diagnostic]) -> None:
    if name and name not in states.states:
        near = did_you_mean(name, states.states)
        remedy = near or (f"the states are {listed(list(states.states))}" if states.states else "")
        diagnostics.append(
            Diagnostic("AF309", f"there is no state `{name}`", span, "no such state", remedy)
        )


def _reached(states: States, diagnostics: list[Diagnostic]) -> None:
    reached: set[str] = set()
    ahead = [states.start]
    while ahead:
        name = ahead.pop()
        if name in states.states and name not in reached:
            reached.add(name)
            ahead.extend(transition.to for transition in states.states[name].next)
    for name, state in states.states.items():
        if name not in reached:
            diagnostics.append(
                Diagnostic(
                    "AF310",
                    f"state `{name}` is never entered",
                    state.span,
                    label="nothing leads here",
                    help="let a `next` name it, or remove it",
                )
            )
