"""Did you mean: which known name was meant by a wrong one, in every message."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

_MOST_CANDIDATES = 1_000
_LONGEST_NAME = 64


def closest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate within edit distance 2 of `name` (1 for names under four letters), if any.

    A swap of neighbours counts as one edit. The nearest wins, then the first.

    >>> closest("totla", ["items", "total"])
    'total'
    """
    if len(name) > _LONGEST_NAME:
        return None
    allowed = 2 if len(name) > 3 else 1
    best: str | None = None
    for candidate in islice(candidates, _MOST_CANDIDATES):
        if abs(len(candidate) - len(name)) > allowed:
            continue
        distance = _distance(name.lower(), candidate.lower())
        if distance < allowed + (best is None) and distance < len(name):
            best, allowed = candidate, distance
    return best


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A remark to append to a message, empty when nothing is near.

    >>> did_you_mean("txet", ["text", "limit"])
    " (did you mean 'text'?)"
    """
    near = closest(name, known)
    return f" (did you mean {near!r}?)" if near else ""


def _distance(a: str, b: str) -> int:
    """Edits (insert, delete, replace, swap neighbours) that make `a` into `b`."""
    before: list[int] = []
    last = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]
