"""How each function of the expression library is written in JSONata, or why it is not.

One row a function. A text is JSONata with the arguments' places `{0}`, `{1}`, …; a method's
receiver is `{0}`, and `{*}` stands for all of them. Arguments are checked before, as far as their
types are not known. A `Helper` goes through the helper function of the bundle, which evaluates the
whole expression with our own evaluator; its reason stands in the compile report.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from agentflow.spec.expressions import Function
from agentflow.spec.expressions.types import BOOLEAN, INTEGER, NUMBER, STRING, ListOf, Type


@dataclass(frozen=True, slots=True)
class Helper:
    """JSONata cannot compute it faithfully."""

    reason: str


@dataclass(frozen=True, slots=True)
class Native:
    """The JSONata of a call, by how many arguments there are; `-1` stands for any other number."""

    texts: tuple[tuple[int, str], ...]

    def text(self, arguments: int) -> str:
        """What to write for so many arguments, the receiver included."""
        texts = dict(self.texts)
        return texts.get(arguments, texts[-1] if -1 in texts else self.texts[0][1])


Writing: TypeAlias = Native | Helper


def _native(text: str, **others: str) -> Native:
    """One writing, and others for other numbers of arguments: `with_1`, `with_2`."""
    numbered = tuple((int(key.removeprefix("with_")), each) for key, each in others.items())
    return Native((*numbered, (-1, text)))


_DIGITS = Helper("JSONata rounds the decimal text of a number, not the number itself")
_POWERS = Helper("engines differ in the last digit of powers, and in what overflows")
TEXT = Helper("Step Functions writes numbers with at most 15 digits and leaves control characters")
_PARSING = Helper("$parse accepts text that is not JSON, and rounds numbers")
_CALENDAR = Helper("$toMillis knows no microseconds and does not refuse dates that do not exist")

LIBRARY: MappingProxyType[str, Writing] = MappingProxyType(
    {
        # any value
        "len": _native("$size({0})"),
        "type": _native("$kind({0})"),
        "str": TEXT,
        "int": _native("$integer({0})"),
        "float": Helper("$number reads text that is no JSON number, and does not refuse 1e999"),
        "coalesce": _native("$or_else({0}, {1})", with_1="{0}"),
        # numbers
        "abs": _native("$abs({0})"),
        "min": _native("$extreme({0}, false)"),
        "max": _native("$extreme({0}, true)"),
        "sum": _native("$total({0})"),
        "round": Native(((1, "$exact($round({0}))"),)),
        "floor": _native("$exact($floor({0}))"),
        "ceil": _native("$exact($ceil({0}))"),
        "pow": _POWERS,
        "sqrt": _native("$root({0})"),
        "fixed": _DIGITS,
        # strings
        "string.upper": _native("$uppercase({0})"),
        "string.lower": _native("$lowercase({0})"),
        "string.strip": _native(
            r"$replace({0}, /^[ \t\n\r\x0B\f]+|[ \t\n\r\x0B\f]+$/, '')",
        ),
        "string.lstrip": _native(r"$replace({0}, /^[ \t\n\r\x0B\f]+/, '')"),
        "string.rstrip": _native(r"$replace({0}, /[ \t\n\r\x0B\f]+$/, '')"),
        "string.removeprefix": _native("$without_prefix({0}, {1})"),
        "string.removesuffix": _native("$without_suffix({0}, {1})"),
        "string.split": _native("$split({0}, $known({1}, 'separator'))", with_1="$words({0})"),
        "string.splitlines": _native("$lines({0})"),
        "string.join": _native("$join({1}, {0})"),
        "string.replace": _native("$join($split({0}, $known({1}, 'old')), {2})"),
        "string.startswith": _native("$starts({0}, {1})"),
        "string.endswith": _native("$ends({0}, {1})"),
        "string.find": _native("$found({0}, {1})"),
        "string.count": _native("$occurrences({0}, {1})"),
        "string.ljust": _native(
            "$padded({0}, {1}, {2}, false)", with_2="$padded({0}, {1}, ' ', false)"
        ),
        "string.rjust": _native(
            "$padded({0}, {1}, {2}, true)", with_2="$padded({0}, {1}, ' ', true)"
        ),
        "string.zfill": _native("$zeros({0}, {1})"),
        # lists
        "range": _native(
            "$progression({0}, {1}, {2})",
            with_1="$progression(0, {0}, 1)",
            with_2="$progression({0}, {1}, 1)",
        ),
        "sorted": _native("$ordered({0})"),
        "sorted_by": _native("$ordered_by({0}, {1})"),
        "group_by": _native("$grouped({0}, {1})"),
        "reversed": _native("$reverse({0})"),
        "unique": _native("$unique({0})"),
        "flatten": _native("$joined({0})"),
        "chunked": _native("$chunks({0}, {1})"),
        "zip": _native("$zip({*})"),
        "enumerate": _native("$numbered({0}, {1})", with_1="$numbered({0}, 0)"),
        "any": _native("$some({0})"),
        "all": _native("$every({0})"),
        "intersection": _native("$shared({0}, {1}, true)"),
        "difference": _native("$shared({0}, {1}, false)"),
        "list.index": _native("$position({0}, {1})"),
        "list.count": _native("$occurrences({0}, {1})"),
        # objects
        "merge": _native("$merge({0})"),
        "pick": _native("$picked({0}, {1})"),
        "omit": _native("$omitted({0}, {1})"),
        "object.get": _native("$got({0}, {1}, {2})", with_2="$got({0}, {1}, null)"),
        "object.keys": _native("$append([], $keys({0}))"),
        "object.values": _native("$contents({0})"),
        "object.items": _native("$entries({0})"),
        # time and identity
        "now": _native("$now()"),
        "uuid": _native("$uuid()"),
        "parse_time": _CALENDAR,
        "format_time": _CALENDAR,
        "add_seconds": _CALENDAR,
        "seconds_between": _CALENDAR,
        "duration": Helper("adding decimal fractions needs decimal arithmetic"),
        # JSON and encodings
        "json_encode": TEXT,
        "json_decode": _PARSING,
        "base64_encode": Helper("$base64encode is not defined beyond Latin-1"),
        "base64_decode": Helper("$base64decode accepts text without its padding"),
        "url_encode": _native("$escaped({0})"),
        "url_decode": Helper("$decodeUrlComponent takes + for a blank"),
        "sha256": _native("$hash({0}, 'SHA-256')"),
    }
)
"""Writings by name; a method's begins with the type it is called on."""

TYPED: MappingProxyType[str, tuple[Type, str]] = MappingProxyType(
    {
        "int": (NUMBER, "$truncate({0})"),
        "min": (ListOf(NUMBER), "$min($filled({0}))"),
        "max": (ListOf(NUMBER), "$max($filled({0}))"),
        "sum": (ListOf(INTEGER), "$whole_total({0})"),
        "sorted": (ListOf(NUMBER), "$sort({0})"),
        "unique": (ListOf(STRING), "$append([], $distinct({0}))"),
        "any": (ListOf(BOOLEAN), "(true in {0})"),
        "all": (ListOf(BOOLEAN), "((false in {0}) = false)"),
    }
)
"""Shorter writings of functions whose only argument is sure to have a type."""

_ONE_LIST = frozenset({"merge"})
_SEVERAL = frozenset({"min", "max"})
"""Functions that take any number of arguments, written as one list: always, or from two on."""


def key(function: Function) -> str:
    """The row of a function."""
    return function.name if function.receiver is None else f"{function.receiver}.{function.name}"


def gathers(function: Function, arguments: int) -> bool:
    """Whether so many arguments of a function are written as one list."""
    return function.name in _ONE_LIST or (function.name in _SEVERAL and arguments > 1)
