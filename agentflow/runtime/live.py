"""An execution that this process owns: its machine, and what it waits for."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import assert_never

from agentflow.errors import Json
from agentflow.runtime.journal.protocol import ENDED, KEPT, Change, Record, Status
from agentflow.runtime.machine import Machine
from agentflow.runtime.machine.protocol import (
    TYPE_OF,
    AwaitMessage,
    BatchCompleted,
    CallCompleted,
    CallFailed,
    CallStarted,
    Command,
    Demand,
    EmitEvent,
    Ended,
    Event,
    Finish,
    Invoke,
    InvokeBatch,
    Opened,
    OpenStream,
    RecordStart,
    StartChild,
    StartTimer,
    StreamYielded,
    Withdraw,
    payload,
)
from agentflow.spec.load import Loaded

REFUSED = "result.refused"
"""A record that is no event: the machine never sees it."""


@dataclass(eq=False, slots=True)
class Live:
    """One owned execution. `head` and `status` are what the next commit makes them."""

    id: str
    spec: Loaded
    machine: Machine
    epoch: int
    head: int
    status: Status = "running"
    working: set[str] = field(default_factory=set)
    """Keys that workers or children are busy with."""
    timers: dict[str, float] = field(default_factory=dict)
    listeners: dict[str, AwaitMessage] = field(default_factory=dict)
    children: dict[str, str] = field(default_factory=dict)
    """Execution ids of running children, by key."""
    received: set[str] = field(default_factory=set)
    """Ids of messages that were given to it."""
    unopened: set[str] = field(default_factory=set)
    """Keys of streams that were open when it was brought back, and have yet to be opened again."""
    parent: tuple[str, str] | None = None
    since: int = field(init=False)
    """The `head` with which this process began to serve it."""
    rereads: int = 0
    """How often its history was read again in a row, and nothing came of it."""
    end: Ended | None = None
    """The event that ends the history, once there is one."""
    ended: Future[Ended | None] = field(default_factory=Future)
    """Done when the last event is committed, or when this process lost the execution."""

    def __post_init__(self) -> None:
        self.since = self.head

    def record(self, event: Event) -> Record:
        """The next record of this execution's history."""
        self.head += 1
        return Record(
            execution=self.id,
            seq=self.head,
            type=TYPE_OF[type(event)],
            at=event.at,
            step=getattr(event, "key", None),
            attempt=getattr(event, "attempt", None),
            data=payload(event),
        )

    def state(self, step: str, version: int, state: Json, at: float) -> Record:
        """The record of an agent's state after the call that is recorded next."""
        self.head += 1
        return Record(self.id, self.head, KEPT, at, step, version, {"state": state})

    def refusal(self, event: CallCompleted | CallFailed | BatchCompleted) -> Record:
        """The record of a result that came too late: of a superseded attempt, or twice."""
        self.head += 1
        return Record(
            execution=self.id,
            seq=self.head,
            type=REFUSED,
            at=event.at,
            step=event.key,
            attempt=event.attempt,
            data={"type": TYPE_OF[type(event)]},
        )

    def note(self, event: Event, commands: list[Command]) -> None:
        """Keep track of what is awaited, before the commands are carried out."""
        key = getattr(event, "key", None)
        if key is not None and not isinstance(event, StreamYielded | CallStarted):
            self._forget(key)
        for command in commands:
            match command:
                case (
                    Invoke()
                    | RecordStart()
                    | InvokeBatch()
                    | OpenStream()
                    | StartChild()
                    | EmitEvent()
                ):
                    self.working.add(command.key)
                case StartTimer():
                    self.timers[command.key] = command.due
                case AwaitMessage():
                    self.listeners[command.key] = command
                case Withdraw():
                    self.working.discard(command.key)
                case Demand() | Opened() | Finish():
                    pass
                case _:
                    assert_never(command)

    def change(self, finish: Finish | None, at: float) -> Change | None:
        """What the commit changes of the execution's row, if anything."""
        if finish is not None:
            return self.ending(finish, at)
        status: Status = "running" if self.working else "waiting"
        if status == self.status:
            return None
        self.status = status
        return Change(self.id, status)

    def ending(self, finish: Finish, at: float) -> Change:
        """What the commit that ends it changes."""
        self.status = finish.status
        return Change(self.id, finish.status, finish.output, finish.error, finish.origin, at)

    def last_event(self, finish: Finish, at: float) -> Ended:
        """The event that ends the history."""
        self.end = Ended(at, finish.status, finish.output, finish.error, finish.origin)
        return self.end

    @property
    def is_over(self) -> bool:
        """Whether its last event is recorded."""
        return self.status in ENDED

    def _forget(self, key: str) -> None:
        self.working.discard(key)
        self.timers.pop(key, None)
        self.listeners.pop(key, None)
        self.children.pop(key, None)
