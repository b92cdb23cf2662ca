"""Values as text: what `str(x)` gives and what is put into texts.

Numbers are written as in RFC 8785 (and so as in JavaScript): `2.0` is `2`, `1e16` has all its
digits. JSON does not keep a whole float apart from an integer on its way through four engines, so
their texts may not differ either.
Source: https://www.rfc-editor.org/rfc/rfc8785#section-3.2.2.3
"""

from __future__ import annotations

from decimal import Decimal
from json.encoder import encode_basestring as _quote

from agentflow.errors import Json
from agentflow.spec.expressions.limits import check_text, measure


def text_of(value: Json) -> str:
    """A text as it is, anything else as compact JSON."""
    return value if type(value) is str else encode(value)


def encode(value: Json) -> str:
    """Compact JSON: no blanks, keys in the object's order, letters as they are.

    >>> encode({"a": [1, 2.0, "é"]})
    '{"a":[1,2,"é"]}'

    Raises:
        Fault: `LimitExceeded` when the text would be too long.
    """
    kind = type(value)
    if kind is list or kind is dict:
        check_text(measure(value))  # every part is at least a character
    pieces: list[str] = []
    _write(value, pieces)
    text = "".join(pieces)
    check_text(len(text))
    return text


def _write(value: Json, pieces: list[str]) -> None:
    # `measure` has bounded the depth, so recursion is safe.
    match value:
        case str():
            pieces.append(_quote(value))
        case None:
            pieces.append("null")
        case bool():
            pieces.append("true" if value else "false")
        case int():
            pieces.append(str(value))
        case float():
            pieces.append(_float(value))
        case list():
            separator = "["
            for item in value:
                pieces.append(separator)
                _write(item, pieces)
                separator = ","
            pieces.append("]" if value else "[]")
        case _:
            separator = "{"
            for key, item in value.items():
                pieces.append(f"{separator}{_quote(key)}:")
                _write(item, pieces)
                separator = ","
            pieces.append("}" if value else "{}")


def _float(value: float) -> str:
    """ECMAScript's Number::toString: Python finds the same shortest digits but sets them apart."""
    text = repr(value)
    if "e" not in text:
        return text.removesuffix(".0") if value else "0"
    if 1e-6 <= abs(value) < 1e21:
        return format(Decimal(text), "f")
    mantissa, _, exponent = text.partition("e")
    return f"{mantissa}e{int(exponent):+d}"
