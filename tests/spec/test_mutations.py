"""Slips in right specs: whatever is misspelt, the message points at it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentflow.errors import Diagnostic, Span, SpecError
from agentflow.spec import loads, render
from agentflow.spec.expressions import walk_names
from agentflow.spec.expressions.template import Expression, Interpolation
from agentflow.spec.read import read
from agentflow.spec.source import Mapping, Node, Scalar, Sequence

SPECS = sorted((Path(__file__).parents[2] / "specs").glob("*.yaml"))
CHILDREN = {path.name: path.read_text() for path in SPECS}
BLOCKS = ("do", "else", "finally")


def mistakes(text: str) -> list[Diagnostic]:
    with pytest.raises(SpecError) as caught:
        loads(text, path="flow.yaml", children=CHILDREN)
    return caught.value.diagnostics


@cache
def keys(path: Path) -> list[Span]:
    """Where the fields of steps stand."""
    return list(_keys(read(path.read_text(), "flow.yaml", [])))


def _keys(node: Node) -> Iterator[Span]:
    if isinstance(node, Scalar):
        return
    if isinstance(node, Sequence):
        for item in node.items:
            yield from _keys(item)
        return
    for name, entry in node.entries.items():
        if name in BLOCKS and isinstance(entry.value, Sequence):
            for step in entry.value.items:
                assert isinstance(step, Mapping)
                yield from (each.key.span for each in step.entries.values())
        yield from _keys(entry.value)


@cache
def names(path: Path) -> list[Span]:
    """Where expressions read names."""
    workflow = loads(path.read_text(), path="flow.yaml", children=CHILDREN).workflow
    lines = path.read_text().split("\n")
    return [
        span
        for name, span in dict.fromkeys(_names(workflow))
        if lines[span.line - 1][span.column - 1 : span.end_column - 1] == name
    ]


def _names(value: object) -> Iterator[tuple[str, Span]]:
    if isinstance(value, Expression | Interpolation):
        yield from walk_names(value)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _names(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _names(item)
    elif hasattr(value, "__dataclass_fields__"):
        for field in value.__dataclass_fields__:
            if field != "children":
                yield from _names(getattr(value, field))


def misspelt(text: str, span: Span, at: int) -> str:
    """The text with a letter too many in the word at `span`; no word of a spec has a `q`."""
    lines = text.split("\n")
    line = lines[span.line - 1]
    place = span.column - 1 + at % (span.end_column - span.column)
    lines[span.line - 1] = f"{line[:place]}q{line[place:]}"
    return "\n".join(lines)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_misspelt_field_is_reported_where_it_stands(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(SPECS))
    span = data.draw(st.sampled_from(keys(path)))
    text = misspelt(path.read_text(), span, data.draw(st.integers(0, 20)))

    found = mistakes(text)

    assert ("AF120", span.line, span.column) in [
        (d.code, d.span.line, d.span.column) for d in found
    ]
    assert len(found) <= 2, found


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_misspelt_name_is_reported_where_it_stands(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from([path for path in SPECS if names(path)]))
    span = data.draw(st.sampled_from(names(path)))
    text = misspelt(path.read_text(), span, data.draw(st.integers(0, 20)))

    found = [(d.code, d.span.line, d.span.column) for d in mistakes(text)]

    assert found == [("AF301", span.line, span.column)]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_spec_that_is_cut_off_or_garbled_never_ends_in_a_traceback(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(SPECS)).read_text()
    at = data.draw(st.integers(0, len(text)))
    garbage = data.draw(st.text(alphabet="{}[]:,-&*!|>'\"%@`#\t\n $ax0\0", max_size=6))
    cut = data.draw(st.sampled_from([0, 1, 5, len(text)]))
    for path in ("flow.yaml", "flow.json"):
        try:
            loads(text[:at] + garbage + text[at + cut :], path=path, children=CHILDREN)
        except SpecError as error:
            render(error.diagnostics, error.sources)
