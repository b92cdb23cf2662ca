"""The functions of the chaos workflows: they compute, and leave a mark before and after.

The ledger of marks is one file, appended to by one write a mark. It knows nothing of the engine and
lives in the kernel's memory, so whatever is killed, it tells what was invoked.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from agentflow import Context

MODULUS = 1_000_003


def step(x: int, context: Context) -> int:
    """One step of a computation."""
    with _marked(context):
        return _next(x)


def slow_step(x: int, seconds: float, context: Context) -> int:
    """The same, but it takes a while."""
    with _marked(context):
        time.sleep(seconds)
        return _next(x)


def flaky_step(x: int, context: Context) -> int:
    """The same, but the first two attempts fail."""
    with _marked(context):
        if context.attempt < 3:
            raise ConnectionError("not yet")
        return _next(x)


def refuse(x: int, context: Context) -> int:
    """Fail for good."""
    with _marked(context):
        raise ValueError(f"{x} is refused")


def instant(x: int) -> int:
    """The least a step can be; it leaves no mark."""
    return x


def total(items: list[int], context: Context) -> int:
    """A sum."""
    with _marked(context):
        return sum(items) % MODULUS


def numbers(n: int, context: Context) -> Iterator[int]:
    """A stream."""
    with _marked(context):
        yield from range(n)


def _next(x: int) -> int:
    time.sleep(0.004)
    return (x * 31 + 7) % MODULUS


@contextmanager
def _marked(context: Context) -> Iterator[None]:
    _mark("begin", context)
    yield
    _mark("end", context)


def _mark(what: str, context: Context) -> None:
    fields = [
        what, context.execution_id, context.step, context.attempt,
        os.getpid(), os.getppid(), time.time(),
    ]  # fmt: skip
    line = (json.dumps(fields) + "\n").encode()
    ledger = os.open(os.environ["CHAOS_LEDGER"], os.O_WRONLY | os.O_APPEND)
    os.write(ledger, line)
    os.close(ledger)
