"""Find what a JSONPath names, and put results where a reference path says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from statistics import pstdev

from agentflow.adapters.aws.asl.errors import RESULT_PATH, StateError
from agentflow.adapters.aws.asl.jsonpath import filters
from agentflow.adapters.aws.asl.jsonpath.syntax import (
    Call,
    Descent,
    Filter,
    Indexes,
    Names,
    Path,
    Slice,
    Step,
    Wildcard,
    definite,
    parse,
)
from agentflow.adapters.aws.asl.values import ABSENT, Absent, is_number, spaced, text
from agentflow.errors import Json


class MissingError(Exception):
    """A path leads nowhere; the message is the one that the service shows."""


class NoListError(MissingError):
    """An index or slice is applied to something else than a list."""


class BeyondError(MissingError):
    """The index at the end of a path is beyond its list; payload templates get null there."""


@dataclass(frozen=True, slots=True)
class Data:
    """What paths can start from."""

    input: Json
    context: Json = None
    variables: Mapping[str, Json] = field(default_factory=dict)
    given: Json | Absent = ABSENT
    """The input of the execution."""

    def quoted(self, root: str) -> str:
        """What messages quote of the data that a path starts from.

        The service quotes texts as it got them: what comes from outside has blanks, as most
        clients write JSON, and what the service wrote itself has none.
        """
        if root == "$$":
            return spaced(self.context)
        return spaced(self.input) if self.input is self.given else text(self.input)

    def root(self, name: str) -> Json:
        """The value of `$`, `$$` or a variable.

        Raises:
            MissingError: there is no such variable.
        """
        if name == "$":
            return self.input
        if name == "$$":
            return self.context
        if name[1:] not in self.variables:
            raise MissingError(f"The variable '{name}' is not defined")
        return self.variables[name[1:]]


def find(path: str | Path, data: Data) -> Json:
    """The value of a definite path, or the list of the values of an indefinite one.

    A list is empty where nothing is found; a definite path has to lead to something.

    Raises:
        MissingError: a definite path leads nowhere, or a slice is not one of a list.
    """
    parsed = parse(path) if isinstance(path, str) else path
    root = data.root(parsed.root)
    try:
        return _find(parsed, root, data)
    except NoListError:
        raise
    except MissingError:
        if parsed.definite:
            raise
        return []


def _find(path: Path, root: Json, data: Data) -> Json:
    steps = path.steps
    call = steps[-1] if steps and isinstance(steps[-1], Call) else None
    steps = steps[:-1] if call else steps
    found = list(_walk(root, steps, "$", sure=True, data=data))
    if not definite(steps):
        value: Json = found
    elif found:
        value = found[0]
    else:
        beyond = _is_beyond(root, steps, data)
        raise (BeyondError if beyond else MissingError)(f"No results for path: {path}")
    return value if call is None else _FUNCTIONS[call.function](value)


def _is_beyond(root: Json, steps: tuple[Step, ...], data: Data) -> bool:
    """Whether a path ends with an index of a list that has no such item."""
    if not steps or not isinstance(steps[-1], Indexes):
        return False
    return any(
        isinstance(each, list) for each in _walk(root, steps[:-1], "$", sure=True, data=data)
    )


def _walk(
    value: Json, steps: tuple[Step, ...], at: str, *, sure: bool, data: Data
) -> Iterator[Json]:
    """The values the steps lead to; `sure` says whether all steps before were."""
    if not steps:
        yield value
        return
    step, rest = steps[0], steps[1:]
    for item, place in _children(value, step, rest, at, sure=sure, data=data):
        yield from _walk(item, rest, place, sure=sure and step.definite, data=data)


def _children(
    value: Json, step: Step, rest: tuple[Step, ...], at: str, *, sure: bool, data: Data
) -> Iterator[tuple[Json, str]]:
    match step:
        case Names(names):
            yield from _named(value, names, at, sure=sure, leaf=not rest)
        case Indexes() | Slice():
            yield from _indexed(value, step, at, sure=sure)
        case Wildcard():
            items = value.values() if isinstance(value, dict) else value
            for item in items if isinstance(value, dict | list) else ():
                yield item, at
        case Filter(predicate):
            candidates = value if isinstance(value, list) else [value]
            for item in candidates:
                if filters.holds(predicate, partial(_look, item=item, data=data)):
                    yield item, at
        case Descent():
            for item in _descend(value):
                if not rest or _applies(item, rest[0]):
                    yield item, at


def _named(
    value: Json, names: tuple[str, ...], at: str, *, sure: bool, leaf: bool
) -> Iterator[tuple[Json, str]]:
    if not isinstance(value, dict):
        if sure:
            raise MissingError(_not_an_object(value, names, at))
        return
    if len(names) > 1 and leaf:
        # Several names give one object of those that exist.
        yield {name: value[name] for name in names if name in value}, at
        return
    for name in names:
        place = f"{at}['{name}']"
        if name in value:
            yield value[name], place
        elif sure and not leaf:
            raise MissingError(f"Missing property in path {place}")


def _not_an_object(value: Json, names: tuple[str, ...], at: str) -> str:
    found = "null" if value is None else _JAVA_NAMES.get(type(value), "java.lang.String")
    shown = ",".join(f"'{name}'" for name in names)
    return (
        f"Expected to find an object with property [{shown}] in path {at} but found '{found}'. "
        "This is not a json object according to the JsonProvider: "
        "'com.jayway.jsonpath.spi.json.JacksonJsonProvider'."
    )


_JAVA_NAMES: dict[type, str] = {
    bool: "java.lang.Boolean",
    int: "java.lang.Integer",
    float: "java.lang.Double",
    list: "java.util.ArrayList",
}


def _indexed(
    value: Json, step: Indexes | Slice, at: str, *, sure: bool
) -> Iterator[tuple[Json, str]]:
    if not isinstance(value, list):
        if sure:
            if value is None:
                raise MissingError(f"The path {at} is null")
            raise NoListError(
                f"Filter: {step} can only be applied to arrays. Current context is: {text(value)}"
            )
        return
    if isinstance(step, Slice):
        for item in value[slice(step.start, step.stop)]:
            yield item, at
        return
    for index in step.indexes:
        if -len(value) <= index < len(value):
            yield value[index], f"{at}[{index}]"


def _descend(value: Json) -> Iterator[Json]:
    yield value
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _descend(item)


def _applies(value: Json, step: Step) -> bool:
    """Whether `..` stops at a value: the step after it can be taken from there."""
    match step:
        case Names(names):
            return isinstance(value, dict) and any(name in value for name in names)
        case Indexes() | Slice():
            return isinstance(value, list)
        case _:
            return isinstance(value, dict | list)


def _look(path: Path, *, item: Json, data: Data) -> Json | Absent:
    try:
        return _find(path, item if path.root == "@" else data.root(path.root), data)
    except MissingError:
        return ABSENT


def _numbers(value: Json) -> list[float]:
    numbers = [item for item in value if is_number(item)] if isinstance(value, list) else []
    if not numbers:
        raise MissingError("Aggregation function attempted to calculate value using empty array")
    return numbers


def _length(value: Json) -> Json:
    return len(value) if isinstance(value, list | dict | str) else None


_FUNCTIONS: dict[str, Callable[[Json], Json]] = {
    "length": _length,
    "size": _length,
    "min": lambda value: float(min(_numbers(value))),
    "max": lambda value: float(max(_numbers(value))),
    "avg": lambda value: float(sum(_numbers(value)) / len(_numbers(value))),
    "sum": lambda value: float(sum(_numbers(value))),
    "stddev": lambda value: pstdev(_numbers(value)),
    "keys": lambda value: list(value) if isinstance(value, dict) else None,
    "first": lambda value: value[0] if value else None,
    "last": lambda value: value[-1] if value else None,
    "concat": lambda value: "".join(item for item in value if isinstance(item, str)),
}


def put(path: str, value: Json, into: Json) -> Json:
    """A copy of `into` with a value at the place a reference path names.

    Objects on the way are made where they are missing.

    Raises:
        StateError: the path cannot be applied, because something on the way is not an object or
            a list long enough.
    """
    return _put(parse(path), 0, value, into)


def _put(path: Path, depth: int, value: Json, into: Json) -> Json:
    if depth == len(path.steps):
        return value
    step = path.steps[depth]
    if isinstance(step, Names) and isinstance(into, dict):
        name = step.names[0]
        return {**into, name: _put(path, depth + 1, value, into.get(name, {}))}
    if isinstance(step, Indexes) and isinstance(into, list):
        index = step.indexes[0]
        if 0 <= index < len(into):
            return [*into[:index], _put(path, depth + 1, value, into[index]), *into[index + 1 :]]
    raise StateError(
        RESULT_PATH, f"Unable to apply ReferencePath {path.text} to input {text(into)}"
    )


def is_reference(path: Path) -> bool:
    """Whether a path names exactly one place, as `ResultPath` needs."""
    return path.root == "$" and all(
        isinstance(step, Names | Indexes) and step.definite for step in path.steps
    )
