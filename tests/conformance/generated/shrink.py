"""Making a workflow small that shows a difference: whatever can go without losing it goes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

from agentflow.errors import Json
from tests.conformance.generated.maker import Made

OPTIONAL: Final = (
    "if", "retry", "catch", "timeout", "index", "finally", "else", "concurrency", "batch", "reduce",
    "tolerate", "compensate", "output", "input", "defaults", "max", "on", "as", "message", "data",
)  # fmt: skip
BLOCKS: Final = ("do", "else", "finally")
PLAIN: Final = ("${ 1 }", "a", "${ [] }")


def shrunk(made: Made, holds: Callable[[Made], bool]) -> Made:
    """The smallest workflow that is found for which something still holds."""
    while True:
        for smaller in _smaller(made):
            if holds(smaller):
                made = smaller
                break
        else:
            return made


def _smaller(made: Made) -> Iterator[Made]:
    parts = {"spec": made.spec, "children": made.children}
    for change in _changes(parts):
        changed = copy.deepcopy(parts)
        change(changed)
        yield replace(made, spec=changed["spec"], children=changed["children"])


Change = Callable[[Any], None]


def _changes(parts: Json) -> Iterator[Change]:
    """Ways to make data smaller, the strongest first."""
    places = list(_places(parts, ()))
    for path, value in places:
        if isinstance(value, list) and path[-1:] and path[-1] in BLOCKS:
            for place, step in enumerate(value):
                for block in _inner(step):
                    yield _put((*path,), [*value[:place], *block, *value[place + 1 :]])
                if len(value) > 1:
                    yield _put(path, [*value[:place], *value[place + 1 :]])
    for path, value in places:
        if path and path[-1] in OPTIONAL:
            yield _drop(path)
        if (
            isinstance(value, dict)
            and path
            and path[-1] in ("fork", "states", "set", "with", "output")
        ):
            yield from (_drop((*path, key)) for key in value)
        if (
            isinstance(value, list)
            and path
            and path[-1] in ("switch", "catch", "stages", "next", "on")
        ):
            yield from (_put(path, [*value[:n], *value[n + 1 :]]) for n in range(len(value)))
        if isinstance(value, str) and value.startswith("${") and value not in PLAIN:
            yield from (_put(path, plain) for plain in PLAIN)


def _places(value: Json, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Json]]:
    yield path, value
    pairs = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in pairs:
        yield from _places(inner, (*path, key))


def _inner(step: Json) -> Iterator[list[Json]]:
    """The outermost blocks inside a step."""
    if isinstance(step, list):
        for each in step:
            yield from _inner(each)
    elif isinstance(step, dict):
        for key, value in step.items():
            if key in BLOCKS and isinstance(value, list):
                yield value
            else:
                yield from _inner(value)


def _put(path: tuple[Any, ...], value: Json) -> Change:
    def change(parts: Any) -> None:
        _holder(parts, path)[path[-1]] = copy.deepcopy(value)

    return change


def _drop(path: tuple[Any, ...]) -> Change:
    def change(parts: Any) -> None:
        del _holder(parts, path)[path[-1]]

    return change


def _holder(parts: Any, path: tuple[Any, ...]) -> Any:
    for key in path[:-1]:
        parts = parts[key]
    return parts
