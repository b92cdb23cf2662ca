"""Functions that the service adds to JSONata, and those of jsonata-python that need mending."""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import random
import re
import urllib.parse
from collections.abc import Callable
from decimal import Context, Decimal
from typing import Any, Final
from uuid import UUID

from agentflow.adapters.aws.asl.intrinsics.functions import Chance, java_random
from agentflow.adapters.aws.asl.jsonata.upstream import (
    Functions,
    JException,
    Jsonata,
    Parser,
    Utils,
)

_HASHES: Final = {
    "MD5": hashlib.md5,
    "SHA-1": hashlib.sha1,
    "SHA-256": hashlib.sha256,
    "SHA-384": hashlib.sha384,
    "SHA-512": hashlib.sha512,
}
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([Ee][-+]?[0-9]+)?")
_RADIX = re.compile(r"0([xX])([0-9a-fA-F]+)|0([oO])([0-7]+)|0([bB])([01]+)")


def functions(at: float, chance: Chance) -> dict[str, Any]:
    """The functions of one evaluation, which takes place at a time and with its own chance."""
    millis = round(at * 1000)

    def now(picture: Any = None, timezone: Any = None) -> Any:
        return Functions.datetime_from_millis(millis, picture, timezone)

    def shuffle(items: Any) -> Any:
        shuffled = list(items or ())
        random.Random(chance.getrandbits(64)).shuffle(shuffled)  # noqa: S311 -- no secret
        return shuffled if items is not None else None

    bound: dict[str, tuple[str, Callable[..., Any]]] = {
        "random": ("<n?:n>", lambda seed=None: _random(chance, seed)),
        "uuid": ("<:s>", lambda: str(UUID(int=chance.getrandbits(128), version=4))),
        "now": ("<s?s?:s>", now),
        "millis": ("<:n>", lambda: millis),
        "shuffle": ("<a:a>", shuffle),
    }
    native = {name: _native(signature, call) for name, (signature, call) in bound.items()}
    return {**_CONSTANT, **native, "eval": None}


def _native(signature: str, call: Callable[..., Any]) -> Any:
    return Jsonata.JFunction(Jsonata.JLambda(call), signature)


def string(value: Any, prettify: Any = None) -> str | None:
    """`$string`: text as it is, anything else as JSON in the way of JavaScript."""
    if isinstance(value, Utils.JList) and value.outer_wrapper:
        value = value[0]
    if value is None or isinstance(value, str):
        return value
    return _written(value, "\n" if prettify is True else "")


