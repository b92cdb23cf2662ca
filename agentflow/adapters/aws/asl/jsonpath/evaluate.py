"""Find what a JSONPath names, and put results where a reference path says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from agentflow.adapters.aws.asl.errors import REFERENCE_PATH, StateError
from agentflow.adapters.aws.asl.jsonpath import filters
from agentflow.adapters.aws.asl.jsonpath.syntax import (
    Descent,
    Filter,
    Indexes,
    Last,
    Names,
    Path,
    Slice,
    Step,
    Wildcard,
    definite,
    parse,
)
from agentflow.adapters.aws.asl.values import ABSENT, Absent, shown, spaced, text
from agentflow.errors import Json


class InapplicableError(Exception):
    """A path cannot be applied to the data; the message is the one that the service shows."""


class MissingError(InapplicableError):
    """A path leads nowhere."""


class BeyondError(MissingError):
    """The index at the end of a path is beyond its list; what takes any value gets null there."""


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
            return text(self.context)
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

    Raises:
        InapplicableError: it leads nowhere, or a step is not one for what it meets. A path may
            lead nowhere for one item of a list and so for all, where no wildcard is in it.
    """
    parsed = parse(path) if isinstance(path, str) else path
    walk = _Walk(data, parsed, data.root(parsed.root))
    try:
        found = list(walk.along(walk.root, 0, "$"))
    except RecursionError:
        raise InapplicableError("The data is nested too deeply") from None
    if not parsed.definite:
        return found
    if found[0] is None and walk.ends_beyond():
        raise BeyondError(f"No results for path: ${''.join(map(str, parsed.steps))}")
    return found[0]


@dataclass(frozen=True, slots=True)
class _Walk:
    """One search: `at` is always the place of a value, as messages call it."""

    data: Data
    path: Path
    root: Json

    def along(self, value: Json, index: int, at: str) -> Iterator[Json]:
        """The values that the steps from an index on lead to."""
        if index == len(self.path.steps):
            yield value
            return
        match self.path.steps[index]:
            case Names(names):
                yield from self._named(value, names, index, at)
            case Indexes() | Last() | Slice():
                yield from self._indexed(value, index, at)
            case Wildcard():
                yield from self._all(value, index, at)
            case Filter():
                yield from self._filtered(value, index, at)
            case Descent():
                yield from self._descend(value, index, at)

    def ends_beyond(self) -> bool:
        """Whether the path ends with an index that its list does not have."""
        *before, last = self.path.steps or (None,)
        if not isinstance(last, Indexes | Last):
            return False
        path = Path("", self.path.root, tuple(step for step in before if step is not None))
        (items,) = _Walk(self.data, path, self.root).along(self.root, 0, "$")
        return not 0 <= next(iter(_places(last, len(items)))) < len(items)

    def _named(self, value: Json, names: tuple[str, ...], index: int, at: str) -> Iterator[Json]:
        if not isinstance(value, dict):
            raise MissingError(f"Property {self.path.steps[index]} not found in path {at}")
        leaf = index + 1 == len(self.path.steps)
        if len(names) > 1:
            if not leaf:
                where = f"{at}{self.path.steps[index]}"
                raise InapplicableError(f"Multi properties can only be used as path leafs: {where}")
            yield {name: value[name] for name in names if name in value}
        elif names[0] in value:
            yield from self.along(value[names[0]], index + 1, f"{at}['{names[0]}']")
        elif leaf:
            raise MissingError(f"No results for path: {at}['{names[0]}']")
        elif definite(self.path.steps[max(index - 1, 0) :]):
            raise MissingError(f"Missing property in path {at}['{names[0]}']")

    def _indexed(self, value: Json, index: int, at: str) -> Iterator[Json]:
        if value is None:
            raise MissingError(f"The path {at} is null")
        if not isinstance(value, list):
            raise self._inapplicable(index, "only be applied to arrays", value, at)
        for place in _places(self.path.steps[index], len(value)):
            item = value[place] if 0 <= place < len(value) else None
            yield from self.along(item, index + 1, f"{at}[{place}]")

    def _all(self, value: Json, index: int, at: str) -> Iterator[Json]:
        if isinstance(value, dict):
            for name, item in value.items():
                yield from self.along(item, index + 1, f"{at}['{name}']")
        if isinstance(value, list):
            for place, item in enumerate(value):
                try:
                    yield from self.along(item, index + 1, f"{at}[{place}]")
                except MissingError:
                    continue  # other items may lead somewhere

    def _filtered(self, value: Json, index: int, at: str) -> Iterator[Json]:
        if isinstance(value, dict):
            if self._keeps(index, value):
                yield from self.along(value, index + 1, at)
        elif isinstance(value, list):
            for place, item in enumerate(value):
                if self._keeps(index, item):
                    yield from self.along(item, index + 1, f"{at}[{place}]")
        else:
            raise self._inapplicable(index, "not be applied to primitives", value, at)

    def _keeps(self, index: int, item: Json) -> bool:
        step = self.path.steps[index]
        assert isinstance(step, Filter)
        try:
            return filters.holds(step.predicate, partial(self._look, item=item))
        except filters.UncomparableError as error:
            raise InapplicableError(str(error)) from None

    def _look(self, path: Path, *, item: Json) -> Json | Absent:
        """The value of a path in a filter: of the item, or of what this search is in."""
        start = {"@": item, "$": self.root}
        root = start[path.root] if path.root in start else self.data.root(path.root)
        try:
            return next(_Walk(self.data, path, root).along(root, 0, "$"))
        except MissingError:
            return ABSENT

    def _descend(self, value: Json, index: int, at: str) -> Iterator[Json]:
        """Take the next step from each object and list that it is for.

        A list takes it only at the end of a path; before that its items go on with the step after
        it, whatever that step says of them.
        """
        if not isinstance(value, dict | list):
            return
        if self._is_for(index + 1, value):
            if isinstance(value, dict) or index + 2 == len(self.path.steps):
                yield from self.along(value, index + 1, at)
            else:
                for place, item in enumerate(value):
                    yield from self.along(item, index + 2, f"{at}[{place}]")
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from self._descend(item, index, f"{at}[{key!r}]")

    def _is_for(self, index: int, value: Json) -> bool:
        match self.path.steps[index]:
            case Names(names):
                return isinstance(value, dict) and all(name in value for name in names)
            case Indexes() | Last() | Slice():
                return isinstance(value, list)
            case Filter():
                return self._keeps(index, value)
            case _:
                return True

    def _inapplicable(self, index: int, why: str, value: Json, at: str) -> InapplicableError:
        steps = "".join(map(str, self.path.steps[index:]))
        written = shown(value) if at.endswith("']") else text(value)
        return InapplicableError(f"Filter: {steps} can {why}. Current context is: {written}")


