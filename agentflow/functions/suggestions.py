"""Did you mean: the known name that a wrong one was probably meant to be."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A remark to append to a message, empty when nothing is near.

    >>> did_you_mean("txet", ["text", "limit"])
    " (did you mean 'text'?)"
    """
    near = get_close_matches(name, list(known), n=1, cutoff=0.7)
    return f" (did you mean {near[0]!r}?)" if near else ""
