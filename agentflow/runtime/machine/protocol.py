"""What goes into the machine and what comes out: events and commands.

Nothing here acts. A `key` names the thing a command or an event is about; it is the step's path
with its iteration indexes (`count[17].parse`), followed by `@retry`, `@timeout` or `@wait` for
timers. Times are Unix seconds; they enter with events, the machine has no clock.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal, TypeAlias

from agentflow.errors import Json
from agentflow.spec.model import Resources

# --- events: facts, in the journal's order ---------------------------------------------------


@dataclass(frozen=True, slots=True)
class Started:
    """The execution begins. `parallel` is how many calls the executor runs at once."""

    at: float
    execution: str
    input: Json
    parallel: int = 1


@dataclass(frozen=True, slots=True)
class Resumed:
    """An orchestrator took the execution over: everything outstanding is asked for again."""

    at: float


@dataclass(frozen=True, slots=True)
class CallStarted:
    """An at-most-once call is about to be made; recorded before it is."""

    at: float
    key: str
    attempt: int


@dataclass(frozen=True, slots=True)
class CallCompleted:
    """A call has a result."""

    at: float
    key: str
    attempt: int
    value: Json


@dataclass(frozen=True, slots=True)
class CallFailed:
    """A call, or a batch or stream as a whole, failed."""

    at: float
    key: str
    attempt: int
    error: Json
    trace: Json = None
    """The user's own frames, `[{file, line, function, code}]`; shown, never read by workflows."""


@dataclass(frozen=True, slots=True)
class BatchCompleted:
    """One invocation carried several items; each outcome is `{"value"}` or `{"error"}`."""

    at: float
    key: str
    attempt: int
    outcomes: Json
    elapsed: float
    """Seconds the worker spent; decides the size of the next batches."""


@dataclass(frozen=True, slots=True)
class StreamYielded:
    """A generator gave its next values."""

    at: float
    key: str
    attempt: int
    values: Json


@dataclass(frozen=True, slots=True)
class TimerFired:
    """A timer is due."""

    at: float
    key: str


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """A message that was awaited came."""

    at: float
    key: str
    message: str
    """The message's id: it is consumed once."""
    data: Json


@dataclass(frozen=True, slots=True)
class ChildEnded:
    """A child execution ended."""

    at: float
    key: str
    status: str
    """succeeded, failed or cancelled."""
    value: Json = None
    error: Json = None


@dataclass(frozen=True, slots=True)
class EventEmitted:
    """An event is published."""

    at: float
    key: str


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """Somebody wants the execution to end."""

    at: float
    reason: str = ""
    message: str = ""
    """The id of the message that asked for it, if one did."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The last event: written with the one that caused it."""

    at: float
    status: Literal["succeeded", "failed", "cancelled"]
    output: Json = None
    error: Json = None
    origin: str | None = None
    """The key of the step the error came from."""


Event: TypeAlias = (
    Started
    | Resumed
    | CallStarted
    | CallCompleted
    | CallFailed
    | BatchCompleted
    | StreamYielded
    | TimerFired
    | MessageReceived
    | ChildEnded
    | EventEmitted
    | CancelRequested
    | Ended
)

EVENTS: dict[str, type[Event]] = {
    "execution.started": Started,
    "execution.resumed": Resumed,
    "call.started": CallStarted,
    "call.completed": CallCompleted,
    "call.failed": CallFailed,
    "batch.completed": BatchCompleted,
    "stream.yielded": StreamYielded,
    "timer.fired": TimerFired,
    "message.received": MessageReceived,
    "child.ended": ChildEnded,
    "event.emitted": EventEmitted,
    "cancel.requested": CancelRequested,
    "execution.ended": Ended,
}
"""Event types as the journal names them."""

TYPE_OF = {kind: name for name, kind in EVENTS.items()}

_COLUMNS = frozenset({"at", "key", "attempt"})
_WELL = {"value"}
_PAYLOAD = {kind: tuple(f.name for f in fields(kind) if f.name not in _COLUMNS) for kind in TYPE_OF}


def payload(event: Event) -> dict[str, Json]:
    """What the journal keeps of an event beside its columns (`at`, `key`, `attempt`).

    Of a batch in which all went well that is the bare `values`; `outcomes_of` reads either.
    """
    if isinstance(event, BatchCompleted) and all(o.keys() == _WELL for o in event.outcomes):
        return {"values": [o["value"] for o in event.outcomes], "elapsed": event.elapsed}
    return {name: getattr(event, name) for name in _PAYLOAD[type(event)]}


