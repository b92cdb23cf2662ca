"""Functions that the benchmarks' workflows call."""

from __future__ import annotations

import os
import time


def nothing() -> None:
    """Does nothing."""


def tell(file: str, number: int) -> int:
    """Append to a file when it was called."""
    line = f"{number} {time.monotonic()}\n".encode()
    out = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(out, line)
    os.close(out)
    return number
