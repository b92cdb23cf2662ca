"""What machines made up for imports are put together from."""

from __future__ import annotations

from agentflow.errors import Json


def machine(**states: Json) -> Json:
    return {"StartAt": next(iter(states)), "States": states}


def task(name: str, **fields: Json) -> Json:
    arn = f"arn:aws:lambda:eu-west-1:123456789012:function:{name}"
    return {"Type": "Task", "Resource": arn, **fields}


def catch(*names: str, to: str, **fields: Json) -> Json:
    return {"ErrorEquals": [*names], "Next": to, **fields}


ECHO = {"Type": "Pass", "End": True}
FAIL = {"Type": "Fail", "Error": "Gone", "Cause": "for good"}
FAILING = task("check", Parameters={"fail": True}, End=True)


def each_child(state: Json, **fields: Json) -> Json:
    """A distributed map whose children have one state."""
    config = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}}
    return {"Type": "Map", "ItemProcessor": {**config, **machine(I=state)}, "End": True, **fields}
