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

from agentflow.adapters.aws.asl.values import equal, is_number, kind, shown, text
from agentflow.errors import Json

MAX_ENCODED: Final = 10_000
"""Characters that the base64 and hash functions take."""
MAX_RANGE: Final = 1_000

_PLACEHOLDER = re.compile(r"\\(.)|\{\}", re.DOTALL)
_HASHES: Final = {
    "MD5": hashlib.md5,
    "SHA-1": hashlib.sha1,
    "SHA-256": hashlib.sha256,
    "SHA-384": hashlib.sha384,
    "SHA-512": hashlib.sha512,
}


class ArgumentError(ValueError):
    """An argument does not fit the function."""


class Chance(Protocol):
    """Where random numbers come from; the same on every replay."""

    def random(self) -> float:
        """A number from 0 up to 1, exclusive."""

    def getrandbits(self, bits: int, /) -> int:
        """Random bits."""


def round_half_up(number: float) -> int:
    """Round as Java's `Math.round` does: 2.5 to 3, -1.5 to -1."""
    return math.floor(number + 0.5) if isinstance(number, float) else number


def format_text(template: Json, arguments: list[Json]) -> str:
    r"""Put values in for `{}`; `\{` and `\}` are braces."""
    _need(isinstance(template, str), "The first argument must be a string", template)
    rest = iter(arguments)

    def replace(found: re.Match[str]) -> str:
        if found[1] is not None:
            return found[1]
        return _written(next(rest, None))

    places = sum(found[1] is None for found in _PLACEHOLDER.finditer(template))
    if places != len(arguments):
        raise ArgumentError(
            f"number of arguments to States.Format do not match the occurrences of {{}}: "
            f"{len(arguments)} given, {places} expected"
        )
    return _PLACEHOLDER.sub(replace, template)


def _written(value: Json) -> str:
    """A value within text: lists and objects as Java prints them, `[1, 2]` and `{a=1}`."""
    if isinstance(value, list):
        return "[" + ", ".join(map(_written, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={_written(item)}" for key, item in value.items()) + "}"
    return shown(value)


def random_uuid(chance: Chance) -> str:
    """A version 4 UUID."""
    return str(UUID(int=chance.getrandbits(128), version=4))


def math_random(chance: Chance, start: Json, end: Json, seed: Json = None) -> int:
    """A whole number from `start` up to `end`, exclusive; the same for the same seed."""
    first, last = _integer(start), _integer(end)
    if last <= first:
        raise ArgumentError("the end of the range must be greater than its start")
    share = chance.random() if seed is None else java_random(_integer(seed))
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
    """The hash of a text as hexadecimal digits."""
    if not isinstance(algorithm, str) or algorithm not in _HASHES:
        raise ArgumentError(f"algorithm must be one of {', '.join(_HASHES)}: {shown(algorithm)}")
    return _HASHES[algorithm](_short(shown(data)).encode(), usedforsecurity=False).hexdigest()


def _array_get_item(items: Json, index: Json) -> Json:
    array, at = _array(items), _integer(index)
    if not 0 <= at < len(array):
        raise ArgumentError(f"index {at} is out of bounds for an array of length {len(array)}")
    return array[at]


def partition(items: Json, length: Json) -> list[Json]:
    """Chunks of at most `length` items."""
    array, count = _array(items), _integer(length)
    if count <= 0:
        raise ArgumentError("chunk size must be greater than 0")
    return [array[start : start + count] for start in range(0, len(array), count)]


def _array_range(first: Json, last: Json, step: Json) -> list[Json]:
    start, stop, stride = _integer(first), _integer(last), _integer(step)
    if stride == 0:
        raise ArgumentError("step cannot be 0")
    if (stop - start) // stride >= MAX_RANGE:
        raise ArgumentError(f"more than {MAX_RANGE} items")
    return list(range(start, stop + (1 if stride > 0 else -1), stride))


def _array_unique(items: Json) -> list[Json]:
    unique: list[Json] = []
    for item in _array(items):
        if not any(equal(item, other) for other in unique):
            unique.append(item)
    return unique


def _base64_encode(data: Json) -> str:
    return base64.b64encode(_short(_text(data)).encode()).decode()


def _base64_decode(data: Json) -> str:
    try:
        return base64.b64decode(_short(_text(data)), validate=True).decode(errors="replace")
    except ValueError:
        raise ArgumentError("the argument is not base64") from None


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
        return json.loads(written, parse_constant=_not_json)
    except ValueError:
        raise ArgumentError(f"the argument is not JSON: {written}") from None


def _not_json(word: str) -> Json:
    raise ValueError(word)


def _json_merge(left: Json, right: Json, deep: Json) -> Json:
    if deep is not False:
        raise ArgumentError("deep merging is not supported; the third argument must be false")
    _need(isinstance(left, dict), "The first argument must be an object", left)
    _need(isinstance(right, dict), "The second argument must be an object", right)
    return {**left, **right}


def _array(value: Json) -> list[Json]:
    _need(isinstance(value, list), "The argument must be an array", value)
    return list(value)


def _text(value: Json) -> str:
    _need(isinstance(value, str), "The argument must be a string", value)
    return str(value)


def _short(value: str) -> str:
    if len(value) > MAX_ENCODED:
        raise ArgumentError(f"more than {MAX_ENCODED} characters")
    return value


def _integer(value: Json) -> int:
    _need(is_number(value), "The argument must be a number", value)
    return round_half_up(value)


def _need(fits: bool, expected: str, value: Json) -> None:  # noqa: FBT001 -- reads as a sentence
    if not fits:
        raise ArgumentError(f"{expected} but was {kind(value)}: {text(value)}")


FUNCTIONS: Final[dict[str, Callable[..., Json]]] = {
    "Array": lambda *items: list(items),
    "ArrayContains": lambda items, item: any(equal(other, item) for other in _array(items)),
    "ArrayGetItem": _array_get_item,
    "ArrayLength": lambda items: len(_array(items)),
    "ArrayPartition": partition,
    "ArrayRange": _array_range,
    "ArrayUnique": _array_unique,
    "Base64Decode": _base64_decode,
    "Base64Encode": _base64_encode,
    "Hash": digest,
    "JsonMerge": _json_merge,
    "JsonToString": text,
    "MathAdd": lambda left, right: _integer(left) + _integer(right),
    "StringSplit": _string_split,
    "StringToJson": _string_to_json,
}
"""Those that depend on their arguments alone."""
