"""Check that a JSON Schema is one, without loading a library when that can be seen at a glance."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TypeAlias
from urllib.parse import unquote

from agentflow.errors import Json

Path: TypeAlias = "tuple[str | int, ...]"

_DATA = ("const", "default", "enum", "examples")
"""Keywords whose values are data, not schemas."""
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
    else:
        yield from _unusable(schema, schema, ())


def _unusable(schema: Json, root: Json, path: Path) -> Iterator[tuple[Path, str]]:
    """References that lead nowhere, or out of the spec, and patterns that do not compile."""
    if isinstance(schema, list):
        for index, item in enumerate(schema):
            yield from _unusable(item, root, (*path, index))
    if not isinstance(schema, dict):
        return
    for key, value in schema.items():
        if key == "$ref" and isinstance(value, str):
            if not value.startswith("#"):
                yield (*path, key), f"`{value}` is not within this schema"
            elif not _leads(value, root):
                yield (*path, key), f"`{value}` leads nowhere"
        elif key == "pattern" and isinstance(value, str):
            try:
                re.compile(value)
            except (re.error, OverflowError) as problem:
                yield (*path, key), f"the pattern is no regular expression: {problem}"
        elif key not in _DATA:
            yield from _unusable(value, root, (*path, key))


def _leads(reference: str, root: Json) -> bool:
    """Whether a reference such as `#/$defs/item` or `#item` has a target."""
    if reference == "#":
        return True
    if not reference.startswith("#/"):
        return _anchored(reference[1:], root)
    target = root
    for part in reference[2:].split("/"):
        key = unquote(part).replace("~1", "/").replace("~0", "~")
        if isinstance(target, list) and key.isdigit() and int(key) < len(target):
            target = target[int(key)]
        elif isinstance(target, dict) and key in target:
            target = target[key]
        else:
            return False
    return True


def _anchored(name: str, schema: Json) -> bool:
    if isinstance(schema, list):
        return any(_anchored(name, item) for item in schema)
    if not isinstance(schema, dict):
        return False
    return name in (schema.get("$anchor"), schema.get("$dynamicAnchor")) or any(
        _anchored(name, value) for value in schema.values()
    )


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
