"""Read a JSONPath as the service does: the dialect of Jayway's JsonPath.

A path is a tuple of steps. `$` is the state's input, `$$` the context object, `$name` a variable.

Source: https://github.com/json-path/JsonPath (README, 2.9) and recorded answers of the service.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from agentflow.adapters.aws.asl.errors import MalformedError
from agentflow.adapters.aws.asl.jsonpath.filters import FilterReader, Predicate

_VARIABLE = re.compile(r"\$(\$|[^\W\d]\w*)?")
_NAME = re.compile(r"(?:\$\{[^{}]*\}|[^.\[\]()\s'\",?*$@&|=<>!~])+")
"""A name after a dot; `${Symbol}` in it is put in when the definition is deployed."""
_INDEX = re.compile(r"\s*(-?\d+)\s*")
_SLICE = re.compile(r"\s*(-?\d+)?\s*:\s*(-?\d+)?\s*(?::\s*(-?\d+)?\s*)?")
_QUOTED = re.compile(r"""\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\s*""", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
FUNCTIONS = frozenset(
    {"length", "size", "min", "max", "avg", "sum", "keys", "first", "last", "concat", "stddev"}
)


@dataclass(frozen=True, slots=True)
class Names:
    """`.a`, `['a']`, `['a','b']`."""

    names: tuple[str, ...]

    @property
    def definite(self) -> bool:
        return len(self.names) == 1

    def __str__(self) -> str:
        return "[" + ",".join(f"'{name}'" for name in self.names) + "]"


@dataclass(frozen=True, slots=True)
class Indexes:
    """`[0]`, `[-1]`, `[0,2]`."""

    indexes: tuple[int, ...]

    @property
    def definite(self) -> bool:
        return len(self.indexes) == 1

    def __str__(self) -> str:
        return "[" + ",".join(map(str, self.indexes)) + "]"


@dataclass(frozen=True, slots=True)
class Slice:
    """`[1:3]`."""

    start: int | None
    stop: int | None
    definite: bool = False

    def __str__(self) -> str:
        start = "" if self.start is None else self.start
        stop = "" if self.stop is None else self.stop
        return f"[{start}:{stop}]"


@dataclass(frozen=True, slots=True)
class Wildcard:
    """`.*`, `[*]`."""

    definite: bool = False

    def __str__(self) -> str:
        return "[*]"


@dataclass(frozen=True, slots=True)
class Descent:
    """`..`: the value and everything in it; the next step applies to each."""

    definite: bool = False

    def __str__(self) -> str:
        return ".."


@dataclass(frozen=True, slots=True)
class Filter:
    """`[?(@.a == 1)]`."""

    predicate: Predicate
    definite: bool = False

    def __str__(self) -> str:
        return "[?]"


@dataclass(frozen=True, slots=True)
class Call:
    """`.length()` at the end of a path."""

    function: str
    definite: bool = True

    def __str__(self) -> str:
        return f".{self.function}()"


Step: TypeAlias = Names | Indexes | Slice | Wildcard | Descent | Filter | Call


def definite(steps: tuple[Step, ...]) -> bool:
    """Whether steps lead to at most one value; several names at the end make one object."""
    before = steps[:-1] if steps and isinstance(steps[-1], Names) else steps
    return all(step.definite for step in before)


@dataclass(frozen=True, slots=True)
class Path:
    """A path: what it starts from, and its steps."""

    text: str
    root: str
    """`$`, `$$` or the name of a variable with its `$`."""
    steps: tuple[Step, ...]

    @property
    def definite(self) -> bool:
        """Whether it names at most one value; otherwise it gives a list."""
        return definite(self.steps)

    def __str__(self) -> str:
        return "$" + "".join(map(str, self.steps))


@lru_cache(maxsize=4096)
def parse(text: str) -> Path:
    """The steps of a path.

    Raises:
        MalformedError: it is not a JSONPath.
    """
    reader = _PathReader(text, 0)
    path = reader.path()
    if reader.at != len(text.rstrip()):
        raise MalformedError(f"unexpected `{text[reader.at :][:20]}` in a path", reader.at)
    return path


def parse_prefix(text: str, at: int) -> tuple[Path, int]:
    """The path that begins at an offset, and where it ends."""
    reader = _PathReader(text, at)
    return reader.path(), reader.at


class _PathReader:
    def __init__(self, text: str, at: int) -> None:
        self.text = text
        self.at = at

    def path(self, *, current: bool = False) -> Path:
        """A path from here on; within a filter it may start at `@`, the current item."""
        start = self.at
        if current and self.text.startswith("@", self.at):
            root, self.at = "@", self.at + 1
        else:
            found = _VARIABLE.match(self.text, self.at)
            if found is None:
                raise MalformedError("a path begins with `$`", self.at)
            root, self.at = found.group(), found.end()
        steps: list[Step] = []
        while (step := self._step(steps)) is not None:
            steps.append(step)
        if steps and isinstance(steps[-1], Descent):
            raise MalformedError("a path does not end with a dot", self.at)
        return Path(self.text[start : self.at], root, tuple(steps))

    def _step(self, before: list[Step]) -> Step | None:
        text = self.text
        if text.startswith("..", self.at):
            self.at += 2
            if before and isinstance(before[-1], Descent):
                raise MalformedError("`...` is not a path", self.at)
            return Descent()
        if text.startswith("[", self.at):
            return self._bracket()
        if before and isinstance(before[-1], Descent):
            return self._name()
        if text.startswith(".", self.at):
            self.at += 1
            return self._bracket() if text.startswith("[", self.at) else self._name()
        return None

    def _name(self) -> Step:
        if self.text.startswith("*", self.at):
            self.at += 1
            return Wildcard()
        found = _NAME.match(self.text, self.at)
        if found is None:
            raise MalformedError("a name is missing after the dot", self.at)
        self.at = found.end()
        if self.text.startswith("(", self.at):
            close = self.text.find(")", self.at)
            if found.group() not in FUNCTIONS or self.text[self.at + 1 : close].strip():
                raise MalformedError(f"`{found.group()}` is not a function of JSONPath", self.at)
            self.at = close + 1
            return Call(found.group())
        return Names((found.group(),))

    def _bracket(self) -> Step:
        self.at += 1
        body = self.text[self.at :].lstrip()
        step: Step
        if body.startswith("*"):
            self.at = self.text.index("*", self.at) + 1
            step = Wildcard()
        elif body.startswith("?"):
            self.at = self.text.index("?", self.at) + 1
            step = self._filter()
        elif body.startswith(("'", '"')):
            step = Names(self._listed_names())
        elif sliced := _SLICE.match(self.text, self.at):
            self.at = sliced.end()
            if sliced[3] not in (None, "1"):
                raise MalformedError("a slice has no step", self.at)
            step = Slice(_integer(sliced[1]), _integer(sliced[2]))
        else:
            step = Indexes(self._listed_indexes())
        if not self.text[self.at :].lstrip().startswith("]"):
            raise MalformedError("`]` is missing", self.at)
        self.at = self.text.index("]", self.at) + 1
        return step

    def _listed_names(self) -> tuple[str, ...]:
        names: list[str] = []
        while found := _QUOTED.match(self.text, self.at):
            quoted = found[1] if found[1] is not None else found[2]
            names.append(_ESCAPE.sub(r"\1", quoted))
            self.at = found.end()
            if not self.text.startswith(",", self.at):
                return tuple(names)
            self.at += 1
        raise MalformedError("a quoted name is missing", self.at)

    def _listed_indexes(self) -> tuple[int, ...]:
        indexes: list[int] = []
        while found := _INDEX.match(self.text, self.at):
            indexes.append(int(found[1]))
            self.at = found.end()
            if not self.text.startswith(",", self.at):
                return tuple(indexes)
            self.at += 1
        raise MalformedError("an index or a quoted name is missing", self.at)

    def _filter(self) -> Filter:
        reader = FilterReader(self.text, self.at, _path_in_filter)
        predicate = reader.predicate()
        self.at = reader.at
        return Filter(predicate)


def _path_in_filter(text: str, at: int) -> tuple[Path, int]:
    reader = _PathReader(text, at)
    return reader.path(current=True), reader.at


def _integer(digits: str | None) -> int | None:
    return None if not digits else int(digits)
