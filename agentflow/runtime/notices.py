"""What the engine tells whoever watches: progress, printed lines, phases. Best effort."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from agentflow.runtime.machine.protocol import Command, Event


@dataclass(frozen=True, slots=True)
class Changed:
    """Events of an execution were committed, and these commands follow from them."""

    execution: str
    events: tuple[Event, ...]
    commands: tuple[Command, ...]


@dataclass(frozen=True, slots=True)
class Printed:
    """A function printed or logged lines."""

    execution: str
    key: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Phase:
    """Something slow is going on outside of any execution; None when it is over."""

    text: str | None
    failed: bool = False
    """Whether what is over has failed."""


Notice: TypeAlias = Changed | Printed | Phase

Watcher: TypeAlias = Callable[[Notice], None]
"""Called from the engine's thread; it must be quick."""
