"""Expressions in JSONata give what our evaluator gives: every function, its edges, its faults.

The cases are those of the evaluator's own tests, run through jsonata-python.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sfnx.testing import Failure
from sfnx.testing import evaluate as evaluate_jsonata

from agentflow.adapters.aws import expressions, jsonata, library
from agentflow.adapters.aws.checks import Reference
from agentflow.adapters.aws.functions import NeedsHelper
from agentflow.errors import Fault, Json
from agentflow.spec.expressions import LIBRARY, from_schema, unparse
from agentflow.spec.expressions.schema import of_value
from agentflow.spec.expressions.tree import Literal, Name, Tree
from agentflow.spec.expressions.types import ANY
from tests.aws import worlds  # noqa: F401  # repairs jsonata-python
from tests.expressions import test_evaluate, test_library, test_operators, test_random
from tests.expressions.language import evaluate, fault, read

Case = tuple[str, dict[str, Json]]


def rows(test: Any, **names: Json) -> Iterator[Case]:
    """The sources of a table of another test."""
    for mark in test.pytestmark:
        if mark.name == "parametrize":
            yield from ((row[0], names) for row in mark.args[1])


def cases() -> Iterator[Case]:
    yield from ((entry.example.source, {}) for entry in LIBRARY)
    yield from rows(test_library.test_edges_are_values_or_named_faults)
    yield from rows(test_operators.test_arithmetic_is_pythons_and_exact)
    yield from rows(test_operators.test_numbers_never_leave_their_range)
    yield from rows(test_operators.test_comparisons_are_deep_and_keep_booleans_apart)
    yield from rows(test_operators.test_what_is_not_needed_is_not_evaluated, missing=5)
    for row in (*test_operators.REFUSED, *test_operators.ACCEPTED):
        operator, left, right = row.values
        values = test_operators.VALUES
        yield f"a {operator} b", {"a": values[left], "b": values[right]}
    yield from ((source, FAR) for source in BEYOND)
    yield from ((source, ODD) for source in GENERATED)
    order: dict[str, Json] = {"order": test_evaluate.ORDER, "x": [7], "nowhere": 1}
    yield from rows(test_evaluate.test_an_expression_has_its_value, **order)
    yield from rows(test_evaluate.test_a_fault_names_the_part_the_reason_and_the_value, **order)


FAR: dict[str, Json] = {
    "far": ["\U0001f600", "\uffff", "z", "\ue000", "\U00010000x", "\uffff\ue000"]
}
"""Characters beyond U+FFFF, and those that UTF-16 puts behind them."""
BEYOND = (
    "sorted(far)",
    "sorted(['b', 'a'])",
    "sorted_by([{'k': t} for t in far], 'k')",
    "[min(far), max(far)]",
    "[[a < b for b in far] for a in far]",
    "[[a >= b for b in far] for a in far]",
    "[f'{t}' < f'{far[3]}' for t in far]",
    "[t < 'm' for t in far]",
    "[t < '\ue000' for t in far]",
    "far[4] + far[5] > far[4] + far[0]",
    "[len(t) for t in far]",
    "[t[0] for t in far]",
    "[(t + far[0])[-1:] for t in far]",
    "('a' + far[0] + 'b').find('b')",
    "(far[0] + ',' + far[4]).split(',')",
    "far[0].rjust(3, far[0])",
    "far[0].ljust(3) + '.'",
    "far[4].removeprefix(far[4][0])",
    "far[4].replace('x', far[0])",
    "far[4].startswith(far[4][0]) and far[4].endswith('x')",
    "(far[0] + far[0]).count(far[0])",
    "far.index(far[4])",
    "url_encode(far[0])",
    "sha256(far[0])",
)

ODD: dict[str, Json] = {
    "odd": {
        "text": "x",
        "null": None,
        "tiny": 5e-324,
        "huge": -1.7e308,
        "big": 1e16,
        "rows": [{}],
        "tick": {"`": 1},
        "letters": "ΣΑΣ ßİǆ",
        "xs": [1, 2],
    }
}
GENERATED = (
    # what fails first gives the name
    "'k'.get(odd.text, sorted_by(odd.rows, 'k'))",
    "'a'[9].join([odd.null])",
    "odd.text.replace('', 'b'[9])",
    "'a'[9] in 'b'[odd.text]",
    "odd.nothing[1.5]",
    "'a'[odd.text:1 // 0]",
    "min(1 // 0, odd.text + 1)",
    "[1 // 0 for x in [1, 'a'] if x > 0]",
    "[[1 // 0 for y in [x]] for x in [1, 'a'] if x > 0 if x < 2]",
    "[y for x in [[1], 'a'] if len(x) == 1 for y in [1 // 0]]",
    "{'a'[odd.text]: [].index(1) for x in [1]}",
    "intersection([], 5)",
    "difference([], 'a'[9])",
    # null is no bound, and no number beyond 2^53 an integer
    "'a'[:odd.null]",
    "odd.xs[odd.null:]",
    "'P'[1:odd.huge]",
    "odd.xs[odd.huge]",
    # what is too large has a name wherever it comes from
    "1 // odd.tiny",
    "odd.huge // 0.5",
    "odd.huge - 1.7e308",
    "odd.huge / odd.tiny",
    "'<<Fault>> x'[odd.null]",
    "enumerate(odd.xs, 9007199254740991)",
    "enumerate([[]], 9007199254740991)",
    # limits have names
    "'a'.rjust(9007199254740990)",
    "'a'.zfill(1000001)",
    "'a'.ljust(1000001, '')",
    "range(9007199254740990)",
    # what is surely no integer stays none
    "odd.xs[2 / 2]",
    "odd.xs[1.0 * 1]",
    "range(sqrt(4))",
    "'ab'.zfill(-(-8 / 2))",
    "2 / 2 * 9007199254740991.0 + 1",
    "-7 // 2 + 9007199254740991 // 7",
    # whole floats on their way to the helper and back
    "str(odd.big + 1)",
    "json_encode([odd.huge, odd.big, odd.tiny])",
    "[fixed(n * 2, 1) for n in [odd.big, 0.5]]",
    # names of comprehensions, and keys
    "[intersection([1, 2], x) for x in [[1]]]",
    "[difference([1, 2], x) for x in [[1]]]",
    "odd.tick['`']",
    # letters
    "odd.letters.lower() + odd.letters.upper()",
)
"""What random expressions found, made small."""

SKIPPED = {
    "now()": "gives the time",
    "uuid()": "gives a new one",
    "nowhere": "names are checked before anything runs",
    "sha256(half)": "half a surrogate pair cannot be written as JSON",
    "huge + 1.5": "the input cannot hold such a number",
    "huge / 3": "the input cannot hold such a number",
    "huge * 1": "the input cannot hold such a number",
    "9007199254740991 + 0.0 + 1": "JSONata does not know that the number was a float",
}
ALL = [case for case in dict.fromkeys((s, str(n)) for s, n in cases()) if case[0] not in SKIPPED]
NAMES = {str(n): n for _, n in cases()}


def fault_of(text: str, names: dict[str, Json]) -> str:
    """The name of the fault that the JSONata raises."""
    try:
        value = evaluate_jsonata(jsonata.complete(text), bound(names), {"input": None})
    except Failure as failure:
        if "out of range" in failure.cause and "<<" not in failure.cause:
            return "NumberOutOfRange"
        return re.findall("<<([A-Za-z]+)>>", failure.cause)[-1]
    return f"the value {value!r}"


def values_of(texts: list[str], names: dict[str, Json]) -> list[Json]:
    """The values of many expressions, evaluated in one go: reading JSONata takes the most time."""
    fields = ", ".join(f"'{place}': {text}" for place, text in enumerate(texts))
    values = evaluate_jsonata(jsonata.complete(f"{{{fields}}}"), bound(names), {"input": None})
    return [values[str(place)] for place in range(len(texts))]


def bound(names: dict[str, Json]) -> dict[str, Json]:
    return {jsonata.variable(name): value for name, value in names.items()}


def by_us(source: str, names: dict[str, Json]) -> Json | Fault:
    try:
        return evaluate(source, **names)
    except Fault as fault:
        return fault


def same(a: Json, b: Json) -> bool:
    """Equal as the language sees it: `1` is `1.0`, `true` is not `1`."""
    return bool(evaluate("a == b", a=json.loads(json.dumps(a)), b=b))


def written(source: str, names: dict[str, Json], *, typed: bool) -> str | None:
    """The JSONata; `None` where it goes through the helper."""
    references = {
        name: Reference(f"${jsonata.variable(name)}", of_value(value) if typed else ANY)
        for name, value in names.items()
    }
    try:
        return expressions.write(read(source), references)
    except NeedsHelper:
        return None


@pytest.mark.parametrize("typed", [False, True], ids=["types unknown", "types known"])
def test_jsonata_gives_the_values_that_the_evaluator_gives(typed: bool) -> None:
    wrong = []
    for key in dict.fromkeys(key for _, key in ALL):
        names = NAMES[key]
        found = [
            (source, text, value)
            for source, other in ALL
            if other == key
            and not isinstance(value := by_us(source, names), Fault)
            and (text := written(source, names, typed=typed)) is not None
        ]
        if found:
            values = values_of([text for _, text, _ in found], names)
            for (source, text, ours), theirs in zip(found, values, strict=True):
                if not same(theirs, ours):
                    wrong.append(f"{source}: {theirs!r} instead of {ours!r} by {text}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
def test_jsonata_raises_the_faults_that_the_evaluator_raises() -> None:
    wrong = []
    for source, key in ALL:
        names = NAMES[key]
        ours = by_us(source, names)
        text = written(source, names, typed=False)
        if isinstance(ours, Fault) and text is not None:
            theirs = fault_of(text, names)
            if theirs != ours.name:
                wrong.append(f"{source} with {names}: {theirs} instead of {ours.name}")
    assert not wrong, "\n".join(wrong)


SCALARS = st.sampled_from([None, True, False, -1, 0, 1, 3, 0.5, 2.5, "", "a", "ab"])
SMALL = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "order", "items"]), inner, max_size=3)
    ),
    max_leaves=6,
)
TREES = st.recursive(
    SCALARS.filter(lambda value: not isinstance(value, int) or value >= 0).map(Literal)
    | test_random.names.map(Name),
    test_random.nodes,
    max_leaves=8,
)
READABLE = ("a", "b", "order", "items", "x1", "_y")


@pytest.mark.slow
@given(TREES, st.fixed_dictionaries(dict.fromkeys(READABLE, SMALL)), st.booleans())
@settings(max_examples=100, deadline=None, database=None)
def test_any_expression_is_the_same_in_jsonata(
    tree: Tree, names: dict[str, Json], typed: bool
) -> None:
    source = unparse(test_random.renamed(tree))
    text = written(source, names, typed=typed)
    if text is None:
        return
    ours = by_us(source, names)
    if isinstance(ours, Fault):
        assert fault_of(text, names) == ours.name
    else:
        assert same(values_of([text], names)[0], ours)


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


@pytest.mark.parametrize("typed", [False, True], ids=["types unknown", "types known"])
def test_all_types_are_checked_before_a_text_may_not_be_empty(typed: bool) -> None:
    names: dict[str, Json] = {"a": "x", "b": "", "c": 1}
    text = written("a.replace(b[0:], c)", names, typed=typed)
    assert text is not None
    assert fault_of(text, names) == fault("a.replace(b[0:], c)", **names).name == "TypeMismatch"


def test_a_name_of_a_comprehension_is_not_the_variable_of_another() -> None:
    names = {"x": Reference("$x_2")}
    text = expressions.write(read("[x + x_2 for x_2 in [1, 2]]"), names)
    assert evaluate_jsonata(jsonata.complete(text), {"x_2": 10}, {}) == [11, 12]
