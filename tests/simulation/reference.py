"""What executions come to without faults: the machine alone, every answer at once and once."""

from __future__ import annotations

from collections import deque

from agentflow.errors import Json
from agentflow.runtime.exchange import child_id
from agentflow.runtime.machine import Machine
from agentflow.runtime.machine.protocol import (
    AwaitMessage,
    BatchCompleted,
    CallCompleted,
    CallFailed,
    ChildEnded,
    Command,
    EmitEvent,
    Event,
    EventEmitted,
    Finish,
    Invoke,
    InvokeBatch,
    MessageReceived,
    OpenStream,
    StartChild,
    Started,
    StartTimer,
    StreamYielded,
    TimerFired,
    Withdraw,
)
from agentflow.runtime.mailbox import form_problem
from agentflow.spec.load import Loaded
from tests.simulation.functions import Answer, answer, item_key
from tests.simulation.registry import compile_once
from tests.simulation.shape import Outcome, Signal
from tests.simulation.store import EPOCH


def outcome_without_faults(
    seed: int, id: str, loaded: Loaded, input: Json, signals: tuple[Signal, ...] = ()
) -> Outcome:
    """Run an execution in a world in which nothing goes wrong and nothing takes time."""
    finish = _Ideal(seed, id, loaded, signals).run(input)
    return Outcome(finish.status, finish.output, finish.error)


class _Ideal:
    """One execution: timers ring when there is nothing else to do, the earliest first."""

    def __init__(self, seed: int, id: str, loaded: Loaded, signals: tuple[Signal, ...]) -> None:
        self._seed = seed
        self._id = id
        self._loaded = loaded
        self._machine = Machine(compile_once(loaded.workflow))
        self._now = EPOCH
        self._mail: list[tuple[str, Json, Json]] = [
            (signal.name, signal.correlation, signal.data) for signal in signals
        ]
        self._listeners: dict[str, AwaitMessage] = {}
        self._timers: dict[str, float] = {}
        self._events: deque[Event] = deque()

    def run(self, input: Json) -> Finish:
        """Feed the machine until it has finished."""
        self._events.append(Started(self._now, self._id, input))
        while self._machine.finished is None:
            if not self._events:
                self._ring()
            for command in self._machine.advance(self._events.popleft()):
                self._do(command)
        return self._machine.finished

    def _ring(self) -> None:
        key = min(self._timers, key=lambda key: (self._timers[key], key))
        self._now = max(self._now, self._timers.pop(key))
        self._events.append(TimerFired(self._now, key))

    def _do(self, command: Command) -> None:
        match command:
            case Invoke():
                given = self._answer(command.key, command, command.arguments)
                self._events.append(self._reply(command, given))
            case InvokeBatch():
                self._events.append(self._batch(command))
            case OpenStream():
                values = self._answer(command.key, command, command.arguments).value
                about = (self._now, command.key, command.attempt)
                self._events.append(StreamYielded(*about, values))
                self._events.append(CallCompleted(*about, None))
            case StartTimer():
                self._timers[command.key] = command.due
            case AwaitMessage():
                self._listeners[command.key] = command
                self._hear()
            case EmitEvent():
                self._mail.append((command.type, command.subject, command.data))
                self._events.append(EventEmitted(self._now, command.key))
                self._hear()
            case StartChild():
                loaded = self._loaded.children[command.workflow]
                id = child_id(self._id, command.key)
                outcome = outcome_without_faults(self._seed, id, loaded, command.input)
                self._events.append(
                    ChildEnded(
                        self._now, command.key, outcome.status, outcome.output, outcome.error
                    )
                )
            case Withdraw():
                self._timers.pop(command.key, None)
                self._listeners.pop(command.key, None)

    def _answer(self, key: str, command: Invoke | InvokeBatch | OpenStream, given: Json) -> Answer:
        return answer(self._seed, self._id, key, command.attempt, command.function, given)

    def _reply(self, command: Invoke | InvokeBatch, given: Answer) -> Event:
        about = (self._now, command.key, command.attempt)
        if given.fate == "value":
            return CallCompleted(*about, given.value)
        return CallFailed(*about, given.value)

    def _batch(self, command: InvokeBatch) -> Event:
        answers = [
            self._answer(item_key(command.key, place), command, given)
            for place, given in enumerate(command.calls)
        ]
        for given in answers:
            if given.fate == "death":
                return self._reply(command, given)
        outcomes = [
            {"value": a.value} if a.fate == "value" else {"error": a.value} for a in answers
        ]
        return BatchCompleted(self._now, command.key, command.attempt, outcomes, 0.0)

    def _hear(self) -> None:
        """Give each listener the first message that is for it."""
        for key, listener in list(self._listeners.items()):
            for place, (name, correlation, data) in enumerate(self._mail):
                if name != listener.name or form_problem(listener.form, data) is not None:
                    continue
                if listener.correlation in (None, correlation):
                    del self._listeners[key], self._mail[place]
                    self._events.append(MessageReceived(self._now, key, str(place), data))
                    break
