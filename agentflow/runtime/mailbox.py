"""Who listens for which message, and who gets one that arrives."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from agentflow.errors import Json
from agentflow.runtime.journal.protocol import Message
from agentflow.runtime.live import Live
from agentflow.runtime.machine.protocol import AwaitMessage, Event, MessageReceived

log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class Listener:
    """A step that waits for a message."""

    live: Live
    command: AwaitMessage
    later: list[Message] | None = field(default_factory=list)
    """What arrives while older messages are looked for; `None` once that is over."""


class Mailbox:
    """The listeners of all owned executions, by message name."""

    def __init__(self, post: Callable[[str, Event], None], clock: Callable[[], float]) -> None:
        self._post = post
        self._clock = clock
        self._listeners: dict[str, dict[tuple[str, str], Listener]] = {}

    def listen(self, live: Live, command: AwaitMessage) -> Listener | None:
        """Begin to listen, unless the step has stopped already.

        Nothing is given before `settle` is told what was sent earlier.
        """
        if command.key not in live.listeners:
            return None
        listener = Listener(live, command)
        self._listeners.setdefault(command.name, {})[live.id, command.key] = listener
        return listener

    def settle(self, listener: Listener, early: Sequence[Message]) -> None:
        """Give a listener the first that it takes of what came before it, then of what came since.

        From now on it gets messages as they arrive.
        """
        waiting = [*early, *(listener.later or ())]
        listener.later = None
        if not self._is_listening(listener):
            return
        for message in waiting:
            if self._give(message, listener):
                return

    def forget(self, live: Live, command: AwaitMessage) -> None:
        """Stop listening."""
        listeners = self._listeners.get(command.name, {})
        listeners.pop((live.id, command.key), None)
        if not listeners:
            self._listeners.pop(command.name, None)

    def deliver(self, message: Message) -> None:
        """Give a message to whoever listens; one addressed to an execution is given once."""
        for listener in list(self._listeners.get(message.name, {}).values()):
            if listener.later is not None:
                listener.later.append(message)
            elif self._give(message, listener) and message.execution is not None:
                return

    def _is_listening(self, listener: Listener) -> bool:
        live, command = listener.live, listener.command
        return self._listeners.get(command.name, {}).get((live.id, command.key)) is listener

    def _give(self, message: Message, listener: Listener) -> bool:
        live, command = listener.live, listener.command
        if message.id in live.received or not _matches(message, live, command):
            return False
        problem = form_problem(command.form, message.data)
        if problem is not None:
            log.warning("message %s for %s refused: %s", message.id, live.id, problem)
            return False
        live.received.add(message.id)
        self.forget(live, command)
        self._post(live.id, MessageReceived(self._clock(), command.key, message.id, message.data))
        return True


def _matches(message: Message, live: Live, command: AwaitMessage) -> bool:
    """An id addresses well enough; without one the correlation must be the same."""
    if message.execution not in (None, live.id):
        return False
    if message.execution is not None and message.correlation is None:
        return True
    return command.correlation is None or command.correlation == message.correlation


def form_problem(form: Json, data: Json) -> str | None:
    """Why data does not match a form (a JSON Schema); None when it does."""
    if form is None:
        return None
    from jsonschema import Draft202012Validator

    error = next(iter(Draft202012Validator(form).iter_errors(data)), None)
    return None if error is None else f"{error.json_path}: {error.message}"
