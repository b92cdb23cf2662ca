"""Where control goes from a step: on, out by `return`, or to whoever handles an error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agentflow.adapters.aws.checks import Reference
from agentflow.adapters.aws.graph import Label
from agentflow.spec.model import Compensation


@dataclass(frozen=True, slots=True)
class After:
    """What follows a step or a block."""

    label: Label | None
    """The next state; `None`: the scope ends, and the value is its output."""
    sinks: tuple[str, ...] = ()
    """Variables that take the value."""


@dataclass(slots=True)
class Region:
    """Steps whose errors are handled in the same scope.

    States that can catch go to `raw` with the service's own report of the error in the variable
    `error`; whoever has the error's value puts it there and goes to `known`.
    """

    error: str
    raw: Label = field(default_factory=Label)
    known: Label = field(default_factory=Label)
    is_raw_used: bool = False
    is_known_used: bool = False


@dataclass(slots=True)
class Exit:
    """A `return` that has to pass the `finally` of a `try` first."""

    variable: str
    """Takes the value."""
    label: Label = field(default_factory=Label)
    is_used: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """How a completed call is undone, and what of its arguments is known only then."""

    undo: Compensation
    late: frozenset[str] = frozenset()
    """The arguments that are evaluated when it is undone, of names as they were."""
    names: Mapping[str, Reference] = field(default_factory=dict)
    """What these read: as it is in the entry of the log, or where it never changes."""
    is_placed: bool = False
    """Whether the entry says which step it was, because there may be several."""


@dataclass(slots=True)
class UndoLog:
    """What a saga keeps of its completed calls in a variable, latest first.

    Each is `{call, with}`, with `names` if it has late arguments, and `step` if it is placed.
    """

    variable: str
    calls: dict[str, Kept] = field(default_factory=dict)
    """How each call is undone, by a name that is unique in the saga."""
