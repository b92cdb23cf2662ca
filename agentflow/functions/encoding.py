"""Results as JSON bytes, strictly: what every engine represents the same, or a named error.

Accepted are JSON's own values, tuples (as lists), dataclasses, pydantic models, enums (their
values), NumPy scalars, and the texts of dates, times, UUIDs, paths and decimals. Everything else
is refused with its place in the result, because a value that changes on the way is worse.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Collection
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from math import isfinite
from pathlib import PurePath
from types import NoneType
from typing import Any
from uuid import UUID

from agentflow.errors import MAX_INTEGER, Fault, Json

try:
    import orjson
except ImportError:  # clouds run functions without it
    orjson = None  # type: ignore[assignment]  # stands for "not there"

MAX_BYTES = 64 * 1024 * 1024
"""The largest result of a call."""
MAX_DEPTH = 64
"""How deep lists and objects may nest."""

_EASY = frozenset({str, int, float, bool, NoneType})
_HARMLESS = _EASY - {int}


def encode(value: Any, *, path: str = "result", limit: int = MAX_BYTES) -> bytes:
    """The value as UTF-8 JSON of at most `limit` bytes.

    Raises:
        Fault: `InvalidOutput` with the place of the first value that is not JSON;
            `PayloadTooLarge` with the size.
    """
    walk = _Walk(limit)
    try:
        plain = walk.visit(value, 0)
    except _RefusedError as refused:
        raise refused.fault(path) from None
    except _FullError:
        raise _too_large(path, f"more than {_size(limit)}", limit) from None
    text = dump(plain, path)
    if len(text) > limit:
        raise _too_large(path, _size(len(text)), limit)
    return text


def as_doubles(value: Json) -> Json:
    """The value with floats where a cloud wrote whole floats as integers beyond ±(2^53-1)."""
    kind = type(value)
    if kind is int and not -MAX_INTEGER <= value <= MAX_INTEGER:
        try:
            return float(value)
        except OverflowError:  # no float either: whoever reads it refuses it
            return value
    if kind is list and not _HARMLESS.issuperset(map(type, value)):
        return [as_doubles(each) for each in value]
    if kind is dict and not _HARMLESS.issuperset(map(type, value.values())):
        return {key: as_doubles(each) for key, each in value.items()}
    return value


def decode(text: bytes) -> Json:
    """The value of JSON bytes that `encode` or another JSON writer made."""
    return json.loads(text) if orjson is None else orjson.loads(text)


def duplicate(value: Json) -> Json:
    """A copy of a JSON value, so that a function may change what it was given."""
    return decode(dump(value))


def dump(plain: Json, path: str = "value") -> bytes:
    """JSON bytes of a value that is known to be JSON.

    Raises:
        Fault: `InvalidOutput`, if some text is not Unicode.
    """
    try:
        if orjson is not None:
            return orjson.dumps(plain)
        return json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode()
    except (TypeError, UnicodeEncodeError):  # all that is left to go wrong: half a surrogate pair
        raise _surrogate(plain).fault(path) from None


class _RefusedError(Exception):
    """A value that is not JSON; the walk adds the steps of its path from the inside out."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy
        self.steps: list[str] = []

    def fault(self, path: str) -> Fault:
        place = path + "".join(reversed(self.steps))
        return Fault(
            "InvalidOutput",
            f"{place} {self.problem}; {self.remedy}",
            data={"path": place, "problem": self.problem},
        )


class _FullError(Exception):
    """The result is larger than allowed, whatever the rest of it is."""


