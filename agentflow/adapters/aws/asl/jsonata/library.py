"""Functions that the service adds to JSONata, and those of jsonata-python that need mending."""

from __future__ import annotations

import ast
import functools
import json
import math
import random
import re
from collections.abc import Callable
from decimal import ROUND_FLOOR, Context
from typing import Any, Final
from uuid import UUID

from agentflow.adapters.aws.asl.intrinsics.functions import HASHES, Chance, java_random
from agentflow.adapters.aws.asl.jsonata import coding, formats, matching
from agentflow.adapters.aws.asl.jsonata.bounds import MAX_SEQUENCE
from agentflow.adapters.aws.asl.jsonata.upstream import (
    Functions,
    JException,
    Jsonata,
    Parser,
    Utils,
)

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([Ee][-+]?[0-9]+)?")
FUNCTIONS: Final = (Jsonata.JFunctionCallable, Parser.Symbol, re.Pattern)
"""What functions are: the library's, those of an expression, and regular expressions."""
MAX_WHOLE: Final = 1e21
"""From here on whole numbers are written with an exponent."""
_ESCAPES: Final = str.maketrans(
    {
        '"': '\\"',
        "\\": "\\\\",
        "\b": "\\b",
        "\f": "\\f",
        "\n": "\\n",
        "\r": "\\r",
        "\t": "\\t",
    }
)
"""What the service escapes in JSON; other control characters stay as they are."""
_RADIX = re.compile(r"0([xX])([0-9a-fA-F]+)|0([oO])([0-7]+)|0([bB])([01]+)")


def functions(at: float, chance: Chance) -> dict[str, Any]:
    """The functions of one evaluation, which takes place at a time and with its own chance."""
    millis = round(at * 1000)

    def now(picture: Any = None, timezone: Any = None) -> Any:
        return formats.from_millis(millis, picture, timezone)

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
    native = {name: _native(name, signature, call) for name, (signature, call) in bound.items()}
    return {**_CONSTANT, **native, "eval": None}


class _Native(Jsonata.JFunction):  # type: ignore[misc]  # the library has no types
    """A function that can be applied to some of its arguments, too."""

    def __init__(self, name: str, signature: str, call: Callable[..., Any]) -> None:
        super().__init__(Jsonata.JLambda(call), signature)
        self.function_name = self.signature.function_name = name

    def get_number_of_args(self) -> int:
        """How many it takes at most."""
        return int(self.signature.get_number_of_args())


def _native(name: str, signature: str, call: Callable[..., Any]) -> Any:
    return _Native(name, signature, call)


def string(value: Any, prettify: Any = None) -> str | None:
    """`$string`: text as it is, anything else as JSON in the way of JavaScript."""
    if isinstance(value, Utils.JList) and value.outer_wrapper:
        value = value[0]
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, FUNCTIONS):
        return ""
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
        case _ if isinstance(value, FUNCTIONS):
            return '""'
        case _:
            return "null" if value is Utils.NULL_VALUE else _quoted(str(value))


def _enclosed(opening: str, parts: list[str], closing: str, line: str) -> str:
    if not parts or not line:
        return opening + ",".join(parts) + closing
    return f"{opening}{line}  " + f",{line}  ".join(parts) + line + closing


def _quoted(text: str) -> str:
    return '"' + text.translate(_ESCAPES) + '"'


def number_text(value: float) -> str:
    """A whole number in its digits, from 1e21 on as `1e+21`; others rounded down to 15 digits."""
    if float(value).is_integer():
        return str(int(value)) if abs(value) < MAX_WHOLE else repr(float(value))
    digits = Context(prec=15, rounding=ROUND_FLOOR).create_decimal(repr(value)).normalize()
    return str(digits).replace("E", "e")


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
    parsed = float(written) if _NUMBER.fullmatch(written) else math.inf
    if math.isinf(parsed):
        raise JException("D3030", -1, value)
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


def _partition(items: Any, *length: Any) -> Any:
    if items is None:
        return None
    if not isinstance(items, list):
        raise JException(
            'T0412: Argument 1 of function "partition" must be an array of undefined', -1
        )
    size = length[0] if length else None
    if size is None:
        return [items]
    if size < 0:
        raise JException("D3137", -1, "Second argument must be zero or greater")
    count = int(size)
    if count == 0 or not items:
        return None
    return [list(items[start : start + count]) for start in range(0, len(items), count)]


