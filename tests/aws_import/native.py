"""Definitions that are imported and compiled, for tests of what stays the service's own."""

from __future__ import annotations

from typing import Any

from agentflow.adapters.aws.asl.read import read
from agentflow.adapters.aws.asl.simulate import simulate
from agentflow.adapters.aws.imports import import_machine
from agentflow.errors import Json
from agentflow.spec.load import Loaded, loads
from agentflow.spec.write import to_yaml
from tests.aws_import.cases import EPOCH
from tests.aws_import.machines import machine

QUEUE = "arn:aws:states:::sqs:sendMessage.waitForTaskToken"
FOREIGN = "agentflow.adapters.aws.foreign"
ACTIVITY = "arn:aws:states:us-east-1:123456789012:activity:paint"


def passing(**fields: Json) -> Json:
    return {"Type": "Pass", "End": True, **fields}


def jsonata(**states: Json) -> Json:
    return {"QueryLanguage": "JSONata", **machine(**states)}


def imported(given: Json) -> Loaded:
    return loads(to_yaml(import_machine(read(given), "made").workflow))


def ending(given: Json, input: Json, handle: Any = None) -> Json:
    done = simulate(given, input, handle, started_at=EPOCH, name="execution")
    return [done.status, done.output, done.error]


def states_of(given: Json) -> list[dict[str, Any]]:
    """Every state of a definition, those inside others too."""
    found: list[dict[str, Any]] = []
    for state in given["States"].values():
        found.append(state)
        for inner in (*state.get("Branches", ()), state.get("ItemProcessor")):
            found += [] if inner is None else states_of(inner)
    return found