class _Walk:
    """Turns a value into plain JSON; gives parts that already are back as they are.

    `left` counts down a lower bound of the size, so that a small value that refers to itself a
    million times ends early.
    """

    __slots__ = ("left",)

    def __init__(self, limit: int) -> None:
        self.left = limit

    def visit(self, value: Any, depth: int) -> Json:
        kind = type(value)
        if kind in _EASY:
            return self._scalar(value)
        if depth >= MAX_DEPTH:
            raise _RefusedError(
                f"nests deeper than {MAX_DEPTH} levels", "flatten it, or does it contain itself?"
            )
        if kind is list or kind is tuple:
            return self._list(value, depth)
        if kind is dict:
            return self._object(value, depth)
        return self._other(value, depth)

    def _take(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise _FullError

    def _scalar(self, value: Any) -> Json:
        kind = type(value)
        if kind is str:
            self._take(len(value))
        elif kind is float and not isfinite(value):
            raise _RefusedError(f"is {value}", "JSON has finite numbers only; give null instead")
        elif kind is int and not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise _RefusedError("is an integer beyond ±(2^53-1)", "give it as a string, str(value)")
        return value

    def _scalars(self, values: Collection[Any]) -> bool:
        """Whether all are scalars in range, found without a step of Python for each."""
        kinds = set(map(type, values))
        if not kinds <= _EASY:
            return False
        if float in kinds and not all(isfinite(v) for v in values if type(v) is float):
            return False
        if int in kinds:
            integers = values if len(kinds) == 1 else [v for v in values if type(v) is int]
            if min(integers) < -MAX_INTEGER or max(integers) > MAX_INTEGER:
                return False
        if str in kinds:
            texts = values if len(kinds) == 1 else [v for v in values if type(v) is str]
            self._take(sum(map(len, texts)))
        return True

    def _list(self, items: list[Any] | tuple[Any, ...], depth: int) -> Json:
        self._take(2 * len(items))
        if self._scalars(items):
            return items if type(items) is list else list(items)
        result = []
        for index, item in enumerate(items):
            try:
                result.append(self.visit(item, depth + 1))
            except _RefusedError as refused:
                refused.steps.append(f"[{index}]")
                raise
        return result

    def _object(self, members: dict[Any, Any], depth: int) -> Json:
        self._take(4 * len(members))
        if set(map(type, members)) == {str} and self._scalars(members.values()):
            self._take(sum(map(len, members)))
            return members
        result: dict[str, Json] = {}
        for key, value in members.items():
            name = key if type(key) is str else self._key(key)
            self._take(len(name))
            try:
                result[name] = self.visit(value, depth + 1)
            except _RefusedError as refused:
                refused.steps.append(f".{name}" if name.isidentifier() else f"[{name!r}]")
                raise
        if len(result) != len(members):
            raise _RefusedError("has two keys of the same text", "make the keys differ")
        return result

    def _key(self, key: Any) -> str:
        if isinstance(key, Enum):
            key = key.value
        if isinstance(key, str):
            return str.__str__(key)
        raise _RefusedError(
            f"has the key {_short(key)}, which is {_article(type(key))}",
            "JSON keys are strings, use str(key)",
        )

    def _other(self, value: Any, depth: int) -> Json:
        if isinstance(value, Enum):
            return self.visit(value.value, depth + 1)
        for kind in (str, int, float):
            if isinstance(value, kind):  # a subclass: what it adds is not part of the value
                return self.visit(kind(value) if kind is not str else str.__str__(value), depth)
        if isinstance(value, (list, tuple)):
            return self._list(list(value), depth)
        if isinstance(value, dict):
            return self._object(value, depth)
        if _is_model(value):
            return self.visit(value.model_dump(mode="json", by_alias=True), depth)
        if is_dataclass(value) and not isinstance(value, type):
            named = {field.name: getattr(value, field.name) for field in fields(value)}
            return self._object(named, depth)
        if isinstance(value, (datetime, date, time)):
            return value.isoformat()
        if isinstance(value, (UUID, PurePath, Decimal)):
            return self.visit(str(value), depth)
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(value, numpy.generic):
            return self.visit(value.item(), depth + 1)
        raise _not_json(value)


_REMEDIES: dict[str, str] = {
    "set": "give a list, sorted(value)",
    "frozenset": "give a list, sorted(value)",
    "bytes": "give text, base64.b64encode(value).decode()",
    "bytearray": "give text, base64.b64encode(value).decode()",
    "ndarray": "give a list, value.tolist()",
    "complex": "give a list of two numbers",
    "generator": "give a list, or make the function the source of a pipeline",
    "async_generator": "give a list, or make the function the source of a pipeline",
    "coroutine": "await it before returning",
}


def _not_json(value: Any) -> _RefusedError:
    kind = type(value)
    remedy = _REMEDIES.get(
        kind.__name__, "give JSON: numbers, text, lists, objects, a dataclass or a pydantic model"
    )
    return _RefusedError(f"is {_article(kind)}, which is not JSON", remedy)


def _surrogate(plain: Json) -> _RefusedError:
    """Where the text stands that is not Unicode."""
    match plain:
        case dict():
            for key, value in plain.items():
                if _broken(key):
                    return _RefusedError("has a key that is not valid Unicode text", "replace it")
                if found := _broken(value):
                    found.steps.append(f".{key}")
                    return found
        case list():
            for index, value in enumerate(plain):
                if found := _broken(value):
                    found.steps.append(f"[{index}]")
                    return found
    return _RefusedError(
        "is not valid Unicode text (half of a surrogate pair)",
        "decode bytes with errors='replace'",
    )


def _broken(value: Json) -> _RefusedError | None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return _surrogate(value)
    return None


def _is_model(value: Any) -> bool:
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and isinstance(value, pydantic.BaseModel)


def _too_large(path: str, size: str, limit: int) -> Fault:
    return Fault(
        "PayloadTooLarge",
        f"{path} is {size}, the limit is {_size(limit)}; "
        "write it to a file or object store and return its address",
        data={"limit": limit},
    )


def _size(count: int) -> str:
    mega = 1024 * 1024
    return f"{count / mega:.1f} MB" if count % mega else f"{count // mega} MB"


def _article(kind: type) -> str:
    name = kind.__name__
    return f"an {name}" if name[:1] in "aeiouAEIO" else f"a {name}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
