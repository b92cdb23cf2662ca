"""Expressions in JSONata give what our evaluator gives: every function, its edges, its faults.

The cases are those of the evaluator's own tests, run through jsonata-python.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sfnx.testing import evaluate as evaluate_jsonata

from agentflow.adapters.aws import expressions, jsonata
from agentflow.adapters.aws.checks import Reference
from agentflow.errors import Fault, Json
from agentflow.spec.expressions import unparse
from agentflow.spec.expressions.tree import Literal, Name, Tree
from tests.aws.cases_expressions import ALL, NAMES
from tests.aws.in_jsonata import by_us, fault_of, same, values_of, written
from tests.expressions import test_random
from tests.expressions.language import fault, read


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
