"""The functions of the pipeline benchmark, in a module that workers import in no time."""

from __future__ import annotations

from collections.abc import Iterator


def numbers(count: int) -> Iterator[int]:
    """The source."""
    yield from range(count)


def increase(x: int) -> int:
    """The first stage."""
    return x + 1


def double(x: int) -> int:
    """The second stage."""
    return 2 * x


def decrease(x: int) -> int:
    """The third stage."""
    return x - 1


def total(items: list[int]) -> int:
    """What the results are reduced by."""
    return sum(items)
