"""The reference of the library as Markdown: `docs/reference/functions.md` is exactly this."""

from __future__ import annotations

from itertools import groupby

from agentflow.spec.expressions import limits
from agentflow.spec.expressions.library import LIBRARY, Function

_INTRODUCTION = f"""\
# Functions and methods

What expressions can call, between `${{` and `}}`.
Arguments are given by position; those in brackets may be left out.
Nothing changes a value: every function gives a new one.

An argument of another type than the signature says raises `TypeMismatch`.
A boolean is not a number, and an integer is a number like `2`, not `2.0`.
A string is a row of Unicode code points.
Times are RFC 3339 text, durations are seconds.

One evaluation takes at most {limits.MAX_STEPS:,} steps.
A round of a comprehension is a step, a call is a step, and so are four items that a call works on.
A string that an expression builds has at most {limits.MAX_TEXT:,} characters.
A list has at most {limits.MAX_ITEMS:,} items, a value at most {limits.MAX_DEPTH} levels.
Beyond, `LimitExceeded` is raised.

This page is generated from the library's own table, and its examples are tests.
"""

_HEADER = """\
| | gives | meaning | raises | example |
|---|---|---|---|---|
"""


def reference_markdown() -> str:
    """Every function and method: signature, result type, meaning, faults, an example."""
    sections = [_INTRODUCTION]
    for family, entries in groupby(LIBRARY, key=lambda entry: entry.family):
        rows = "".join(map(_row, entries))
        sections.append(f"\n## {family}\n\n{_HEADER}{rows}")
    return "".join(sections)


def _row(entry: Function) -> str:
    example = f"{_code(entry.example.source)} → {_code(entry.example.result)}"
    kinds = ", ".join(f"{each.name}: {each.type}" for each in entry.parameters)
    signature = _code(entry.signature) + (f" <br> {_escape(kinds)}" if kinds else "")
    cells = (signature, _code(str(entry.result)), entry.doc, entry.errors, example)
    return f"| {' | '.join(cells)} |\n"


def _code(text: str) -> str:
    return f"`{_escape(text)}`"


def _escape(text: str) -> str:
    """A bar ends a table's cell, in code too."""
    return text.replace("|", r"\|")
