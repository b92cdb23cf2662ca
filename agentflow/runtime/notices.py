"""What the engine tells whoever watches: progress, printed lines, phases. Best effort."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from agentflow.runtime.journal.protocol import Record
from agentflow.runtime.machine.protocol import Command, Event
from agentflow.spec.load import Loaded


@dataclass(frozen=True, slots=True)
class TakenOver:
    """An execution goes on here from this history; what changes from now on is told after it."""

    execution: str
    loaded: Loaded
    records: Sequence[Record]


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


Notice: TypeAlias = TakenOver | Changed | Printed | Phase

Watcher: TypeAlias = Callable[[Notice], None]
"""Called from the engine's thread; it must be quick."""