def _places(step: Step | None, length: int) -> Iterator[int]:
    """The indexes that a step names in a list of some length, there or not."""
    match step:
        case Indexes(indexes):
            yield from indexes
        case Last(back):
            yield length - back
        case Slice(None, stop) if stop is not None:
            yield from range(min(length, stop if stop >= 0 else length + stop))
        case Slice(int(start), None):
            yield from range(max(0, start if start >= 0 else length + start), length)
        case Slice(int(start), int(stop)) if length:
            yield from range(start, min(length, stop))


def put(path: str, value: Json, into: Json) -> Json:
    """A copy of `into` with a value at the place a reference path names.

    Objects on the way are made where they are missing.

    Raises:
        StateError: the path cannot be applied, because something on the way is not an object or
            a list long enough.
    """
    parsed = parse(path)

    def placed(depth: int, at: Json) -> Json:
        if depth == len(parsed.steps):
            return value
        match parsed.steps[depth], at:
            case Names((name,)), dict():
                return {**at, name: placed(depth + 1, at.get(name, {}))}
            case Indexes((index,)), list() if 0 <= index < len(at):
                return [*at[:index], placed(depth + 1, at[index]), *at[index + 1 :]]
            case step, _:
                raise _conflict(parsed, step, into)

    return placed(0, into)


def follow(path: str, data: Json) -> Json:
    """The value at the place a reference path names.

    Raises:
        StateError: there is no such place.
    """
    parsed = parse(path)
    found = data
    for step in parsed.steps:
        match step, found:
            case Names((name,)), dict() if name in found:
                found = found[name]
            case Indexes((index,)), list() if 0 <= index < len(found):
                found = found[index]
            case _:
                raise _conflict(parsed, step, data)
    return found


def _conflict(path: Path, step: Step, data: Json) -> StateError:
    """What users quote of the service, whose documentation has another name for it."""
    what = f"ReferencePath {path.text}"
    if isinstance(data, dict | list):
        name = step.names[0] if isinstance(step, Names) else str(step)
        what = f'step "{name}"'
    return StateError(REFERENCE_PATH, f"Unable to apply {what} to input {text(data)}")


def is_reference(path: Path) -> bool:
    """Whether a path names exactly one place, as `ResultPath` needs."""
    return path.root == "$" and all(
        isinstance(step, Names | Indexes) and step.definite for step in path.steps
    )
