"""What would take too long, or grow too large or too deep, ends in a named fault."""

from __future__ import annotations

from typing import Any

import pytest

from agentflow.errors import Fault, Json
from agentflow.spec.expressions import Scope, compile_expression, compile_template
from agentflow.spec.expressions.limits import MAX_DEPTH, MAX_ITEMS, MAX_TEXT
from tests.expressions.language import evaluate, fault, fill, read, template

SLOW = pytest.mark.slow
"""Takes all the steps that an expression may take."""

BIG = ["x" * 100] * 100_000


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(
            "[1 for a in range(1000000) for b in range(1000000)]", id="rounds", marks=SLOW
        ),
        pytest.param(
            "[[1 for a in range(1000)] for b in range(1000000)]",
            id="nested comprehensions",
            marks=SLOW,
        ),
        pytest.param(
            "{str(a): b for a in range(1000000) for b in range(9)}", id="keys", marks=SLOW
        ),
        pytest.param(
            "[1 for a in range(3000) for b in range(3000) if false]", id="conditions", marks=SLOW
        ),
        pytest.param("range(1000001)", id="range"),
        pytest.param("range(0, 9007199254740991)", id="huge range"),
        pytest.param("[s + s for x in range(1000000)]", id="texts"),
        pytest.param("[f'{s}{s}' for x in range(1000000)]", id="f-strings"),
        pytest.param("[s.upper() for x in range(1000000)]", id="methods on texts"),
        pytest.param("[xs + xs for x in range(1000000)]", id="lists"),
        pytest.param("[xs[1:] for x in range(1000000)]", id="slices"),
        pytest.param("[{'a': 1, 'b': 2} for x in range(1000000)]", id="objects", marks=SLOW),
        pytest.param("[sorted(xs) for x in range(1000000)]", id="sorts", marks=SLOW),
        pytest.param("[xs == ys for x in range(1000000)]", id="comparisons"),
        pytest.param("[0 in xs for x in range(1000000)]", id="searches", marks=SLOW),
        pytest.param("[str(xs) for x in range(1000000)]", id="conversions"),
        pytest.param("[unique(xs) for x in range(1000000)]", id="unique"),
        pytest.param("' '.join(xs) + ' '.join(xs)", id="join"),
        pytest.param("'a'.rjust(1000001)", id="padding"),
        pytest.param("'a'.zfill(9007199254740991)", id="zeros"),
        pytest.param("('a'.rjust(1000) + 'b').replace(' ', 'c'.rjust(10000))", id="replace"),
        pytest.param("flatten([xs for x in range(100)])", id="flatten"),
        pytest.param("json_encode(xs)", id="JSON"),
        pytest.param("json_decode('['.ljust(100000, '['))", id="deep JSON"),
        pytest.param("json_decode('['.ljust(150, '[') + ']'.ljust(150, ']'))", id="JSON levels"),
        pytest.param("pow(2, pow(2, 50))", id="powers"),
    ],
)
def test_an_explosion_is_a_named_fault_and_not_a_hang(source: str) -> None:
    error = fault(source, s="x" * 10_000, xs=BIG, ys=list(BIG))
    assert error.name in {"LimitExceeded", "NumberOutOfRange"}


@SLOW
def test_a_million_items_are_within_the_limits() -> None:
    assert len(evaluate("range(1000000)")) == MAX_ITEMS
    assert evaluate("[x * 2 for x in range(1000000)][-1]") == 1_999_998


def test_a_text_may_have_a_million_characters() -> None:
    assert len(evaluate("a + b", a="x", b="y" * (MAX_TEXT - 1))) == MAX_TEXT
    assert fault("a + b", a="x", b="y" * MAX_TEXT).name == "LimitExceeded"
    with pytest.raises(Fault, match="LimitExceeded"):
        fill(template("${ a }${ a }"), a="x" * MAX_TEXT)


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(read("[x, x]"), id="an expression"),
        pytest.param(read("[[x, x]][0]"), id="an item of a display", marks=SLOW),
        pytest.param({"a": read("x"), "b": [read("x")]}, id="a template", marks=SLOW),
    ],
)
def test_a_value_that_doubles_in_a_loop_is_met_before_anyone_writes_it_out(step: Any) -> None:
    run = compile_template(step)

    def double(times: int) -> None:
        value: Json = "x" * 100
        for _ in range(times):
            value = run(Scope({"x": value}))

    double(10)
    with pytest.raises(Fault, match="LimitExceeded"):
        double(50)


def test_a_value_that_deepens_in_a_loop_is_met_in_time() -> None:
    run = compile_expression(read("[x]"))
    value: Json = 0
    for _ in range(MAX_DEPTH):
        value = run(Scope({"x": value}))
    with pytest.raises(Fault, match="LimitExceeded"):
        run(Scope({"x": value}))


def test_comparing_what_is_deep_needs_no_stack() -> None:
    a: Json = 0
    b: Json = 0
    for _ in range(100_000):
        a, b = [a], [b]
    assert evaluate("a == b", a=a, b=b) is True
    while isinstance(a, list):  # or the interpreter frees it recursively
        a, b = a[0], b[0]
