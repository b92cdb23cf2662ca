"""Properties over random expressions: printing and reading agree, and so do Python and we."""

from __future__ import annotations

import math
import operator as python
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agentflow.errors import MAX_INTEGER, Diagnostic, Fault, Json
from agentflow.functions.suggestions import closest
from agentflow.spec.expressions import (
    Scope,
    compile_expression,
    encode,
    infer,
    parse,
    parse_expression,
    parse_string,
    unparse,
)
from agentflow.spec.expressions.tree import (
    Attribute,
    Binary,
    Call,
    Compare,
    Comprehension,
    Conditional,
    Generator,
    Index,
    ListDisplay,
    Literal,
    Logic,
    MethodCall,
    Name,
    Negate,
    Not,
    ObjectDisplay,
    Slice,
    Text,
    Tree,
)
from agentflow.spec.expressions.types import accepts
from tests.expressions.language import place, read

# --- printing and reading ----------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
plain_texts = st.text(st.characters(categories=["L", "N", "Zs"], codec="utf-8"), max_size=5)
names = st.sampled_from(["a", "b", "order", "items", "x1", "_y"])
literals = st.one_of(
    st.sampled_from([None, True, False]),
    st.integers(0, MAX_INTEGER),
    st.floats(0, allow_infinity=False, allow_nan=False).map(abs),
    texts,
).map(Literal)


def nodes(inner: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    some = st.lists(inner, min_size=2, max_size=3).map(tuple)
    optional = st.none() | inner
    loops = st.builds(
        Generator,
        st.sampled_from([("k",), ("k", "v")]),
        inner,
        st.lists(inner, max_size=2).map(tuple),
    ).map(lambda loop: (loop,))
    entries = st.lists(st.tuples(inner, inner), max_size=2, unique_by=lambda entry: entry[0])
    arithmetic = st.sampled_from(["+", "-", "*", "/", "//", "%"])
    comparisons = st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "in", "not in"])
    return st.one_of(
        st.builds(Attribute, inner, names),
        st.builds(Index, inner, inner),
        st.builds(Slice, inner, optional, optional),
        st.builds(Negate, inner),
        st.builds(Not, inner),
        st.builds(Binary, arithmetic, inner, inner),
        st.builds(Logic, st.sampled_from(["and", "or"]), some),
        st.builds(
            Compare,
            inner,
            st.lists(st.tuples(comparisons, inner), min_size=1, max_size=2).map(tuple),
        ),
        st.builds(Conditional, inner, inner, inner),
        st.builds(ListDisplay, st.lists(inner, max_size=3).map(tuple)),
        st.builds(ObjectDisplay, entries.map(tuple)),
        st.builds(Comprehension, inner, loops, optional),
        st.builds(Call, st.just("len"), st.tuples(inner)),
        st.builds(MethodCall, inner, st.just("get"), st.tuples(inner)),
        st.builds(Text, st.tuples(texts.filter(bool), names.map(Name), plain_texts.filter(bool))),
    )


trees = st.recursive(literals | names.map(Name), nodes, max_leaves=12)


def renamed(tree: Any, level: int = 0) -> Any:
    """Nested comprehensions with names of their own, as the language asks."""
    if isinstance(tree, tuple):
        return tuple(renamed(part, level) for part in tree)
    if not hasattr(tree, "__dataclass_fields__"):
        return tree
    fields = {name: getattr(tree, name) for name in tree.__dataclass_fields__}
    if isinstance(tree, Generator):
        fields["names"] = tuple(f"{name}{level}" for name in tree.names)
    inner = level + isinstance(tree, Comprehension)
    return type(tree)(**{name: renamed(value, inner) for name, value in fields.items()})


@given(trees)
@settings(max_examples=300, deadline=None)
def test_a_printed_tree_reads_as_the_same_tree(tree: Tree) -> None:
    tree = renamed(tree)
    assert parse(unparse(tree)) == tree


@given(st.builds(Text, st.lists(trees | texts.filter(bool), max_size=3).map(tuple)))
@settings(max_examples=200, deadline=None)
def test_any_f_string_prints_as_something_that_prints_the_same_again(tree: Tree) -> None:
    printed = unparse(renamed(tree))
    assert unparse(parse(printed)) == printed


# --- against Python ----------------------------------------------------------------------------

numbers = st.one_of(
    st.integers(-100, 100),
    st.sampled_from([MAX_INTEGER, -MAX_INTEGER, 2**52, 10**15]),
    st.floats(allow_infinity=False, allow_nan=False),
)
OPERATORS = {
    "+": python.add,
    "-": python.sub,
    "*": python.mul,
    "/": python.truediv,
    "//": python.floordiv,
    "%": python.mod,
    "<": python.lt,
    "<=": python.le,
    ">": python.gt,
    ">=": python.ge,
    "==": python.eq,
    "!=": python.ne,
}


class Refused(Exception):
    pass


