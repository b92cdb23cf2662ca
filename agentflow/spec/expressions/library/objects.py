"""Functions and methods on objects. Keys keep the order in which they were first set."""

from __future__ import annotations

from collections.abc import Sequence

from agentflow.errors import Json
from agentflow.spec.expressions.library.function import Example, Function, Parameter, family
from agentflow.spec.expressions.types import (
    ANY,
    NULL,
    OBJECT,
    STRING,
    ListOf,
    ObjectOf,
    Type,
    union,
)


def _merge(*objects: dict[str, Json]) -> dict[str, Json]:
    return {key: value for each in objects for key, value in each.items()}


def _pick(source: dict[str, Json], keys: list[str]) -> dict[str, Json]:
    return {key: source[key] for key in keys if key in source}


def _omit(source: dict[str, Json], keys: list[str]) -> dict[str, Json]:
    left_out = set(keys)
    return {key: value for key, value in source.items() if key not in left_out}


def _get(source: dict[str, Json], key: str, default: Json = None) -> Json:
    return source.get(key, default)


def _value(kind: Type) -> Type:
    return kind.value() if isinstance(kind, ObjectOf) else ANY


def _got(types: Sequence[Type]) -> Type:
    default = types[2] if len(types) > 2 else NULL
    return union((_value(types[0]), default))


_define = family("Objects")
_method = family("Object methods", OBJECT)
_KEYS = Parameter("keys", ListOf(STRING))

OBJECTS: tuple[Function, ...] = (
    _define(
        "merge",
        (Parameter("o", OBJECT, variadic=True),),
        OBJECT,
        _merge,
        "One object with the keys of all; later values win. Inner objects are not merged.",
        Example('merge({"a": 1, "b": 1}, {"b": 2})', '{"a":1,"b":2}'),
    ),
    _define(
        "pick",
        (Parameter("o", OBJECT), _KEYS),
        OBJECT,
        _pick,
        "Only these keys, in the order given; those it has not are left out.",
        Example('pick({"a": 1, "b": 2}, ["b", "c"])', '{"b":2}'),
    ),
    _define(
        "omit",
        (Parameter("o", OBJECT), _KEYS),
        OBJECT,
        _omit,
        "All keys but these.",
        Example('omit({"a": 1, "b": 2}, ["b", "c"])', '{"a":1}'),
    ),
    _method(
        "get",
        (Parameter("key", STRING), Parameter("default", ANY, optional=True)),
        ANY,
        _get,
        "The value under a key; the default, or null, if there is no such key.",
        Example('[{"a": 1}.get("a"), {"a": 1}.get("b", 0)]', "[1,0]"),
        infer=_got,
        cost="constant",
    ),
    _method(
        "keys",
        (),
        ListOf(STRING),
        list,
        "The keys.",
        Example('{"a": 1, "b": 2}.keys()', '["a","b"]'),
    ),
    _method(
        "values",
        (),
        ListOf(ANY),
        lambda source: list(source.values()),
        "The values.",
        Example('{"a": 1, "b": 2}.values()', "[1,2]"),
        infer=lambda types: ListOf(_value(types[0])),
    ),
    _method(
        "items",
        (),
        ListOf(ListOf(ANY)),
        lambda source: [[key, value] for key, value in source.items()],
        "Lists of a key and its value.",
        Example('[f"{k}={v}" for k, v in {"a": 1}.items()]', '["a=1"]'),
    ),
)
