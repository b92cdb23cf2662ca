"""Definitions with other names for what they use: Lambdas of single functions, versions.

A definition that is written names the handler and its children as they are called. A deployed one
names their versions, so that a version of a state machine never changes what it does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from agentflow.adapters.aws.waits import machine_beside
from agentflow.adapters.aws.writer import LAMBDA
from agentflow.errors import Json

_CHILD = "arn:aws:states:::states:startExecution"


def functions_replaced(text: str, choose: Callable[[dict[str, Json]], str]) -> str:
    """The definition with other functions invoked; `choose` sees what each is invoked with."""
    definition = json.loads(text)
    for arguments in _invocations(definition):
        arguments["FunctionName"] = choose(arguments)
    return printed(definition)


def children_replaced(text: str, arns: Mapping[str, str]) -> str:
    """The definition with children run by these ARNs, by their names."""
    by_reference = {machine_beside(name): arn for name, arn in arns.items()}
    definition = json.loads(text)
    for task in _tasks(definition):
        if task["Resource"].startswith(_CHILD):
            reference = task["Arguments"]["StateMachineArn"]
            task["Arguments"]["StateMachineArn"] = by_reference.get(reference, reference)
    return printed(definition)


def invocations(text: str) -> Iterator[dict[str, Any]]:
    """The arguments of the tasks that invoke functions: which, and with what `Payload`."""
    return _invocations(json.loads(text))


def payloads(text: str) -> Iterator[dict[str, Json]]:
    """What functions are invoked with."""
    for arguments in invocations(text):
        yield arguments["Payload"]


def compact(text: str) -> str:
    """The definition without the blanks that are for readers: the service counts them."""
    return json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))


def printed(definition: Json) -> str:
    """The text of a definition."""
    return json.dumps(definition, indent=2, ensure_ascii=False) + "\n"


def _invocations(definition: Any) -> Iterator[dict[str, Json]]:
    for task in _tasks(definition):
        if task["Resource"].startswith(LAMBDA) and _is_ours(task["Arguments"]):
            yield task["Arguments"]


def _is_ours(arguments: Any) -> bool:
    """Whether a function is invoked with what the bundle's handler takes."""
    payload = arguments.get("Payload") if isinstance(arguments, dict) else None
    return isinstance(payload, dict) and bool({"step", "schema"} & payload.keys())


def _tasks(machine: Any) -> Iterator[dict[str, Any]]:
    """The Task states of a definition, those of branches and processors too."""
    for state in machine["States"].values():
        if state["Type"] == "Task":
            yield state
        for branch in state.get("Branches", ()):
            yield from _tasks(branch)
        if "ItemProcessor" in state:
            yield from _tasks(state["ItemProcessor"])
