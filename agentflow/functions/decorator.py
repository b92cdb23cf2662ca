"""`@function`: what a function says about itself; it stays the plain function it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar, overload

from agentflow.errors import UsageError
from agentflow.functions.durations import seconds_given
from agentflow.functions.suggestions import did_you_mean

ATTRIBUTE = "__agentflow__"
"""Where the options stand on a decorated function."""

_RETRY_KEYS = ("on", "max_attempts", "interval", "backoff", "max_interval", "jitter")
_RESOURCE_KEYS = ("num_cpus", "num_gpus", "memory", "runtime_env")

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class FunctionOptions:
    """What `@function(...)` was given."""

    name: str
    """How listings and clouds call it; the function's own name unless stated."""
    retry: Mapping[str, Any] | None = None
    """As in a spec's `retry`."""
    timeout: float | None = None
    """Seconds one call may take."""
    resources: Mapping[str, Any] | None = None
    """As in a spec's `resources`."""


@overload
def function(target: F, /) -> F: ...


@overload
def function(
    *,
    name: str | None = None,
    retry: Mapping[str, Any] | None = None,
    timeout: str | float | timedelta | None = None,
    resources: Mapping[str, Any] | None = None,
) -> Callable[[F], F]: ...


def function(
    target: F | None = None,
    /,
    *,
    name: str | None = None,
    retry: Mapping[str, Any] | None = None,
    timeout: str | float | timedelta | None = None,
    resources: Mapping[str, Any] | None = None,
) -> F | Callable[[F], F]:
    """Mark a function as one that workflows call.

    The same function is given back, so it runs, tests and debugs as plain Python. The options
    are what a call uses when its step says nothing else.

        @function(retry={"max_attempts": 3}, timeout="30s")
        def count_words(text: str) -> dict[str, int]: ...

    Raises:
        UsageError: an option is unknown, or the timeout is not a duration.
    """
    if target is not None and not callable(target):
        raise UsageError(
            f"@function was given {type(target).__name__}, not a function",
            help='options are named: @function(name="…")',
        )
    _known("retry", retry, _RETRY_KEYS)
    _known("resources", resources, _RESOURCE_KEYS)
    said = f"@function: timeout {timeout!r}"
    seconds = None if timeout is None else seconds_given(timeout, said)

    def mark(function: F) -> F:
        options = FunctionOptions(
            name or str(getattr(function, "__name__", type(function).__name__)),
            retry,
            seconds,
            resources,
        )
        setattr(function, ATTRIBUTE, options)
        return function

    return mark if target is None else mark(target)


def options_of(function: Callable[..., Any]) -> FunctionOptions | None:
    """What the function says about itself, `None` if it is not decorated."""
    options = getattr(function, ATTRIBUTE, None)
    return options if isinstance(options, FunctionOptions) else None


def _known(option: str, given: Mapping[str, Any] | None, keys: tuple[str, ...]) -> None:
    for key in given or ():
        if key not in keys:
            raise UsageError(
                f"@function: unknown key {key!r} in {option}{did_you_mean(key, keys)}",
                help=f"{option} takes {', '.join(keys)}",
            )
