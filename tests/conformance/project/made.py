"""The functions of generated workflows: `at` says which step of the spec calls them."""

from __future__ import annotations

from typing import Any

from agentflow import Context, Fault

Json = Any


def give(at: str, x: Json = None) -> Json:
    """Give back what it is given."""
    return x


def twice(at: str, x: Json) -> Json:
    """Twice a number, a text or a list; of anything else it is an error of Python."""
    return x * 2


def refuse(at: str, x: Json, bad: Json) -> Json:
    """Refuse one value."""
    if x == bad:
        raise Fault("Odd", f"{at} refuses", data={"x": x})
    return x


def fail(at: str, name: str = "Boom", data: Json = None) -> Json:
    """Fail, as asked."""
    raise Fault(name, f"{at} fails", data=data)


def busy(at: str, x: Json = None, failures: int = 1, *, context: Context) -> Json:
    """Fail in the first attempts."""
    if context.attempt <= failures:
        raise Fault("Busy", f"{at} is busy", data={"attempt": context.attempt})
    return x


def count(at: str, n: int) -> list[int]:
    """The first numbers."""
    return list(range(n))


def gather(at: str, items: list[Json]) -> Json:
    """A list of what was combined, which shows how it was grouped."""
    return items
