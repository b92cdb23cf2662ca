"""Execution ids: short, sortable by time, unlikely to meet."""

from __future__ import annotations

import re
import secrets
import time

from agentflow.errors import UsageError

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32, in lower case: no i, l, o, u."""
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def new_id() -> str:
    """Nine digits of milliseconds and seven of chance: `1k4x9m2q0b7rtz3c`."""
    return _encode(int(time.time() * 1000), 9) + _encode(secrets.randbits(35), 7)


def checked_id(id: str) -> str:
    """An id that a caller chose; it becomes part of file names.

    Raises:
        UsageError: it cannot be an id.
    """
    if not _ID.fullmatch(id):
        raise UsageError(
            f"{id!r} cannot be an execution's id",
            help="use letters, digits, `.`, `_` and `-`, at most 100, beginning with a letter "
            "or digit",
        )
    return id


def _encode(number: int, digits: int) -> str:
    text = ""
    for _ in range(digits):
        number, digit = divmod(number, 32)
        text = _ALPHABET[digit] + text
    return text
