"""Functions and methods on lists. All of them give new lists; none changes one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from agentflow.errors import Fault, Json
from agentflow.spec.expressions.library.function import (
    Example,
    Function,
    Parameter,
    family,
    invalid,
)
from agentflow.spec.expressions.limits import check_items
from agentflow.spec.expressions.operators import missing_key, number
from agentflow.spec.expressions.types import (
    ANY,
    BOOLEAN,
    INTEGER,
    LIST,
    NUMBER,
    OBJECT,
    STRING,
    ListOf,
    ObjectOf,
    Type,
    accepts,
    describe,
    union,
)


def identity(value: Json) -> Any:
    """Something hashable that is equal for values that `==` says are equal, and only for them."""
    kind = type(value)
    if kind is bool:
        return ("boolean", value)
    if kind is list:
        return ("list", *map(identity, value))
    if kind is dict:
        return frozenset((key, identity(item)) for key, item in value.items())
    return value


def _sorted(items: list[Json]) -> list[Json]:
    _comparable("sorted", items)
    return sorted(items)


def _comparable(name: str, items: list[Json]) -> None:
    if not accepts(ListOf(NUMBER), items) and not accepts(ListOf(STRING), items):
        kinds = " and ".join(sorted({describe(item).split(" ")[0] for item in items}))
        message = f"`{name}` needs all numbers or all strings, got a mix or others: {kinds}"
        raise Fault("TypeMismatch", message)


def _field(item: dict[str, Json], key: str) -> Json:
    if key not in item:
        raise missing_key(item, key)
    return item[key]


def _sorted_by(items: list[dict[str, Json]], key: str) -> list[Json]:
    values = [_field(item, key) for item in items]
    _comparable("sorted_by", values)
    order = sorted(range(len(items)), key=values.__getitem__)
    return [items[index] for index in order]


def _group_by(items: list[dict[str, Json]], key: str) -> dict[str, Json]:
    groups: dict[str, Json] = {}
    for item in items:
        name = _field(item, key)
        if type(name) is not str:
            raise Fault(
                "TypeMismatch", f"`group_by` needs strings under `{key}`, got {describe(name)}"
            )
        groups.setdefault(name, []).append(item)
    return groups


def _range(start: int, stop: int | None = None, step: int = 1) -> list[int]:
    if step == 0:
        raise invalid("`range` with step 0")
    numbers = range(start) if stop is None else range(start, stop, step)
    check_items(len(numbers))
    return list(numbers)


def _zip(*lists: list[Json]) -> list[Json]:
    return [list(row) for row in zip(*lists, strict=False)]


def _enumerate(items: list[Json], start: int = 0) -> list[Json]:
    number(start + len(items) - 1)  # so large that a number would not be exact
    return [[index, item] for index, item in enumerate(items, start)]


def _flatten(lists: list[list[Json]]) -> list[Json]:
    check_items(sum(map(len, lists)))
    return [item for items in lists for item in items]


def _chunked(items: list[Json], size: int) -> list[Json]:
    if size < 1:
        raise invalid(f"`size` is at least 1, got {size}")
    return [items[start : start + size] for start in range(0, len(items), size)]


def _unique(items: list[Json]) -> list[Json]:
    seen: dict[Any, Json] = {}
    for item in items:
        seen.setdefault(identity(item), item)
    return list(seen.values())


def _filter(keep: Callable[[bool], bool]) -> Callable[[list[Json], list[Json]], list[Json]]:
    def apply(a: list[Json], b: list[Json]) -> list[Json]:
        known = set(map(identity, b))
        return [item for item in a if keep(identity(item) in known)]

    return apply


def _index(items: list[Json], value: Json) -> int:
    wanted = identity(value)
    for index, item in enumerate(items):
        if identity(item) == wanted:
            return index
    raise invalid(f"the list has no {describe(value)}")


def _count(items: list[Json], value: Json) -> int:
    wanted = identity(value)
    return sum(identity(item) == wanted for item in items)


def _item(kind: Type) -> Type:
    return kind.item if isinstance(kind, ListOf) else ANY


def _same(types: Sequence[Type]) -> Type:
    return ListOf(_item(types[0]))


def _rows(kinds: Iterable[Type]) -> Type:
    return ListOf(ListOf(union(kinds)))


def _grouped(types: Sequence[Type]) -> Type:
    return ObjectOf(rest=_same(types))


_define = family("Lists")
_method = family("List methods", LIST)
_XS = Parameter("xs", LIST)
_OBJECTS = Parameter("xs", ListOf(OBJECT))
_KEY = Parameter("key", STRING)

LISTS: tuple[Function, ...] = (
    _define(
        "range",
        (
            Parameter("start", INTEGER),
            Parameter("stop", INTEGER, optional=True),
            Parameter("step", INTEGER, optional=True),
        ),
        ListOf(INTEGER),
        _range,
        "The integers from `start` to before `stop`; with one argument, from 0 to before it.",
        Example("[range(3), range(1, 6, 2)]", "[[0,1,2],[1,3,5]]"),
        "`InvalidInput` for step 0, `LimitExceeded` for more than 1,000,000",
    ),
    _define(
        "sorted",
        (_XS,),
        LIST,
        _sorted,
        "The items in rising order: all numbers, or all strings by code points.",
        Example("sorted([3, 1, 2])", "[1,2,3]"),
        infer=_same,
    ),
    _define(
        "sorted_by",
        (_OBJECTS, _KEY),
        LIST,
        _sorted_by,
        "Objects in rising order of the value under a key; equal ones keep their order.",
        Example('sorted_by([{"n": 2}, {"n": 1}], "n")', '[{"n":1},{"n":2}]'),
        "`MissingKey` for an object without the key",
        infer=_same,
    ),
    _define(
        "reversed",
        (_XS,),
        LIST,
        lambda xs: xs[::-1],
        "The items from last to first.",
        Example("reversed([1, 2, 3])", "[3,2,1]"),
        infer=_same,
    ),
    _define(
        "unique",
        (_XS,),
        LIST,
        _unique,
        "The items without repetitions, each where it came first.",
        Example("unique([2, 1, 2, 1.0])", "[2,1]"),
        infer=_same,
        cost="parts",
    ),
    _define(
        "flatten",
        (Parameter("xs", ListOf(LIST)),),
        LIST,
        _flatten,
        "The items of the lists in a list, one level.",
        Example("flatten([[1], [2, [3]]])", "[1,2,[3]]"),
        infer=lambda types: ListOf(_item(_item(types[0]))),
    ),
    _define(
        "chunked",
        (_XS, Parameter("size", INTEGER)),
        ListOf(LIST),
        _chunked,
        "The items in lists of `size`; the last may be shorter.",
        Example("chunked([1, 2, 3], 2)", "[[1,2],[3]]"),
        "`InvalidInput` for a size below 1",
        infer=lambda types: ListOf(_same(types)),
    ),
    _define(
        "group_by",
        (_OBJECTS, _KEY),
        OBJECT,
        _group_by,
        "An object of lists: the objects that have the same string under a key.",
        Example(
            'group_by([{"k": "a", "n": 1}, {"k": "a", "n": 2}], "k")',
            '{"a":[{"k":"a","n":1},{"k":"a","n":2}]}',
        ),
        "`MissingKey` for an object without the key",
        infer=_grouped,
    ),
    _define(
        "zip",
        (Parameter("xs", LIST, variadic=True),),
        ListOf(LIST),
        _zip,
        "Lists of the first items, of the second items, …, as far as the shortest list goes.",
        Example('zip([1, 2, 3], ["a", "b"])', '[[1,"a"],[2,"b"]]'),
        infer=lambda types: _rows(map(_item, types)),
    ),
    _define(
        "enumerate",
        (_XS, Parameter("start", INTEGER, optional=True)),
        ListOf(LIST),
        _enumerate,
        "Each item with its number before it, from 0 or from `start`.",
        Example('[f"{i}{x}" for i, x in enumerate(["a", "b"])]', '["0a","1b"]'),
        "`NumberOutOfRange` beyond ±(2^53-1)",
        infer=lambda types: _rows((INTEGER, _item(types[0]))),
    ),
    _define(
        "any",
        (Parameter("xs", ListOf(BOOLEAN)),),
        BOOLEAN,
        any,
        "Whether one of the booleans is true; false for an empty list.",
        Example("any([x > 2 for x in [1, 2, 3]])", "true"),
    ),
    _define(
        "all",
        (Parameter("xs", ListOf(BOOLEAN)),),
        BOOLEAN,
        all,
        "Whether every one of the booleans is true; true for an empty list.",
        Example("all([x > 2 for x in [1, 2, 3]])", "false"),
    ),
    _define(
        "intersection",
        (Parameter("a", LIST), Parameter("b", LIST)),
        LIST,
        _filter(lambda known: known),
        "The items of `a` that `b` has too.",
        Example("intersection([1, 2, 3], [3, 2])", "[2,3]"),
        infer=_same,
        cost="parts",
    ),
    _define(
        "difference",
        (Parameter("a", LIST), Parameter("b", LIST)),
        LIST,
        _filter(lambda known: not known),
        "The items of `a` that `b` has not.",
        Example("difference([1, 2, 3], [3, 2])", "[1]"),
        infer=_same,
        cost="parts",
    ),
    _method(
        "index",
        (Parameter("value", ANY),),
        INTEGER,
        _index,
        "Where the value is first.",
        Example('["a", "b"].index("b")', "1"),
        "`InvalidInput` if it is nowhere",
        cost="parts",
    ),
    _method(
        "count",
        (Parameter("value", ANY),),
        INTEGER,
        _count,
        "How many items are equal to the value.",
        Example("[1, 2, 1.0].count(1)", "2"),
        cost="parts",
    ),
)
