"""Read and decide the filters of JSONPath: `[?(@.price < 10 && @.kind == 'book')]`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from agentflow.adapters.aws.asl.errors import MalformedError
from agentflow.adapters.aws.asl.values import Absent, equal, is_number, kind
from agentflow.errors import Json

if TYPE_CHECKING:
    from agentflow.adapters.aws.asl.jsonpath.syntax import Path

_BLANK = re.compile(r"\s*")
_OPERATOR = re.compile(
    r"\s*(==|!=|<=|>=|=~|<|>|in\b|nin\b|subsetof\b|anyof\b|noneof\b|size\b|empty\b|contains\b)"
)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_WORD = re.compile(r"(true|false|null)\b")
_REGEX = re.compile(r"/((?:[^/\\]|\\.)*)/([a-zA-Z]*)")
_BARE = re.compile(r"[^\W\d][\w-]*")
"""A text without quotes, which the service takes too: `[?(@.code==es)]`."""
_QUOTED = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_WORDS: dict[str, Json] = {"true": True, "false": False, "null": None}


@dataclass(frozen=True, slots=True)
class Pattern:
    """`/text/i`."""

    regex: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal."""

    value: Json


Operand: TypeAlias = "Constant | Pattern | Path"


@dataclass(frozen=True, slots=True)
class Compare:
    """`left operator right`."""

    left: Operand
    operator: str
    right: Operand


@dataclass(frozen=True, slots=True)
class Exists:
    """A path alone: does it lead anywhere?"""

    operand: Operand


@dataclass(frozen=True, slots=True)
class Negated:
    """`!`."""

    inner: Predicate


@dataclass(frozen=True, slots=True)
class Joined:
    """`&&` (all) or `||` (any)."""

    parts: tuple[Predicate, ...]
    all: bool


Predicate: TypeAlias = Compare | Exists | Negated | Joined
Look: TypeAlias = "Callable[[Path], Json | Absent]"
"""How the value of a path in a filter is found."""


