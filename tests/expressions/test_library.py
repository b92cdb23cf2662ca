"""The library: every entry's example, faults and edges; the reference is up to date."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentflow.errors import Diagnostic, Json
from agentflow.spec.expressions import (
    FUNCTIONS,
    LIBRARY,
    METHODS,
    Function,
    encode,
    infer,
    reference_markdown,
)
from agentflow.spec.expressions.types import accepts
from tests.expressions.language import evaluate, fault, read

FAULTS = {
    "DivisionByZero",
    "IndexOutOfRange",
    "InvalidInput",
    "LimitExceeded",
    "MissingKey",
    "NumberOutOfRange",
    "TypeMismatch",
}
"""What evaluating an expression fails with."""

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "functions.md"


def name(entry: Function) -> str:
    return entry.signature


@pytest.mark.parametrize("entry", LIBRARY, ids=name)
def test_the_example_gives_what_it_says(entry: Function) -> None:
    assert encode(evaluate(entry.example.source)) == entry.example.result


@pytest.mark.parametrize("entry", LIBRARY, ids=name)
def test_the_example_has_the_inferred_type(entry: Function) -> None:
    diagnostics: list[Diagnostic] = []
    kind = infer(read(entry.example.source), {}, diagnostics)
    assert not diagnostics
    assert accepts(kind, evaluate(entry.example.source))


@pytest.mark.parametrize("entry", LIBRARY, ids=name)
def test_the_example_calls_the_entry(entry: Function) -> None:
    assert f"{entry.name}(" in entry.example.source
    assert entry.doc.endswith(".")


def test_the_reference_is_up_to_date() -> None:
    assert REFERENCE.read_text(encoding="utf-8") == reference_markdown(), (
        "write reference_markdown() to docs/reference/functions.md"
    )


def test_names_are_unique() -> None:
    assert len(FUNCTIONS) + sum(map(len, METHODS.values())) == len(LIBRARY)


def test_the_faults_that_are_documented_are_those_of_expressions() -> None:
    for entry in LIBRARY:
        for word in entry.errors.split("`")[1::2]:
            assert word in FAULTS | {p.name for p in entry.parameters}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("int('  1')", "InvalidInput"),
        ("int('1.0')", "InvalidInput"),
        ("int('१')", "InvalidInput"),
        ("int('')", "InvalidInput"),
        ("int(true)", "TypeMismatch"),
        ("int('9007199254740992')", "NumberOutOfRange"),
        ("int(1e300)", "NumberOutOfRange"),
        ("int('9'.rjust(5000, '9'))", "InvalidInput"),
        ("int('-0')", 0),
        ("float('1e5')", 100000.0),
        ("float(' 1')", "InvalidInput"),
        ("float('0x1')", "InvalidInput"),
        ("float('1_0')", "InvalidInput"),
        ("str('a')", "a"),
        ("str(0.1 + 0.2)", "0.30000000000000004"),
        ("str(1e21)", "1e+21"),
        ("str(1e20)", "100000000000000000000"),
        ("str(1.5e300)", "1.5e+300"),
        ("str(0.000001)", "0.000001"),
        ("str(0.0000001)", "1e-7"),
        ("str(-0.0)", "0"),
        ("str({'é': ['\\n', {}], 'b': []})", '{"é":["\\n",{}],"b":[]}'),
        ("type(1.5)", "number"),
        ("type(1)", "number"),
        ("type(null)", "null"),
        ("type(true)", "boolean"),
        ("len({})", 0),
        ("coalesce(null)", None),
        ("round(0.5)", 0),
        ("round(-1.5)", -2),
        ("round(1e300)", "NumberOutOfRange"),
        ("round(1.5, 16)", "InvalidInput"),
        ("round(1.5, -1)", "InvalidInput"),
        ("fixed(2.5, 0)", "2"),
        ("fixed(-0.001, 2)", "0.00"),
        ("fixed(1e21, 1)", "1000000000000000000000.0"),
        ("fixed(1, 2)", "1.00"),
        ("min([])", "InvalidInput"),
        ("max(1, 'a')", "TypeMismatch"),
        ("max(true, false)", "TypeMismatch"),
        ("min(2)", "TypeMismatch"),
        ("max(1, 1.5)", 1.5),
        ("sum([])", 0),
        ("sum([9007199254740991, 1])", "NumberOutOfRange"),
        ("sum([true])", "TypeMismatch"),
        ("pow(2, 53)", "NumberOutOfRange"),
        ("pow(-2, 3)", -8),
        ("pow(-2, 0.5)", "NumberOutOfRange"),
        ("pow(0, -1)", "DivisionByZero"),
        ("pow(0, 0)", 1),
        ("pow(10.0, 400)", "NumberOutOfRange"),
        ("pow(-1, 9007199254740991)", -1),
        ("sqrt(-1)", "NumberOutOfRange"),
        ("floor(1e300)", "NumberOutOfRange"),
        ("abs(-1.5)", 1.5),
        ("range(3, 0, -1)", [3, 2, 1]),
        ("range(1, 5, 0)", "InvalidInput"),
        ("range(1.0)", "TypeMismatch"),
        ("range(-5)", []),
        ("sorted([1, 'a'])", "TypeMismatch"),
        ("sorted([true, false])", "TypeMismatch"),
        ("sorted([2, 1.5, 1])", [1, 1.5, 2]),
        ("sorted([])", []),
        ("sorted('cab')", "TypeMismatch"),
        ("sorted_by([{'a': 1}, {}], 'a')", "MissingKey"),
        ("sorted_by([{'a': 1}, {'a': 'x'}], 'a')", "TypeMismatch"),
        ("group_by([{'a': 1}], 'a')", "TypeMismatch"),
        ("unique([1, true, 1.0, '1', [1], [true], [1.0], {'a': 1}, {'a': 1.0}])",
         [1, True, "1", [1], [True], {"a": 1}]),
        ("unique([['list', 1], 'x'])", [["list", 1], "x"]),
        ("intersection([true, 1], [1.0])", [1]),
        ("flatten([[1], 2])", "TypeMismatch"),
        ("chunked([1], 0)", "InvalidInput"),
        ("chunked([], 2)", []),
        ("zip([1, 2])", [[1], [2]]),
        ("enumerate(['a'], 5)", [[5, "a"]]),
        ("any([])", False),
        ("all([])", True),
        ("any([1])", "TypeMismatch"),
        ("[1, 2].index(3)", "InvalidInput"),
        ("[true].count(1)", 0),
        ("merge({}, {'a': {'x': 1}}, {'a': {'y': 2}})", {"a": {"y": 2}}),
        ("{'a': null}.get('a', 1)", None),
        ("[1].get(0)", "TypeMismatch"),
        ("'a,b'.split('')", "InvalidInput"),
        ("''.split()", []),
        ("''.split(',')", [""]),
        ("'a\\r\\nb\\rc\\n\\n'.splitlines()", ["a", "b", "c", ""]),
        ("''.splitlines()", []),
        ("'\\u00a0 a '.strip()", "\u00a0 a"),
        ("'abc'.replace('', 'x')", "InvalidInput"),
        ("'aaa'.count('aa')", 1),
        ("'a'.count('')", "InvalidInput"),
        ("'a'.ljust(3, 'xy')", "InvalidInput"),
        ("'abc'.rjust(2)", "abc"),
        ("'a'.zfill(-5)", "a"),
        ("'😀a'.find('a')", 1),
        ("'ß'.upper()", "SS"),
        ("parse_time('2026-02-30T00:00:00Z')", "InvalidInput"),
        ("parse_time('2026-01-31')", "InvalidInput"),
        ("parse_time('2026-01-31T12:00:00')", "InvalidInput"),
        ("parse_time('2026-01-31T12:00:00.25+01:30')", 1769855400.25),
        ("parse_time('1969-12-31T23:59:59Z')", -1),
        ("format_time(1e18)", "NumberOutOfRange"),
        ("format_time(1e308)", "NumberOutOfRange"),
        ("format_time(-0.001)", "1969-12-31T23:59:59.999Z"),
        ("add_seconds('0001-01-01T00:00:00Z', -1)", "NumberOutOfRange"),
        ("seconds_between('2026-01-31T12:00:00.3Z', '2026-01-31T12:00:00.1Z')", -0.2),
        ("duration('90s')", 90),
        ("duration('1.5h')", 5400),
        ("duration('250ms')", 0.25),
        ("duration('1m250ms')", 60.25),
        ("duration('1d2h3m4s')", 93784),
        ("duration('P1DT12H')", 129600),
        ("duration('PT0.5S')", 0.5),
        ("duration('P2W')", 1209600),
        ("duration('')", "InvalidInput"),
        ("duration('P')", "InvalidInput"),
        ("duration('PT')", "InvalidInput"),
        ("duration('5')", "InvalidInput"),
        ("duration('5s1m')", "InvalidInput"),
        ("duration('-5s')", "InvalidInput"),
        ("json_decode('{\"a\": 1, \"a\": 2}')", "InvalidInput"),
        ("json_decode('')", "InvalidInput"),
        ("json_decode('9007199254740992')", "NumberOutOfRange"),
        ("json_decode('1.0')", 1.0),
        ("json_decode('9'.rjust(5000, '9'))", "NumberOutOfRange"),
        ("json_encode('a')", '"a"'),
        ("base64_decode('aMOp=')", "InvalidInput"),
        ("base64_decode('_w==')", "InvalidInput"),
        ("base64_decode('/w==')", "InvalidInput"),
        ("base64_decode('é')", "InvalidInput"),
        ("url_decode('%')", "InvalidInput"),
        ("url_decode('%ff')", "InvalidInput"),
        ("url_decode('a+b')", "a+b"),
        ("url_encode('-._~!')", "-._~%21"),
        ("sha256(half)", "InvalidInput"),
    ],
)  # fmt: skip
def test_edges_are_values_or_named_faults(source: str, value: Json) -> None:
    if isinstance(value, str) and value in FAULTS:
        assert fault(source, half="\ud800").name == value
    else:
        result = evaluate(source, half="\ud800")
        assert encode(result) == encode(value)
