"""Check that a JSON Schema is one, without loading a library when that can be seen at a glance."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from agentflow.errors import Json

Path: TypeAlias = "tuple[str | int, ...]"

_TYPES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})


def mistakes(schema: Json) -> Iterator[tuple[Path, str]]:
    """Where and why `schema` is not a JSON Schema (draft 2020-12), the worst mistake first."""
    if _plain(schema):
        return
    # jsonschema takes a sixth of a second to import; most schemas need no more than the above.
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    validator = Draft202012Validator(Draft202012Validator.META_SCHEMA)
    error = best_match(validator.iter_errors(schema))
    if error is not None:
        yield tuple(error.absolute_path), error.message


def _plain(schema: Json) -> bool:
    """Whether a schema is valid beyond doubt: well-known keywords with values of their kind."""
    if isinstance(schema, bool):
        return True
    if not isinstance(schema, dict):
        return False
    return all(key in _KEYWORDS and _KEYWORDS[key](value) for key, value in schema.items())


def _is_type(value: Json) -> bool:
    if isinstance(value, list):
        return bool(value) and len(set(map(str, value))) == len(value) and all(map(_is_type, value))
    return isinstance(value, str) and value in _TYPES


def _is_size(value: Json) -> bool:
    return type(value) is int and value >= 0


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_text(value: Json) -> bool:
    return isinstance(value, str)


def _is_names(value: Json) -> bool:
    return isinstance(value, list) and all(map(_is_text, value)) and len(set(value)) == len(value)


def _are_schemas(value: Json) -> bool:
    return isinstance(value, dict) and all(map(_plain, value.values()))


def _is_anything(value: Json) -> bool:  # noqa: ARG001  # one signature for the table below
    return True


_KEYWORDS: dict[str, Callable[[Json], bool]] = {
    "type": _is_type,
    "title": _is_text,
    "description": _is_text,
    "format": _is_text,
    "properties": _are_schemas,
    "additionalProperties": _plain,
    "required": _is_names,
    "items": _plain,
    "enum": lambda value: isinstance(value, list),
    "const": _is_anything,
    "default": _is_anything,
    "examples": lambda value: isinstance(value, list),
    "minimum": _is_number,
    "maximum": _is_number,
    "exclusiveMinimum": _is_number,
    "exclusiveMaximum": _is_number,
    "minLength": _is_size,
    "maxLength": _is_size,
    "minItems": _is_size,
    "maxItems": _is_size,
    "uniqueItems": lambda value: isinstance(value, bool),
}
