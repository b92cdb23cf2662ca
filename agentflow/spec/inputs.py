"""The input of an execution against the workflow's schema."""

from __future__ import annotations

import math

from agentflow.errors import MAX_INTEGER, InputError, Json
from agentflow.spec.model import Workflow

MAX_DEPTH = 64
SHOWN = 10
"""Problems that one message lists."""


def check_input(workflow: Workflow, value: Json) -> Json:
    """The input as the execution gets it; `null` stands for `{}` where an object is wanted.

    Raises:
        InputError: it is not JSON or does not match the schema; every problem is listed with its
            place, `$.items[3].price`.
    """
    schema = workflow.input
    if value is None and isinstance(schema, dict) and schema.get("type") == "object":
        value = {}
    problems = list(_strange(value, "$", 0))
    if not problems and schema is not None:
        from jsonschema import Draft202012Validator

        errors = Draft202012Validator(schema).iter_errors(value)
        problems = [f"{error.json_path}: {error.message}" for error in errors]
    if problems:
        more = f"\n  … and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        listed = "\n  ".join(problems[:SHOWN])
        raise InputError(
            f"the input does not match what workflow `{workflow.name}` takes:\n  {listed}{more}",
            help="see `input:` in the spec",
        )
    return value


def _strange(value: Json, path: str, depth: int) -> list[str]:
    """What is not I-JSON in a value: RFC 7493 numbers, text keys, no deeper than 64."""
    if depth > MAX_DEPTH:
        return [f"{path}: nested deeper than {MAX_DEPTH}"]
    match value:
        case None | bool() | str():
            return []
        case int():
            return [] if abs(value) <= MAX_INTEGER else [f"{path}: {value} is beyond ±(2^53-1)"]
        case float():
            return [] if math.isfinite(value) else [f"{path}: {value} is not a finite number"]
        case list():
            parts = ((f"{path}[{i}]", part) for i, part in enumerate(value))
        case dict():
            if not all(isinstance(key, str) for key in value):
                return [f"{path}: keys must be texts"]
            parts = ((f"{path}.{key}", part) for key, part in value.items())
        case _:
            return [f"{path}: {type(value).__name__} is not a JSON value"]
    return [problem for place, part in parts for problem in _strange(part, place, depth + 1)]