class FilterReader:
    """Reads one filter, which stands in parentheses."""

    def __init__(self, text: str, at: int, path: Callable[[str, int], tuple[Path, int]]) -> None:
        self.text = text
        self.at = at
        self._path = path

    def predicate(self) -> Predicate:
        """What stands between `?(` and `)`."""
        self._expect("(")
        found = self._any()
        self._expect(")")
        return found

    def _any(self) -> Predicate:
        parts = [self._all()]
        while self._accept("||"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Joined(tuple(parts), all=False)

    def _all(self) -> Predicate:
        parts = [self._one()]
        while self._accept("&&"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else Joined(tuple(parts), all=True)

    def _one(self) -> Predicate:
        if self._accept("!"):
            return Negated(self._one())
        if self._peek("("):
            return self.predicate()
        left = self._operand()
        found = _OPERATOR.match(self.text, self.at)
        if found is None:
            return Exists(left)
        self.at = found.end()
        return Compare(left, found[1], self._operand())

    def _operand(self) -> Operand:
        self.at = self._blank()
        text, at = self.text, self.at
        if text.startswith(("@", "$"), at):
            path, self.at = self._path(text, at)
            return path
        if text.startswith("[", at):
            return self._list()
        for pattern, value in _LITERALS:
            if found := pattern.match(text, at):
                self.at = found.end()
                return value(found)
        raise MalformedError("a filter compares paths and literals", at)

    def _list(self) -> Constant:
        self._expect("[")
        items: list[Json] = []
        while not self._accept("]"):
            item = self._operand()
            if not isinstance(item, Constant):
                raise MalformedError("a list in a filter holds literals", self.at)
            items.append(item.value)
            self._accept(",")
        return Constant(items)

    def _blank(self) -> int:
        found = _BLANK.match(self.text, self.at)
        return self.at if found is None else found.end()

    def _peek(self, mark: str) -> bool:
        return self.text.startswith(mark, self._blank())

    def _accept(self, mark: str) -> bool:
        if not self._peek(mark):
            return False
        self.at = self._blank() + len(mark)
        return True

    def _expect(self, mark: str) -> None:
        if not self._accept(mark):
            raise MalformedError(f"`{mark}` is missing in a filter", self.at)


def holds(predicate: Predicate, look: Look) -> bool:
    """Whether a filter keeps an item; `look` finds the values of its paths."""
    match predicate:
        case Joined(parts, every):
            return (all if every else any)(holds(part, look) for part in parts)
        case Negated(inner):
            return not holds(inner, look)
        case Exists(operand):
            return not isinstance(_value(operand, look), Absent)
        case Compare(left, operator, right):
            return _compare(_value(left, look), operator, _value(right, look))


def _value(operand: Operand, look: Look) -> Json | Absent | Pattern:
    if isinstance(operand, Constant):
        return operand.value
    return operand if isinstance(operand, Pattern) else look(operand)


def _compare(left: Json | Absent, operator: str, right: Json | Absent) -> bool:
    if operator == "!=":
        return not _compare(left, "==", right)
    if isinstance(left, Absent) or isinstance(right, Absent):
        return False
    return _OPERATORS[operator](left, right)


def _ordered(test: Callable[[Json, Json], bool]) -> Callable[[Json, Json], bool]:
    def compare(left: Json, right: Json) -> bool:
        both_numbers = is_number(left) and is_number(right)
        both_texts = isinstance(left, str) and isinstance(right, str)
        return (both_numbers or both_texts) and test(left, right)

    return compare


def _within(item: Json, items: Json) -> bool:
    return isinstance(items, list) and any(equal(item, other) for other in items)


def _contains(whole: Json, part: Json) -> bool:
    if isinstance(whole, str):
        return isinstance(part, str) and part in whole
    return _within(part, whole)


def _matches(left: Json, right: Json) -> bool:
    if isinstance(left, Pattern):
        left, right = right, left
    return (
        isinstance(right, Pattern) and isinstance(left, str) and bool(right.regex.fullmatch(left))
    )


def _size(value: Json, other: Json) -> bool:
    length = len(value) if isinstance(value, str | list | dict) else -1
    return length == (len(other) if kind(other) in ("array", "string") else other)


_OPERATORS: dict[str, Callable[[Json, Json], bool]] = {
    "==": equal,
    "<": _ordered(lambda a, b: a < b),
    "<=": _ordered(lambda a, b: a <= b),
    ">": _ordered(lambda a, b: a > b),
    ">=": _ordered(lambda a, b: a >= b),
    "=~": _matches,
    "in": _within,
    "nin": lambda a, b: not _within(a, b),
    "subsetof": lambda a, b: isinstance(a, list) and all(_within(item, b) for item in a),
    "anyof": lambda a, b: isinstance(a, list) and any(_within(item, b) for item in a),
    "noneof": lambda a, b: isinstance(a, list) and not any(_within(item, b) for item in a),
    "size": _size,
    "empty": lambda a, b: isinstance(a, str | list | dict) and (not a) is b,
    "contains": _contains,
}


def _regex(found: re.Match[str]) -> Pattern:
    flags = re.IGNORECASE if "i" in found[2] else re.NOFLAG
    try:
        return Pattern(re.compile(found[1].replace(r"\/", "/"), flags))
    except re.error as error:
        raise MalformedError(f"`{found[0]}` is not a regular expression: {error}") from None


def _quoted(found: re.Match[str]) -> Constant:
    return Constant(_ESCAPE.sub(r"\1", found[1] if found[1] is not None else found[2]))


def _number(found: re.Match[str]) -> Constant:
    digits = found.group()
    return Constant(float(digits) if set(digits) & set(".eE") else int(digits))


_LITERALS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Constant | Pattern]], ...] = (
    (_QUOTED, _quoted),
    (_WORD, lambda found: Constant(_WORDS[found[1]])),
    (_NUMBER, _number),
    (_REGEX, _regex),
    (_BARE, lambda found: Constant(found.group())),
)