def _written(value: Any, line: str) -> str:
    """The value as JSON; `line` begins a line, if there are to be any."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return number_text(value)
        case dict():
            colon = ": " if line else ":"
            members = [
                f"{_quoted(key)}{colon}{_written(item, line and line + '  ')}"
                for key, item in value.items()
                if item is not None
            ]
            return _enclosed("{", members, "}", line)
        case list():
            inner = line and line + "  "
            items = [_written(value[index], inner) for index in range(len(value))]
            return _enclosed("[", items, "]", line)
        case Jsonata.JFunction() | Parser.Symbol():
            return '""'
        case _:
            return "null" if value is Utils.NULL_VALUE else _quoted(str(value))


def _enclosed(opening: str, parts: list[str], closing: str, line: str) -> str:
    if not parts or not line:
        return opening + ",".join(parts) + closing
    return f"{opening}{line}  " + f",{line}  ".join(parts) + line + closing


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def number_text(value: float) -> str:
    """A number with at most 15 digits, written as JavaScript does: 1e21 as `1e+21`."""
    exact = Decimal(value) if isinstance(value, int) else Decimal(repr(value))
    digits = Context(prec=15).create_decimal(exact).normalize()
    exponent = digits.adjusted()
    if not digits or -7 < exponent < 21:
        return f"{digits:f}" if digits else "0"
    mantissa = f"{digits.scaleb(-exponent):f}"
    return f"{mantissa}e{'+' if exponent > 0 else ''}{exponent}"


def _number(value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float):
        return value
    written = value if isinstance(value, str) else ""
    if found := _RADIX.fullmatch(written):
        return int(written, {"x": 16, "o": 8, "b": 2}[(found[1] or found[3] or found[5]).lower()])
    if not _NUMBER.fullmatch(written):
        raise JException("D3030", -1, value)
    parsed = float(written)
    return int(parsed) if parsed.is_integer() and abs(parsed) < 2**53 else parsed


def _substring(text: Any, start: Any = None, length: Any = None) -> Any:
    if text is None or start is None:
        return text
    first = int(start)
    if len(text) + first < 0:
        first = 0
    if length is None:
        return text[first:]
    if length <= 0:
        return ""
    end = first + int(length) if first >= 0 else len(text) + first + int(length)
    return text[first:end]


def _sort(items: Any, later: Any = None) -> Any:
    """Stable; `later(a, b)` says whether a comes after b."""
    if items is None or len(items) <= 1:
        return items
    if later is None:
        numbers = all(isinstance(i, int | float) and not isinstance(i, bool) for i in items)
        if not numbers and not all(isinstance(item, str) for item in items):
            raise JException("D3070", -1)
        return sorted(items)

    def compare(left: Any, right: Any) -> int:
        if Functions.to_boolean(Functions.func_apply(later, [left, right])):
            return 1
        return -1 if Functions.to_boolean(Functions.func_apply(later, [right, left])) else 0

    return sorted(items, key=functools.cmp_to_key(compare))


def _decode(name: str) -> Callable[[Any], Any]:
    def decode(text: Any) -> Any:
        if text is None:
            return None
        broken = re.search(r"%(?![0-9a-fA-F]{2})", text)
        try:
            return broken or urllib.parse.unquote(text, errors="strict")
        except UnicodeDecodeError:
            broken = re.search("%", text)
        finally:
            if broken:
                raise JException("D3140", -1, name, text)

    return decode


def _partition(items: Any, length: Any) -> Any:
    if not items:
        return None
    count = int(length)
    if count <= 0:
        raise ValueError("chunk size must be greater than 0")
    return [list(items[start : start + count]) for start in range(0, len(items), count)]


def _range(first: Any, last: Any, step: Any) -> Any:
    if step == 0:
        raise ValueError("step cannot be 0")
    stop = int(last) + (1 if step > 0 else -1)
    return Utils.create_sequence_from_iter(range(int(first), stop, int(step)))


def _hash(data: Any, algorithm: Any) -> Any:
    if algorithm not in _HASHES:
        raise ValueError(f"there is no hash algorithm {algorithm}")
    return _HASHES[algorithm](str(string(data)).encode(), usedforsecurity=False).hexdigest()


def _parse(text: Any) -> Any:
    """Strict JSON without duplicate keys; texts may be in single quotes."""
    if text is None:
        return None
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse)
    except json.JSONDecodeError:
        value = _single_quoted(text)
    return _marked(value)


def _single_quoted(text: str) -> Any:
    """JSON in which texts stand in single quotes."""
    swapped = re.sub(
        r"'((?:[^'\\]|\\.)*)'", lambda found: json.dumps(ast.literal_eval(found.group())), text
    )
    return json.loads(swapped, object_pairs_hook=_unique, parse_constant=_refuse)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object has the same key twice")
    return found


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


def _marked(value: Any) -> Any:
    if value is None:
        return Utils.NULL_VALUE
    if isinstance(value, dict):
        return {key: _marked(item) for key, item in value.items()}
    return [_marked(item) for item in value] if isinstance(value, list) else value


def _random(chance: Chance, seed: Any) -> float:
    return chance.random() if seed is None else java_random(int(seed))


_CONSTANT: Final[dict[str, Any]] = {
    name: _native(signature, call)
    for name, signature, call in (
        ("string", "<x-b?:s>", string),
        ("number", "<(nsb)-:n>", _number),
        ("substring", "<s-nn?:s>", _substring),
        ("sort", "<af?:a>", _sort),
        ("decodeUrl", "<s-:s>", _decode("decodeUrl")),
        ("decodeUrlComponent", "<s-:s>", _decode("decodeUrlComponent")),
        ("partition", "<an:a>", _partition),
        ("range", "<nnn:a>", _range),
        ("hash", "<s-s:s>", _hash),
        ("parse", "<s-:x>", _parse),
    )
}
