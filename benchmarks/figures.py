"""What benchmarks find: medians of works that take turns, and their ratios."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from typing import TypeAlias

Work: TypeAlias = Callable[[], float]
"""Does something once and tells how long it took, or how many a second it did."""

Figures: TypeAlias = "dict[str, float | str]"
"""What was found, by name; a text says why something was not measured."""


class NotMeasured(Exception):
    """Why something cannot be measured here."""


def medians(works: Mapping[str, Work], rounds: int) -> dict[str, float]:
    """The median of what each work gives, one round of all of them after the other.

    So the noise of the machine hits all alike.
    """
    found: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            found[name].append(work())
    return {name: statistics.median(values) for name, values in found.items()}


def percentile(values: list[float], share: float) -> float:
    """The value below which this share of them is."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def scaled(count: int, scale: float, least: int = 1) -> int:
    """A part of a count, for a run that is only to show that everything runs."""
    return max(least, int(count * scale))
