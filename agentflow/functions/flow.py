"""`@workflow` and what its functions may say besides calling functions.

A workflow in Python is compiled from its source, never run, when an engine carries it. Called
directly it is the plain Python function it looks like: the helpers below then do the plain thing,
and `rehearse` gives the answers that people and messages would give.

    from agentflow import parallel, workflow

    @workflow
    def report(city: str) -> str:
        facts = parallel(weather=forecast(city=city), events=calendar(city=city))
        return summary(weather=facts["weather"], events=facts["events"])
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias, TypeVar, overload

from agentflow.errors import Fault, Json, UsageError
from agentflow.functions.durations import parse_duration
from agentflow.functions.failures import error_value

ATTRIBUTE = "__agentflow_workflow__"
"""What is true of a decorated function."""

Duration: TypeAlias = str | float
"""Seconds, or a text such as `1h30m`."""

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


class Timeout(Fault):
    """A step took longer than its `timeout`; for `except`, and for answers of a rehearsal."""

    def __init__(self, message: str = "it took too long") -> None:
        super().__init__("Timeout", message)


@overload
def workflow(target: F, /) -> F: ...


@overload
def workflow(
    *,
    name: str | None = None,
    version: str = "1.0.0",
    timeout: Duration | None = None,
    retry: Mapping[str, Any] | None = None,
    call_timeout: Duration | None = None,
    secrets: Sequence[str] = (),
    concurrency: int | None = None,
    labels: Mapping[str, str] | None = None,
    targets: Mapping[str, Any] | None = None,
    max_rounds: int = 1000,
) -> Callable[[F], F]: ...


def workflow(target: F | None = None, /, **_options: Any) -> F | Callable[[F], F]:
    """Make a function a workflow; it stays the plain function it was.

    The options are read from the source, hence literals.

    Args:
        target: The function, where the decorator stands without options.
        **_options: `name` (the function's own unless stated), `version`, `timeout` of an execution,
            `retry` and `call_timeout` of calls that state none, `secrets`, `concurrency`,
            `labels` and `targets` as in a spec, and `max_rounds`, after which a `while` fails
            with `LoopLimit`.

    Raises:
        UsageError: it is no function that is decorated.
    """

    def mark(function: F) -> F:
        if not callable(function) or isinstance(function, type):
            raise UsageError(
                f"@workflow was given {type(function).__name__}, not a function",
                help='options are named: @workflow(name="…")',
            )
        setattr(function, ATTRIBUTE, True)
        return function

    return mark if target is None else mark(target)


def is_workflow(value: object) -> bool:
    """Whether a value is a function decorated with `@workflow`."""
    return getattr(value, ATTRIBUTE, False) is True


@overload
def parallel(*results: T) -> list[T]: ...


@overload
def parallel(**results: Any) -> dict[str, Any]: ...


def parallel(*results: Any, **named: Any) -> Any:
    """Run calls side by side: `parallel(f(x), g(y))` is a list, `parallel(a=f(x))` an object.

    As plain Python, the calls have been made in order by the time this is called.
    """
    if results and named:
        raise UsageError("parallel takes either names or none", help="parallel(a=f(x), b=g(y))")
    return named or list(results)


def step(
    result: T,
    /,
    *,
    id: str | None = None,
    description: str = "",
    retry: Mapping[str, Any] | None = None,
    timeout: Duration | None = None,
    resources: Mapping[str, Any] | None = None,
    execution: Literal["at_least_once", "at_most_once"] = "at_least_once",
) -> T:
    """Say more about one step: `step(charge(card=card), retry={"max_attempts": 5})`.

    As plain Python, it gives the result back.
    """
    del id, description, retry, timeout, resources, execution  # engines read them in the source
    return result


@overload
def gather(
    results: list[T],
    /,
    *,
    id: str | None = None,
    concurrency: int | None = None,
    batch: int | Literal["auto"] | None = None,
    tolerate: int | str = 0,
    retry: Mapping[str, Any] | None = None,
    timeout: Duration | None = None,
) -> list[T]: ...


@overload
def gather(
    results: list[Any],
    /,
    *,
    reduce: Callable[..., T],
    arity: int = 16,
    id: str | None = None,
    concurrency: int | None = None,
    batch: int | Literal["auto"] | None = None,
    tolerate: int | str = 0,
    retry: Mapping[str, Any] | None = None,
    timeout: Duration | None = None,
) -> T: ...


def gather(
    results: list[Any],
    /,
    *,
    reduce: Callable[..., Any] | None = None,
    arity: int = 16,
    **_options: Any,
) -> Any:
    """Say more about a map: `gather([f(x) for x in xs], batch="auto", reduce=merge)`.

    `reduce` is called with at most `arity` partial results, in order, until one is left. As plain
    Python, it does that, and the other options change nothing.
    """
    if reduce is None:
        return results
    level = results
    while True:
        groups = [level[at : at + arity] for at in range(0, len(level), arity)] or [[]]
        level = [reduce(group) for group in groups]
        if len(level) == 1:
            return level[0]


@dataclass
class Rehearsal:
    """What a plain run of workflows is given, and what it did."""

    approvals: list[Json]
    messages: dict[str, list[Json]]
    emitted: list[dict[str, Json]] = field(default_factory=list)
    """The events, in order: `{"type", "source", "subject", "data"}`."""
    waited: list[Duration] = field(default_factory=list)
    """The durations and times that were waited for, in order, without waiting."""


_REHEARSAL: ContextVar[Rehearsal | None] = ContextVar("agentflow_rehearsal", default=None)


@contextmanager
def rehearse(
    *, approvals: Sequence[Json] = (), messages: Mapping[str, Sequence[Json]] | None = None
) -> Iterator[Rehearsal]:
    """Run workflows as plain Python, with answers that are at hand and without waiting.

    Args:
        approvals: What each `approve` gives, in order; an exception is raised instead.
        messages: What each `listen` gives, by the message's name, in order.
    """
    given = {name: list(each) for name, each in (messages or {}).items()}
    rehearsal = Rehearsal(list(approvals), given)
    token = _REHEARSAL.set(rehearsal)
    try:
        yield rehearsal
    finally:
        _REHEARSAL.reset(token)


def wait(duration: Duration, /) -> None:
    """Wait for a duration, or until an RFC 3339 time.

    As plain Python it sleeps; in a rehearsal it does not.
    """
    rehearsal = _REHEARSAL.get()
    if rehearsal is not None:
        rehearsal.waited.append(duration)
        return
    time.sleep(_seconds(duration))


def approve(message: str, /, *, form: Json = None, timeout: Duration | None = None) -> Any:
    """Wait for a person's answer; `form` is a JSON Schema of it.

    Raises:
        UsageError: it runs as plain Python, and nobody gave an answer with `rehearse`.
    """
    del form, timeout  # a rehearsal answers at once, with what is right
    rehearsal = _REHEARSAL.get()
    return _answer(
        rehearsal.approvals if rehearsal else [],
        f"approve({message!r})",
        'with agentflow.rehearse(approvals=[{"ok": True}]): …',
    )


def listen(name: str, /, *, correlation: Json = None, timeout: Duration | None = None) -> Any:
    """Wait for a message; its data is the result.

    Raises:
        UsageError: it runs as plain Python, and nobody gave a message with `rehearse`.
    """
    del correlation, timeout  # a rehearsal answers at once, with what is right
    rehearsal = _REHEARSAL.get()
    return _answer(
        rehearsal.messages.get(name, []) if rehearsal else [],
        f"listen({name!r})",
        f"with agentflow.rehearse(messages={{{name!r}: [data]}}): …",
    )


def emit(type: str, data: Json = None, /, *, subject: Json = None, source: Json = None) -> None:
    """Publish a CloudEvent; in a rehearsal it is kept in `emitted`."""
    rehearsal = _REHEARSAL.get()
    if rehearsal is not None:
        event = {"type": type, "source": source, "subject": subject, "data": data}
        rehearsal.emitted.append(event)


_UNDO: ContextVar[tuple[list[Callable[[], Any]], ...]] = ContextVar("agentflow_undo", default=())


@contextmanager
def saga() -> Iterator[None]:
    """Undo the completed calls that have a `compensate` when something inside fails.

    with saga():
        hotel = book_hotel(city=city)
        compensate(cancel_hotel, booking=hotel["id"])
        book_flight(city=city)
    """
    undo: list[Callable[[], Any]] = []
    outer = _UNDO.get()
    token = _UNDO.set((*outer, undo))
    try:
        yield
        if outer:
            outer[-1].extend(undo)
    except Exception as failure:
        for compensation in reversed(undo):
            try:
                compensation()
            except Exception as error:  # noqa: BLE001  # the others are undone all the same
                failure.add_note(f"could not be undone: {type(error).__name__}: {error}")
        raise
    finally:
        _UNDO.reset(token)


def compensate(function: Callable[..., Any], /, **arguments: Any) -> None:
    """Say how the call just before is undone: `compensate(cancel, booking=hotel["id"])`.

    Raises:
        UsageError: it stands outside of a saga.
    """
    if not _UNDO.get():
        raise UsageError("compensate stands outside of a saga", help="with saga(): …")
    _UNDO.get()[-1].append(lambda: function(**arguments))


def error(exception: BaseException, /) -> dict[str, Json]:
    """A caught exception as workflows see it: `{name, message, data, cause}`."""
    return error_value(exception)


def _answer(answers: list[Json], what: str, remedy: str) -> Any:
    if not answers:
        raise UsageError(f"{what} has no answer when it runs as plain Python", help=remedy)
    answer = answers.pop(0)
    if isinstance(answer, BaseException):
        raise answer
    return answer


def _seconds(duration: Duration) -> float:
    seconds = parse_duration(duration) if isinstance(duration, str) else float(duration)
    if seconds is not None:
        return max(seconds, 0.0)
    try:
        until = datetime.fromisoformat(str(duration))
    except ValueError:
        raise UsageError(
            f"wait: {duration!r} is neither a duration nor a time",
            help="write seconds, `1h30m`, or `2030-01-31T09:00:00Z`",
        ) from None
    moment = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max((moment - datetime.now(UTC)).total_seconds(), 0.0)
