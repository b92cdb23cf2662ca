"""Methods on strings. A string is a row of Unicode code points.

Blanks are space, tab, line feed, carriage return, vertical tab and form feed: a set that every
engine can name, unlike Unicode's.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from agentflow.spec.expressions.library.function import (
    Example,
    Function,
    Parameter,
    family,
    invalid,
)
from agentflow.spec.expressions.limits import check_text
from agentflow.spec.expressions.types import BOOLEAN, INTEGER, STRING, ListOf

_BLANKS = " \t\n\r\v\f"
_LINE_END = re.compile(r"\r\n|\n|\r")


def _split(text: str, separator: str | None = None) -> list[str]:
    if separator is None:
        return [word for word in re.split(f"[{_BLANKS}]+", text) if word]
    return text.split(_not_empty("separator", separator))


def _splitlines(text: str) -> list[str]:
    lines = _LINE_END.split(text)
    return lines if lines[-1] else lines[:-1]


def _join(separator: str, texts: list[str]) -> str:
    check_text(sum(map(len, texts)) + len(separator) * max(len(texts) - 1, 0))
    return separator.join(texts)


def _replace(text: str, old: str, new: str) -> str:
    found = text.count(_not_empty("old", old))
    check_text(len(text) + found * (len(new) - len(old)))
    return text.replace(old, new)


def _count(text: str, part: str) -> int:
    return text.count(_not_empty("part", part))


def _not_empty(name: str, text: str) -> str:
    if not text:
        raise invalid(f"`{name}` is an empty string")
    return text


def _pad(pad: Callable[[str, int, str], str]) -> Callable[..., str]:
    def apply(text: str, width: int, fill: str = " ") -> str:
        if len(fill) != 1:
            raise invalid(f"`fill` is one character, got {len(fill)}")
        check_text(width)
        return pad(text, width, fill)

    return apply


def _zfill(text: str, width: int) -> str:
    check_text(width)
    return text.zfill(width)


_method = family("String methods", STRING)
_PART = Parameter("part", STRING)
_WIDTH = (Parameter("width", INTEGER), Parameter("fill", STRING, optional=True))
_PAD_ERRORS = "`InvalidInput` for a fill that is not one character"

STRINGS: tuple[Function, ...] = (
    _method(
        "upper",
        (),
        STRING,
        str.upper,
        "In upper case.",
        Example('"héllo".upper()', '"HÉLLO"'),
    ),
    _method(
        "lower",
        (),
        STRING,
        str.lower,
        "In lower case.",
        Example('"HÉLLO".lower()', '"héllo"'),
    ),
    _method(
        "strip",
        (),
        STRING,
        lambda text: text.strip(_BLANKS),
        "Without blanks at both ends.",
        Example('"  a b ".strip()', '"a b"'),
    ),
    _method(
        "lstrip",
        (),
        STRING,
        lambda text: text.lstrip(_BLANKS),
        "Without blanks at the start.",
        Example('"  a ".lstrip()', '"a "'),
    ),
    _method(
        "rstrip",
        (),
        STRING,
        lambda text: text.rstrip(_BLANKS),
        "Without blanks at the end.",
        Example('"  a ".rstrip()', '"  a"'),
    ),
    _method(
        "removeprefix",
        (Parameter("prefix", STRING),),
        STRING,
        str.removeprefix,
        "Without the prefix, if it begins with it.",
        Example('"s3://bucket".removeprefix("s3://")', '"bucket"'),
    ),
    _method(
        "removesuffix",
        (Parameter("suffix", STRING),),
        STRING,
        str.removesuffix,
        "Without the suffix, if it ends with it.",
        Example('"report.txt".removesuffix(".txt")', '"report"'),
    ),
    _method(
        "split",
        (Parameter("separator", STRING, optional=True),),
        ListOf(STRING),
        _split,
        "The parts between separators; without a separator, the words between blanks.",
        Example('["a,b,".split(","), " a  b ".split()]', '[["a","b",""],["a","b"]]'),
        "`InvalidInput` for an empty separator",
    ),
    _method(
        "splitlines",
        (),
        ListOf(STRING),
        _splitlines,
        "The lines, without their ends (`\\n`, `\\r\\n` or `\\r`).",
        Example(r'"a\nb\n".splitlines()', '["a","b"]'),
    ),
    _method(
        "join",
        (Parameter("texts", ListOf(STRING)),),
        STRING,
        _join,
        "The texts in a row with this string between them.",
        Example('", ".join(["a", "b"])', '"a, b"'),
    ),
    _method(
        "replace",
        (Parameter("old", STRING), Parameter("new", STRING)),
        STRING,
        _replace,
        "With every `old` replaced by `new`.",
        Example('"a-b-c".replace("-", "/")', '"a/b/c"'),
        "`InvalidInput` for an empty `old`",
    ),
    _method(
        "startswith",
        (Parameter("prefix", STRING),),
        BOOLEAN,
        lambda text, prefix: text.startswith(prefix),
        "Whether it begins with the prefix.",
        Example('"abc".startswith("ab")', "true"),
        cost="constant",
    ),
    _method(
        "endswith",
        (Parameter("suffix", STRING),),
        BOOLEAN,
        lambda text, suffix: text.endswith(suffix),
        "Whether it ends with the suffix.",
        Example('"abc".endswith("bc")', "true"),
        cost="constant",
    ),
    _method(
        "find",
        (_PART,),
        INTEGER,
        lambda text, part: text.find(part),
        "Where the part is first; -1 if nowhere.",
        Example('["abc".find("c"), "abc".find("x")]', "[2,-1]"),
    ),
    _method(
        "count",
        (_PART,),
        INTEGER,
        _count,
        "How often the part is there, without overlaps.",
        Example('"banana".count("ana")', "1"),
        "`InvalidInput` for an empty part",
    ),
    _method(
        "ljust",
        _WIDTH,
        STRING,
        _pad(str.ljust),
        "Filled at the end to a width, with blanks or `fill`.",
        Example('"ab".ljust(4, ".")', '"ab.."'),
        _PAD_ERRORS,
    ),
    _method(
        "rjust",
        _WIDTH,
        STRING,
        _pad(str.rjust),
        "Filled at the start to a width, with blanks or `fill`.",
        Example('"ab".rjust(4)', '"  ab"'),
        _PAD_ERRORS,
    ),
    _method(
        "zfill",
        (Parameter("width", INTEGER),),
        STRING,
        _zfill,
        "Filled with zeros to a width, after a sign if there is one.",
        Example('["7".zfill(3), "-7".zfill(3)]', '["007","-07"]'),
    ),
)
