"""Several retriers of one state: each counts for itself, and the first that matches decides.

A step has one policy, so the attempts are written out: a loop around a `try` whose handlers wait
and count.
"""

from __future__ import annotations

from dataclasses import dataclass

from agentflow.adapters.aws.asl.model import Retrier
from agentflow.adapters.aws.imports import faults
from agentflow.adapters.aws.imports.lowered import Steps
from agentflow.adapters.aws.imports.takers import Taken, in_turn
from agentflow.adapters.aws.imports.writing import Writing
from agentflow.spec.model import (
    Action,
    Block,
    Case,
    Catch,
    Loop,
    Raise,
    Retry,
    Set,
    Step,
    Switch,
    Try,
    Wait,
)


@dataclass(frozen=True, slots=True)
class _Counted:
    """A retrier with the names of its numbers."""

    retrier: Retrier
    policy: Retry
    left: str
    pause: str


def attempts(w: Writing, body: Steps, retriers: list[tuple[Retrier, Taken]]) -> tuple[Step, Step]:
    """A step that begins to count, and the loop of attempts; each retrier with what it is for.

    What none of them is for ends it at once.
    """
    name = w.state.name
    counted = [_named(w, *each) for each in retriers]
    done = w.book.namer.fresh(f"{name} done")
    begin: dict[str, object] = {done: False}
    for each in counted:
        begin[each.left] = each.retrier.max_attempts
        begin[each.pause] = each.policy.interval
    handlers = [
        _leaving(w, on) if place is None else _handler(w, counted[place], on)
        for on, place in in_turn([taker for _, taker in retriers])
    ]
    ended = w.step(f"{name} set done", Set({done: True}))
    attempt = w.step(f"{name} attempt", Try(Block((*body, ended)), tuple(handlers)))
    rounds = 1 + sum(each.max_attempts for each, _ in retriers)
    loop = Loop(Block((attempt,)), w.expression(done), until=True, max=rounds)
    return w.step(f"{name} set attempts", Set(begin)), w.step(f"{name} attempts", loop)


def _named(w: Writing, retrier: Retrier, taker: Taken) -> _Counted:
    fresh, name = w.book.namer.fresh, w.state.name
    policy = faults.retry(retrier, taker.on)
    return _Counted(retrier, policy, fresh(f"{name} left"), fresh(f"{name} pause"))


def _handler(w: Writing, counted: _Counted, on: tuple[str, ...]) -> Catch:
    """Wait and go into the next round, unless there have been as many attempts as there may."""
    name, policy, left, pause = w.state.name, counted.policy, counted.left, counted.pause
    bound = w.book.namer.fresh(f"{name} failure")
    up = w.step(f"{name} again", Raise(w.expression(bound)))
    none = Switch((Case(w.expression(f"{left} < 1"), Block((up,))),))
    longer = w.expression(f"min({pause} * {policy.backoff}, {policy.max_interval})")
    numbers = {left: w.expression(f"{left} - 1"), pause: longer}
    if w.retries not in (None, "0"):
        numbers[str(w.retries)] = w.expression(f"{w.retries} + 1")

    def step(wanted: str, action: Action) -> Step:
        return w.step(f"{name} {wanted}", action)

    steps = (
        step("last", none),
        step("pause", Wait(w.expression(pause))),
        step("next", Set(numbers)),
    )
    return Catch(on, Block(steps), w.span, bound)


def _leaving(w: Writing, on: tuple[str, ...]) -> Catch:
    bound = w.book.namer.fresh(f"{w.state.name} failure")
    up = w.step(f"{w.state.name} again", Raise(w.expression(bound)))
    return Catch(on, Block((up,)), w.span, bound)
