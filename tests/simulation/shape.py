"""What a simulated workflow is: its text, its inputs and messages, and what must come of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from agentflow.errors import Json
from agentflow.runtime.journal.protocol import Status
from agentflow.spec.load import Loaded, loads

ROOT = Path("/simulated")


class Outcome(NamedTuple):
    """What an execution came to, as far as it must not depend on chance."""

    status: Status
    output: Json
    error: Json


class Signal(NamedTuple):
    """A message that somebody outside sends to an execution."""

    name: str
    data: Json
    correlation: Json = None


@dataclass(frozen=True)
class Shape:
    """One workflow, and what is known about it."""

    name: str
    text: str
    draw: Callable[[random.Random], Json] = lambda rng: {"n": rng.randint(0, 999)}
    """An input."""
    signals: tuple[Signal, ...] = ()
    child: str = ""
    """The workflow that its `run` steps name `child`."""
    undone: tuple[str, ...] = ()
    """Keys of the calls that a saga compensates, in the order they are made."""
    finals: tuple[str, ...] = ()
    """Keys of calls that are made in every execution that was not cancelled."""
    accepts: Callable[[Outcome, Outcome], bool] = field(
        default=lambda actual, reference: actual == reference
    )
    """Whether an outcome is right, given the one without faults."""

    @cached_property
    def loaded(self) -> Loaded:
        """The workflow, read and checked."""
        children = {"child": self.child} if self.child else None
        return loads(self.text, path=self.name, root=ROOT, children=children)
