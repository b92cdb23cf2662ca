"""Small functions for the cases about single steps: pure, and wrong on purpose where named so."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from agentflow import Context, Fault, agent

Json = Any


def echo(x: Json = None) -> Json:
    """Give back what it is given."""
    return x


def double(x: Json) -> Json:
    """Twice a number."""
    return x * 2


def add(a: Json, b: Json) -> Json:
    """The sum of two numbers, texts or lists."""
    return a + b


def sum(items: list[Json]) -> Json:
    """The sum of a list."""
    total: Json = 0
    for item in items:
        total += item
    return total


def join(items: list[str], by: str = "") -> str:
    """Texts in one."""
    return by.join(items)


def boom(**_: Json) -> Json:
    """Always fail, with data."""
    raise Fault("Boom", "it blew up", data={"code": 7})


def python_error(x: str) -> int:
    """Fail with an exception of Python, whose class is the error's name."""
    return int(x)


def timeout(**_: Json) -> Json:
    """Fail the way a call does that takes too long."""
    raise Fault("Timeout", "too slow")


def slow(seconds: float = 2) -> str:
    """Take a while."""
    time.sleep(seconds)
    return "done"


def flaky(x: Json = None, failures: int = 2, name: str = "Busy", *, context: Context) -> Json:
    """Fail in the first attempts, then give back `x`."""
    if context.attempt <= failures:
        raise Fault(name, f"attempt {context.attempt} failed")
    return x


def broken(**_: Json) -> Json:
    """Fail in every attempt."""
    raise Fault("Busy", "busy for good")


def later(x: Json, round: int, ready: int) -> Json:
    """Fail in the rounds before one: for retries of whole blocks, which count rounds by `set`."""
    if round < ready:
        raise Fault("Busy", f"round {round}: not yet")
    return x


def picky(x: int) -> int:
    """Refuse odd numbers."""
    if x % 2:
        raise Fault("Odd", f"{x} is odd", data={"x": x})
    return x * 10


def undo(**x: Json) -> Json:
    """Undo something, whatever it was."""
    return x


def undo_fails(**_: Json) -> Json:
    """A compensation that does not work."""
    raise Fault("CannotUndo", "no way back")


def next(n: int) -> dict[str, Json]:
    """A page of results with a cursor; the third is the last."""
    return {"value": n, "next": n + 1 if n < 3 else None}


def stream(n: int) -> Iterator[int]:
    """Numbers, one by one."""
    yield from range(n)


async def stream_slowly(n: int) -> AsyncIterator[int]:
    """Numbers from an asynchronous generator."""
    for number in range(n):
        yield number


def broken_stream(n: int) -> Iterator[int]:
    """Numbers, and then an error."""
    yield from range(n)
    raise Fault("Torn", "the stream broke")


def floats() -> list[float]:
    """Numbers whose digits are easily lost."""
    return [0.1 + 0.2, 1 / 3, 1e21, -0.0]


def lists() -> Json:
    """Lists that are easily flattened."""
    return [[1], [], [[2, 3]], None, [None]]


def texts() -> list[str]:
    """Texts that are easily garbled."""
    return ["", "it's", 'say "x"', "back\\slash", "a\nb\t", "é😀", "{% x %}", "${ x }", "<<F>> x"]


def objects() -> Json:
    """Objects with keys that are easily taken for something else."""
    return {"": 0, "a b": {"c.d": [1]}, "count": None, "$x": "y", "items": {"keys": []}}


def nothing() -> None:
    """No result."""


def mutable(x: list[int]) -> list[int]:
    """Change its argument, which is its own copy."""
    x.append(0)
    return x


async def awaited(x: Json) -> Json:
    """A coroutine function."""
    return x


def typed(count: int, name: str = "n", tags: list[str] | None = None) -> dict[str, Json]:
    """Check its arguments by their annotations."""
    return {"count": count, "name": name, "tags": tags or []}


def secret(name: str, *, context: Context) -> str:
    """Read a secret."""
    return context.secret(name)


def key(*, context: Context) -> str:
    """Fail twice; give the last part of the idempotency key, which never changes."""
    if context.attempt < 3:
        raise Fault("Busy", "not yet")
    return context.idempotency_key.rpartition("/")[2]


@agent(name="counter")
class Counter:
    """Counts, and remembers."""

    def __init__(self) -> None:
        self.total = 0

    def add(self, n: int) -> int:
        """Count on."""
        self.total += n
        return self.total

    def reach(self, n: int) -> int:
        """Count on by one, and fail until `n` is reached."""
        if self.add(1) < n:
            raise Fault("Busy", f"{self.total} of {n}")
        return self.total

    def sum(self, items: list[int]) -> int:
        """Count on by all of them."""
        return self.add(sum(items))

    def snapshot(self) -> int:
        """What is recorded after each call."""
        return self.total

    def restore(self, state: int) -> None:
        """Go on from what was recorded."""
        self.total = state


def flaky_sum(items: list[Json], *, context: Context) -> Json:
    """The sum of a list, at the third attempt."""
    if context.attempt < 3:
        raise Fault("Busy", f"attempt {context.attempt} failed")
    return sum(items)


def attempt(ready: int = 3, *, context: Context) -> int:
    """Fail before the attempt of this number; then give the number."""
    if context.attempt < ready:
        raise Fault("Busy", f"attempt {context.attempt} failed")
    return context.attempt
