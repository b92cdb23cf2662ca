"""The operators' meaning: every one with every pair of types, and the edges of numbers."""

from __future__ import annotations

import itertools

import pytest

from tests.expressions.language import evaluate, fault

# One value of each type; the names are what the tables below speak of.
VALUES = {
    "null": None,
    "boolean": True,
    "integer": 2,
    "float": 0.5,
    "string": "k",
    "list": [1],
    "object": {"k": 1},
}
NUMBERS = {"integer", "float"}
NUMERIC = set(itertools.product(NUMBERS, NUMBERS))
ALL = set(itertools.product(VALUES, VALUES))

ALLOWED = {
    "+": NUMERIC | {("string", "string"), ("list", "list")},
    "-": NUMERIC,
    "*": NUMERIC,
    "/": NUMERIC,
    "//": NUMERIC,
    "%": NUMERIC,
    "<": NUMERIC | {("string", "string")},
    "<=": NUMERIC | {("string", "string")},
    ">": NUMERIC | {("string", "string")},
    ">=": NUMERIC | {("string", "string")},
    "==": ALL,
    "!=": ALL,
    "in": {("string", "string"), ("string", "object")} | {(kind, "list") for kind in VALUES},
    "not in": {("string", "string"), ("string", "object")} | {(kind, "list") for kind in VALUES},
    "and": {("boolean", "boolean")},
    "or": set(),  # true or anything is true: the right side is not looked at
}
REFUSED = [
    pytest.param(operator, left, right, id=f"{left} {operator} {right}")
    for operator, allowed in ALLOWED.items()
    for left, right in sorted(ALL - allowed)
    if not (operator == "or" and left == "boolean")
]
ACCEPTED = [
    pytest.param(operator, left, right, id=f"{left} {operator} {right}")
    for operator, allowed in ALLOWED.items()
    for left, right in sorted(allowed)
]


@pytest.mark.parametrize(("operator", "left", "right"), REFUSED)
def test_an_operator_refuses_every_pair_of_types_it_is_not_for(
    operator: str, left: str, right: str
) -> None:
    error = fault(f"a {operator} b", a=VALUES[left], b=VALUES[right])
    assert error.name == "TypeMismatch"
    assert f"`{operator.removeprefix('not ')}`" in error.message


@pytest.mark.parametrize(("operator", "left", "right"), ACCEPTED)
def test_an_operator_accepts_every_pair_of_types_it_is_for(
    operator: str, left: str, right: str
) -> None:
    evaluate(f"a {operator} b", a=VALUES[left], b=VALUES[right])


@pytest.mark.parametrize("kind", sorted(VALUES.keys() - {"boolean"}))
@pytest.mark.parametrize(
    "source", ["not a", "a and true", "true and a", "a or true", "false or a", "1 if a else 2",
               "[x for x in [1] if a]"]
)  # fmt: skip
def test_only_booleans_are_conditions(source: str, kind: str) -> None:
    error = fault(source, a=VALUES[kind])
    assert error.name == "TypeMismatch"
    assert error.message.startswith("`a`: ")
    assert "needs a boolean" in error.message


