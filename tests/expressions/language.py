"""The language through its public doors, for tests: text in, value or error out."""

from __future__ import annotations

import pytest

from agentflow.errors import Diagnostic, Fault, Json, Span
from agentflow.spec.expressions import (
    Expression,
    Scope,
    Template,
    compile_expression,
    compile_template,
    parse_expression,
    parse_string,
)


class Clock:
    """Recorded time and chance, always the same."""

    def now(self) -> str:
        return "2026-01-31T12:00:00.000Z"

    def uuid(self) -> str:
        return "2ed6657d-e927-568b-95e1-2665a8aea6a2"


def place(start: int, end: int) -> Span:
    """Offsets as the columns of one line, counted from 1."""
    return Span("test.yaml", 1, start + 1, 1, end + 1)


def read(source: str) -> Expression:
    diagnostics: list[Diagnostic] = []
    expression = parse_expression(source, place, diagnostics)
    assert expression is not None, diagnostics
    return expression


def template(text: str) -> Template:
    diagnostics: list[Diagnostic] = []
    result = parse_string(text, place, diagnostics)
    assert not diagnostics, diagnostics
    return result


def scope(names: dict[str, Json]) -> Scope:
    return Scope(names, recorded=Clock())


def evaluate(source: str, **names: Json) -> Json:
    return compile_expression(read(source))(scope(names))


def fill(value: Template, **names: Json) -> Json:
    return compile_template(value)(scope(names))


def fault(source: str, **names: Json) -> Fault:
    with pytest.raises(Fault) as caught:
        evaluate(source, **names)
    return caught.value


def mistake(source: str) -> Diagnostic:
    """The one diagnostic of a source that is refused."""
    diagnostics: list[Diagnostic] = []
    assert parse_expression(source, place, diagnostics) is None
    assert len(diagnostics) == 1
    return diagnostics[0]


def marked(source: str, diagnostic: Diagnostic) -> str:
    """The part of a one-line source that a diagnostic points at."""
    return source[diagnostic.span.column - 1 : diagnostic.span.end_column - 1]
