"""Work that may fail, with what its state says about retrying and catching."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Final

from agentflow.adapters.aws.asl.errors import RUNTIME
from agentflow.adapters.aws.asl.model import Catcher, Retrier, State, Task
from agentflow.adapters.aws.asl.values import Absent
from agentflow.adapters.aws.imports import faults
from agentflow.adapters.aws.imports.heartbeats import late
from agentflow.adapters.aws.imports.lowered import Exit, Handler, Lowered, Steps
from agentflow.adapters.aws.imports.retriers import attempts
from agentflow.adapters.aws.imports.states import assign, express, is_jsonata, put
from agentflow.adapters.aws.imports.writing import Writing
from agentflow.spec.model import (
    Block,
    Case,
    Catch,
    Raise,
    Retry,
    Set,
    Step,
    Switch,
    Try,
)

_NOT_OURS: Final = (RUNTIME, "NotMapped", "LoopLimit")


@dataclass(slots=True)
class Work:
    """A state's work: the steps before it, the one that does it, and those after it.

    `whole` says that failures of the steps around it are failures of the work too, as with
    JSONata, whose expressions can be retried and caught.
    """

    step: Step
    before: Steps = field(default_factory=list)
    after: Steps = field(default_factory=list)
    whole: bool = False
    told: faults.Told = "message"
    """How its errors are reported."""
    fatal: tuple[str, ...] = ()
    """Errors that can come out of it and must not be caught."""


def counts_retries(state: State) -> bool:
    """Whether a state that may be retried reads how often it was."""
    own = (each.name for each in fields(state) if each.name not in ("processor", "branches"))
    return bool(state.retry) and any("RetryCount" in repr(getattr(state, name)) for name in own)


def guarded(w: Writing, work: Work) -> Lowered:
    """The state: its work with its retries and handlers."""
    retriers = faults.worth_retrying(w.state.retry, work.told)
    if not counts_retries(w.state):
        return _guarded(w, work, retriers)
    if retriers:  # each attempt has values of its own
        work = replace(work, whole=True, fatal=work.fatal or fatal_of(w))
    lowered = _guarded(w, work, retriers)
    begin = w.step(f"{w.state.name} set retries", Set({str(w.retries): 0}))
    return replace(lowered, before=[begin, *lowered.before])


def _guarded(w: Writing, work: Work, retriers: list[Retrier]) -> Lowered:
    exits = [Exit(w.state.next)]
    handlers = _handlers(w, work)
    if not retriers and not handlers:
        return Lowered([*work.before, work.step, *work.after], exits)
    if len(retriers) > 1 or (retriers and counts_retries(w.state)):
        return _counted(w, work, retriers, handlers)
    retry = _retry(w, retriers)
    if not work.whole:

        def alone(catches: tuple[Catch, ...]) -> Step:
            return replace(work.step, retry=retry, catch=catches)

        return Lowered(work.before, exits, alone, handlers, work.after)
    body = Block((*work.before, work.step, *work.after))

    def together(catches: tuple[Catch, ...]) -> Step:
        return _together(w, body, retry, catches)

    return Lowered([], exits, together, handlers)


def _together(w: Writing, body: Block, retry: Retry | None, catches: tuple[Catch, ...]) -> Step:
    """Several steps that are retried and caught as one."""
    name = w.state.name
    if retry is None and catches:
        return w.step(f"{name} try", Try(body, catches))
    always = Switch((Case(w.expression("true"), body),))
    attempt = replace(w.step(f"{name} attempt", always), retry=retry)
    if not catches:
        return attempt
    return w.step(f"{name} try", Try(Block((attempt,)), catches))


# --- retrying ----------------------------------------------------------------------------------


def _retry(w: Writing, retriers: list[Retrier]) -> Retry | None:
    if not retriers:
        return None
    (only,) = retriers
    if _is_timed(w) and faults.excludes_timeouts(only.error_equals):
        w.book.notes.append(
            f"`{w.state.name}` is retried after a timeout too: a policy cannot leave them out"
        )
    return faults.retry(only)


def _is_timed(w: Writing) -> bool:
    """Whether the work may take too long, or be too long silent."""
    return isinstance(w.state, Task) and any(
        not isinstance(each, Absent)
        for each in (w.state.timeout_seconds, w.state.heartbeat_seconds)
    )


def _counted(w: Writing, work: Work, retriers: list[Retrier], handlers: list[Handler]) -> Lowered:
    """The state with several retriers: a loop of attempts.

    What follows work that is not caught as a whole reads the result from a variable, which has
    the name that the step would have had.
    """
    before, body, after = work.before, [work.step], work.after
    begin: Steps = []
    if work.whole:
        before, body, after = [], [*before, work.step, *after], []
    else:
        inner = replace(work.step, id=w.book.namer.fresh(f"{w.state.name} once"))
        begin = [w.step(f"{w.state.name} set result", Set({work.step.id: None}))]
        keep = Set({work.step.id: w.expression(inner.id)})
        body = [inner, w.step(f"{w.state.name} keep result", keep)]
    count, loop = attempts(w, body, retriers, work.fatal, timed=_is_timed(w))

    def looped(catches: tuple[Catch, ...]) -> Step:
        return _together(w, Block((count, loop)), None, catches)

    return Lowered([*before, *begin], [Exit(w.state.next)], looped, handlers, after)


# --- catching ----------------------------------------------------------------------------------


def _handlers(w: Writing, work: Work) -> list[Handler]:
    catchers = list(w.state.catch)
    found: list[Handler] = []
    if work.fatal and any(faults.is_all(faults.names(each.error_equals)) for each in catchers):
        found.append(_again(w, work.fatal))
    for place, catcher in enumerate(catchers):
        if faults.excludes_timeouts(catcher.error_equals):
            for name in late(w.state):
                later = (each for each in catchers[place + 1 :] if _takes(each, name))
                rest = next(later, None)
                on = (name,)
                found.append(_again(w, on) if rest is None else _handler(w, work, rest, on))
        found.append(_handler(w, work, catcher, faults.names(catcher.error_equals)))
    if (
        work.told == "lambda"
        and w.scope.reports
        and not any(faults.is_all(each.on) for each in found)
    ):
        found.append(_reported(w))
    return found


def _takes(catcher: Catcher, late_: str) -> bool:
    """Whether a catcher takes a kind of timeout."""
    on = faults.names(catcher.error_equals)
    return late_ in on or "States.ALL" in catcher.error_equals


def _again(w: Writing, on: tuple[str, ...]) -> Handler:
    """Errors that go on as if nothing caught them."""
    bound = w.book.namer.fresh(f"{w.state.name} fault")
    raised = w.step(f"{w.state.name} again", Raise(w.expression(bound)))
    return Handler(on, bound, (raised,), None, w.span)


def _reported(w: Writing) -> Handler:
    """Errors of a function with the cause that Lambda reports, for whoever reads it outside."""
    bound = w.book.namer.fresh(f"{w.state.name} fault")
    value = {
        "name": w.expression(f"{bound}.name"),
        "message": w.expression(faults.cause(bound, "lambda")),
    }
    raised = w.step(f"{w.state.name} report", Raise(value))
    return Handler(("*",), bound, (raised,), None, w.span)


def _handler(w: Writing, work: Work, catcher: Catcher, on: tuple[str, ...]) -> Handler:
    own = Writing(w.book, w.scope, w.state)
    own.retries = w.retries
    bound = w.book.namer.fresh(f"{w.state.name} error")
    error = own.expression(faults.error_output(bound, work.told, late(w.state)))
    if is_jsonata(w.state):
        sight = own.sight(w.scope.data, error=error.source)
        express(own, catcher.assign, catcher.output, error, sight)
    else:
        data = own.expression(w.scope.data)
        assigned = assign(own, catcher.assign, own.sight(error.source))
        output = data if catcher.result_path is None else put(own, catcher.result_path, error, data)
        own.hand_on(output, assigned)
    return Handler(on, bound, tuple(own.steps), catcher.next, w.span)


def fatal_of(w: Writing) -> tuple[str, ...]:
    """Errors out of a machine inside a state that the state cannot catch."""
    return _NOT_OURS if is_jsonata(w.state) else faults.FATAL
