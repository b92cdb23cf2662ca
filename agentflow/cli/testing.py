"""`test`: does a workflow do on a target what it does here?"""

# ruff: noqa: PT028 -- `test` is a verb here and no test

from __future__ import annotations

import inspect
import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from agentflow.adapters.target import Options
from agentflow.cli import compiling, exits, inputs, specs, terminal, text
from agentflow.cli.options import AsJson, Input, Spec, TargetSettings
from agentflow.errors import Fault, InputError, UsageError
from agentflow.functions.capture import Redirection
from agentflow.functions.context import Context
from agentflow.functions.hosts.agents import Agents, CallAgent, InProcess
from agentflow.functions.invoke import Outcome as Called
from agentflow.functions.invoke import Stream, invoke, prepare
from agentflow.runtime import virtual
from agentflow.runtime.ids import new_id
from agentflow.spec.agents import Agents as Project
from agentflow.spec.inputs import check_input

if TYPE_CHECKING:
    from agentflow.errors import Json
    from agentflow.spec.load import Loaded

TARGETS: Final = ("aws",)
"""The clouds that can be simulated here."""


def test(
    spec: Spec,
    /,
    *,
    target: Annotated[
        str, Parameter(metavar="aws", help="The cloud whose interpreter is compared.")
    ],
    input_: Input = None,
    messages: Annotated[
        str | None,
        Parameter(
            metavar="JSON|@FILE|-",
            show_default=False,
            help="What comes to steps that listen: an object by the names they listen for.",
        ),
    ] = None,
    option: TargetSettings = (),
    as_json: AsJson = False,
) -> int:
    """Run a workflow here and, compiled, as a cloud would, and compare.

    Both sides call the project's own functions and run in virtual time; nothing is recorded or
    deployed. The outcome and the calls with their arguments have to be the same.
    """
    if target not in TARGETS:
        raise UsageError(
            f"`{target}` cannot be simulated here", help=f"the targets are: {', '.join(TARGETS)}"
        )
    loaded = specs.named(spec)
    given = None if input_ is None else inputs.read(input_, of="--input")
    data = check_input(loaded.workflow, given)
    answers = _messages(messages)
    Redirection.begin()  # what functions print is not the result
    try:
        here = _here(loaded, data, answers)
        there = _on_aws(loaded, data, answers, Options(compiling.settings(option)))
    finally:
        Redirection.end()
    differences = _differences(here, there)
    if as_json:
        terminal.result_json(
            {
                "workflow": loaded.workflow.name,
                "target": target,
                "same": not differences,
                "differences": differences,
                "local": here.as_json(),
                target: there.as_json(),
            }
        )
    else:
        terminal.result(_table(here, there, target))
        same = "the same on both" if not differences else "different: " + ", ".join(differences)
        color: terminal.Style = "red" if differences else "green"
        terminal.note("\n" + terminal.paint(f"{loaded.workflow.name}: {same}", color))
    return exits.FAILED if differences else exits.OK


