"""What one state becomes, before it is known where it stands: steps, and where they lead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from agentflow.errors import Span
from agentflow.spec.model import Catch, Step

Steps: TypeAlias = "list[Step]"


@dataclass(frozen=True, slots=True)
class Exit:
    """A way out of a state: with a condition, after some steps, to a state or to the end."""

    to: str | None
    when: str | None = None
    """The source of a condition; without one, always."""
    steps: tuple[Step, ...] = ()
    fails: bool = False
    """Whether its steps end in an error."""


@dataclass(frozen=True, slots=True)
class Handler:
    """What a Catch does: the errors, their name in the steps, the steps, and where it leads.

    One that leads nowhere raises the error again.
    """

    on: tuple[str, ...]
    bind: str
    steps: tuple[Step, ...]
    to: str | None
    span: Span


@dataclass(slots=True)
class Lowered:
    """A state as steps.

    `before`, then `risky` if there is one: it is given its handlers and gives its step. `after`
    follows only if no handler took over.
    """

    before: Steps
    exits: list[Exit]
    risky: Callable[[tuple[Catch, ...]], Step] | None = None
    handlers: list[Handler] = field(default_factory=list)
    after: Steps = field(default_factory=list)
