"""JSON values as the service compares, measures and prints them."""

from __future__ import annotations

import json
from typing import Final

from agentflow.errors import Json

MAX_BYTES: Final = 262_144
"""Bytes of UTF-8 that a state's input or result may have.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html (2026-08).
"""
MAX_VARIABLES: Final = 10 * 2**20
"""Bytes of UTF-8 that all variables of an execution may have; those of one `Assign`, `MAX_BYTES`.

Source: the same page.
"""


class Absent:
    """The type of `ABSENT`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent()
"""A field that is not there; `null` is a value."""


def text(value: Json) -> str:
    """The value as compact JSON, with other characters than ASCII as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def spaced(value: Json) -> str:
    """The value as JSON with blanks after `,` and `:`, as the service quotes inputs."""
    return json.dumps(value, ensure_ascii=False)


def shown(value: Json) -> str:
    """The value as text in messages: a string without quotes, anything else as JSON."""
    return value if isinstance(value, str) else text(value)


def size(value: Json) -> int:
    """Bytes of the value as the service counts them."""
    return len(text(value).encode(errors="surrogatepass"))


def kind(value: Json) -> str:
    """The JSON type of a value, as messages call it."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def is_number(value: Json) -> bool:
    """Whether it is a number; booleans are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def equal(left: Json, right: Json) -> bool:
    """Deep equality: numbers by value, booleans apart from numbers."""
    if kind(left) != kind(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(equal(v, right[k]) for k, v in left.items())
    return bool(left == right)
