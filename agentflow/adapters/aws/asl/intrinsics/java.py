"""Values as the service's Java code prints, hashes and orders them."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from decimal import Decimal

from agentflow.adapters.aws.asl.values import equal, shown, text
from agentflow.errors import Json

_INT = range(-(2**31), 2**31)


def written(value: Json) -> str:
    """A value within text: lists and objects as Java prints them, `[1, 2]` and `{a=1}`."""
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={written(item)}" for key, item in value.items()) + "}"
    return double(value) if isinstance(value, float) else shown(value)


def json_text(value: Json) -> str:
    """A value as JSON, with fractions as Java writes them."""
    if isinstance(value, list):
        return "[" + ",".join(map(json_text, value)) + "]"
    if isinstance(value, dict):
        members = (f"{text(key)}:{json_text(item)}" for key, item in value.items())
        return "{" + ",".join(members) + "}"
    return double(value) if isinstance(value, float) else text(value)


def double(value: float) -> str:
    """`Double.toString`: 1.5, and 1.0E7 from ten millions on and below a thousandth."""
    if not math.isfinite(value):
        return text(value)
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(value)
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    first, rest = digits[0], "".join(map(str, digits[1:])) or "0"
    assert isinstance(exponent, int), "the number is finite"
    return f"{'-' * sign}{first}.{rest}E{exponent + len(digits) - 1}"


def hash_code(value: Json) -> int:
    """`Object.hashCode` of a value, as 32 bits."""
    match value:
        case None:
            return 0
        case bool():
            return 1231 if value else 1237
        case int():
            return value & 0xFFFFFFFF if value in _INT else _folded(value & (2**64 - 1))
        case float():
            (bits,) = struct.unpack(">Q", struct.pack(">d", value))
            return _folded(bits)
        case str():
            units = value.encode("utf-16-be", errors="surrogatepass")
            return _combined(struct.unpack(f">{len(units) // 2}H", units), 0)
        case list():
            return _combined(map(hash_code, value), 1)
        case _:
            pairs = ((hash_code(key) ^ hash_code(item)) for key, item in value.items())
            return sum(pairs) & 0xFFFFFFFF


def _folded(bits: int) -> int:
    return (bits ^ bits >> 32) & 0xFFFFFFFF


def _combined(parts: Iterable[int], start: int) -> int:
    result = start
    for part in parts:
        result = (31 * result + part) & 0xFFFFFFFF
    return result


def distinct(items: list[Json]) -> list[Json]:
    """The values without repetitions, in the order of a `HashSet`: by hash, then as they came."""
    buckets: dict[int, list[Json]] = {}
    for item in items:
        known = buckets.setdefault(hash_code(item), [])
        if not any(equal(item, other) for other in known):
            known.append(item)
    count = sum(map(len, buckets.values()))
    slots = 16
    while count > slots * 0.75:
        slots *= 2
    # Dictionaries keep their order: within a slot the first that came stays first.
    ordered = sorted(buckets.items(), key=lambda entry: (entry[0] ^ entry[0] >> 16) % slots)
    return [item for _, found in ordered for item in found]
