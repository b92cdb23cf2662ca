"""What goes into the interpreter and what comes out: events and effects.

Nothing here acts. A key names what an effect or an event is about: the execution, the state with
the number of the event that entered it, and the attempt. Times are Unix seconds; they enter with
events.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from agentflow.adapters.aws.asl.resources import Resource
from agentflow.errors import Json

Status: TypeAlias = Literal["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]


# --- effects: what the interpreter wants done ------------------------------------------------


@dataclass(frozen=True, slots=True)
class Invoke:
    """Do the work of a Task; `Completed` or `Failed` is expected.

    With a token (`.waitForTaskToken`, activities) whoever holds it completes the task later;
    `Submitted` then says that the request itself went well.
    """

    key: str
    resource: Resource
    arguments: Json
    state: str
    execution: str
    token: str | None = None


@dataclass(frozen=True, slots=True)
class StartTimer:
    """`Fired` is expected at a time, or as soon as possible after it."""

    key: str
    at: float


@dataclass(frozen=True, slots=True)
class ReadItems:
    """Get what an ItemReader names: `Completed` with the text of an object, or a list."""

    key: str
    resource: Resource
    arguments: Json
    state: str
    execution: str


@dataclass(frozen=True, slots=True)
class WriteItems:
    """Put an object where a ResultWriter says; `Completed` or `Failed` is expected."""

    key: str
    bucket: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """Nobody waits for an invocation or a timer any longer."""

    key: str


Effect: TypeAlias = Invoke | StartTimer | ReadItems | WriteItems | Cancel


# --- events: what has happened ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Submitted:
    """The request of a task with a token was accepted."""

    at: float
    key: str
    value: Json = None


@dataclass(frozen=True, slots=True)
class Completed:
    """Work has a result."""

    at: float
    key: str
    value: Json = None


@dataclass(frozen=True, slots=True)
class Failed:
    """Work failed with a named error."""

    at: float
    key: str
    error: str
    cause: str | None = None
    fatal: bool = False
    """It is no failure of the work: nobody could be found to do it."""


@dataclass(frozen=True, slots=True)
class Beat:
    """A task with a token is alive."""

    at: float
    key: str


@dataclass(frozen=True, slots=True)
class Fired:
    """The time of a timer has come."""

    at: float
    key: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """Somebody stops the execution from outside."""

    at: float
    error: str | None = None
    cause: str | None = None
    key: str = ""


Event: TypeAlias = Submitted | Completed | Failed | Beat | Fired | Stopped


# --- results ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HistoryEvent:
    """One event of an execution's history, numbered from 1."""

    id: int
    type: str
    """As the service calls it: `TaskStateEntered`."""
    at: float
    details: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an execution ended."""

    status: Status
    output: Json = None
    error: str | None = None
    cause: str | None = None
    history: tuple[HistoryEvent, ...] = ()
    started_at: float = 0.0
    ended_at: float = 0.0

    @property
    def entered(self) -> tuple[str, ...]:
        """The states entered, in order."""
        return tuple(
            str(event.details["name"])
            for event in self.history
            if event.type.endswith("StateEntered")
        )
