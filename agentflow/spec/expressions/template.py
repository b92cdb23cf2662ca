"""Templates: JSON whose texts may hold `${…}`.

A text that is exactly one `${…}` is an `Expression` and gives its value with its type; a text with
`${…}` in it is an `Interpolation` and gives text. `$${` is a literal `${`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from agentflow.errors import Diagnostic, Span
from agentflow.spec.expressions import scan
from agentflow.spec.expressions.mistakes import Mistake, Place
from agentflow.spec.expressions.parse import parse
from agentflow.spec.expressions.tree import Tree, free_names


@dataclass(frozen=True, slots=True)
class Expression:
    """One `${…}`; equal to every other with the same source, wherever it stands."""

    source: str
    """The text between the braces, without blanks around it."""
    tree: Tree = field(compare=False, repr=False)
    span: Span = field(compare=False, repr=False)
    place: Place | None = field(default=None, compare=False, repr=False)
    """Where parts of `source` stand in the file; without it, everything stands at `span`."""

    def locate(self, tree: Tree) -> Span:
        """Where a part of the expression stands in the file."""
        return self.span if self.place is None else self.place(tree.start, tree.end)


@dataclass(frozen=True, slots=True)
class Interpolation:
    """A text with values put in: literal pieces and expressions in order."""

    parts: tuple[str | Expression, ...]
    span: Span = field(compare=False, repr=False)


Template: TypeAlias = Any
"""JSON in which any text may be an `Expression` or an `Interpolation` instead."""

_OPENING = re.compile(r"\$\$\{|\$\{")


@dataclass(frozen=True, slots=True)
class _Shifted:
    """The places of a text that begins `by` characters into another."""

    place: Place
    by: int

    def __call__(self, start: int, end: int) -> Span:
        return self.place(self.by + start, self.by + end)


def parse_expression(text: str, place: Place, diagnostics: list[Diagnostic]) -> Expression | None:
    """Read the inside of a `${…}`; `place` gives the span of characters of `text`.

    A mistake is added to `diagnostics`, and the result is `None`.
    """
    source = text.strip()
    shifted = _Shifted(place, len(text) - len(text.lstrip()))
    if not source:
        help_ = "write a value between the braces, or `$${` for the characters themselves"
        span = place(0, max(len(text), 1))
        diagnostics.append(Diagnostic("AF205", "an expression is missing", span, help=help_))
        return None
    try:
        tree = parse(source)
    except Mistake as mistake:
        diagnostics.append(mistake.diagnostic(shifted))
        return None
    return Expression(source, tree, shifted(0, len(source)), shifted)


def parse_string(text: str, place: Place, diagnostics: list[Diagnostic]) -> Template:
    """Read a text of a spec: an `Expression`, an `Interpolation`, or the plain text.

    Mistakes are added to `diagnostics`, and the result is then `None`.
    """
    if "${" not in text:
        return text
    known = len(diagnostics)
    pieces = [piece for piece in _split(text, place, diagnostics) if piece is not None]
    if len(diagnostics) > known:
        return None
    match pieces:
        case [Expression() as only]:
            return only
        case [str() as plain]:
            return plain
        case _:
            return Interpolation(tuple(pieces), place(0, len(text)))


def _split(
    text: str, place: Place, diagnostics: list[Diagnostic]
) -> Iterator[str | Expression | None]:
    literal = ""
    position = 0
    while opening := _OPENING.search(text, position):
        literal += text[position : opening.start()]
        position = opening.end()
        if opening.group() == "$${":
            literal += "${"
            continue
        if literal:
            yield literal
            literal = ""
        end = _closing_brace(text, opening.start(), place, diagnostics)
        if end is None:
            return
        inside = _Shifted(place, position)
        yield parse_expression(text[position:end], inside, diagnostics)
        position = end + 1
    literal += text[position:]
    if literal:
        yield literal


def _closing_brace(
    text: str, opening: int, place: Place, diagnostics: list[Diagnostic]
) -> int | None:
    try:
        end = scan.closing_brace(text, opening + 2)
    except Mistake as mistake:
        diagnostics.append(mistake.diagnostic(place))
        return None
    if end is None:
        help_ = "close it with `}`, or write `$${` for the characters themselves"
        span = place(opening, opening + 2)
        diagnostics.append(Diagnostic("AF205", "`${` is not closed", span, help=help_))
    return end


def parse_condition(text: str, place: Place, diagnostics: list[Diagnostic]) -> Expression | None:
    """Read the text of an `if`, `when`, `while` or `until`: exactly one `${…}`."""
    known = len(diagnostics)
    blanks = len(text) - len(text.lstrip())
    template = parse_string(text.strip(), _Shifted(place, blanks), diagnostics)
    if isinstance(template, Expression):
        return template
    if len(diagnostics) == known:
        if isinstance(template, str):
            help_ = f"write ${{ {template.strip()} }}" if template.strip() else "write ${ … }"
        else:
            help_ = "put the whole condition between one pair of braces: ${ a and b }"
        message = "a condition is exactly one `${…}`"
        span = place(0, max(len(text), 1))
        diagnostics.append(Diagnostic("AF206", message, span, help=help_))
    return None


def parts(template: Template) -> Iterator[Expression]:
    """The expressions of a template, in order."""
    match template:
        case Expression():
            yield template
        case Interpolation(pieces):
            yield from (piece for piece in pieces if isinstance(piece, Expression))
        case dict():
            for value in template.values():
                yield from parts(value)
        case list() | tuple():
            for item in template:
                yield from parts(item)
        case _:
            return


def walk_names(template: Template) -> Iterator[tuple[str, Span]]:
    """The names a template reads, each time it does, with their places."""
    for expression in parts(template):
        for name in free_names(expression.tree):
            yield name.name, expression.locate(name)
