"""State machines that start others: `states:startExecution`, and what it gives back."""

from __future__ import annotations

import json
from typing import Final
from uuid import uuid4

from agentflow.adapters.aws.asl import timestamps
from agentflow.adapters.aws.asl.errors import TASK_FAILED
from agentflow.adapters.aws.asl.resources import Resource, machine_name
from agentflow.adapters.aws.asl.simulate.execution import Identity
from agentflow.adapters.aws.asl.simulate.handlers import TaskError
from agentflow.adapters.aws.asl.simulate.protocol import Outcome
from agentflow.adapters.aws.asl.values import text
from agentflow.errors import Json

_START: Final = ("states", "startExecution")


def starts(resource: Resource) -> bool:
    """Whether a task starts an execution in the optimised way."""
    return (resource.name, resource.action) == _START and not resource.sdk


def identity_of(arguments: Json) -> tuple[str, Identity]:
    """The machine that is named, by its ARN or name, and who its execution will be."""
    arn: str = arguments["StateMachineArn"]
    return arn, Identity(str(arguments.get("Name") or uuid4()), machine_name(arn))


def input_of(arguments: Json) -> Json:
    """The input of the execution: `Input` may be JSON as text."""
    value = arguments.get("Input", {})
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise TaskError(
            "StepFunctions.InvalidExecutionInputException",
            f"Invalid State Machine Execution Input: '{value}'",
        ) from None


def started(identity: Identity, at: float) -> dict[str, Json]:
    """What `startExecution` gives at once."""
    return {"ExecutionArn": identity.id, "StartDate": timestamps.render(at)}


def ended(resource: Resource, identity: Identity, given: Json, outcome: Outcome) -> Json:
    """What `.sync` and `.sync:2` give when the execution has ended.

    Raises:
        TaskError: it did not succeed; the cause is the description as JSON.
    """
    as_json = resource.pattern == "sync:2"
    description: dict[str, Json] = {
        "ExecutionArn": identity.id,
        "Input": given if as_json else text(given),
        "InputDetails": {"Included": True},
        "Name": identity.name,
        "StartDate": round(outcome.started_at * 1000),
        "StateMachineArn": identity.machine_id,
        "Status": outcome.status,
        "StopDate": round(outcome.ended_at * 1000),
    }
    if outcome.status == "SUCCEEDED":
        output = outcome.output if as_json else text(outcome.output)
        return {**description, "Output": output, "OutputDetails": {"Included": True}}
    description |= {"Error": outcome.error, "Cause": outcome.cause}
    known = {key: value for key, value in description.items() if value is not None}
    raise TaskError(TASK_FAILED, text({**known, "Input": text(given)}))
