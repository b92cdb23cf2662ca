"""The same functions for a state machine and for its workflow, and how either ends."""

from __future__ import annotations

import collections
import json
from collections.abc import Callable
from typing import Any

from agentflow.adapters.aws import trial
from agentflow.adapters.aws.asl.read import read
from agentflow.adapters.aws.asl.simulate import simulate
from agentflow.adapters.aws.asl.simulate.handlers import TaskError, by_name
from agentflow.adapters.aws.causes import OUR_NAMES
from agentflow.adapters.aws.imports import Mapped, import_machine
from agentflow.adapters.aws.imports.faults import EVALUATION
from agentflow.adapters.target import Options
from agentflow.errors import Fault, Json
from agentflow.runtime import virtual
from agentflow.spec.load import Loaded, loads
from agentflow.spec.write import to_yaml
from tests.aws_import.cases import EPOCH, call


class OutOfStock(Exception):
    """A named error."""


class Busy(Exception):
    """Another."""


class InvalidInput(Exception):
    """One that has a name of the language's own."""


_MOODS = {each.__name__: each for each in (OutOfStock, Busy, InvalidInput)}


def check(event: Json) -> Json:
    if event.get("fail"):
        raise OutOfStock("none left")
    return {"ok": True, "seen": sorted(event)}


class World:
    """The same functions for both sides, and what they were called with."""

    def __init__(self) -> None:
        self.calls: collections.Counter[str] = collections.Counter()
        self.busy = 2
        self.moods = 0

    def _note(self, name: str, event: Json) -> None:
        self.calls[json.dumps([name, essence(event)], sort_keys=True)] += 1

    def check(self, event: Json) -> Json:
        self._note("check", event)
        return check(event)

    def flaky(self, event: Json) -> Json:
        self._note("flaky", event)
        if self.busy:
            self.busy -= 1
            raise Busy("try again")
        return "done"

    def moody(self, event: Json) -> Json:
        """Fails with each of its moods in turn, then gives what is left of them."""
        self._note("moody", event)
        self.moods += 1
        if self.moods <= len(event["moods"]):
            raise _MOODS[event["moods"][self.moods - 1]]("no")
        return self.moods

    def count(self, event: Json) -> Json:
        self._note("count", event)
        return event.get("count", 0) + 1

    def slow(self, event: Json) -> Json:
        """Takes longer than it may."""
        self._note("slow", event)
        raise TaskError("States.Timeout")

    @property
    def functions(self) -> dict[str, Any]:
        return {
            "check": self.check,
            "flaky": self.flaky,
            "moody": self.moody,
            "count": self.count,
            "slow": self.slow,
        }


def theirs(definition: Json, input: Json) -> tuple[Json, World]:
    """How a machine ends."""
    world = World()
    done = simulate(definition, input, by_name(world.functions), started_at=EPOCH)
    if done.status == "SUCCEEDED":
        return ["succeeded", done.output], world
    return ["failed", done.error if done.status == "FAILED" else "States.Timeout"], world


def workflow(definition: Json) -> Loaded:
    """The import of a machine whose functions are those of a world."""

    def lookup(name: str) -> Mapped | None:
        return Mapped(f"lambdas.{name}", ("event",), ("event",))

    return loads(to_yaml(import_machine(read(definition), "made", functions=lookup).workflow))


def ours(definition: Json, input: Json) -> tuple[Json, World]:
    """How the workflow of a machine ends."""
    world = World()
    ended = virtual.run(workflow(definition), input, virtual.World(_calls(world), {}, EPOCH))
    return _told(ended.status, ended.output, ended.error), world


def compiled(definition: Json, input: Json) -> tuple[Json, World]:
    """How the workflow of a machine ends when it is a machine again."""
    world = World()
    ended = trial.run(
        workflow(definition),
        input,
        _calls(world),
        {},
        options=Options(),
        execution="made",
        started_at=EPOCH,
    )
    return _told(ended.status, ended.output, ended.error), world


def _calls(world: World) -> Callable[[str, Json, Any], Json]:
    def answer(function: str, arguments: Json, about: Any) -> Json:
        module, _, name = function.rpartition(".")
        if module != "lambdas":
            return call(function, arguments, about)
        try:
            return world.functions[name](arguments["event"])
        except TaskError as late:
            raise Fault(OUR_NAMES[late.name], "it took too long") from None
        except Exception as error:
            raise Fault(type(error).__name__, str(error)) from None

    return answer


def _told(status: str, output: Json, error: Json) -> Json:
    return [status, output if status == "succeeded" else service_name(error["name"])]


def service_name(name: str) -> str:
    """What the service calls an error of ours."""
    known = {"Timeout": "States.Timeout", **dict.fromkeys(EVALUATION, "States.Runtime")}
    return known.get(name, name)


def essence(outcome: Json) -> Json:
    """Without what a report of Lambda has beside the error: a request, a trace."""
    if isinstance(outcome, dict):
        return {key: essence(value) for key, value in outcome.items()}
    if isinstance(outcome, list):
        return [essence(value) for value in outcome]
    if isinstance(outcome, str) and outcome.startswith('{"errorMessage"'):
        report = json.loads(outcome)
        return [report["errorMessage"], report["errorType"]]
    return outcome
