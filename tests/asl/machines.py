"""State machines that the tests of the simulator run."""

from __future__ import annotations

import collections
from typing import Any

from agentflow.adapters.aws.asl.simulate import Outcome

LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:"
INVOKE = "arn:aws:states:::lambda:invoke"


def machine(state: dict[str, Any], *others: dict[str, Any], **top: Any) -> dict[str, Any]:
    """States `S`, `S1`, `S2`…; each leads to the end unless it says otherwise."""
    states = {}
    for number, given in enumerate((state, *others)):
        free = given["Type"] in ("Choice", "Succeed", "Fail") or "Next" in given
        states["S" + (str(number) if number else "")] = given if free else {**given, "End": True}
    return {"StartAt": "S", "States": states, **top}


def jsonata(*states: dict[str, Any], **top: Any) -> dict[str, Any]:
    return machine(*states, QueryLanguage="JSONata", **top)


def passing(output: Any) -> dict[str, Any]:
    return {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True, **output}}}


def failing(error: str = "Boom") -> dict[str, Any]:
    return {"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": error, "Cause": "why"}}}


def counts(outcome: Outcome) -> collections.Counter[str]:
    return collections.Counter(event.type for event in outcome.history)


class Flaky(Exception):
    """Raised by functions of the tests."""


def flaky(times: int) -> Any:
    """A function that fails a number of times before it gives its event back."""
    left = [times]

    def call(event: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise Flaky("not yet")
        return event

    return call


def distributed(processor: dict[str, Any], **fields: Any) -> dict[str, Any]:
    config = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}}
    return {"Type": "Map", "ItemProcessor": {**processor, **config}, **fields}
