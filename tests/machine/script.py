"""A workflow, events as short texts, and the commands that must follow as short texts.

Events: `start`, `KEY = JSON` (completed), `KEY ! NAME` (failed), `KEY : [JSON, …]` (batch outcomes,
`!NAME` strings are errors), `KEY < [JSON]` (stream values; `KEY #N < [JSON]`: of attempt N),
`KEY > JSON` (message), `KEY child JSON` / `KEY child! NAME`, `KEY emitted`, `KEY started`,
`fire KEY`, `cancel`, `resume`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

from agentflow.runtime.machine import Machine, compile_workflow
from agentflow.runtime.machine import protocol as p
from agentflow.runtime.machine.program import Program
from agentflow.spec.load import loads

EPOCH = 1_700_000_000.0


@cache
def program_of(spec: str) -> Program:
    """The program of the steps in `spec` (the value of `do`), or of a whole workflow."""
    text = spec if spec.lstrip().startswith("workflow:") else "workflow: t\ndo:\n" + spec
    return compile_workflow(loads(text, functions=False).workflow)


def machine_of(spec: str) -> Machine:
    """A machine that has not started."""
    return Machine(program_of(spec))


class Play:
    """Feeds a machine with event texts and keeps the clock."""

    def __init__(self, spec: str, input: Any = None, parallel: int = 2, tick: float = 1) -> None:
        self.machine = machine_of(spec)
        self.input = input
        self.parallel = parallel
        self.now = EPOCH
        self.tick = tick
        self.attempts: dict[str, int] = {}
        self.events: list[p.Event] = []

    def feed(self, text: str) -> list[str]:
        self.now += self.tick
        event = self.event(text)
        self.events.append(event)
        commands = self.machine.advance(event)
        for command in commands:
            if isinstance(command, p.Invoke | p.InvokeBatch | p.OpenStream | p.RecordStart):
                self.attempts[command.key] = command.attempt
        return [self.show(command) for command in commands]

    def event(self, text: str) -> p.Event:
        at = self.now
        match text.split(" ", 2):
            case ["start"]:
                return p.Started(at, "e1", self.input, self.parallel)
            case ["cancel"]:
                return p.CancelRequested(at)
            case ["resume"]:
                return p.Resumed(at)
            case [key, "started"]:
                return p.CallStarted(at, key, self.attempts.get(key, 1))
            case ["fire", key]:
                return p.TimerFired(at, key)
            case [key, "emitted"]:
                return p.EventEmitted(at, key)
            case [key, "=", value]:
                return p.CallCompleted(at, key, self.attempts.get(key, 1), json.loads(value))
            case [key, "!", name]:
                return p.CallFailed(at, key, self.attempts.get(key, 1), error(name))
            case [key, ":", values]:
                outcomes = [outcome(value) for value in json.loads(values)]
                return p.BatchCompleted(at, key, 1, outcomes, elapsed=self.tick / 5)
            case [key, "<", values]:
                return p.StreamYielded(at, key, self.attempts.get(key, 1), json.loads(values))
            case [key, attempt, values] if attempt.startswith("#"):
                return p.StreamYielded(
                    at, key, int(attempt[1:]), json.loads(values.removeprefix("< "))
                )
            case [key, ">", value]:
                return p.MessageReceived(at, key, "m1", json.loads(value))
            case [key, "child", value]:
                return p.ChildEnded(at, key, "succeeded", json.loads(value))
            case [key, "child!", name]:
                return p.ChildEnded(at, key, "failed", error=error(name))
        raise ValueError(text)

    def show(self, command: p.Command) -> str:
        match command:
            case p.Invoke():
                more = f" #{command.attempt}" if command.attempt > 1 else ""
                return f"invoke {command.key} {js(command.arguments)}{more}"
            case p.RecordStart():
                return f"record {command.key} #{command.attempt}"
            case p.InvokeBatch():
                return f"batch {command.key} {js(command.calls)}"
            case p.OpenStream():
                return f"stream {command.key} demand {command.demand} skip {command.skip}"
            case p.Demand():
                return f"demand {command.key} {command.count}"
            case p.StartTimer():
                return f"timer {command.key} +{command.due - self.now:g}"
            case p.AwaitMessage():
                return f"await {command.key} {command.name} {js(command.correlation)}"
            case p.StartChild():
                return f"child {command.key} {command.workflow} {js(command.input)}"
            case p.EmitEvent():
                return f"emit {command.key} {command.type} {js(command.data)}"
            case p.Withdraw():
                return f"withdraw {command.key}"
            case p.Opened():
                return f"opened {command.key} {command.total}"
            case p.Finish(status="succeeded"):
                return f"done {js(command.output)}"
            case p.Finish(status="failed"):
                return f"failed {command.error['name']} at {command.origin or 'top'}"
            case p.Finish():
                return "cancelled"


def error(name: str) -> dict[str, Any]:
    return {"name": name, "message": f"{name} happened", "data": None, "cause": None}


def outcome(value: Any) -> dict[str, Any]:
    if isinstance(value, str) and value.startswith("!"):
        return {"error": error(value[1:])}
    return {"value": value}


def js(value: Any) -> str:
    return json.dumps(value)


@dataclass(frozen=True)
class Scene:
    """A workflow, its input, and the script of one execution."""

    spec: str
    script: str
    input: Any = None

    def play(self) -> None:
        play(self.spec, self.script, input=self.input)


def scenes(table: Mapping[str, Scene]) -> pytest.MarkDecorator:
    """Runs a test with each `scene` of a table."""
    return pytest.mark.parametrize("scene", table.values(), ids=table.keys())


def play(spec: str, script: str, **options: Any) -> None:
    """Check a script: event lines, each followed by `-> command` lines.

    An event line without any expects no command, except that `opened` lines may be left out.
    """
    stage = Play(spec, **options)
    for text, expected in parse(script):
        got = stage.feed(text)
        if not any(line.startswith("opened") for line in expected):
            got = [line for line in got if not line.startswith("opened")]
        assert got == expected, f"after `{text}`: {got}"


def parse(script: str) -> Iterable[tuple[str, list[str]]]:
    event, expected = "", []
    for line in filter(None, map(str.strip, script.splitlines())):
        if found := re.fullmatch(r"-> (.*)", line):
            expected.append(found[1])
            continue
        if event:
            yield event, expected
        event, expected = line, []
    yield event, expected
