"""Whether grouping matters to a reduce, tried on a few values.

Chunks are as large as it suits the machine, so a reduce must give the same whichever neighbours are
combined first, and must take what it gave. A count or a mean does not: it is told so at the first
chunk, in place of a result that depends on the machine.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from copy import deepcopy
from itertools import accumulate
from typing import Any

from agentflow.errors import Fault, Json
from agentflow.functions.failures import Stopped, error_value
from agentflow.functions.packs import encoded, open_pack
from agentflow.functions.portions import shown

TRIED = 32
"""Values that are looked at."""
_LEAST = 3
_BYTES = 8 * 1024 * 1024
"""How large the values that are looked at may be together, if there are more than the least."""
_TOLERANCE = 1e-6
"""Sums of floats differ a little with the order; more is another result."""


def check_grouping(reduce: Callable[[list[Any]], Any], values: list[Any]) -> None:
    """Combine a few values at once, and in groups whose results are combined.

    Raises:
        Fault: `NotAssociative` if the results differ, or the reduce cannot take what it gave.
    """
    few = _few(values)
    third = max(1, len(few) // 3)
    # A reduce may write into what it is given, and it is given the values once more afterwards.
    whole = _again(reduce(deepcopy(few)))
    parts = [_again(reduce(deepcopy(part))) for part in (few[:third], few[third:])]
    try:
        once_more = _again(reduce(deepcopy([whole])))
        grouped = _again(reduce(deepcopy(parts)))
    except Stopped:
        raise
    except BaseException as error:
        raise _fault(
            f"cannot take what it gave: {type(error).__name__}: {error}; it gets lists of results "
            "of the map, and lists of its own results as JSON gives them back",
            {"given": shown(parts)},
            error_value(error),
        ) from error
    if not (_same(whole, grouped) and _same(whole, once_more)):
        raise _fault(
            "gives another result when neighbours are combined first, so its result would depend "
            "on the size of chunks; let it give what can be combined again, such as a sum and a "
            "count in place of a mean",
            {"values": shown(few), "at_once": shown(whole), "in_groups": shown(grouped)},
            None,
        )


def _few(values: list[Any]) -> list[Any]:
    """Some values, fewer of them if they are large arrays or tables."""
    sizes = accumulate(getattr(value, "nbytes", 0) for value in values[:TRIED])
    return values[: max(_LEAST, sum(size <= _BYTES for size in sizes))]


def _again(value: Any) -> Any:
    """A value as it comes back from a journal."""
    return open_pack(encoded(value, path="the result of the reduce"))


def _same(one: Any, other: Any) -> bool:
    if type(one) in (int, float) and type(other) in (int, float):
        return math.isclose(one, other, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(one, numpy.ndarray) and isinstance(other, numpy.ndarray):
        if one.shape != other.shape or one.dtype.kind not in "biufc":
            return one.shape == other.shape and bool((one == other).all())
        return bool(numpy.allclose(one, other, rtol=_TOLERANCE, equal_nan=True))
    equals = getattr(one, "equals", None)
    return bool(equals(other) if equals is not None else one == other)


def _fault(problem: str, data: Json, cause: Json) -> Fault:
    return Fault("NotAssociative", f"the reduce {problem}", data=data, cause=cause)