def outcomes_of(data: dict[str, Json]) -> list[dict[str, Json]]:
    """What became of each item of a batch, from the payload of its event."""
    if "values" in data:
        return [{"value": value} for value in data["values"]]
    outcomes: list[dict[str, Json]] = data["outcomes"]
    return outcomes


def restore(
    type: str, at: float, key: str | None, attempt: int | None, data: dict[str, Json]
) -> Event:
    """The event that was written with these columns and this payload."""
    kind = EVENTS[type]
    columns: dict[str, Json] = {"at": at}
    names = kind.__dataclass_fields__
    if "key" in names:
        columns["key"] = key
    if "attempt" in names:
        columns["attempt"] = attempt
    if kind is BatchCompleted:
        data = {"outcomes": outcomes_of(data), "elapsed": data["elapsed"]}
    return kind(**columns, **data)


# --- commands: what the machine wants done ---------------------------------------------------


@dataclass(frozen=True, slots=True)
class Invoke:
    """Call a function once; answered by `CallCompleted` or `CallFailed`."""

    key: str
    attempt: int
    function: str
    arguments: Json
    timeout: float | None = None
    """Seconds this attempt may take."""
    resources: Resources | None = None
    at_most_once: bool = False
    """Whether nobody may begin it again, also if nobody can say whether it began."""
    agent_key: str | None = None
    """Which instance of an agent it reaches; `None`: the execution's own."""


@dataclass(frozen=True, slots=True)
class RecordStart:
    """Record that a call is about to be made; answered by `CallStarted`, when that is durable."""

    key: str
    attempt: int


@dataclass(frozen=True, slots=True)
class InvokeBatch:
    """Call a function once per entry of `calls`; answered by `BatchCompleted` or `CallFailed`."""

    key: str
    attempt: int
    function: str
    calls: list[Json]
    timeout: float | None = None
    """Seconds each call may take."""
    resources: Resources | None = None
    in_turn: bool = False
    """Whether calls of a coroutine function are made one after another, not side by side."""


@dataclass(frozen=True, slots=True)
class OpenStream:
    """Call a function that may be a generator; answered by `StreamYielded`, then `CallCompleted`.

    At most `demand` values may come before a `Demand` allows more. The first `skip` values are
    already in the journal and must not come again. A function that returns a list is a stream too.
    """

    key: str
    attempt: int
    function: str
    arguments: Json
    demand: int
    skip: int = 0
    timeout: float | None = None
    resources: Resources | None = None


@dataclass(frozen=True, slots=True)
class Demand:
    """A stream may give `count` more values."""

    key: str
    count: int


@dataclass(frozen=True, slots=True)
class StartTimer:
    """Ring at `due`; answered by `TimerFired`."""

    key: str
    due: float
    """Unix seconds."""


@dataclass(frozen=True, slots=True)
class AwaitMessage:
    """Wait for a message; answered by `MessageReceived`."""

    key: str
    name: str
    correlation: Json
    form: Json = None
    prompt: Json = None


@dataclass(frozen=True, slots=True)
class StartChild:
    """Start another workflow; answered by `ChildEnded`."""

    key: str
    workflow: str
    """As written in the parent's `run`."""
    input: Json


@dataclass(frozen=True, slots=True)
class EmitEvent:
    """Publish; answered by `EventEmitted` when it is out."""

    key: str
    type: str
    data: Json
    source: str | None
    subject: str | None


@dataclass(frozen=True, slots=True)
class Withdraw:
    """What was asked for under `key` is no longer wanted: stop it; its answer will be ignored."""

    key: str


@dataclass(frozen=True, slots=True)
class Opened:
    """For whoever watches: a map or pipeline began with `total` items (`None`: not known)."""

    key: str
    total: int | None


@dataclass(frozen=True, slots=True)
class Finish:
    """The execution is over."""

    status: Literal["succeeded", "failed", "cancelled"]
    output: Json = None
    error: Json = None
    origin: str | None = None


Command: TypeAlias = (
    Invoke
    | RecordStart
    | InvokeBatch
    | OpenStream
    | Demand
    | StartTimer
    | AwaitMessage
    | StartChild
    | EmitEvent
    | Withdraw
    | Opened
    | Finish
)
