"""What is stored about executions, as plain values; the tables are in `tables`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from agentflow.errors import Json

Status: TypeAlias = Literal["running", "waiting", "succeeded", "failed", "cancelled"]

ENDED: frozenset[Status] = frozenset({"succeeded", "failed", "cancelled"})

RETRIED = "execution.retried"
"""Events of a failure are set aside, and the execution goes on."""
FORKED = "execution.forked"
"""Here ends what a fork shares with the execution that it is of."""


@dataclass(frozen=True, slots=True)
class Record:
    """One event of an execution as the journal keeps it."""

    execution: str
    seq: int
    """Counts from 1, without gaps."""
    type: str
    """One of `machine.protocol.EVENTS`, `execution.retried`, `.forked` or `result.refused`."""
    at: float
    step: str | None = None
    """The event's key."""
    attempt: int | None = None
    data: Json = None
    """The event's payload, a JSON object."""
    superseded: bool = False
    """A `retry` set this event aside; it is shown but no longer replayed."""


@dataclass(frozen=True, slots=True)
class StoredSpec:
    """A workflow's text, pinned by digest; executions keep running the version they started."""

    digest: str
    name: str
    version: str
    text: str
    path: str
    """Where it was read from, for messages."""
    children: dict[str, str] = field(default_factory=dict)
    """Digest of each workflow that `run` steps name."""


@dataclass(frozen=True, slots=True)
class StoredExecution:
    """One row of the list of executions."""

    id: str
    workflow: str
    version: str
    digest: str
    root: str
    """The project root its functions are found from."""
    status: Status
    input: Json
    started_at: float
    output: Json = None
    error: Json = None
    origin: str | None = None
    ended_at: float | None = None
    owner: str | None = None
    """The engine that runs it, `host:pid:birth:nonce`; `None` when nobody does."""
    epoch: int = 0
    """Grows at each take-over; an orchestrator with an older one cannot append."""
    head: int = 0
    """The last event's seq."""
    parent: str | None = None
    parent_key: str | None = None
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def is_batch(self) -> bool:
        """Whether it is a batch run, which has no steps and is run by no engine."""
        return self.digest.startswith(BATCH)


@dataclass(frozen=True, slots=True)
class Change:
    """What a commit changes of an execution's row, beside its head."""

    execution: str
    status: Status
    output: Json = None
    error: Json = None
    origin: str | None = None
    ended_at: float | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """Something sent to executions: a signal, an approval, an emitted event, a request to cancel.

    `execution` None means whoever listens for this name and correlation.
    """

    id: str
    name: str
    correlation: Json
    data: Json
    at: float
    execution: str | None = None


CANCEL = "agentflow.cancel"
"""The name of the message that asks an execution's owner to cancel it."""

BATCH = "batch-"
"""What the digest of a batch run's description begins with: no workflow, so no engine runs it."""

REFUSED = "result.refused"
"""The type of a record that says a late result was not taken: `{"type", "attempt", "reason"}`.

It may follow anything but the end, completes nothing, and nothing is replayed from it.
"""

KEPT = "agent.state"
"""The type of a record of an agent's state after the call that is recorded next: `{"state"}`.

Its step names the instance, its attempt counts the instance's calls. Nothing is replayed from it.
"""


@dataclass(frozen=True, slots=True)
class HistorySize:
    """How long a history is; superseded events count."""

    events: int
    bytes: int
    """Of the events' data, without what is in blobs."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed, or would be."""

    executions: int = 0
    events: int = 0
    blobs: int = 0
    bytes: int = 0
    """Of the events' data and of the blobs."""
