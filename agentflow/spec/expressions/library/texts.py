"""Functions between text and other forms: JSON, base64, URLs, hashes. Bytes are those of UTF-8."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
import re
from typing import NoReturn
from urllib.parse import quote, unquote_to_bytes

from agentflow.errors import MAX_INTEGER, Fault, Json
from agentflow.spec.expressions.encoding import encode
from agentflow.spec.expressions.library.function import (
    Example,
    Function,
    Parameter,
    family,
    invalid,
)
from agentflow.spec.expressions.limits import measure
from agentflow.spec.expressions.types import ANY, STRING, describe

_BROKEN_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SURROGATE = re.compile("[\ud800-\udfff]")


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise invalid("the text holds half of a surrogate pair") from None


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise invalid("the bytes are not text in UTF-8") from None


def _json_decode(text: str) -> Json:
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise invalid(f"not JSON at character {error.pos}: {error.msg}") from None
    except ValueError:  # more digits than Python reads
        raise _out_of_range() from None
    except RecursionError:
        raise Fault("LimitExceeded", "JSON nested too deeply") from None
    measure(value)
    return value


def _out_of_range() -> Fault:
    return Fault("NumberOutOfRange", "JSON with a number that not every engine keeps")


def _integer(digits: str) -> int:
    value = int(digits)
    if abs(value) > MAX_INTEGER:
        raise _out_of_range()
    return value


def _float(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise _out_of_range()
    return value


def _constant(name: str) -> NoReturn:
    raise invalid(f"not JSON: {name}")


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise invalid("JSON with a key that is there twice")
    return value


_DECODER = json.JSONDecoder(
    parse_int=_integer, parse_float=_float, parse_constant=_constant, object_pairs_hook=_object
)


def _base64_encode(text: str) -> str:
    return base64.b64encode(_utf8(text)).decode()


def _base64_decode(text: str) -> str:
    try:
        data = base64.b64decode(_utf8(text), validate=True)
    except binascii.Error:
        raise invalid(f"not base64: {describe(text)}") from None
    if base64.b64encode(data) != _utf8(text):  # too much padding, or bits that mean nothing
        raise invalid(f"not base64 as it is written by every engine: {describe(text)}")
    return _text(data)


def _url_encode(text: str) -> str:
    return quote(_utf8(text), safe="")


def _url_decode(text: str) -> str:
    if _BROKEN_PERCENT.search(text):
        raise invalid("a `%` without two hexadecimal digits")
    return _text(unquote_to_bytes(_utf8(text)))


def _sha256(text: str) -> str:
    return hashlib.sha256(_utf8(text)).hexdigest()


_define = family("JSON and encodings")
_TEXT = (Parameter("text", STRING),)

TEXTS: tuple[Function, ...] = (
    _define(
        "json_encode",
        (Parameter("x", ANY),),
        STRING,
        encode,
        "Compact JSON; unlike `str`, of a string too.",
        Example('json_encode({"a": ["x", 1]})', r'"{\"a\":[\"x\",1]}"'),
        cost="parts",
    ),
    _define(
        "json_decode",
        _TEXT,
        ANY,
        _json_decode,
        "The value of a JSON text.",
        Example(r'json_decode("{\"a\": [1]}")', '{"a":[1]}'),
        "`InvalidInput` for text that is not JSON or has a key twice, "
        "`NumberOutOfRange` for numbers that not every engine keeps",
    ),
    _define(
        "base64_encode",
        _TEXT,
        STRING,
        _base64_encode,
        "The text's bytes in base64, padded.",
        Example('base64_encode("hé")', '"aMOp"'),
    ),
    _define(
        "base64_decode",
        _TEXT,
        STRING,
        _base64_decode,
        "The text whose bytes are in base64.",
        Example('base64_decode("aMOp")', '"hé"'),
        "`InvalidInput` for text that is not base64 of UTF-8",
    ),
    _define(
        "url_encode",
        _TEXT,
        STRING,
        _url_encode,
        "Percent-encoded, all but letters, digits and `-._~` (RFC 3986).",
        Example('url_encode("a b/é")', '"a%20b%2F%C3%A9"'),
    ),
    _define(
        "url_decode",
        _TEXT,
        STRING,
        _url_decode,
        "The text that was percent-encoded; `+` stays `+`.",
        Example('url_decode("a%20b%2F%C3%A9")', '"a b/é"'),
        "`InvalidInput` for a broken encoding",
    ),
    _define(
        "sha256",
        _TEXT,
        STRING,
        _sha256,
        "The SHA-256 of the text's bytes, in hexadecimal.",
        Example(
            'sha256("abc")', '"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"'
        ),
    ),
)
