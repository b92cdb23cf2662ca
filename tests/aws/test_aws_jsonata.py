"""How expressions are written in JSONata: a writing for every function, short where types prove it."""

from __future__ import annotations

import random
import sys
from typing import Any

import pytest
from sfnx.testing import evaluate as evaluate_jsonata

from agentflow.adapters.aws import expressions, jsonata, library
from agentflow.adapters.aws.asl.jsonata import engine
from agentflow.adapters.aws.checks import Reference
from agentflow.errors import Json
from agentflow.spec.expressions import LIBRARY, from_schema
from tests.aws.in_jsonata import fault_of, values_of
from tests.expressions.language import evaluate, read


@pytest.mark.parametrize("entry", LIBRARY, ids=lambda entry: entry.signature)
def test_every_function_has_a_writing_or_a_reason(entry: Any) -> None:
    writing = library.LIBRARY[library.key(entry)]
    if isinstance(writing, library.Helper):
        assert len(writing.reason.split()) > 4
    else:
        assert writing.texts


def test_no_writing_is_for_a_function_that_is_not_there() -> None:
    assert library.LIBRARY.keys() == {library.key(entry) for entry in LIBRARY}


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("a.name", "$a.name"),
        ("a.n + 1", "$exact($a.n + 1)"),
        ("a.name + '!'", "$a.name & '!'"),
        ("a.n < 3", "$a.n < 3"),
        ("a.name == 'x'", "$a.name = 'x'"),
        ("len(a.tags)", "$count($a.tags)"),
        ("a.ok and a.n > 2", "$a.ok and ($a.n > 2)"),
        ("[t.upper() for t in a.tags]",
         "$append([], $map($a.tags, function($t) { $uppercase($t) }))"),
        ("duration('1h')", "3600"),
        ("a.name in ['x', 'y']", "$a.name in ['x', 'y']"),
        ("b.name in ['x', 'y']", "$at($b, 'name') in ['x', 'y']"),
        ("b.n > 3", "$num($at($b, 'n')) > 3"),
        ("a.tags[0]", "$nth($a.tags, 0)"),
        ("a.n / 2", "$a.n / 2"),
        ("a.n // 60", "$floor($a.n / 60)"),
        ("a.n % 60", "($a.n % 60 + 60) % 60"),
        ("a.n * 1.5", "$finite($a.n * 1.5)"),
        ("max(a.n, 3)", "$max([$a.n, 3])"),
        ("any([t == 'x' for t in a.tags])",
         "(true in $append([], $map($a.tags, function($t) { $t = 'x' })))"),
        ("a.name.split(',')", "$split($a.name, ',')"),
        ("zip(a.tags, a.tags)", "$zip($a.tags, $a.tags)"),
        ("b.name", "$at($b, 'name')"),
        ("count + 1", "$add($count_, 1)"),
        ("f'{a.name}: {a.n}'", "$a.name & ': ' & $string($a.n)"),
    ],
)  # fmt: skip
def test_known_types_make_short_expressions(source: str, text: str) -> None:
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "n": {"type": "integer"},
            "ok": {"type": "boolean"},
            "tags": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["name", "n", "ok", "tags"],
    }
    names = {
        "a": Reference("$a", from_schema(schema)),
        "b": Reference("$b"),
        "count": Reference("$count_"),
    }
    assert expressions.write(read(source), names) == text


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ("90s", 90),
        ("1h30m", 5400),
        ("250ms", 0.25),
        ("1m250ms", 60.25),
        ("1.5d", 129600),
        ("PT5M", 300),
        ("P1DT12H", 129600),
        ("P2W", 1209600),
        (7, 7),
        ("", "TypeMismatch"),
        ("5", "TypeMismatch"),
        ("PT", "TypeMismatch"),
        ("P1DT", "TypeMismatch"),
        ("P5M", "TypeMismatch"),
        ("PT1H2M3S", 3723),
        ("5s1m", "TypeMismatch"),
        ([], "TypeMismatch"),
        (-1, "NumberOutOfRange"),
        ("100000d", "NumberOutOfRange"),
    ],
)
def test_durations_are_read_in_jsonata(given: Json, seconds: Json) -> None:
    text = "$seconds($given)"
    if isinstance(seconds, str):
        assert fault_of(text, {"given": given}) == seconds
    else:
        assert values_of([text], {"given": given}) == [seconds]


@pytest.mark.parametrize(
    "text", ["it's", 'say "x"', "back\\slash", "{% x %}", "a\nb\t\u0001", "é😀", "<<Fault>> x"]
)
def test_any_text_is_a_literal(text: str) -> None:
    assert evaluate_jsonata(jsonata.quote(text), {}, {}) == text


@pytest.mark.parametrize("name", ["count", "map", "states", "fail", "a_", "a", "x1"])
def test_names_never_hide_functions(name: str) -> None:
    assert jsonata.variable(name) not in jsonata.RESERVED


def test_names_stay_apart() -> None:
    names = ["count", "count_", "count__", "a", "a_", "fail", "fail_"]
    assert len(set(map(jsonata.variable, names))) == len(names)


@pytest.mark.slow
@pytest.mark.parametrize(
    "source",
    [
        "xs == ys",
        "xs[0] in ys",
        "ys[len(ys) - 1] in xs",
        "xs.count(ys[0])",
        "unique(xs + ys)",
        "intersection(xs, ys)",
        "group_by(xs, 'k')",
        "{x.k: x.n for x in xs}",
        "max([x.n for x in xs])",
        "min([x.k for x in xs])",
    ],
)
def test_twice_the_items_are_twice_the_work(source: str) -> None:
    """The service gives an expression a second, and lists have thousands of items."""
    names = {"xs": Reference("$xs"), "ys": Reference("$ys")}
    text = jsonata.complete(expressions.write(read(source), names))
    _work(text, 1)  # reads it
    assert _work(text, 40) < 2.5 * _work(text, 20)


def _work(text: str, items: int) -> int:
    """How many functions of the engine are called to evaluate something of so many items."""
    names: dict[str, Json] = {
        name: [{"k": f"key {i}", "n": i, "tags": ["a", i / 3]} for i in range(items)]
        for name in ("xs", "ys")
    }
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        engine.evaluate(text, "Output", engine.Scope(names, 0.0, random.Random(1)))
    finally:
        sys.setprofile(before)
    return calls


@pytest.mark.parametrize(
    "source", ["x == y", "x in [y]", "unique([x, y])", "intersection([x], [y])"]
)
def test_values_may_be_deep(source: str) -> None:
    """The service gives an expression a depth of 100; a comparison takes none for each level."""
    names = {"x": Reference("$x"), "y": Reference("$y")}
    text = jsonata.complete(expressions.write(read(source), names))
    x, y = _deep(1), _deep(2)
    found = engine.evaluate(text, "Output", engine.Scope({"x": x, "y": y}, 0.0, random.Random(1)))
    assert found == evaluate(source, x=x, y=y)


def _deep(value: Json) -> Json:
    for level in range(60):
        value = [value] if level % 2 else {"a": value}
    return value
