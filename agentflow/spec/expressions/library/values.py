"""Functions on any value: length, kind, conversions."""

from __future__ import annotations

import re

from agentflow.errors import Fault, Json
from agentflow.spec.expressions.encoding import text_of
from agentflow.spec.expressions.library.function import (
    Example,
    Function,
    Parameter,
    family,
    invalid,
)
from agentflow.spec.expressions.operators import number
from agentflow.spec.expressions.types import (
    ANY,
    INTEGER,
    LIST,
    NULL,
    NUMBER,
    OBJECT,
    STRING,
    Type,
    describe,
    kind_of,
    members,
    union,
)

_INTEGER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_LONGEST_NUMBER = 400


def _int(value: Json) -> int:
    if type(value) is str and (len(value) > _LONGEST_NUMBER or not _INTEGER.fullmatch(value)):
        raise invalid(f"an integer is digits, perhaps after a sign; got {describe(value)}")
    return int(number(int(value)))


def _float(value: Json) -> float:
    if type(value) is str and (len(value) > _LONGEST_NUMBER or not _NUMBER.fullmatch(value)):
        raise invalid(f"a number is written as in JSON; got {describe(value)}")
    try:
        return number(float(value))
    except OverflowError:
        raise Fault("NumberOutOfRange", "the result is too large for a number") from None


def _coalesce(*values: Json) -> Json:
    return next((value for value in values if value is not None), None)


def _coalesced(types: list[Type]) -> Type:
    """All that may come out: null only when the last may be null."""
    *first, last = types
    kinds = [kind for before in first for kind in members(before) if kind != NULL]
    return union([*kinds, last])


_define = family("Any value")

VALUES: tuple[Function, ...] = (
    _define(
        "len",
        (Parameter("x", union((STRING, LIST, OBJECT))),),
        INTEGER,
        len,
        "How many characters, items or keys.",
        Example('len("héllo")', "5"),
        cost="constant",
    ),
    _define(
        "type",
        (Parameter("x", ANY),),
        STRING,
        kind_of,
        "`null`, `boolean`, `number`, `string`, `list` or `object`.",
        Example("type([1, 2])", '"list"'),
        cost="constant",
    ),
    _define(
        "str",
        (Parameter("x", ANY),),
        STRING,
        text_of,
        "A string as it is, anything else as compact JSON; whole numbers without `.0`.",
        Example("str([1.0, true, null])", '"[1,true,null]"'),
        cost="parts",
    ),
    _define(
        "int",
        (Parameter("x", union((NUMBER, STRING))),),
        INTEGER,
        _int,
        "A number cut to an integer, towards zero; or the integer a string spells.",
        Example('[int(-2.7), int("42")]', "[-2,42]"),
        "`InvalidInput` for other text, `NumberOutOfRange` beyond ±(2^53-1)",
    ),
    _define(
        "float",
        (Parameter("x", union((NUMBER, STRING))),),
        NUMBER,
        _float,
        "The number itself, or the number a string spells.",
        Example('float("2.5e3")', "2500"),
        "`InvalidInput` for other text, `NumberOutOfRange` if too large",
    ),
    _define(
        "coalesce",
        (Parameter("x", ANY, variadic=True),),
        ANY,
        _coalesce,
        "The first argument that is not null; null if there is none.",
        Example('coalesce(null, "a", "b")', '"a"'),
        infer=_coalesced,
        cost="constant",
    ),
)
