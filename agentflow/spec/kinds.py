"""The kinds of values that fields hold: what they accept, as JSON Schema and in words."""

from __future__ import annotations

from dataclasses import dataclass

from agentflow.errors import Json


@dataclass(frozen=True, slots=True)
class Kind:
    """What a field accepts."""

    phrase: str
    schema: dict[str, Json]


_TEXT: Json = {"type": "string"}
_EXPRESSION: Json = {"type": "string", "pattern": r"^\s*\$\{[\s\S]*\}\s*$"}
_SECONDS: Json = {"type": "number", "minimum": 0}
_UNITS = (
    r"^\s*(?=[0-9P])([0-9.]+d)?([0-9.]+h)?([0-9.]+m(?!s))?([0-9.]+s)?([0-9.]+ms)?\s*$"
    r"|^\s*P[0-9.WDTHMS]+\s*$"
)
_DURATION: Json = {"type": "string", "pattern": _UNITS}
_IDENTIFIER = "^[A-Za-z_][A-Za-z0-9_]*$"


def _shape(name: str) -> dict[str, Json]:
    return {"$ref": f"#/$defs/shape_{name}"}


def _named(values: Json) -> dict[str, Json]:
    return {
        "type": "object",
        "propertyNames": {"pattern": _IDENTIFIER},
        "additionalProperties": values,
    }


def _listed(shape: str) -> dict[str, Json]:
    return {"type": "array", "minItems": 1, "items": _shape(shape)}


KINDS: dict[str, Kind] = {
    "text": Kind("text", _TEXT),
    "name": Kind("text", {"type": "string", "pattern": "^[A-Za-z0-9_.-]+$"}),
    "identifier": Kind("a name", {"type": "string", "pattern": _IDENTIFIER}),
    "template": Kind("any value, with `${…}` anywhere", {}),
    "condition": Kind("`${…}` that gives a boolean", _EXPRESSION),
    "duration": Kind(
        "a duration, or `${…}` that gives one", {"anyOf": [_SECONDS, _DURATION, _EXPRESSION]}
    ),
    "seconds": Kind("a duration", {"anyOf": [_SECONDS, _DURATION]}),
    "moment": Kind("a duration, a time, or `${…}` that gives one", {"anyOf": [_SECONDS, _TEXT]}),
    "count": Kind("a whole number from 1", {"type": "integer", "minimum": 1}),
    "arity": Kind("a whole number from 2", {"type": "integer", "minimum": 2}),
    "factor": Kind("a number from 1", {"type": "number", "minimum": 1}),
    "amount": Kind("a number", {"type": "number", "minimum": 0}),
    "memory": Kind(
        "bytes, or text such as `512MiB`",
        {
            "anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?([KMGT]i?)?B?$"},
            ]
        },
    ),
    "jitter": Kind("`full` or `none`", {"enum": ["full", "none"]}),
    "guarantee": Kind(
        "`at_least_once` or `at_most_once`", {"enum": ["at_least_once", "at_most_once"]}
    ),
    "true": Kind("`true`", {"const": True}),
    "errors": Kind(
        'an error\'s name, a list of them, or `"*"`',
        {"anyOf": [_TEXT, {"type": "array", "minItems": 1, "items": _TEXT}]},
    ),
    "names": Kind("a list of names", {"type": "array", "items": _TEXT}),
    "schema": Kind("a JSON Schema", {"type": ["object", "boolean"]}),
    "object": Kind("an object", {"type": "object"}),
    "arguments": Kind("an object of values by name", _named({})),
    "functions": Kind("an object of import paths by name", _named(_TEXT)),
    "labels": Kind("an object of texts", {"type": "object", "additionalProperties": _TEXT}),
    "function": Kind(
        "an import path, a short name or an agent",
        {"type": "string", "pattern": r"^(agent:[A-Za-z_][\w-]*(\.\w+)?|[A-Za-z_][\w.]*)$"},
    ),
    "key": Kind("text, with `${…}` anywhere", _TEXT),
    "catch": Kind("a list of handlers", {"type": "array", "items": _shape("catch")}),
    "cases": Kind("a list of cases", _listed("case")),
    "branches": Kind(
        "an object of branches by name", _named(_shape("branch")) | {"minProperties": 1}
    ),
    "join": Kind(
        "`all`, `any` or a number",
        {"anyOf": [{"enum": ["all", "any"]}, {"type": "integer", "minimum": 1}]},
    ),
    "batch": Kind(
        "a number or `auto`", {"anyOf": [{"const": "auto"}, {"type": "integer", "minimum": 1}]}
    ),
    "tolerate": Kind(
        "a count or a share such as `5%`",
        {
            "anyOf": [
                {"type": "integer", "minimum": 0},
                {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?%$"},
            ]
        },
    ),
    "source": Kind(
        "a list, or a call", {"anyOf": [{"type": ["string", "array"]}, _shape("source")]}
    ),
    "stages": Kind("a list of stages", _listed("stage")),
    "states": Kind("an object of states by name", _named(_shape("state")) | {"minProperties": 1}),
    "next": Kind("a state, or a list of transitions", {"anyOf": [_TEXT, _listed("transition")]}),
    "approve": Kind("the question, or an object", {"anyOf": [_TEXT, _shape("approve")]}),
    "raise": Kind("an error, or `${…}` that gives one", {"anyOf": [_EXPRESSION, _shape("raise")]}),
}
"""Kinds whose name is also that of a shape accept something beside it."""