@dataclass(slots=True)
class Side:
    """What a workflow did on one side; it has an id there, which is no difference."""

    execution: str = field(default_factory=new_id)
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Function and arguments as JSON."""
    status: str = ""
    output: Json = None
    error: Json = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def caller(self, root: Path) -> virtual.Call:
        """Calls the project's functions, and counts."""

        def call(function: str, arguments: Json, context: Context) -> Json:
            self._count(function, arguments)
            return _called(function, str(root), arguments, self._here(context))

        return call

    def agent_caller(self, root: Path) -> CallAgent:
        """Calls the project's agents, whose instances are this side's own, and counts."""
        agents = Agents(Project(root).path, str(root), InProcess())

        def call(function: str, key: Json, arguments: Json, context: Context) -> Json:
            self._count(function, arguments)
            known = self._here(context)
            return _value(agents.call(function, key, arguments, known, printed=lambda line: None))

        return call

    def _count(self, function: str, arguments: Json) -> None:
        with self._lock:
            self.calls[function, json.dumps(self.anonymous(arguments), sort_keys=True)] += 1

    def _here(self, context: Context) -> Context:
        """The context of a call; a child execution has a name of its own in a cloud only."""
        return replace(context, execution_id=self.execution)

    def end(self, status: str, output: Json, error: Json) -> Side:
        """Keep how it ended."""
        self.status, self.output, self.error = status, self.anonymous(output), error
        return self

    def anonymous(self, data: Json) -> Json:
        """A value without the id of the execution."""
        return json.loads(json.dumps(data).replace(self.execution, "EXECUTION"))

    @property
    def error_name(self) -> str | None:
        """The error is compared by its name; its words are each engine's own."""
        return None if self.error is None else str(self.error["name"])

    def as_json(self) -> dict[str, Json]:
        """The side as plain data."""
        calls = [
            {"function": function, "arguments": json.loads(arguments), "count": count}
            for (function, arguments), count in sorted(self.calls.items())
        ]
        return {
            "status": self.status,
            "output": self.output,
            "error": self.error,
            "calls": calls,
        }


def _here(loaded: Loaded, data: Json, messages: dict[str, Json]) -> Side:
    side = Side()
    call, call_agent = side.caller(loaded.root), side.agent_caller(loaded.root)
    world = virtual.World(call, messages, time.time(), side.execution, call_agent)
    ended = virtual.run(loaded, data, world)
    return side.end(ended.status, ended.output, ended.error)


def _on_aws(loaded: Loaded, data: Json, messages: dict[str, Json], options: Options) -> Side:
    from agentflow.adapters.aws import trial

    side = Side()
    ended = trial.run(
        loaded,
        data,
        side.caller(loaded.root),
        messages,
        call_agent=side.agent_caller(loaded.root),
        options=options,
        execution=side.execution,
        started_at=time.time(),
    )
    return side.end(ended.status, ended.output, ended.error)


def _messages(given: str | None) -> dict[str, Json]:
    if given is None:
        return {}
    found = inputs.read(given, of="--messages")
    if not isinstance(found, dict):
        raise InputError("--messages is an object", help='by name: {"paid": {"amount": 5}}')
    return found


def _called(function: str, root: str, arguments: Json, context: Context) -> Json:
    """Call a function as workers do; of a generator the list of its values.

    Raises:
        Fault: whatever it raised.
    """
    target = inspect.unwrap(prepare(function, root).function)
    if not (inspect.isgeneratorfunction(target) or inspect.isasyncgenfunction(target)):
        return _value(invoke(function, root, arguments, context))
    stream = Stream(function, root, arguments, context)
    values = []
    while (outcome := stream.next()) is not None:
        values.append(_value(outcome))
    return values


def _value(outcome: Called) -> Json:
    if outcome.error is not None:
        told = outcome.error
        raise Fault(told["name"], told["message"], data=told["data"], cause=told["cause"])
    return json.loads(outcome.value or b"null")


def _differences(here: Side, there: Side) -> list[str]:
    pairs = {
        "status": (here.status, there.status),
        "output": (here.output, there.output),
        "error": (here.error_name, there.error_name),
        "calls": (here.calls, there.calls),
    }
    return [name for name, (left, right) in pairs.items() if left != right]


def _table(here: Side, there: Side, target: str) -> str:
    def shown(data: Json) -> str:
        return "" if data is None else text.shortened(data, 48)

    rows: list[tuple[str, ...]] = [
        ("", "local", target),
        ("status", here.status, there.status),
        ("output", shown(here.output), shown(there.output)),
        ("error", here.error_name or "", there.error_name or ""),
    ]
    functions = {function for function, _ in [*here.calls, *there.calls]}
    counts = [_by_function(side.calls) for side in (here, there)]
    rows += [
        (function, *(text.counted(count[function], "call") for count in counts))
        for function in sorted(functions)
    ]
    return text.columns(rows)


def _by_function(calls: Counter[tuple[str, str]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for (function, _), count in calls.items():
        found[function] += count
    return found
