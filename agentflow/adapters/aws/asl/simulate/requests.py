"""Whether the arguments of a task can start it: what its integration asks for.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/integrate-optimized.html and
https://docs.aws.amazon.com/step-functions/latest/dg/call-https-apis.html (2026-08).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from agentflow.adapters.aws.asl.errors import RUNTIME, EvaluationError
from agentflow.adapters.aws.asl.model import Task
from agentflow.adapters.aws.asl.resources import Resource
from agentflow.adapters.aws.asl.values import text
from agentflow.errors import Json

_REQUIRED: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("lambda", "invoke"): ("FunctionName",),
    ("states", "startExecution"): ("StateMachineArn",),
    ("http", "invoke"): ("ApiEndpoint", "Method"),
}
"""Texts that an optimised integration cannot do without."""
_METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})


def check(state: Task, resource: Resource, given: Json) -> None:
    """Refuse arguments that cannot start the work.

    Raises:
        EvaluationError: with everything that is wrong with them.
    """
    action = (resource.name, resource.action)
    if resource.kind != "service" or resource.sdk or action not in _REQUIRED:
        return
    fields = given if isinstance(given, dict) else {}
    wrong = [*_missing(fields, _REQUIRED[action])]
    if action == ("http", "invoke"):
        wrong += _wrong_in_http(fields)
    if wrong:
        name = "Arguments" if state.query_language == "JSONata" else "Parameters"
        told = f"The {name} '{text(given)}' could not be used to start the Task: "
        raise EvaluationError(told + f"[{', '.join(wrong)}]", RUNTIME)


def _missing(fields: Mapping[str, Json], required: tuple[str, ...]) -> Iterator[str]:
    for name in required:
        if name not in fields:
            yield f"The field '{name}' is required but was missing"
        elif not isinstance(fields[name], str):
            yield f"The value of the field '{name}' has an invalid format"


def _wrong_in_http(fields: Mapping[str, Json]) -> Iterator[str]:
    """What is wrong with a call of an HTTPS endpoint."""
    endpoint, method = fields.get("ApiEndpoint"), fields.get("Method")
    if isinstance(endpoint, str) and not endpoint.lower().startswith("https://"):
        yield "The value of the field 'ApiEndpoint' has an invalid format"
    if isinstance(method, str) and method not in _METHODS:
        yield "The value of the field 'Method' has an invalid format"
    authority = fields.get("Authentication", fields.get("InvocationConfig"))
    if authority is None:
        yield "The field 'Authentication' is required but was missing"
    elif not isinstance(authority, dict) or not isinstance(authority.get("ConnectionArn"), str):
        yield "The field 'ConnectionArn' is required but was missing"
    for name in ("Headers", "QueryParameters", "Transform"):
        if not isinstance(fields.get(name, {}), dict):
            yield f"The value of the field '{name}' has an invalid format"