def compute(operator: str, a: Json, b: Json) -> Json:
    """What Python says, where our rules let it."""
    try:
        result = OPERATORS[operator](a, b)
    except ZeroDivisionError:
        raise Refused("DivisionByZero") from None
    except OverflowError:
        raise Refused("NumberOutOfRange") from None
    if type(result) is int and abs(result) > MAX_INTEGER:
        raise Refused("NumberOutOfRange")
    if type(result) is float and not math.isfinite(result):
        raise Refused("NumberOutOfRange")
    return result


def reference(term: Any) -> Json:
    match term:
        case (operator, left, right) if operator in OPERATORS:
            return compute(operator, reference(left), reference(right))
        case ("and", left, right):
            return reference(left) and reference(right)
        case ("or", left, right):
            return reference(left) or reference(right)
        case ("not", operand):
            return not reference(operand)
        case ("if", then, test, otherwise):
            return reference(then) if reference(test) else reference(otherwise)
        case ("value", value):
            return value
    raise AssertionError(term)


def written(term: Any) -> str:
    match term:
        case ("value", value):
            return f"({value!r})"
        case ("not", operand):
            return f"(not {written(operand)})"
        case ("if", then, test, otherwise):
            return f"({written(then)} if {written(test)} else {written(otherwise)})"
        case (operator, left, right):
            return f"({written(left)} {operator} {written(right)})"
    raise AssertionError(term)


def values(kind: st.SearchStrategy[Json]) -> st.SearchStrategy[Any]:
    return st.tuples(st.just("value"), kind)


def arithmetic(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(st.sampled_from(["+", "-", "*", "/", "//", "%"]), inner, inner)


comparison = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
numeric = st.recursive(values(numbers), arithmetic, max_leaves=6)
textual = st.recursive(
    values(texts), lambda inner: st.tuples(st.just("+"), inner, inner), max_leaves=4
)
compared = st.tuples(comparison, numeric, numeric) | st.tuples(comparison, textual, textual)
logical = st.recursive(
    values(st.booleans()) | compared,
    lambda inner: (
        st.tuples(st.sampled_from(["and", "or"]), inner, inner) | st.tuples(st.just("not"), inner)
    ),
    max_leaves=5,
)
terms = st.one_of(numeric, textual, logical, st.tuples(st.just("if"), numeric, logical, numeric))


def outcome(run: Callable[[], Json]) -> tuple[str, Json]:
    """A value with its type, or the name of what was refused."""
    try:
        value = run()
    except Refused as refused:
        return ("refused", str(refused))
    except Fault as fault:
        return ("refused", fault.name)
    return (type(value).__name__, value)


@given(terms)
@settings(max_examples=200, deadline=None)
def test_numbers_texts_and_booleans_compute_as_in_python(term: Any) -> None:
    diagnostics: list[Diagnostic] = []
    expression = parse_expression(written(term), place, diagnostics)
    if expression is None:  # beyond the limits of length and depth
        assert {diagnostic.code for diagnostic in diagnostics} == {"AF204"}
        return
    kind = infer(expression, {}, diagnostics)
    run = compile_expression(expression)
    result = outcome(lambda: run(Scope({})))
    assert result == outcome(lambda: reference(term))
    assert result[0] == "refused" or accepts(kind, result[1])
    assert all(diagnostic.code == "AF225" for diagnostic in diagnostics)


# --- whatever the text ---------------------------------------------------------------------------

letters = st.sampled_from(
    [*list("ab.[](){}'\"\\+-*/%<>=! ,:fFrx0129#\n$é"), " in ", " if ", " for "]
)


@given(st.lists(letters, max_size=30).map("".join) | st.text(max_size=30))
@settings(max_examples=500, deadline=None)
def test_any_text_is_an_expression_or_a_mistake_inside_it(text: str) -> None:
    diagnostics: list[Diagnostic] = []
    expression = parse_expression(text, place, diagnostics)
    if expression is not None:
        assert parse(unparse(expression.tree)) == expression.tree
    else:
        assert [0 < each.span.column <= len(text) + 1 for each in diagnostics] == [True]


@given(st.lists(letters | st.just("${") | st.just("$${"), max_size=20).map("".join))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_template_or_has_diagnostics(text: str) -> None:
    diagnostics: list[Diagnostic] = []
    result = parse_string(text, place, diagnostics)
    assert (result is None) == bool(diagnostics)


json_values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
@settings(max_examples=200, deadline=None)
def test_json_text_reads_back_as_an_equal_value(value: Json) -> None:
    run = compile_expression(read("json_decode(json_encode(v)) == v"))
    # A whole float beyond 2^53 is written as an integer, which reading refuses.
    expected = [("bool", True), ("refused", "NumberOutOfRange")]
    assert outcome(lambda: run(Scope({"v": value}))) in expected


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_text_of_a_number_reads_back_as_the_number(value: float) -> None:
    assert float(encode(value)) == value


@given(texts, st.lists(texts, max_size=5))
def test_a_suggestion_is_one_of_the_candidates(name: str, candidates: list[str]) -> None:
    assert closest(name, candidates) in {None, *candidates}
