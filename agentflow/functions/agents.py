"""`@agent`: a class whose instances keep state between calls, one instance for each key.

Its public methods are its calls. An agent that defines `snapshot()` and `restore(state)` keeps its
state also when its process is lost: `snapshot()` is taken after each call and recorded with the
call's result, and an instance that is made anew is given the last one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar, overload

from agentflow.errors import UsageError
from agentflow.functions.durations import seconds_given

ATTRIBUTE = "__agentflow_agent__"
"""Where the options stand on a decorated class."""

PREFIX = "agent:"
"""What a call's function begins with when it is an agent: `agent:NAME` or `agent:NAME.METHOD`."""

MOST_CALLS = 64
"""The largest `max_concurrency`: the calls that one process keeps track of."""

LONGEST_KEY = 500
"""Characters of the key of an instance."""

HOOKS = ("snapshot", "restore")
"""Methods that keep the state; no workflow calls them."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")

C = TypeVar("C", bound=type)


@dataclass(frozen=True, slots=True)
class AgentOptions:
    """What `@agent(...)` was given."""

    name: str
    """How workflows call it; the class's own name unless stated."""
    capabilities: tuple[str, ...] = ()
    """What it can do, in words of the project's own."""
    max_concurrency: int = 1
    """Calls that run in one instance at once."""
    idle_timeout: float = 600.0
    """Seconds without a call after which an instance ends."""
    description: str = ""


@overload
def agent(target: C, /) -> C: ...


@overload
def agent(
    *,
    name: str | None = None,
    capabilities: Sequence[str] = (),
    max_concurrency: int = 1,
    idle_timeout: str | float | timedelta = "10m",
    description: str = "",
) -> Callable[[C], C]: ...


def agent(
    target: C | None = None,
    /,
    *,
    name: str | None = None,
    capabilities: Sequence[str] = (),
    max_concurrency: int = 1,
    idle_timeout: str | float | timedelta = "10m",
    description: str = "",
) -> C | Callable[[C], C]:
    """Mark a class as an agent that workflows call.

    The same class is given back, so it runs, tests and debugs as plain Python. Options are written
    out: `agentflow validate` and `agentflow agents` read them without running the module.

        @agent(name="researcher", capabilities=["search"], max_concurrency=4)
        class Researcher:
            async def ask(self, question: str) -> dict[str, str]: ...

    Raises:
        UsageError: what is decorated is no class, or an option has no such value.
    """
    if target is not None and not isinstance(target, type):
        raise UsageError(
            f"@agent was given {type(target).__name__}, not a class",
            help="write a class with a method for each call; a function is marked by @function",
        )

    def mark(target: C) -> C:
        options = agent_options(
            target.__name__,
            name=name,
            capabilities=capabilities,
            max_concurrency=max_concurrency,
            idle_timeout=idle_timeout,
            description=description,
        )
        has = [hook for hook in HOOKS if callable(getattr(target, hook, None))]
        if len(has) == 1:
            raise UsageError(lonely_hook(target.__name__, has[0]))
        setattr(target, ATTRIBUTE, options)
        return target

    return mark if target is None else mark(target)


def agent_options(
    class_name: str,
    *,
    name: Any = None,
    capabilities: Any = (),
    max_concurrency: Any = 1,
    idle_timeout: Any = "10m",
    description: Any = "",
) -> AgentOptions:
    """The options, checked.

    Raises:
        UsageError: an option has no such value.
    """
    chosen = class_name if name is None else name
    if not isinstance(chosen, str) or not _NAME.fullmatch(chosen):
        raise UsageError(
            f"@agent: name {chosen!r} is no name",
            help="it has letters, digits, `_` and `-`, and does not begin with a digit",
        )
    if isinstance(capabilities, str) or not all(isinstance(each, str) for each in capabilities):
        raise UsageError("@agent: capabilities is a list of texts", help='such as ["search"]')
    if type(max_concurrency) is not int or not 1 <= max_concurrency <= MOST_CALLS:
        raise UsageError(
            f"@agent: max_concurrency {max_concurrency!r} is no number from 1 to {MOST_CALLS}"
        )
    if not isinstance(description, str):
        raise UsageError("@agent: description is text")
    seconds = seconds_given(idle_timeout, f"@agent: idle_timeout {idle_timeout!r}")
    return AgentOptions(chosen, tuple(capabilities), max_concurrency, seconds, description)


def is_call(method: str) -> bool:
    """Whether workflows may call a method of this name."""
    return method == "__call__" or not (method.startswith("_") or method in HOOKS)


def lonely_hook(class_name: str, hook: str) -> str:
    """The message for a class with only one of the two hooks."""
    other = next(each for each in HOOKS if each != hook)
    return f"agent {class_name} has `{hook}` but no `{other}`: state is kept by both or by neither"
