"""What a stored history says beyond its events: progress, inputs of calls, what is awaited."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agentflow.cli.progress import Progress
from agentflow.runtime.machine import compile_workflow
from agentflow.runtime.machine import protocol as p
from agentflow.runtime.recovery import rebuild

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentflow.errors import Json
    from agentflow.runtime.journal.protocol import Record
    from agentflow.spec.model import Workflow


@dataclass(slots=True)
class Replayed:
    """Where a history leads."""

    progress: Progress
    arguments: Json = None
    """What the call in question was last called with; `None` if it never was."""
    awaited: list[p.AwaitMessage] = field(default_factory=list)
    """Messages that the execution waits for."""


def replay(
    workflow: Workflow, execution: str, history: Sequence[Record], key: str | None = None
) -> Replayed:
    """Run the machine over a history, keeping the last arguments of the call with `key`."""
    replayed = Replayed(Progress(workflow, execution))

    def observe(event: p.Event, commands: list[p.Command]) -> None:
        replayed.progress.feed(execution, (event,), commands)
        if key is not None:
            for command in commands:
                replayed.arguments = _arguments(command, key) or replayed.arguments

    machine = rebuild(compile_workflow(workflow), history, observe)
    if machine.finished is None:
        awaited = machine.outstanding()
        replayed.awaited = [command for command in awaited if isinstance(command, p.AwaitMessage)]
    return replayed


def _arguments(command: p.Command, key: str) -> Json:
    match command:
        case (
            p.Invoke(key=asked, arguments=arguments) | p.OpenStream(key=asked, arguments=arguments)
        ) if asked == key:
            return arguments
        case p.InvokeBatch(key=batch, calls=calls) if key.startswith(batch.split("[", 1)[0] + "["):
            return _of_batch(batch, calls, key)
        case p.StartChild(key=asked, input=data) if asked == key:
            return data
    return None


def _of_batch(batch: str, calls: list[Json], key: str) -> Json:
    """The arguments of item `counts[17]` in the batch `counts[0:64]`."""
    name, _, bounds = batch.rpartition("[")
    owner, _, place = key.rpartition("[")
    first, _, last = bounds.rstrip("]").partition(":")
    if owner != name or not place.rstrip("]").isdigit():
        return None
    index = int(place.rstrip("]")) - int(first)
    return calls[index] if 0 <= index < int(last) - int(first) else None
