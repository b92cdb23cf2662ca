"""Texts with `${…}`: what they become, where their mistakes are, which names they read."""

from __future__ import annotations

import pickle

import pytest

from agentflow.errors import Diagnostic
from agentflow.spec.expressions import (
    Expression,
    Interpolation,
    parse_condition,
    parse_string,
    parts,
    walk_names,
)
from tests.expressions.language import fill, marked, place, read, template


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("", ""),
        ("$ { } $1 {x}", "$ { } $1 {x}"),
        ("$${ a }", "${ a }"),
        ("a $${b} c", "a ${b} c"),
        ("${ a }", 1),
        ("${a}", 1),
        ("${\n  a +\n  1\n}", 2),
        ("x${ a }", "x1"),
        (" ${ a }", " 1"),
        ("${ a }${ a }", "11"),
        ("$${ ${ a }", "${ 1"),
        ("${ {'k': {'}': a}} }", {"k": {"}": 1}}),
        ("${ '}' + \"{\" }", "}{"),
        ("${ f'{a}}}' }!", "1}!"),
        ("${ [x for x in [a]] }", [1]),
        ("${ 'it\\'s }' }", "it's }"),
        ("${ s }", "é"),
        ("<${ s }>", "<é>"),
        ("<${ null } ${ true } ${ 2.0 } ${ [s, {'k': 0.5}] }>", '<null true 2 ["é",{"k":0.5}]>'),
    ],
)
def test_a_text_gives_a_value_or_text(text: str, value: object) -> None:
    result = fill(template(text), a=1, s="é")
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("text", "code", "at"),
    [
        ("x ${ a", "AF205", "${"),
        ("${}", "AF205", "}"),
        ("a ${  } b", "AF205", "  "),
        ("${ 'a }", "AF200", "'"),
        ("${ it's }", "AF200", "'"),
        ("x ${ a + }", "AF200", " "),
        ("x ${ (a } y", "AF200", "("),
        ("é ${ é.b ** 2 }", "AF201", "é.b ** 2"),
        ("${{ a }}", "AF201", "{ a }"),
    ],
)
def test_a_mistake_is_reported_at_its_place_in_the_text(text: str, code: str, at: str) -> None:
    diagnostics: list[Diagnostic] = []
    assert parse_string(text, place, diagnostics) is None
    assert [diagnostic.code for diagnostic in diagnostics] == [code]
    assert marked(text, diagnostics[0]) == at


def test_all_mistakes_of_a_text_are_reported_at_once() -> None:
    diagnostics: list[Diagnostic] = []
    parse_string("${ a ** 1 } and ${ lenn(b) }", place, diagnostics)
    assert [diagnostic.code for diagnostic in diagnostics] == ["AF201", "AF202"]


@pytest.mark.parametrize("text", ["${ a }", "  ${ a }\n", "${ a and b }"])
def test_a_condition_is_one_expression(text: str) -> None:
    assert isinstance(parse_condition(text, place, []), Expression)


@pytest.mark.parametrize(
    ("text", "help"),
    [
        ("a > 1", "write ${ a > 1 }"),
        ("${ a } and ${ b }", "one pair of braces"),
        ("", "${ … }"),
        ("true", "write ${ true }"),
    ],
)
def test_a_condition_without_its_braces_is_a_mistake(text: str, help: str) -> None:
    diagnostics: list[Diagnostic] = []
    assert parse_condition(text, place, diagnostics) is None
    assert [diagnostic.code for diagnostic in diagnostics] == ["AF206"]
    assert help in diagnostics[0].help


def test_names_are_those_an_expression_reads_from_outside() -> None:
    value = {
        "a": template("${ order.total + len(items) }"),
        "b": [template("x ${ [i + rate for i in items if i != skip] }"), "plain", 3],
        "c": template("${ {k: v for k, v in pairs.items()} }"),
        "d": template("${ [x for x in x] }"),
    }
    names = [name for name, _ in walk_names(value)]
    assert names == ["order", "items", "items", "skip", "rate", "pairs", "x"]


def test_names_have_their_places() -> None:
    text = "total: ${ order.total } of ${ len(items) }"
    spans = {
        name: marked(text, Diagnostic("", "", span)) for name, span in walk_names(template(text))
    }
    assert spans == {"order": "order", "items": "items"}


def test_the_expressions_of_a_template_come_in_order() -> None:
    value = {"a": [template("${ 1 }"), template("${ 2 } ${ 3 }")], "b": None}
    assert [expression.source for expression in parts(value)] == ["1", "2", "3"]


def test_expressions_are_equal_by_their_source() -> None:
    assert template("${ a + 1 }") == read("a + 1")
    assert len({template("${ a }"), template("${a}"), template("${ b }")}) == 2
    assert template("x ${ a }") == Interpolation(("x ", read("a")), place(0, 8))


def test_expressions_can_be_pickled() -> None:
    expression = template("${ a.b }")
    copy = pickle.loads(pickle.dumps(expression))
    assert copy == expression
    assert copy.locate(copy.tree) == expression.span


def test_a_template_without_expressions_gives_values_of_its_own() -> None:
    literal = {"a": [1, {"b": [2]}], "c": "x"}
    first, second = fill(literal), fill(literal)
    assert first == second == literal
    first["a"][1]["b"].append(3)
    first["a"].append(4)
    assert fill(literal) == second == {"a": [1, {"b": [2]}], "c": "x"}


def test_a_display_gives_a_new_value_each_time() -> None:
    value = template("${ [{'a': [1]}] }")
    first = fill(value)
    first[0]["a"].append(2)
    assert fill(value) == [{"a": [1]}]