@pytest.mark.parametrize("kind", sorted(VALUES.keys() - NUMBERS))
def test_only_numbers_are_negated(kind: str) -> None:
    assert fault("-a", a=VALUES[kind]).name == "TypeMismatch"


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("7 / 2", 3.5),
        ("6 / 2", 3.0),
        ("7 // 2", 3),
        ("-7 // 2", -4),
        ("7 % 3", 1),
        ("-7 % 3", 2),
        ("7 % -3", -2),
        ("-5.5 % 2", 0.5),
        ("7.5 // 2", 3.0),
        ("0.1 + 0.2", 0.30000000000000004),
        ("'a' + 'b'", "ab"),
        ("[1] + ['x']", [1, "x"]),
        ("2 * 3.0", 6.0),
        ("9007199254740991 + 0", 9007199254740991),
        ("-9007199254740991 - 0", -9007199254740991),
        ("9007199254740991 + 0.0 + 1", 9007199254740992.0),
        ("--1", 1),
        ("1 - -1", 2),
    ],
)
def test_arithmetic_is_pythons_and_exact(source: str, value: object) -> None:
    result = evaluate(source)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("1 / 0", "DivisionByZero"),
        ("1 // 0", "DivisionByZero"),
        ("1 % 0", "DivisionByZero"),
        ("1 / 0.0", "DivisionByZero"),
        ("1.5 // 0", "DivisionByZero"),
        ("1.5 % 0.0", "DivisionByZero"),
        ("0.0 / 0", "DivisionByZero"),
        ("9007199254740991 + 1", "NumberOutOfRange"),
        ("-9007199254740991 - 1", "NumberOutOfRange"),
        ("94906267 * 94906267", "NumberOutOfRange"),
        ("1e308 * 10", "NumberOutOfRange"),
        ("1e308 + 1e308", "NumberOutOfRange"),
        ("-1e308 - 1e308", "NumberOutOfRange"),
        ("1e308 / 0.1", "NumberOutOfRange"),
        ("huge + 1.5", "NumberOutOfRange"),
        ("huge / 3", "NumberOutOfRange"),
        ("huge * 1", "NumberOutOfRange"),
    ],
)
def test_numbers_never_leave_their_range(source: str, name: str) -> None:
    assert fault(source, huge=10**400).name == name


def test_infinity_and_not_a_number_have_no_way_to_be_written() -> None:
    for source in ("float('inf')", "float('nan')", "float('-Infinity')", "float('1e999')"):
        assert fault(source).name in {"InvalidInput", "NumberOutOfRange"}
    for source in ("json_decode('NaN')", "json_decode('[Infinity]')", "json_decode('1e999')"):
        assert fault(source).name in {"InvalidInput", "NumberOutOfRange"}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("1 == 1.0", True),
        ("true == 1", False),
        ("false == 0", False),
        ("null == false", False),
        ("'1' == 1", False),
        ("[1, [2.0]] == [1.0, [2]]", True),
        ("[1] == [true]", False),
        ("[1, 2] == [2, 1]", False),
        ("[1] == [1, 1]", False),
        ("{'a': 1, 'b': [2]} == {'b': [2.0], 'a': 1}", True),
        ("{'a': 1} == {'a': true}", False),
        ("{'a': 1} == {'b': 1}", False),
        ("{} == []", False),
        ("1 != 1.0", False),
        ("'a' != null", True),
        ("0.0 == -0.0", True),
        ("1 in [1.0]", True),
        ("1 in [true]", False),
        ("true in [1]", False),
        ("[1] in [[1.0]]", True),
        ("{'a': 1} not in [{'a': true}]", True),
        ("null in [null]", True),
        ("'' in 'abc'", True),
        ("'a' in {'a': null}", True),
        ("'b' < 'ba'", True),
        ("'Z' < 'a'", True),
        ("'\\uffff' < '\\U00010000'", True),
        ("1 < 1.5 < 2", True),
        ("1 < 3 < 2", False),
        ("1 == 1.0 == true", False),
        ("3 > 2 != false", True),
    ],
)
def test_comparisons_are_deep_and_keep_booleans_apart(source: str, value: object) -> None:
    assert evaluate(source) is value


def test_a_chain_evaluates_no_further_than_needed() -> None:
    assert evaluate("1 > 2 > missing") is False


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("false and missing", False),
        ("true or missing", True),
        ("true and false or true", True),
        ("1 if true else missing", 1),
        ("missing if false else 2", 2),
        ("[x for x in [] if missing]", []),
    ],
)
def test_what_is_not_needed_is_not_evaluated(source: str, value: object) -> None:
    assert evaluate(source) == value
