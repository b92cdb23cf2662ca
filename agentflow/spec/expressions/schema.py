"""Types from JSON Schema: as much of a schema as inference can use, and `any` for the rest.

An object that lists its `properties` and says nothing of others is taken at its word: reading a
field it does not list is reported, although the schema would let such a field pass. Whoever means
an open object says `additionalProperties: true`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agentflow.errors import Json
from agentflow.spec.expressions.types import (
    ANY,
    BOOLEAN,
    INTEGER,
    NULL,
    NUMBER,
    STRING,
    ListOf,
    ObjectOf,
    Scalar,
    Type,
    Union,
    union,
)

_MAX_DEPTH = 12
"""Levels that are looked into: recursive schemas end there, in `any`."""

_MAX_SCHEMAS = 5_000
"""Subschemas that are looked into, repetitions by `$ref` counted."""

_SCALARS = {
    "null": NULL,
    "boolean": BOOLEAN,
    "integer": INTEGER,
    "number": NUMBER,
    "string": STRING,
}
_OPEN_ENDED = frozenset({"patternProperties", "if", "dependentSchemas", "unevaluatedProperties"})
"""Keywords that may allow fields beside those of `properties`."""


def from_schema(schema: Json) -> Type:
    """The type of the values that a JSON Schema accepts.

    >>> str(from_schema({"type": "array", "items": {"type": "integer"}}))
    'list[integer]'
    """
    return _Reader(schema).read(schema, 0)


def to_schema(kind: Type) -> dict[str, Json]:
    """JSON Schema of the values that have a type.

    >>> to_schema(ListOf(INTEGER))
    {'type': 'array', 'items': {'type': 'integer'}}
    """
    match kind:
        case Scalar("any"):
            return {}
        case Scalar(name):
            return {"type": name}
        case ListOf(item):
            return {"type": "array"} if item == ANY else {"type": "array", "items": to_schema(item)}
        case ObjectOf(fields, required, rest):
            schema: dict[str, Json] = {"type": "object"}
            if fields:
                schema["properties"] = {name: to_schema(each) for name, each in fields}
            if required:
                schema["required"] = sorted(required)
            if rest not in (ANY, None):
                schema["additionalProperties"] = to_schema(rest)
            return schema
        case Union(alternatives):
            return {"anyOf": [to_schema(each) for each in alternatives]}


def of_value(value: Json) -> Type:
    """The type of one known value.

    >>> str(of_value({"a": [1, 2.5]}))
    '{a: list[number]}'
    """
    match value:
        case None:
            return NULL
        case bool():
            return BOOLEAN
        case int():
            return INTEGER
        case float():
            return NUMBER
        case str():
            return STRING
        case list():
            return ListOf(union(map(of_value, value)))
        case _:
            return known_object({key: of_value(item) for key, item in value.items()})


def known_object(fields: Mapping[str, Type]) -> ObjectOf:
    """The type of an object that has exactly these fields."""
    return ObjectOf(tuple(fields.items()), frozenset(fields))


class _Reader:
    def __init__(self, root: Json) -> None:
        self.root = root
        self.left = _MAX_SCHEMAS

    def read(self, schema: Json, depth: int) -> Type:
        self.left -= 1
        if not isinstance(schema, dict) or depth > _MAX_DEPTH or self.left < 0:
            return ANY
        if "$ref" in schema:
            return self.read(self._target(schema["$ref"]), depth + 1)
        if "const" in schema:
            return of_value(schema["const"])
        if isinstance(schema.get("enum"), list):
            return union(map(of_value, schema["enum"]))
        for keyword in _COMBINATIONS:
            if isinstance(schema.get(keyword), list):
                return self._combined(schema, keyword, depth)
        return self._typed(schema, depth)

    def _combined(self, schema: dict[str, Json], keyword: str, depth: int) -> Type:
        combine = _COMBINATIONS[keyword]
        alternatives = combine([self.read(each, depth + 1) for each in schema[keyword]])
        rest = {key: value for key, value in schema.items() if key != keyword}
        own = self.read(rest, depth + 1)
        return alternatives if own == ANY else _all_of([own, alternatives])

    def _typed(self, schema: dict[str, Json], depth: int) -> Type:
        kinds = schema.get("type", "object" if "properties" in schema else None)
        if kinds is None:
            return ANY
        names = kinds if isinstance(kinds, list) else [kinds]
        return union([self._named(name, schema, depth) for name in names])

    def _named(self, name: Json, schema: dict[str, Json], depth: int) -> Type:
        if name == "array":
            return ListOf(ANY if "prefixItems" in schema else self._items(schema, depth))
        if name == "object":
            return self._object(schema, depth)
        return _SCALARS.get(name, ANY) if isinstance(name, str) else ANY

    def _items(self, schema: dict[str, Json], depth: int) -> Type:
        return self.read(schema.get("items"), depth + 1)

    def _object(self, schema: dict[str, Json], depth: int) -> Type:
        properties = schema.get("properties")
        if not isinstance(properties, dict):
            properties = {}
        fields = tuple((name, self.read(each, depth + 1)) for name, each in properties.items())
        required = schema.get("required")
        named = frozenset(required if isinstance(required, list) else ()) & properties.keys()
        return ObjectOf(fields, frozenset(named), self._rest(schema, depth, known=bool(fields)))

    def _rest(self, schema: dict[str, Json], depth: int, *, known: bool) -> Type | None:
        others = schema.get("additionalProperties", not known)
        if _OPEN_ENDED & schema.keys() or others is True:
            return ANY
        return None if others is False else self.read(others, depth + 1)

    def _target(self, reference: Json) -> Json:
        """What a local `$ref` such as `#/$defs/order` points to; `None` if it is not there."""
        if not isinstance(reference, str) or not reference.startswith("#"):
            return None
        target = self.root
        for name in reference[1:].split("/")[1:]:
            key = name.replace("~1", "/").replace("~0", "~")
            if not isinstance(target, dict) or key not in target:
                return None
            target = target[key]
        return target


def _all_of(types: list[Type]) -> Type:
    """All types at once, where that is plain: objects together, else the first that says more."""
    known = [kind for kind in types if kind != ANY]
    objects = [kind for kind in known if isinstance(kind, ObjectOf)]
    if len(objects) < len(known):
        return known[0] if len(known) == 1 else ANY
    if not objects:
        return ANY
    fields = {name: field for each in objects for name, field in each.fields}
    required = frozenset().union(*(each.required for each in objects))
    listing = [each for each in objects if each.fields]
    closed = bool(listing) and all(each.rest is None for each in listing)
    return ObjectOf(tuple(fields.items()), required, None if closed else ANY)


_COMBINATIONS: dict[str, Callable[[list[Type]], Type]] = {
    "anyOf": union,
    "oneOf": union,
    "allOf": _all_of,
}
