"""Where each character of a scalar's value stands in the text it was written in.

Exact for plain scalars, quoted ones (escapes included) and literal blocks. Folded blocks are
aligned word by word, which is exact except for the place of the folded blanks themselves.
"""

from __future__ import annotations

import re

_ANCHOR = re.compile(r"&\S+\s+")
_ESCAPE = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|\r\n|.)", re.DOTALL)
_HIGH_SURROGATE = re.compile(r"\\u[dD][89abAB]")
_BLANKS = re.compile(r"[ \t]+")
_BLANK = frozenset(" \t\r\n")
_BREAK = frozenset("\r\n")


def offsets(raw: str, value: str, style: str) -> list[int]:
    """The offset in `raw` of each character of `value`, and one more for its end."""
    anchor = _ANCHOR.match(raw)
    begin = anchor.end() if anchor else 0
    if style in ("'", '"'):
        begin += 1
    end = len(raw) - (style in ("'", '"'))
    if style != "|" and raw[begin:end] == value:
        return list(range(begin, end + 1))
    if style == "|":
        return _literal(raw, value, begin)
    if style == ">":
        begin = raw.find("\n", begin) + 1
    return _aligned(raw, value, begin, end, style)


def _literal(raw: str, value: str, begin: int) -> list[int]:
    """Lines of a literal block: the same characters behind a common indentation."""
    places: list[int] = []
    lines = raw.splitlines(keepends=True)
    texts = value.split("\n")
    indent = _indent(lines[1:], texts)
    start = len(lines[0])
    for number, text in enumerate(texts):
        line = lines[number + 1] if number + 1 < len(lines) else ""
        first = start + min(indent, len(line.rstrip("\r\n")))
        places.extend(range(first, first + len(text)))
        if number < len(texts) - 1:
            places.append(first + len(text))
        start += len(line)
    places.append(places[-1] + 1 if places else begin)
    return places


def _indent(lines: list[str], texts: list[str]) -> int:
    """How far a block is indented: what its first line that is not blank has lost."""
    for line, text in zip(lines, texts, strict=False):
        if text.strip():
            return (len(line) - len(line.lstrip(" "))) - (len(text) - len(text.lstrip(" ")))
    return 0


def _aligned(raw: str, value: str, begin: int, end: int, style: str) -> list[int]:
    """Walk both texts side by side, skipping what folding and quoting put in between."""
    line_ends = {
        m.start(): m.end() for m in _BLANKS.finditer(raw) if raw[m.end() : m.end() + 1] in _BREAK
    }
    places: list[int] = []
    at = begin
    for char in value:
        at = _skip(raw, at, end, style, blank=char in _BLANK)
        if char in _BLANK:
            at = line_ends.get(at, at)
        places.append(min(at, end))
        at += _width(raw, at, char, style)
    places.append(min(at, end))
    return places


def _skip(raw: str, at: int, end: int, style: str, *, blank: bool) -> int:
    """The next place that can be the character: past breaks, indentation and joined lines."""
    while at < end:
        here = raw[at]
        if style == '"' and here == "\\" and raw[at + 1 : at + 2] in _BREAK:
            at += 2
        elif here in _BLANK and not blank:
            at += 1
        else:
            return at
    return at


def _width(raw: str, at: int, char: str, style: str) -> int:
    """How many characters of `raw` make this one character."""
    if style == '"' and (escape := _ESCAPE.match(raw, at)):
        pair = ord(char) > 0xFFFF and _HIGH_SURROGATE.match(raw, at)
        return 12 if pair else len(escape.group())
    if style == "'" and raw.startswith("''", at):
        return 2
    if raw.startswith("\r\n", at):
        return 2
    return 1
