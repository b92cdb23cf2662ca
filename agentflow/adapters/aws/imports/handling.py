"""Work that may fail, with what its state says about retrying and catching."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Final

from agentflow.adapters.aws.asl.errors import QUERY, RUNTIME
from agentflow.adapters.aws.asl.jsonata import expression_in
from agentflow.adapters.aws.asl.model import Catcher, Fail, Parallel, Retrier, State, Task
from agentflow.adapters.aws.asl.model import Map as MapState
from agentflow.adapters.aws.asl.values import Absent
from agentflow.adapters.aws.calls import is_recorded
from agentflow.adapters.aws.imports import faults, own
from agentflow.adapters.aws.imports.certainty import cannot_fail, is_repeatable
from agentflow.adapters.aws.imports.heartbeats import late
from agentflow.adapters.aws.imports.lowered import Exit, Handler, Lowered, Steps
from agentflow.adapters.aws.imports.retriers import attempts
from agentflow.adapters.aws.imports.states import assign, express, is_jsonata, put
from agentflow.adapters.aws.imports.takers import Kinds, Taken, in_turn, taken
from agentflow.adapters.aws.imports.writing import Writing
from agentflow.spec.model import (
    Block,
    Call,
    Case,
    Catch,
    Raise,
    Retry,
    Set,
    Step,
    Switch,
    Try,
)

_LIMIT: Final = "LoopLimit"
_OURS: Final = ("NotMapped", _LIMIT)
"""Errors that the service does not know: what they are about does not happen there."""


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
    return bool(state.retry) and "RetryCount" in _own_words(state)


def tells_entry(state: State) -> bool:
    """Whether a state reads when it was entered."""
    return "EnteredTime" in _own_words(state)


def _own_words(state: State) -> str:
    """What a state says itself, without the machines inside it.

    A task of our own tells its attempt, as every call of a workflow does.
    """
    known = {each.name: getattr(state, each.name) for each in fields(state)}
    if isinstance(state, Task) and (asked := own.asked(state)) is not None:
        known["arguments"] = asked
    return " ".join(repr(known[name]) for name in known if name not in ("processor", "branches"))


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
    known = kinds(w, work)
    handlers = _handlers(w, work, known)
    retry: Retry | None = None
    counts = counts_retries(w.state)
    if retriers and not counts and (policy := _own_policy(w, work, retriers, known)) is not None:
        work = replace(work, step=replace(work.step, retry=policy))
    elif retriers:
        takers = [taken(each.error_equals, known) for each in retriers]
        if counts or not _is_policy(takers, _OURS):
            return _counted(w, work, list(zip(retriers, takers, strict=True)), handlers)
        retry = faults.retry(retriers[0], takers[0].on)
    if retry is None and not handlers:
        return Lowered([*work.before, work.step, *work.after], exits)
    if not work.whole:

        def alone(catches: tuple[Catch, ...]) -> Step:
            return replace(work.step, catch=catches)

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


def _is_policy(takers: list[Taken], same: tuple[str, ...]) -> bool:
    """Whether the policy of a step says what retriers do: there is one, and it leaves nothing out.

    It may leave out what is the `same` retried or not.
    """
    return len(takers) == 1 and {*same}.issuperset(takers[0].but)


def _own_policy(w: Writing, work: Work, retriers: list[Retrier], known: Kinds) -> Retry | None:
    """The policy of the step that does the work, where that says all that the retriers do.

    A call that is retried itself knows its attempts, as on the service. The arguments of a task
    come to the same when they are evaluated again, and fail again, before anything is called.
    """
    is_task = isinstance(w.state, Task)
    if work.whole:
        if not _is_repeated_alike(w, work):
            return None
        if is_task:
            retriers = [each for each in retriers if {*each.error_equals} - {QUERY}]
            known = replace(known, faulty=())
    takers = [taken(each.error_equals, known) for each in retriers]
    if not _is_policy(takers, (*_OURS, *(work.fatal if is_task else ()))):
        return None
    return faults.retry(retriers[0], takers[0].on)


def _is_repeated_alike(w: Writing, work: Work) -> bool:
    """Whether what stands around the work gives the same each time, and is no reason to do it."""
    call = work.step.action
    given = call.arguments if isinstance(call, Call) else {}
    if is_recorded(given) or not is_repeatable(work.before):
        return False
    if work.told == "value":  # what our compiler writes after a call has a value
        return is_repeatable(work.after)
    return cannot_fail(work.after, w.scope.variables)


def _counted(
    w: Writing, work: Work, retriers: list[tuple[Retrier, Taken]], handlers: list[Handler]
) -> Lowered:
    """The state with retriers that no policy is for: a loop of attempts.

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
    count, loop = attempts(w, body, retriers)

    def looped(catches: tuple[Catch, ...]) -> Step:
        return _together(w, Block((count, loop)), None, catches)

    return Lowered([*before, *begin], [Exit(w.state.next)], looped, handlers, after)


