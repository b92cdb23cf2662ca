"""Expressions with the names they read: the evaluator's own tables, and what JSONata makes hard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agentflow.errors import Json
from agentflow.spec.expressions import LIBRARY
from tests.expressions import test_evaluate, test_library, test_operators

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
    # equal is what has the same value, whatever its text is
    "unique([0.1 + 0.2, 0.3, 0.1 + 0.2])",
    "unique([{'a': 1, 'b': 2}, {'b': 2, 'a': 1}, {'a': 1}, {'b': {'a': 1}}])",
    "unique(['1', 1, 1.0, true, 'true', null, 'null', '', [], {}, [[]], 0, -0.0])",
    "unique([[1, 2], [12], ['1,1:2'], ['1', '2'], [[1], 2]])",
    "unique([{'a': 'b'}, {'a1:b': ''}, {'a': 'b,1:c1:d'}, {'a': 'b', 'c': 'd'}])",
    "unique([1.7976931348623157e308, 1.797693134862315e308, odd.huge, odd.tiny, 2 * odd.tiny])",
    "[[0.1 + 0.2]] == [[0.3]]",
    "[[1.0, true], {'a': 1, 'b': 2}] == [[1, true], {'b': 2, 'a': 1}]",
    "[[1]] == [[true]]",
    "[[0.1 + 0.2] in [[0.3]], [1] in [[true]], {'b': 2, 'a': 1} in [{'a': 1, 'b': 2}]]",
    "intersection([0.1 + 0.2, [1], {'a': 1, 'b': 2}], [0.3, [true], {'b': 2, 'a': 1}])",
    "difference([0.1 + 0.2, [1], {'a': 1, 'b': 2}], [0.3, [true], {'b': 2, 'a': 1}])",
    "group_by([{'k': 'b'}, {'k': 'a', 'n': [1]}, {'k': 'b', 'n': [[]]}], 'k')",
    "group_by([], 'k')",
    "sorted_by([{'k': 2}, {'k': 1}, {'k': 2, 'n': [[1]]}, {'k': 1.5}], 'k')",
    "[max([1, 2.5, -3]), min(['b', 'a', 'ab']), max('é', 'e'), min([-0.0, 1])]",
)
"""What random expressions found, made small; and what must be equal, or must not."""

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
