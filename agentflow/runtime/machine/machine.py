"""One execution's state, and the function that moves it: `advance(event) -> commands`.

The state is the tree of frames under `_root`, the table of what is pending, and two counters.
Everything is a function of the events so far: the same events give the same state and the same
commands, and nothing here executes any of them.
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

from agentflow.errors import Fault, Json
from agentflow.runtime.machine.frames import (
    Awaiting,
    Done,
    Failed,
    Frame,
    Outcome,
    Returned,
    Stopped,
)
from agentflow.runtime.machine.protocol import (
    CancelRequested,
    Command,
    Ended,
    Event,
    Finish,
    Invoke,
    InvokeBatch,
    OpenStream,
    RecordStart,
    Resumed,
    Started,
    Withdraw,
)
from agentflow.runtime.machine.root import RootFrame

if TYPE_CHECKING:
    from agentflow.runtime.machine.program import Program

PURE_STEPS = 1_000_000
"""Steps that one event may set off; beyond, an endless loop without calls is assumed."""


Invocation: TypeAlias = Invoke | InvokeBatch | OpenStream | RecordStart
"""Commands that the workflow's `concurrency` bounds."""


class Machine:
    """Interprets one execution of a program."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.pending: dict[str, Awaiting] = {}
        self.execution = ""
        self.parallel = 1
        self.at = 0.0
        self.ignored = 0
        """Events that came too late or twice and changed nothing."""
        self.finished: Finish | None = None
        self.budget = PURE_STEPS
        self.forgiving = False
        """While True, a failed call is made again whatever its policy: somebody said `retry`."""
        self.shows: Callable[[str, int, Json], None] | None = None
        """Told of each item that is through a pipeline, in no order: key, place, value."""
        self._commands: list[Command] = []
        self._root: RootFrame | None = None
        self._drawn = 0
        self._in_flight: set[str] = set()
        self._queue: deque[Invocation] = deque()

    def advance(self, event: Event) -> list[Command]:
        """Take one event and return what is to be done now. Executes nothing.

        An event that is no longer, or not yet, awaited is counted in `ignored` and changes
        nothing: late results, duplicates and answers to withdrawn commands are all such.
        """
        self._commands = []
        self.at = event.at
        self.budget = PURE_STEPS
        match event:
            case Started():
                self._start(event)
            case Resumed():
                self._resume()
            case CancelRequested():
                if self._root is not None and self.finished is None:
                    self._settle(self._root, self._root.cancel(self))
            case Ended():
                pass
            case _:
                frame = self.pending.get(event.key)
                if frame is None:
                    self.ignored += 1
                else:
                    self._settle(frame, frame.receive(self, event))
        return self._commands

    def forgive(self, event: Event, at: float) -> list[Command]:
        """Take a failure as the reason for one more attempt, from the time `at` on."""
        self.forgiving = True
        try:
            return self.advance(replace(event, at=at))
        finally:
            self.forgiving = False

    def renew(self, at: float) -> None:
        """Let the time limits of all that is under way count from `at` on."""
        self.at = at
        for key, frame in self.pending.items():
            frame.renew(self, key)

    def outstanding(self) -> list[Command]:
        """Every command that still waits for its answer, to be issued again."""
        return [
            command
            for key, frame in self.pending.items()
            for command in frame.outstanding(self, key)
            if not self._is_queued(key)
        ]

    # --- for frames ---------------------------------------------------------------------------

    def issue(self, command: Command) -> None:
        """Add a command that needs no answer."""
        self._commands.append(command)

    def ask(self, frame: Awaiting, key: str, command: Command) -> None:
        """Add a command whose answer goes to `frame`."""
        self.pending[key] = frame
        self._commands.append(command)

    def invoke(self, frame: Awaiting, command: Invocation) -> None:
        """Ask for a call, or queue it while the workflow's `concurrency` is used up."""
        self.pending[command.key] = frame
        limit = self.program.concurrency
        if limit is None:
            self._commands.append(command)
        elif len(self._in_flight) < limit:
            self._in_flight.add(command.key)
            self._commands.append(command)
        else:
            self._queue.append(command)

    def answered(self, key: str) -> None:
        """What was asked for under `key` has its final answer."""
        del self.pending[key]
        if self._in_flight:
            self._release(key)

    def withdraw(self, key: str) -> None:
        """What was asked for under `key`, if anything, is no longer wanted."""
        if self.pending.pop(key, None) is None:
            return
        if self._is_queued(key):
            self._queue = deque(queued for queued in self._queue if queued.key != key)
            return
        self._commands.append(Withdraw(key))
        if self._in_flight:
            self._release(key)

    def show(self, key: str, place: int, value: Json) -> None:
        """An item of a pipeline has its result: tell whoever watches."""
        if self.shows is not None:
            self.shows(key, place, value)

    def now(self) -> str:
        """The time of the event in hand, RFC 3339 in UTC with milliseconds."""
        text = datetime.fromtimestamp(self.at, UTC).isoformat(timespec="milliseconds")
        return text.replace("+00:00", "Z")

    def uuid(self) -> str:
        """A version-5 UUID of the execution and a counter: the same on every replay."""
        self._drawn += 1
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self.execution}/{self._drawn}"))

    # --- inside -------------------------------------------------------------------------------

    def _start(self, event: Started) -> None:
        if self._root is not None:
            self.ignored += 1
            return
        self.execution = event.execution
        self.parallel = max(1, event.parallel)
        self._root = RootFrame(self, self.program, event)
        self._settle(self._root, self._root.run(self))

    def _resume(self) -> None:
        """Ask again for everything, and settle what must not be asked for twice."""
        frames = list(self.pending.values())
        self._commands.extend(self.outstanding())
        for frame in frames:
            self._settle(frame, frame.interrupt(self))

    def _settle(self, frame: Frame, outcome: Outcome | None) -> None:
        """Carry an outcome up the tree, as far as frames end because of it."""
        while outcome is not None:
            parent = frame.parent
            if parent is None:
                self._finish(outcome)
                return
            try:
                outcome = parent.settle(self, frame, outcome)
            except Fault as fault:
                outcome = Failed(fault.value(), parent.key)
            frame = parent

    def _finish(self, outcome: Outcome) -> None:
        match outcome:
            case Done(value) | Returned(value):
                self.finished = Finish("succeeded", output=value)
            case Failed(error, origin):
                self.finished = Finish("failed", error=error, origin=origin)
            case Stopped():
                self.finished = Finish("cancelled")
        self._commands.append(self.finished)

    def _is_queued(self, key: str) -> bool:
        return bool(self._queue) and any(queued.key == key for queued in self._queue)

    def _release(self, key: str) -> None:
        self._in_flight.discard(key)
        limit = self.program.concurrency
        while self._queue and limit is not None and len(self._in_flight) < limit:
            command = self._queue.popleft()
            self._in_flight.add(command.key)
            self._commands.append(command)
