"""One execution: its history, its context object, and what expressions of its states can see."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from agentflow.adapters.aws.asl import timestamps
from agentflow.adapters.aws.asl.errors import RUNTIME, StateError
from agentflow.adapters.aws.asl.jsonata import Scope
from agentflow.adapters.aws.asl.jsonpath import Data
from agentflow.adapters.aws.asl.model import Common
from agentflow.adapters.aws.asl.simulate.protocol import HistoryEvent
from agentflow.errors import Json

if TYPE_CHECKING:
    from agentflow.adapters.aws.asl.simulate.protocol import Effect

MAX_EVENTS: Final = 25_000
"""That the history of an execution may have.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html (2026-08).
"""
_CLOSING: Final = ("Aborted", "Failed", "TimedOut")
"""What is recorded even when the history is full."""
ACCOUNT: Final = "123456789012"
REGION: Final = "us-east-1"


Bodies: TypeAlias = Mapping[type[Common], Callable[[Any, "Visit"], Any]]
"""By the type of a state, what it does between entering and leaving: `Left`, or a generator of it.

Given to an execution, so that states can hold machines without their modules knowing each other.
"""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who an execution is; `id` and `machine_id` are ARNs."""

    name: str
    machine: str
    parent: str = ""
    """For a child of a distributed map: what stands between machine and name in its ARN."""
    role: str = f"arn:aws:iam::{ACCOUNT}:role/simulated"

    @property
    def id(self) -> str:
        return (
            f"arn:aws:states:{REGION}:{ACCOUNT}:execution:{self.machine}{self.parent}:{self.name}"
        )

    @property
    def machine_id(self) -> str:
        return f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{self.machine}{self.parent}"

    def run_id(self, label: str, number: str) -> str:
        """The ARN of a map run."""
        return f"arn:aws:states:{REGION}:{ACCOUNT}:mapRun:{self.machine}/{label}:{number}"


@dataclass(slots=True, eq=False)
class Execution:
    """What all states of one execution share."""

    identity: Identity
    input: Json
    started_at: float
    clock: Callable[[], float]
    ask: Callable[[Effect], None]
    bodies: Bodies
    history: list[HistoryEvent] = field(default_factory=list)
    chance: random.Random = field(init=False)
    """Random numbers that depend on the execution's identity only."""

    def __post_init__(self) -> None:
        self.chance = random.Random(self.identity.id)  # noqa: S311 -- repeatable, no secret

    def record(self, type: str, **details: Json) -> int:
        """Add an event to the history; its number is the result.

        Raises:
            StateError: the history is full.
        """
        number = len(self.history) + 1
        if number > MAX_EVENTS and not type.endswith(_CLOSING):
            full = StateError(
                RUNTIME,
                f"The execution reached the maximum number of history events ({MAX_EVENTS}).",
            )
            full.fatal = True
            raise full
        self.history.append(HistoryEvent(number, type, self.clock(), details))
        return number


@dataclass(frozen=True, slots=True)
class Place:
    """Where a machine runs: its execution, its variables, and the item of the map around it."""

    execution: Execution
    variables: dict[str, Json]
    item: Json = None
    """`$$.Map` in an iteration."""
    trail: str = ""
    """The iterations and branches around it; part of every key."""

    def inner(self, trail: str, item: Json = None) -> Place:
        """A branch or iteration: it reads the variables, and writes its own."""
        around = item if item is not None else self.item
        return Place(self.execution, dict(self.variables), around, f"{self.trail}{trail}/")


@dataclass(slots=True)
class Visit:
    """A state that has been entered."""

    place: Place
    name: str
    input: Json
    entered_at: float
    entered_id: int
    counts_retries: bool
    retries: int = 0
    token: str | None = None

    @property
    def execution(self) -> Execution:
        """The execution the state belongs to."""
        return self.place.execution

    @property
    def key(self) -> str:
        """What events about this attempt of the state are addressed to."""
        execution = self.execution.identity.id
        return f"{execution}/{self.place.trail}{self.name}#{self.entered_id}~{self.retries}"

    def context(self) -> dict[str, Json]:
        """The context object, `$$` or `$states.context`."""
        execution, identity = self.execution, self.execution.identity
        state: dict[str, Json] = {
            "Name": self.name,
            "EnteredTime": timestamps.render(self.entered_at),
        }
        if self.counts_retries:
            state["RetryCount"] = self.retries
        found: dict[str, Json] = {
            "Execution": {
                "Id": identity.id,
                "Input": execution.input,
                "StartTime": timestamps.render(execution.started_at),
                "Name": identity.name,
                "RoleArn": identity.role,
                "RedriveCount": 0,
            },
            "StateMachine": {"Id": identity.machine_id, "Name": identity.machine},
            "State": state,
        }
        if self.place.item is not None:
            found["Map"] = self.place.item
        if self.token is not None:
            found["Task"] = {"Token": self.token}
        return found

    def data(self, value: Json, item: Json = None) -> Data:
        """What paths see when `$` is a value."""
        context = self.context()
        if item is not None:
            context["Map"] = item
        return Data(value, context, self.place.variables, self.execution.input)

    def scope(self, item: Json = None, **states: Json) -> Scope:
        """What JSONata sees: `$states` with these members, and the variables."""
        context = self.context()
        if item is not None:
            context["Map"] = item
        names: dict[str, Any] = dict(self.place.variables)
        names["states"] = {"input": self.input, "context": context, **states}
        return Scope(names, self.execution.clock(), self.execution.chance)