def _range(*given: Any) -> Any:
    """Less than three numbers give nothing; none is looked at before all are there."""
    if len(given) < 3 or None in given:
        return None
    for place, each in enumerate(given, 1):
        if not isinstance(each, int | float) or isinstance(each, bool):
            raise JException("T0410", -1, place, "range")
    first, last, step = map(int, given)
    if step == 0:
        return None
    found = range(first, last + (1 if step > 0 else -1), step)
    if len(found) > MAX_SEQUENCE:
        raise JException("D2014", -1, len(found))
    return Utils.create_sequence_from_iter(found)


def _hash(data: Any, name: Any = None) -> Any:
    if data is None:
        return None
    if not isinstance(data, str):
        raise JException("T0410", -1, 1, "hash")
    if name is None:
        return None
    if not isinstance(name, str) or name not in HASHES:
        names = "SHA-1, SHA-384, SHA-256, SHA-512, MD5"
        raise JException("D3137", -1, f"Hash algorithm '{string(name)}' must be one of {names}")
    return HASHES[name](data.encode(errors="surrogatepass"), usedforsecurity=False).hexdigest()


def _parse(text: Any = None) -> Any:
    """Strict JSON without duplicate keys; texts may be in single quotes."""
    if text is None:
        return None
    try:
        try:
            value = _loaded(text)
        except json.JSONDecodeError:
            value = _single_quoted(text)
    except (ValueError, SyntaxError, RecursionError):
        raise JException("D3137", -1, "Invalid JSON") from None
    return _marked(value)


def _loaded(text: str) -> Any:
    return json.loads(
        text,
        object_pairs_hook=_unique,
        parse_constant=_refuse,
        parse_float=_finite,
        parse_int=_long,
    )


def _single_quoted(text: str) -> Any:
    """JSON in which texts stand in single quotes."""
    swapped = re.sub(
        r"'((?:[^'\\]|\\.)*)'", lambda found: json.dumps(ast.literal_eval(found.group())), text
    )
    return _loaded(swapped)


def _finite(digits: str) -> float:
    value = float(digits)
    return value if math.isfinite(value) else _refuse(digits)


def _long(digits: str) -> float:
    """Whole numbers are exact within 64 bits."""
    value = int(digits)
    return value if -(2**63) <= value < 2**63 else _finite(digits)


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


def _power(base: Any, exponent: Any) -> Any:
    if base is None or exponent is None:
        return None
    try:
        result = float(base) ** float(exponent)
    except (OverflowError, ZeroDivisionError):
        result = math.inf
    if isinstance(result, complex) or not math.isfinite(result):
        raise JException("D3061", -1, base, exponent)
    return result


def _random(chance: Chance, seed: Any) -> float:
    return chance.random() if seed is None else java_random(int(seed))


_CONSTANT: Final[dict[str, Any]] = {
    name: _native(name, signature, call)
    for name, signature, call in (
        ("string", "<x-b?:s>", string),
        ("number", "<(nsb)-:n>", _number),
        ("substring", "<s-nn?:s>", _substring),
        ("lowercase", "<s-:s>", lambda text: None if text is None else text.lower()),
        ("contains", "<s-(sf):b>", matching.contains),
        ("match", "<s-f<s:o>n?:a<o>>", matching.match),
        ("split", "<s-(sf)n?:a<s>>", matching.split),
        ("replace", "<s-(sf)(sf)n?:s>", matching.replace),
        ("sort", "<af?:a>", _sort),
        ("power", "<n-n:n>", _power),
        ("formatBase", "<n-n?:s>", formats.format_base),
        ("formatNumber", "<n-so?:s>", formats.format_number),
        ("parseInteger", "<s-s:n>", formats.parse_integer),
        ("formatInteger", "<n-s:s>", formats.format_integer),
        ("toMillis", "<s-s?:n>", formats.to_millis),
        ("fromMillis", "<x-s?s?:s>", formats.from_millis),
        ("base64decode", "<s-:s>", coding.decode_base64),
        ("decodeUrl", "<s-:s>", coding.decode_url),
        ("decodeUrlComponent", "<s-:s>", coding.decode_component),
        ("encodeUrl", "<s-:s>", coding.encode_url),
        ("encodeUrlComponent", "<s-:s>", coding.encode_component),
        ("partition", "<xn?:a>", _partition),
        ("range", "<x?x?x?:a>", _range),
        ("hash", "<xx?:s>", _hash),
        ("parse", "<s-:x>", _parse),
    )
}
