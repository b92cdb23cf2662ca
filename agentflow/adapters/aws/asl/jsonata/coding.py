"""Text as base64 and in URLs, and back: as the service's Java does it.

Source: https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/util/Base64.html
"""

from __future__ import annotations

import base64
import re
import urllib.parse
from collections.abc import Callable
from typing import Any

from agentflow.adapters.aws.asl.jsonata.upstream import Functions, JException

_OUTSIDE = re.compile(r"[^A-Za-z0-9+/]")
_ESCAPE = re.compile(r"%(?![0-9a-fA-F]{2})")
"""A `%` that begins no escape."""


def decode_base64(text: Any) -> Any:
    """`$base64decode`: padding may be missing; what is no UTF-8 is a replacement character."""
    if text is None:
        return None
    digits = text.rstrip("=")
    padding = len(text) - len(digits)
    if found := _OUTSIDE.search(digits):
        raise ValueError(f"Illegal base64 character {ord(found.group()):x}")
    if len(digits) % 4 == 1:
        raise ValueError("Last unit does not have enough valid bits")
    if padding and padding != -len(digits) % 4:
        raise ValueError("Input byte array has wrong 4-byte ending unit")
    padded = digits + "=" * (-len(digits) % 4)
    return base64.b64decode(padded).decode(errors="replace")


def decode_url(text: Any) -> Any:
    """`$decodeUrl`."""
    if text is None:
        return None
    if _ESCAPE.search(text):
        raise JException("D3140", -1, "decodeUrl", text)
    try:
        return urllib.parse.unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise JException("D3140", -1, "decodeUrl", text) from None


def decode_component(text: Any) -> Any:
    """`$decodeUrlComponent`: a `+` is a blank, and what is no UTF-8 a replacement character."""
    if text is None:
        return None
    if _ESCAPE.search(text):
        raise JException("D3140", -1, "decodeUrlComponent", text)
    return urllib.parse.unquote_plus(text)


def encode_url(text: Any) -> Any:
    """`$encodeUrl`."""
    return _encoded("encodeUrl", Functions.encode_url, text)


def encode_component(text: Any) -> Any:
    """`$encodeUrlComponent`."""
    return _encoded("encodeUrlComponent", Functions.encode_url_component, text)


def _encoded(name: str, call: Callable[[Any], Any], text: Any) -> Any:
    try:
        return call(text)
    except UnicodeEncodeError:
        raise JException("D3140", -1, name, text) from None
