"""Read and decide the filters of JSONPath: `[?(@.price < 10 && @.kind == 'book')]`.

`&&` binds more closely than `||`, and parentheses mean nothing. What is neither a path nor a
pattern is a text, with or without quotes: `10` and `true` are texts too, and are compared with a
number or boolean as such.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final, TypeAlias

from agentflow.adapters.aws.asl.errors import MalformedError
from agentflow.adapters.aws.asl.values import Absent, kind, text
from agentflow.errors import Json

if TYPE_CHECKING:
    from agentflow.adapters.aws.asl.jsonpath.syntax import Path

_OPERATORS: Final = ("==", ">=", "<=", "!=", "<", ">", "=~")
"""In the order in which they are looked for."""
_PATTERN = re.compile(r"/(.*)/(i?)", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Pattern:
    """`/text/i`."""

    regex: re.Pattern[str]


Operand: TypeAlias = "str | Pattern | Path"


@dataclass(frozen=True, slots=True)
class Compare:
    """`left operator right`."""

    left: Operand
    operator: str
    right: Operand


@dataclass(frozen=True, slots=True)
class Exists:
    """A path alone, or after `!`: does it lead to a value that is not null?

    It starts from the item even if it begins with `$`.
    """

    path: Path
    wanted: bool


Predicate: TypeAlias = "tuple[tuple[Compare | Exists, ...], ...]"
"""Holds if all tests of any part hold."""
Look: TypeAlias = "Callable[[Path], Json | Absent]"
"""How the value of a path in a filter is found."""
ReadPath: TypeAlias = "Callable[[str], Path]"


class UncomparableError(Exception):
    """A number is compared with a text that is none; the service gives up then."""


def read_filter(text: str, at: int, path: ReadPath) -> tuple[Predicate, int]:
    """The filter whose parenthesis begins at an offset, and where that ends.

    Raises:
        MalformedError: it is no filter.
    """
    end = _end(text, at)
    inner = text[at:end].strip()
    if not inner.startswith("("):
        raise MalformedError("`(` is missing in a filter", at)
    return tuple(
        tuple(_test(test, at, path) for test in _parts(part, "&&"))
        for part in _parts(inner[1:-1], "||")
    ), end


def _end(text: str, at: int) -> int:
    """Where the parentheses that are open at an offset are closed."""
    depth, quoted = 0, False
    for place in range(at, len(text)):
        match text[place]:
            case "'" if text[place - 1] != "\\":
                quoted = not quoted
            case "(" if not quoted:
                depth += 1
            case ")" if not quoted:
                depth -= 1
                if depth == 0:
                    return place + 1
    raise MalformedError("`)` is missing in a filter", len(text))


def _parts(text: str, separator: str) -> Iterator[str]:
    """The parts of a text between separators that do not stand in quotes."""
    pieces = re.split(rf"('(?:[^'\\]|\\.)*'|{re.escape(separator)})", text)
    part = ""
    for piece in pieces:
        if piece == separator:
            yield part
            part = ""
        else:
            part += piece
    yield part


def _test(text: str, at: int, path: ReadPath) -> Compare | Exists:
    test = text.strip().lstrip("( ").rstrip(") ")
    if not test:
        raise MalformedError("a filter compares paths and literals", at)
    operator = next((mark for mark in _OPERATORS if mark in test), None)
    if operator is None:
        if not test.startswith(("@", "$", "!@")):
            raise MalformedError("a filter compares paths and literals", at)
        return Exists(path(test.removeprefix("!")), wanted=not test.startswith("!"))
    left, _, right = test.partition(operator)
    compare = Compare(_operand(left.strip(), path), operator, _operand(right.strip(), path))
    if operator == "=~" and not any(
        isinstance(side, Pattern) for side in (compare.left, compare.right)
    ):
        raise MalformedError("`=~` compares with a pattern like `/text/i`", at)
    return compare


def _operand(text: str, path: ReadPath) -> Operand:
    if text.startswith(("@", "$")):
        return path(text)
    if len(text) > 1 and text.startswith("'") and text.endswith("'"):
        return text[1:-1]
    found = _PATTERN.fullmatch(text)
    if found is None:
        return text
    try:
        return Pattern(re.compile(found[1], re.IGNORECASE if found[2] else re.NOFLAG))
    except re.error as error:
        raise MalformedError(f"`{text}` is not a regular expression: {error}") from None


def holds(predicate: Predicate, look: Look) -> bool:
    """Whether a filter keeps an item; `look` finds the values of its paths.

    The service begins with the last test, which shows where a test cannot be made.

    Raises:
        UncomparableError: a number would have to be compared with another text.
    """
    return any(all(_holds(test, look) for test in reversed(tests)) for tests in reversed(predicate))


def _holds(test: Compare | Exists, look: Look) -> bool:
    if isinstance(test, Exists):
        found = look(replace(test.path, root="@"))
        return (found is not None and not isinstance(found, Absent)) is test.wanted
    left, right = _value(test.left, look), _value(test.right, look)
    if isinstance(left, Absent) or isinstance(right, Absent):
        return False
    if test.operator == "=~":
        return _matches(left, right)
    if test.operator not in ("==", "!=") and (left is None) != (right is None):
        return False
    order = _order(left, right)
    return order is not None and _TESTS[test.operator](order)


def _value(operand: Operand, look: Look) -> Json | Absent | Pattern:
    return operand if isinstance(operand, str | Pattern) else look(operand)


_TESTS: Final[dict[str, Callable[[int], bool]]] = {
    "==": lambda order: order == 0,
    "!=": lambda order: order != 0,
    "<": lambda order: order < 0,
    "<=": lambda order: order <= 0,
    ">": lambda order: order > 0,
    ">=": lambda order: order >= 0,
}


def _order(left: Json, right: Json) -> int | None:
    """Below 0 if the left value is less, 0 if they are equal; None if they are incomparable."""
    nulls = [value is None or value == "null" for value in (left, right)]
    if left is right or any(nulls):
        return nulls[1] - nulls[0]
    match kind(left), kind(right):
        case "string", "string":
            written = str(right).replace("\\'", "'")
            return _sign(_units(str(left)), _units(written))
        case ("number", "number") | ("boolean", "boolean"):
            return _sign(left, right)
        case "number", "string":
            if not _NUMBER.fullmatch(right):
                raise UncomparableError(f"`{right}` is no number")
            return _sign(Decimal(str(left)), Decimal(right))
        case "boolean", "string":
            return _sign(left, str(right).lower() == "true")
    return None


def _sign(left: Json, right: Json) -> int:
    return int(left > right) - int(left < right)


def _units(value: str) -> bytes:
    """What Java orders texts by."""
    return value.encode("utf-16-be", errors="surrogatepass")


def _matches(left: Json | Pattern, right: Json | Pattern) -> bool:
    pattern, value = (left, right) if isinstance(left, Pattern) else (right, left)
    if not isinstance(pattern, Pattern) or value is None or isinstance(value, Pattern):
        return False
    return bool(pattern.regex.fullmatch(value if isinstance(value, str) else text(value)))
