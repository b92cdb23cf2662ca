"""The helper in a bundle: what a cloud's language cannot compute, computed with our own evaluator.

It answers these payloads, each with `execution` and `step` beside:

    {"evaluate": {key: template, …}, "names": {name: value, …}}     → {key: value, …}
    {"check": value, "schema": JSON Schema}                         → the value
    {"listen": {"token", "name", "correlation", "form", "prompt"}}  → null, once it is kept
    {"detail-type": name, "id", "detail": {"subject", "data"}}      → how many steps heard it
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from functools import lru_cache
from typing import Protocol

from agentflow.errors import Diagnostic, Fault, Json, Span
from agentflow.functions.context import Context
from agentflow.spec.expressions.evaluate import compile_template
from agentflow.spec.expressions.scope import Scope
from agentflow.spec.expressions.template import Template, parse_string

_SHOWN = 3


class Waiting(Protocol):
    """Keeps the tokens of steps that wait for a message."""

    def keep(self, request: Json, context: Context) -> None:
        """Keep a request: whoever sends the message will look for it by name.

        With `since`, an event answers it, too, that came after that time.
        """
        ...

    def hear(self, name: str, id: str, event: dict[str, Json]) -> int:
        """Give an event to a step of each execution that waits for it; gives how many did."""
        ...


class Stored(Protocol):
    """Reads what the engine has written of a map."""

    def outcomes(self, where: Json) -> Mapping[int, Json]:
        """See `agentflow.functions.hosts.calls.Helper`."""
        ...


class Helper:
    """Answers requests of compiled workflows."""

    def __init__(self, waiting: Waiting | None = None, stored: Stored | None = None) -> None:
        self._waiting = waiting
        self._stored = stored

    def fill(self, template: Json, names: dict[str, Json]) -> Json:
        """See `agentflow.functions.hosts.calls.Helper`."""
        return _filled(template, Scope(names))

    def outcomes(self, where: Json) -> Mapping[int, Json]:
        """See `agentflow.functions.hosts.calls.Helper`."""
        if self._stored is None:
            raise Fault("InvalidInput", "the payload asks for results that this host cannot read")
        return self._stored.outcomes(where)

    def answer(self, payload: dict[str, Json], context: Context) -> Json:
        """See `agentflow.functions.hosts.calls.Helper`."""
        match payload:
            case {"evaluate": dict(templates), "names": dict(names)}:
                scope = Scope(names, recorded=_Now(context))
                return {key: _filled(text, scope) for key, text in templates.items()}
            case {"check": value, "schema": schema}:
                return _checked(value, schema)
            case {"listen": dict(request)} if self._waiting is not None:
                self._waiting.keep(request, context)
                return None
            case {"detail-type": str(name), "id": str(id), "detail": dict(event)} if (
                self._waiting is not None
            ):
                return self._waiting.hear(name, id, event)
        raise Fault("InvalidInput", "the payload asks for nothing that this host does")


class _Now:
    """Time, and chance that is the same when the same step asks again."""

    def __init__(self, context: Context) -> None:
        self._key = context.idempotency_key
        self._drawn = 0

    def now(self) -> str:
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
        return f"{stamp}.{int(now * 1000) % 1000:03d}Z"

    def uuid(self) -> str:
        self._drawn += 1
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self._key}/{self._drawn}"))


def _filled(template: Json, scope: Scope) -> Json:
    return compile_template(_parsed(template))(scope)


def _parsed(template: Json) -> Template:
    match template:
        case str():
            return _read(template)
        case dict():
            return {key: _parsed(each) for key, each in template.items()}
        case list():
            return [_parsed(each) for each in template]
        case _:
            return template


@lru_cache(maxsize=1024)
def _read(text: str) -> Template:
    mistakes: list[Diagnostic] = []
    template = parse_string(text, _place, mistakes)
    if mistakes:  # the compiler has read it before
        raise Fault("InvalidInput", f"a template cannot be read: {mistakes[0].message}")
    return template


def _place(start: int, end: int) -> Span:
    return Span("template", 1, start + 1, 1, end + 1)


def _checked(value: Json, schema: Json) -> Json:
    from jsonschema import Draft202012Validator

    if value is None and isinstance(schema, dict) and schema.get("type") == "object":
        value = {}
    errors = Draft202012Validator(schema).iter_errors(value)
    problems = [f"{error.json_path}: {error.message}" for error in errors]
    if problems:
        said = "; ".join(problems[:_SHOWN])
        raise Fault("InvalidInput", f"the input does not match what the workflow takes: {said}")
    return value
