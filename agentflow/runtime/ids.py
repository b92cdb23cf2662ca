"""Execution ids: short, sortable by time, unlikely to meet."""

from __future__ import annotations

import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32, in lower case: no i, l, o, u."""


def new_id() -> str:
    """Nine digits of milliseconds and seven of chance: `1k4x9m2q0b7rtz3c`."""
    return _encode(int(time.time() * 1000), 9) + _encode(secrets.randbits(35), 7)


def _encode(number: int, digits: int) -> str:
    text = ""
    for _ in range(digits):
        number, digit = divmod(number, 32)
        text = _ALPHABET[digit] + text
    return text
