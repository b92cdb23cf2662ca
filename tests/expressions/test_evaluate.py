"""Evaluation: reading data, comprehensions, f-strings, messages."""

from __future__ import annotations

import pytest

from agentflow.errors import Fault, Json
from agentflow.spec.expressions import Scope, compile_expression
from tests.expressions.language import evaluate, fault, read

ORDER = {
    "id": "A7",
    "total": 12.5,
    "lines": [{"sku": "x", "n": 2}, {"sku": "y", "n": 1}],
    "from": "web",
    "__class__": "a key like any other",
}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("order.id", "A7"),
        ('order["from"]', "web"),
        ("order.__class__", "a key like any other"),
        ("order.lines[0].sku", "x"),
        ("order.lines[-1].sku", "y"),
        ("order.id[0]", "A"),
        ("order.id[-1]", "7"),
        ("'héllo'[1]", "é"),
        ("'a😀b'[1:]", "😀b"),
        ("[1, 2, 3][1:]", [2, 3]),
        ("[1, 2, 3][:-1]", [1, 2]),
        ("[1, 2, 3][5:9]", []),
        ("[1, 2, 3][-9:2]", [1, 2]),
        ("[1, 2, 3][:]", [1, 2, 3]),
        ("'abc'[2:1]", ""),
        ("[line.n * 2 for line in order.lines if line.n > 1]", [4]),
        ("[[x, y] for x in [1, 2] for y in ['a', 'b'] if x == 2]", [[2, "a"], [2, "b"]]),
        ("[y for x in [[1, 2], [3]] for y in x]", [1, 2, 3]),
        ("{line.sku: line.n for line in order.lines}", {"x": 2, "y": 1}),
        ("{k: len(str(v)) for k, v in {'a': 1, 'b': 10}.items()}", {"a": 1, "b": 2}),
        ("[x for x in x]", [7]),
        ("[[x for x in [y]] for y in x]", [[7]]),
        ("[a + b for a, b in zip([1, 2], [10, 20])]", [11, 22]),
        ("f'{order.id}: {order.total}'", "A7: 12.5"),
        ("f'{null} {true} {[1, \"a\"]}'", 'null true [1,"a"]'),
        ("{order.id: 1, 'A7': 2}", {"A7": 2}),
        ("{order.id: 1}", {"A7": 1}),
    ],
)
def test_an_expression_has_its_value(source: str, value: Json) -> None:
    assert evaluate(source, order=ORDER, x=[7]) == value


@pytest.mark.parametrize(
    ("source", "name", "message"),
    [
        (
            "order.totla",
            "MissingKey",
            "`order.totla`: there is no key `totla`; did you mean `total`?",
        ),
        ('order["x"]', "MissingKey", '`order["x"]`: there is no key `x`; the keys are `id`,'),
        ("{}.a", "MissingKey", "`{}.a`: there is no key `a`; the object is empty"),
        ("nowhere", "MissingKey", "`nowhere` has no value here"),
        ("order.lines[2]", "IndexOutOfRange", "there is no index 2 in a list of 2 items"),
        ("order.lines[-3]", "IndexOutOfRange", "there is no index -3"),
        ("'a'[1]", "IndexOutOfRange", "no index 1 in a string of 1 character"),
        ("[][0]", "IndexOutOfRange", "no index 0 in a list of 0 items"),
        ("order.lines.sku", "TypeMismatch", "`.sku` needs an object, got list of 2 items"),
        ("order.id.x", "TypeMismatch", '`.x` needs an object, got string "A7"'),
        ("order.total.x", "TypeMismatch", "got number 12.5"),
        ("null.x", "TypeMismatch", "got null"),
        ("true[0]", "TypeMismatch", "only lists, objects and strings have items"),
        ("[1][1.0]", "TypeMismatch", "an index is an integer, got number 1.0"),
        ("[1][true]", "TypeMismatch", "got boolean true"),
        ("[1]['a']", "TypeMismatch", 'got string "a"'),
        ("order[0]", "TypeMismatch", "a key of an object is a string, got number 0"),
        ("order[1:]", "TypeMismatch", "only lists and strings have slices"),
        ("[1]['a':]", "TypeMismatch", "a slice's bound is an integer"),
        ("[1][null:]", "TypeMismatch", "a slice's bound is an integer, got null"),
        ("[x for x in order]", "TypeMismatch", "`order`: `for` goes through a list"),
        ("[x for x in 'abc']", "TypeMismatch", "`for` goes through a list"),
        ("[a for a, b in [[1]]]", "TypeMismatch", "`a, b` take apart a list of 2 items"),
        ("{1: 2}", "TypeMismatch", "`1`: a key of an object is a string, got number 1"),
        ("{null: 2 for x in [1]}", "TypeMismatch", "got null"),
        (
            "1 + (order.total + order.id)",
            "TypeMismatch",
            '`order.total + order.id`: `+` needs two numbers, two strings or two lists, got number 12.5 and string "A7"',
        ),
        ("len(order.total)", "TypeMismatch", "`len(order.total)`: `len` needs a string, a list"),
        ("sum([1, 'a'])", "TypeMismatch", 'a list with string "a" at index 1'),
        ("[].upper()", "TypeMismatch", "`.upper` is a method of strings, got an empty list"),
        ("now().keys()", "TypeMismatch", "`.keys` is a method of objects"),
        ("'a'.join([1])", "TypeMismatch", "a list of strings as `texts`"),
    ],
)
def test_a_fault_names_the_part_the_reason_and_the_value(
    source: str, name: str, message: str
) -> None:
    error = fault(source, order=ORDER)
    assert error.name == name
    assert message in error.message


def test_messages_stay_short_and_printable_whatever_the_data() -> None:
    error = fault("a + 1", a="\x1b[31m" + "x" * 100_000)
    assert len(error.message) < 200
    assert error.message.isprintable()
    error = fault("o.k", o={f"key{n}": n for n in range(100_000)})
    assert len(error.message) < 300


def test_a_value_read_from_the_scope_is_not_copied() -> None:
    items = [1]
    assert evaluate("a.b", a={"b": items}) is items


def test_outer_names_are_visible_and_inner_ones_win() -> None:
    outer = Scope({"a": 1, "b": 2})
    inner = Scope({"b": 3}, outer)
    assert compile_expression(read("[a, b]"))(inner) == [1, 3]


def test_one_compiled_expression_serves_many_scopes() -> None:
    run = compile_expression(read("[x + d for x in xs]"))
    assert [run(Scope({"xs": [1, 2], "d": d})) for d in (10, 20)] == [[11, 12], [21, 22]]


def test_time_and_chance_come_from_the_scope() -> None:
    assert evaluate("now()") == "2026-01-31T12:00:00.000Z"
    with pytest.raises(Fault, match="outside an execution"):
        compile_expression(read("now()"))(Scope({}))
