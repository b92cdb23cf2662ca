"""Read a JSONPath as the service does.

A path is a tuple of steps. `$` is the state's input, `$$` the context object, `$name` a variable.

What users report of the service, in words of its own library, is what JsonPath 2.0.0 of 2015 does:
there are no functions (`length()` is a name), no index counts from the end but `[(@.length-1)]`,
a backslash in a quoted name is part of it, and a filter compares with texts that need no quotes.
Double quotes, symbols and an escape of the quote that is around a name are taken beyond that.

Source: https://github.com/json-path/JsonPath/tree/json-path-2.0.0 and
https://docs.aws.amazon.com/step-functions/latest/dg/amazon-states-language-paths.html (2026-08).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from agentflow.adapters.aws.asl.errors import MalformedError
from agentflow.adapters.aws.asl.jsonpath.filters import Predicate, read_filter

_ROOT = re.compile(r"\$(\$|[^\W\d]\w*)?")
_SYMBOL = r"\$\{[^{}]*\}"
_NAME = re.compile(rf"(?:{_SYMBOL}|[^.\[\s])+")
"""A name after a dot; `${Symbol}` in it is put in when the definition is deployed."""
_NAME_AMONG_ARGUMENTS = re.compile(rf"(?:{_SYMBOL}|[^.\[\](),\s'\"])+(?:\(\s*\))?")
_ANY = re.compile(r"\*(?=[.\[\s,)]|$)")
_INDEXES = re.compile(r"\s*(-?\d+(?:\s*,\s*-?\d+)*)\s*")
_SLICE = re.compile(r"\s*(?:(-?\d+)\s*:\s*(-?\d+)?|:\s*(-?\d+))\s*(?::\s*-?\d*\s*)?")
"""A third number is read and means nothing."""
_LAST = re.compile(r"\s*\(?\s*@\s*\.\s*(?:length|size)\s*(?:\(\s*\))?\s*-\s*(\d+)\s*\)?\s*")
_QUOTED = re.compile(r"""\s*(['"])((?:\\.|(?!\1)[^\\])*)\1\s*""", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Names:
    """`.a`, `['a']`, `['a','b']`."""

    names: tuple[str, ...]

    @property
    def definite(self) -> bool:
        return len(self.names) == 1

    def __str__(self) -> str:
        return "[" + ", ".join(f"'{name}'" for name in self.names) + "]"


@dataclass(frozen=True, slots=True)
class Indexes:
    """`[0]`, `[0,2]`; there is nothing at a negative index."""

    indexes: tuple[int, ...]

    @property
    def definite(self) -> bool:
        return len(self.indexes) == 1

    def __str__(self) -> str:
        return "[" + ",".join(map(str, self.indexes)) + "]"


@dataclass(frozen=True, slots=True)
class Last:
    """`[(@.length-1)]`: an index from the end."""

    back: int
    definite: bool = True

    def __str__(self) -> str:
        return f"[@.size()-{self.back}]"


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


Step: TypeAlias = Names | Indexes | Last | Slice | Wildcard | Descent | Filter


def definite(steps: tuple[Step, ...]) -> bool:
    """Whether steps lead to at most one value; several names make one object."""
    return all(isinstance(step, Names) or step.definite for step in steps)


@dataclass(frozen=True, slots=True)
class Path:
    """A path: what it starts from, and its steps."""

    text: str
    root: str
    """`$`, `$$` or the name of a variable with its `$`; in a filter `@`, the current item."""
    steps: tuple[Step, ...]

    @property
    def definite(self) -> bool:
        """Whether it names at most one value; otherwise it gives a list."""
        return definite(self.steps)


@lru_cache(maxsize=4096)
def parse(text: str) -> Path:
    """The steps of a path.

    Raises:
        MalformedError: it is not a JSONPath.
    """
    path = _read(text)
    if path.root == "@":
        raise MalformedError("a path begins with `$`")
    return path


def _read(text: str) -> Path:
    reader = _PathReader(text, 0, _NAME)
    path = reader.path()
    if reader.at != len(text.rstrip()):
        raise MalformedError(f"unexpected `{text[reader.at :][:20]}` in a path", reader.at)
    return path


def parse_prefix(text: str, at: int) -> tuple[Path, int]:
    """The path that begins at an offset among arguments, and where it ends."""
    reader = _PathReader(text, at, _NAME_AMONG_ARGUMENTS)
    return reader.path(), reader.at


class _PathReader:
    def __init__(self, text: str, at: int, name: re.Pattern[str]) -> None:
        self.text = text
        self.at = at
        self._name_pattern = name
        self._alone = name is _NAME

    def path(self) -> Path:
        start = self.at
        found = _ROOT.match(self.text, self.at)
        if found is not None:
            root, self.at = found.group(), found.end()
        elif self.text.startswith("@", self.at):
            root, self.at = "@", self.at + 1
        else:
            raise MalformedError("a path begins with `$`", self.at)
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
        if (
            before
            and self._alone
            and not text.startswith((" ", "]"), self.at)
            and self.at < len(text)
        ):
            return self._name()  # a name right after a bracket
        return None

    def _name(self) -> Step:
        if self._take(_ANY):
            return Wildcard()
        found = self._name_pattern.match(self.text, self.at)
        if found is None:
            raise MalformedError("a name is missing after the dot", self.at)
        self.at = found.end()
        return Names((found.group(),))

    def _bracket(self) -> Step:
        self.at += 1
        text = self.text
        body = text[self.at :].lstrip()
        step: Step
        if body.startswith("*"):
            self.at = text.index("*", self.at) + 1
            step = Wildcard()
        elif body.startswith("?"):
            predicate, self.at = read_filter(text, text.index("?", self.at) + 1, parse_operand)
            step = Filter(predicate)
        elif body.startswith(("'", '"')):
            step = Names(self._listed_names())
        elif sliced := self._take(_SLICE):
            first, second, only = sliced.groups()
            step = Slice(_integer(first), _integer(second if only is None else only))
        elif listed := self._take(_INDEXES):
            step = Indexes(tuple(map(int, listed[1].split(","))))
        elif last := self._take(_LAST):
            step = Last(int(last[1]))
        else:
            raise MalformedError("an index or a quoted name is missing", self.at)
        if not text[self.at :].lstrip().startswith("]"):
            raise MalformedError("`]` is missing", self.at)
        self.at = text.index("]", self.at) + 1
        return step

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self.text, self.at)
        if found is not None:
            self.at = found.end()
        return found

    def _listed_names(self) -> tuple[str, ...]:
        names: list[str] = []
        while found := self._take(_QUOTED):
            quote, name = found.groups()
            names.append(name.replace(f"\\{quote}", quote))
            if not self.text.startswith(",", self.at):
                return tuple(names)
            self.at += 1
        raise MalformedError("a quoted name is missing", self.at)


def parse_operand(text: str) -> Path:
    """A path in a filter.

    Raises:
        MalformedError: it is not a JSONPath, or may lead to more than one value.
    """
    path = _read(text)
    if not path.definite:
        raise MalformedError(f"`{text}` in a filter may lead to more than one value")
    return path


def _integer(digits: str | None) -> int | None:
    return None if not digits else int(digits)
