"""Definitions for the reader, by the fields that matter, and what it says is wrong with them."""

from __future__ import annotations

from typing import Any

import pytest

from agentflow.adapters.aws.asl.read import read
from agentflow.errors import Diagnostic, SpecError

LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:f"


def machine(**states: dict[str, Any]) -> dict[str, Any]:
    return {"StartAt": next(iter(states)), "States": states}


def one(**fields: Any) -> dict[str, Any]:
    """A machine of one Pass state with more fields, or of another type."""
    return machine(S={"Type": "Pass", "End": True, **fields})


def task(**fields: Any) -> dict[str, Any]:
    return one(Type="Task", Resource=LAMBDA, **fields)


def choosing(rule: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A machine that goes on by one rule or not at all."""
    state = {"Type": "Choice", "Choices": [{"Next": "T", **rule}], **fields}
    return machine(S=state, T={"Type": "Succeed"})


def mapped(**fields: Any) -> dict[str, Any]:
    inner = machine(P={"Type": "Pass", "End": True})
    return one(Type="Map", ItemProcessor=inner, **fields)


def distributed(**config: Any) -> dict[str, Any]:
    """A map over the items of an object; `config` is how to read it."""
    inner = {**machine(P={"Type": "Pass", "End": True}), "ProcessorConfig": {"Mode": "DISTRIBUTED"}}
    reader = {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": config, "Parameters": {}}
    return one(Type="Map", ItemProcessor=inner, ItemReader=reader)


def mistakes(definition: Any, **options: Any) -> list[Diagnostic]:
    with pytest.raises(SpecError) as caught:
        read(definition, **options)
    return caught.value.diagnostics
