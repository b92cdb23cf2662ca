"""What each intrinsic function computes.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html (2026-08),
and recorded answers of the service where the page is silent.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Callable
from typing import Final, Protocol
from uuid import UUID

from agentflow.adapters.aws.asl.intrinsics import java
from agentflow.adapters.aws.asl.values import is_number
from agentflow.errors import Json

MAX_ENCODED: Final = 10_000
"""Characters that the base64 and hash functions take."""
MAX_RANGE: Final = 1_000

_PLACEHOLDER = re.compile(r"\\(.)|\{\}", re.DOTALL)
_LONE_BRACE = re.compile(r"[{}]")
_NO_BASE64 = re.compile(r"[^A-Za-z0-9+/]")
_URL_SAFE: Final = str.maketrans("-_", "+/")
_INT: Final = range(-(2**31), 2**31)
"""Whole numbers that `MathAdd` takes and gives."""
HASHES: Final = {
    "MD5": hashlib.md5,
    "SHA-1": hashlib.sha1,
    "SHA-256": hashlib.sha256,
    "SHA-384": hashlib.sha384,
    "SHA-512": hashlib.sha512,
}
"""By the names that the service takes, in both languages."""


class ArgumentError(ValueError):
    """An argument does not fit the function; a text adds what the service says about it."""


class Chance(Protocol):
    """Where random numbers come from; the same on every replay."""

    def random(self) -> float:
        """A number from 0 up to 1, exclusive."""

    def getrandbits(self, bits: int, /) -> int:
        """Random bits."""


def round_half_up(number: float) -> int:
    """Round as Java's `Math.round` does: 2.5 to 3, -1.5 to -1."""
    return math.floor(number + 0.5) if isinstance(number, float) else number


def format_text(template: Json, arguments: list[str]) -> str:
    r"""Put texts in for `{}`; `\{` and `\}` are braces, and other braces are mistakes."""
    written = _text(template)
    if _LONE_BRACE.search(_PLACEHOLDER.sub("", written)):
        raise ArgumentError
    if sum(found[1] is None for found in _PLACEHOLDER.finditer(written)) != len(arguments):
        raise ArgumentError("number of arguments do not match the occurrences of {}.")
    rest = iter(arguments)
    return _PLACEHOLDER.sub(
        lambda found: next(rest) if found[1] is None else str(found[1]), written
    )


def random_uuid(chance: Chance) -> str:
    """A version 4 UUID."""
    return str(UUID(int=chance.getrandbits(128), version=4))


def math_random(chance: Chance, start: Json, end: Json, *seeds: Json) -> int:
    """A whole number from `start` up to `end`, exclusive; the same for the same seed."""
    first, last = _integer(start), _integer(end)
    _need(first < last)
    share = java_random(_integer(seeds[0])) if seeds else chance.random()
    return first + math.floor(share * (last - first))


def java_random(seed: int) -> float:
    """The first `nextDouble` of `java.util.Random(seed)`."""
    mask = (1 << 48) - 1
    state = (seed ^ 0x5DEECE66D) & mask
    state = (state * 0x5DEECE66D + 0xB) & mask
    high = state >> (48 - 26)
    state = (state * 0x5DEECE66D + 0xB) & mask
    return ((high << 27) + (state >> (48 - 27))) / (1 << 53)


def digest(data: Json, algorithm: Json) -> str:
    """The hash of a text as hexadecimal digits; other values are written as text first."""
    _need(isinstance(algorithm, str) and algorithm in HASHES)
    written = _short(java.written(data)).encode(errors="surrogatepass")
    return HASHES[str(algorithm)](written, usedforsecurity=False).hexdigest()


def _array_contains(items: Json, item: Json) -> bool:
    """Whether one of the items prints like a value does: that is how the service compares."""
    return java.written(item) in map(java.written, _array(items))


def _array_get_item(items: Json, index: Json) -> Json:
    array, at = _array(items), _integer(index)
    if not array and at >= 0:
        return None
    _need(0 <= at < len(array))
    return array[at]


def partition(items: Json, length: Json) -> list[Json]:
    """Chunks of at most `length` items."""
    array, count = _array(items), _integer(length)
    _need(count > 0)
    return [array[start : start + count] for start in range(0, len(array), count)]


def _array_range(first: Json, last: Json, step: Json) -> list[Json]:
    start, stop, stride = _integer(first), _integer(last), _integer(step)
    _need(stride != 0)
    found = range(start, stop + (1 if stride > 0 else -1), stride)
    _need(len(found) <= MAX_RANGE)
    return list(found)


def _math_add(left: Json, right: Json) -> int:
    parts = [round_half_up(_number(value)) for value in (left, right)]
    _need(all(part in _INT for part in (*parts, sum(parts))))
    return sum(parts)


def _base64_encode(data: Json) -> str:
    return base64.b64encode(_short(_text(data)).encode(errors="surrogatepass")).decode()


def _base64_decode(data: Json) -> str:
    """Leniently: what is not of the alphabet is skipped, and `=` ends the data."""
    digits = _short(_text(data)).translate(_URL_SAFE).split("=")[0]
    digits = _NO_BASE64.sub("", digits)
    if len(digits) % 4 == 1:
        digits = digits[:-1]  # six bits are no byte
    return base64.b64decode(digits + "=" * (-len(digits) % 4)).decode(errors="replace")


def _string_split(whole: Json, delimiters: Json) -> list[Json]:
    """Split at each of the characters, or between all; empty parts are dropped."""
    marks = _text(delimiters)
    if not marks:
        return list(_text(whole))
    return [part for part in re.split(f"[{re.escape(marks)}]", _text(whole)) if part]


def _string_to_json(value: Json) -> Json:
    written = "" if value is None else _text(value)
    if not written.strip():
        return None
    try:
        return json.loads(written, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise ArgumentError from None


def _json_merge(left: Json, right: Json, deep: Json) -> Json:
    _need(deep is not True)
    _need(isinstance(left, dict) and isinstance(right, dict))
    return {**left, **right}


def _array(value: Json) -> list[Json]:
    _need(isinstance(value, list))
    return list(value)


def _text(value: Json) -> str:
    _need(isinstance(value, str))
    return str(value)


def _short(value: str) -> str:
    _need(len(value) <= MAX_ENCODED)
    return value


def _integer(value: Json) -> int:
    """A number without its fraction."""
    return int(_number(value))


def _number(value: Json) -> float:
    number: float = value if is_number(value) else math.nan
    _need(math.isfinite(number))
    return number


def _need(fits: bool) -> None:  # noqa: FBT001 -- reads as a sentence
    if not fits:
        raise ArgumentError


def _refuse(word: str) -> Json:
    raise ValueError(word)


FUNCTIONS: Final[dict[str, Callable[..., Json]]] = {
    "Array": lambda *items: list(items),
    "ArrayContains": _array_contains,
    "ArrayGetItem": _array_get_item,
    "ArrayLength": lambda items: len(_array(items)),
    "ArrayPartition": partition,
    "ArrayRange": _array_range,
    "ArrayUnique": lambda items: java.distinct(_array(items)),
    "Base64Decode": _base64_decode,
    "Base64Encode": _base64_encode,
    "Hash": digest,
    "JsonMerge": _json_merge,
    "JsonToString": java.json_text,
    "MathAdd": _math_add,
    "StringSplit": _string_split,
    "StringToJson": _string_to_json,
}
"""Those that depend on their arguments alone."""
