"""Sizes as people write them: `512MiB`, `1.5 GB`, `64K`, or bytes alone."""

from __future__ import annotations

import re
from math import isfinite

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(?:([KMGT])(i?))?B?")
_POWERS = {"K": 1, "M": 2, "G": 3, "T": 4}


def parse_size(text: str) -> int | None:
    """Bytes of a size, or `None` if the text is not one.

    >>> parse_size("512MiB"), parse_size("1.5 GB"), parse_size("64")
    (536870912, 1500000000, 64)
    >>> parse_size("many") is None
    True
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        return None
    number, prefix, binary = match.groups()
    base = 1024 if binary else 1000
    size = float(number) * base ** _POWERS.get(prefix, 0)
    return int(size) if isfinite(size) else None
