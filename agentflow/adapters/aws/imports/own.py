"""Tasks that our own compiler wrote: what their payloads ask the bundle's functions for.

A definition that was changed after its compile is read by its states. Its calls are still calls
of the same functions with the same arguments.
"""

from __future__ import annotations

from typing import Any, Final

from agentflow.adapters.aws import foreign
from agentflow.adapters.aws.asl.jsonata import expression_in
from agentflow.adapters.aws.asl.model import Task
from agentflow.adapters.aws.imports.expressions import Sight
from agentflow.adapters.aws.imports.writing import Writing
from agentflow.errors import Json
from agentflow.spec.expressions.template import Template
from agentflow.spec.model import Call, Listen

_ABOUT: Final = frozenset({"execution", "step", "attempt"})
"""Members of a payload that say who asks."""


def asked(state: Task) -> dict[str, Any] | None:
    """What the payload of a task of ours asks for; None if it is none of ours."""
    given = state.arguments
    if state.query_language != "JSONata" or not isinstance(given, dict):
        return None
    payload = given.get("Payload")
    if given.keys() != {"FunctionName", "Payload"} or not isinstance(payload, dict):
        return None
    if not payload.keys() >= {"execution", "step"}:
        return None
    return {key: value for key, value in payload.items() if key not in _ABOUT}


def called(w: Writing, request: dict[str, Any], sight: Sight) -> Call | None:
    """The call that a payload makes, with its arguments one by one."""
    match request:
        case {"function": str(name), "arguments": dict(arguments), **more}:
            if expression_in(name) is None and more.keys() <= {"key"}:
                key = _one(w, more.get("key"), sight)
                return Call(name, _each(w, arguments, sight), w.span, key=key)
        case {"evaluate": dict(templates), "names": dict(names)} if len(request) == 2:
            given: dict[str, Template] = {"templates": templates, "names": _each(w, names, sight)}
            return Call(f"{foreign.MODULE}.evaluate", given, w.span)
    return None


def listened(w: Writing, request: dict[str, Any], sight: Sight) -> Listen | None:
    """The message that a payload waits for."""
    match request:
        case {"listen": {"name": str(name), "form": form, "correlation": key, "prompt": prompt}}:
            if expression_in(name) is None:
                return Listen(name, _one(w, key, sight), form, _one(w, prompt, sight))
    return None


def _each(w: Writing, values: dict[str, Json], sight: Sight) -> dict[str, Template]:
    return {key: w.resolved(value, sight, key) for key, value in values.items()}


def _one(w: Writing, value: Json, sight: Sight) -> Template:
    return None if value is None else w.resolved(value, sight, "message")
