"""Show mistakes the way a person reads them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from agentflow.errors import Diagnostic, Json
from agentflow.functions.suggestions import closest

_WIDTH = 120
"""Columns of an excerpt; a longer line is shown around its mistake."""
_TAB = "    "

_RED, _BLUE, _CYAN, _BOLD, _OFF = "\x1b[1;31m", "\x1b[1;34m", "\x1b[36m", "\x1b[1m", "\x1b[0m"


def render(
    diagnostics: Sequence[Diagnostic], sources: Mapping[str, str], *, color: bool = False
) -> str:
    """The diagnostics with excerpts from `sources` (text by file), one block each.

    ```
    error[AF301]: `docc` is not defined
      --> specs/wordcount.yaml:9:17
       |
     8 |     call: functions.text.count_words
     9 |     with: {text: "${ docc }"}
       |                      ^^^^ no such name
       |
       = help: did you mean `doc`?
    ```
    """
    # Of an empty file, or one that cannot be read, there is nothing to show.
    lines = {file: _lines(text) for file, text in sources.items() if text.strip()}
    return "\n\n".join(
        _block(item, lines.get(item.span.file, ()), color=color) for item in diagnostics
    )


def concise(diagnostic: Diagnostic) -> str:
    """A diagnostic on one line, as editors and scripts read it."""
    note = f" ({diagnostic.help})" if diagnostic.help else ""
    return f"{diagnostic.span}: {diagnostic.code} {diagnostic.message}{note}"


def as_json(diagnostics: Iterable[Diagnostic]) -> list[dict[str, Json]]:
    """The diagnostics as plain data: code, message, file, line, column, help."""
    return [
        {
            "code": item.code,
            "message": item.message,
            "file": item.span.file,
            "line": item.span.line,
            "column": item.span.column,
            "help": item.help,
        }
        for item in diagnostics
    ]


def in_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """The diagnostics file by file, in the order of each file, each once."""
    unique = list(dict.fromkeys(diagnostics))
    files = {file: n for n, file in enumerate(dict.fromkeys(item.span.file for item in unique))}
    return sorted(
        unique, key=lambda item: (files[item.span.file], item.span.line, item.span.column)
    )


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """The help text of a misspelt word; empty if nothing is near."""
    found = closest(word, candidates)
    return f"did you mean `{found}`?" if found else ""


def _lines(text: str) -> list[str]:
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _block(item: Diagnostic, lines: Sequence[str], *, color: bool) -> str:
    def paint(style: str, text: str) -> str:
        return f"{style}{text}{_OFF}" if color else text

    span = item.span
    width = len(str(span.line))
    gutter = paint(_BLUE, " " * width + " |")
    out = [
        paint(_RED, f"error[{item.code}]") + paint(_BOLD, f": {_printable(item.message)}"),
        " " * width + paint(_BLUE, "--> ") + str(span),
    ]
    if 0 < span.line <= len(lines):
        out.append(gutter)
        if span.line > 1 and lines[span.line - 2].strip():
            before = _clip(_printable(lines[span.line - 2]), 0)[0]
            out.append(paint(_BLUE, f"{span.line - 1:>{width}} | ") + before)
        excerpt, padding, carets = _excerpt(item, lines[span.line - 1])
        out.append(paint(_BLUE, f"{span.line:>{width}} | ") + excerpt)
        marks = f"{carets} {_printable(item.label)}".rstrip()
        out.append(f"{gutter} {padding}{paint(_RED, marks)}")
    if item.help:
        out.append(gutter)
        out.append(
            " " * width + paint(_BLUE, " = ") + paint(_CYAN, "help: ") + _printable(item.help)
        )
    return "\n".join(out)


def _excerpt(item: Diagnostic, line: str) -> tuple[str, str, str]:
    """The line as shown, the blanks before the carets, and the carets."""
    span = item.span
    start = min(span.column - 1, len(line))
    end = span.end_column - 1 if span.end_line == span.line else len(line.rstrip())
    before, marked = _printable(line[:start]), _printable(line[start:end])
    shown, cut = _clip(_printable(line), len(before))
    before = shown[: max(len(before) - cut, 0)]
    marked = marked[: max(len(shown) - len(before), 1)]
    return shown, " " * _columns(before), "^" * max(_columns(marked), 1)


def _clip(text: str, at: int) -> tuple[str, int]:
    """A window of a long line around `at`, and how far what follows has moved to the left."""
    if len(text) <= _WIDTH:
        return text, 0
    first = max(0, min(at - _WIDTH // 2, len(text) - _WIDTH))
    window = text[first : first + _WIDTH]
    if first + _WIDTH < len(text):
        window += "…"
    return ("…" + window, first - 1) if first else (window, 0)


def _printable(text: str) -> str:
    """Text that cannot move the cursor: tabs become blanks, control characters a mark."""
    text = text.replace("\t", _TAB)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or unicodedata.combining(c) else "�" for c in text)


def _columns(text: str) -> int:
    """How many columns a terminal gives a text: wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(_char_columns(char) for char in text)


def _char_columns(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1
