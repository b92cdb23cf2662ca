"""Many calls in one request: a batch of a map's items, or the combining of its results.

A batch gives one outcome per item, so that one that fails spoils no other. Combining calls the
function on neighbours, level by level, as `reduce` means it; what fails is tried again here.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import count
from typing import Any, TypeAlias

from agentflow.errors import Fault, Json
from agentflow.functions.context import Context

Call: TypeAlias = Callable[[Json, Context], Json]
"""From arguments to the value of one call; raises Fault."""
Fill: TypeAlias = Callable[[Json, dict[str, Json]], Json]
"""From a template and the names it reads to its value; raises Fault."""

_LEFT_OUT: Any = object()
"""Stands for the result of an item that failed and is tolerated."""


def batch(request: dict[str, Any], context: Context, call: Call, fill: Fill) -> list[Json]:
    """The outcomes of a batch's items: `{"index", "value"}` or `{"index", "failure"}` each.

    The request is `{"items": [{"item", "index"}, …], "as": name, "at": name, "with": template,
    "names": {…}, "on": [errors]}`. A failure that `on` names has `"again": true` beside it.
    """
    return [_outcome(request, each, context, call, fill) for each in request["items"]]


def _outcome(
    request: dict[str, Any], entry: dict[str, Json], context: Context, call: Call, fill: Fill
) -> Json:
    index = entry["index"]
    names = {**request["names"], request["as"]: entry["item"]}
    if request.get("at") is not None:
        names[request["at"]] = index
    try:
        given = fill(request["with"], names)
    except Fault as fault:  # no attempt was made, so none is to be repeated
        return {"index": index, "failure": fault.value()}
    try:
        return {
            "index": index,
            "value": call(given, replace(context, step=f"{context.step}[{index}]")),
        }
    except Fault as fault:
        again = {"again": True} if _is_one(fault, request["on"]) else {}
        return {"index": index, "failure": fault.value(), **again}


def reduced(
    request: dict[str, Any],
    outcomes: Mapping[int, Json],
    context: Context,
    call: Call,
    fill: Fill,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> Json:
    """The results of a map, combined until one value is left; `outcomes` by the items' indexes.

    The request is `{"arity", "with": template, "names": {…}, "retry": policy or null, "tolerate":
    {"count"} or {"share"}}`.

    Raises:
        Fault: more items failed than are tolerated, or a call failed in all its attempts.
    """
    level = _results(outcomes, request["tolerate"])
    for number in count():
        groups = list(_groups(level, request["arity"])) or [[]]
        level = []
        for place, values in enumerate(groups):
            if not values and len(groups) > 1:
                level.append(_LEFT_OUT)
                continue
            here = replace(context, step=f"{context.step}.reduce[{number}][{place}]")
            given = fill(request["with"], {**request["names"], "items": values})
            level.append(_tried(call, given, here, request["retry"], sleep))
        if len(level) == 1:
            break
    return level[0]


def _results(outcomes: Mapping[int, Json], tolerate: dict[str, Any]) -> list[Any]:
    """What the items gave, in their order."""
    ordered = [outcomes[index] for index in sorted(outcomes)]
    failures = [each["failure"] for each in ordered if "failure" in each]
    share = tolerate.get("share")
    tolerated = int(share * len(ordered)) if share is not None else tolerate["count"]
    if len(failures) > tolerated:
        first = failures[0]
        if not tolerate.get("count") and not share:
            raise Fault(first["name"], first["message"], data=first["data"], cause=first["cause"])
        raise Fault(
            "TooManyFailures",
            f"{tolerated + 1} of {len(ordered)} items failed; {tolerated} are tolerated",
            data={"failed": tolerated + 1, "tolerated": tolerated, "items": len(ordered)},
            cause=first,
        )
    return [each.get("value", _LEFT_OUT) for each in ordered]


def _groups(values: list[Any], size: int) -> Iterator[list[Json]]:
    """Neighbours, without what was left out."""
    for start in range(0, len(values), size):
        yield [value for value in values[start : start + size] if value is not _LEFT_OUT]


def _tried(
    call: Call,
    given: Json,
    context: Context,
    retry: dict[str, Any] | None,
    sleep: Callable[[float], None],
) -> Json:
    """The value of a call that may be attempted more than once."""
    if retry is None:
        return call(given, context)
    delay = float(retry["interval"])
    for attempt in range(1, retry["max_attempts"]):
        try:
            return call(given, replace(context, attempt=attempt))
        except Fault as fault:
            if not _is_one(fault, retry["on"]):
                raise
        bounded = min(delay, retry["max_interval"])
        sleep(bounded * random.random() if retry["jitter"] == "full" else bounded)  # noqa: S311  # no secret
        delay *= retry["backoff"]
    return call(given, replace(context, attempt=retry["max_attempts"]))


def _is_one(fault: Fault, names: list[str]) -> bool:
    return "*" in names or fault.name in names