# --- catching ----------------------------------------------------------------------------------


def _handlers(w: Writing, work: Work, known: Kinds) -> list[Handler]:
    catchers = w.state.catch
    takers = [taken(each.error_equals, known) for each in catchers]
    found = [
        _again(w, on) if place is None else _handler(w, work, known, catchers[place], on)
        for on, place in in_turn(takers)
    ]
    if work.told != "message" and w.scope.reports and not any(each.is_all for each in takers):
        found.append(_reported(w, work.told))
    return found


def _again(w: Writing, on: tuple[str, ...]) -> Handler:
    """Errors that go on as if nothing caught them."""
    bound = w.book.namer.fresh(f"{w.state.name} fault")
    raised = w.step(f"{w.state.name} again", Raise(w.expression(bound)))
    return Handler(on, bound, (raised,), None, w.span)


def _reported(w: Writing, told: faults.Told) -> Handler:
    """Errors of a function with the cause that the service has, for whoever reads it outside."""
    bound = w.book.namer.fresh(f"{w.state.name} fault")
    value = {
        "name": w.expression(f"{bound}.name"),
        "message": w.expression(faults.cause(bound, told)),
    }
    raised = w.step(f"{w.state.name} report", Raise(value))
    return Handler(("*",), bound, (raised,), None, w.span)


def _handler(
    w: Writing, work: Work, known: Kinds, catcher: Catcher, on: tuple[str, ...]
) -> Handler:
    own = w.beside()
    bound = w.book.namer.fresh(f"{w.state.name} error")
    told = faults.error_output(bound, work.told, late(w.state), known.faulty)
    error = own.expression(told)
    if is_jsonata(w.state):
        sight = own.sight(w.scope.data, error=error.source)
        express(own, catcher.assign, catcher.output, error, sight)
    else:
        data = own.expression(w.scope.data)
        assigned = assign(own, catcher.assign, own.sight(error.source))
        output = data if catcher.result_path is None else put(own, catcher.result_path, error, data)
        own.hand_on(output, assigned)
    return Handler(on, bound, tuple(own.steps), catcher.next, w.span)


# --- kinds of errors ---------------------------------------------------------------------------


def kinds(w: Writing, work: Work) -> Kinds:
    """What the work of a state can end with that not every name is for."""
    state = w.state
    if isinstance(state, Task):
        limits = (state.timeout_seconds, state.heartbeat_seconds)
        timed = not all(isinstance(each, Absent) for each in limits)
        faulty = is_jsonata(state) and work.whole
    else:
        timed, faulty = True, "JSONata" in _languages(state)
    told = _told_inside(state)
    names = (name for name in (QUERY, *faults.EVALUATION) if name not in {*work.fatal, *told})
    return Kinds(late(state) if timed else (), tuple(names) if faulty else (), work.fatal, told)


def fatal_of(w: Writing) -> tuple[str, ...]:
    """Errors out of a state, and of machines inside it, that the state cannot catch.

    A name that a Fail inside gives is an error like any other.
    """
    found = faults.FATAL if "JSONPath" in _languages(w.state) else (RUNTIME, *_OURS)
    told = _told_inside(w.state)
    return tuple(name for name in found if name == RUNTIME or name not in told)


def _told_inside(state: State) -> tuple[str, ...]:
    """The names of errors that Fail states of the machines inside a state give."""
    found: list[str] = []
    for each in _inside(state):
        if isinstance(each, Fail) and not isinstance(each.error, Absent):
            # One that passes errors on may give any; only this one the service never gives itself.
            is_plain = isinstance(each.error, str) and expression_in(each.error) is None
            found.append(str(each.error) if is_plain else _LIMIT)
        found += _told_inside(each)
    return tuple(dict.fromkeys(found))


def _languages(state: State) -> set[str]:
    """The query languages of a state and of those inside it."""
    return {state.query_language}.union(*map(_languages, _inside(state)))


def _inside(state: State) -> Iterator[State]:
    """The states of the machines inside a state."""
    machines = [state.processor] if isinstance(state, MapState) else []
    machines += state.branches if isinstance(state, Parallel) else ()
    for machine in machines:
        yield from machine.states.values()
