"""Random expressions come to the same here and as JSONata: the value, or the fault by name.

What they have found is in `cases_expressions.GENERATED`. A longer search:

    python -m tests.aws.test_aws_generated SEED COUNT
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable

import pytest

from tests.aws.differential import (
    Outcome,
    Written,
    by_our_engine,
    by_sfnx,
    by_states,
    cases,
    expected,
    filled,
    written,
)
from tests.expressions.test_library import FAULTS

ENGINES = {"simulation": by_our_engine, "sfnx": by_sfnx}
FORMS = ("${{{}}}", "a${{{}}}b", "${{{0}}}${{{0}}}", "$${{{{ ${{{}}}", "{{% ${{{}}}")


def differences(engine: Callable[[Written], Outcome], seed: int, count: int) -> list[str]:
    """Where an engine says something else than our evaluator, and not for a reason."""
    compared = ((each, engine(each)) for each in written(seed, count))
    return [
        each.told(found)
        for each, found in compared
        if found != each.expected and not each.explained(found)
    ]


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
def test_random_expressions_are_the_same_in_jsonata(engine: Callable[[Written], Outcome]) -> None:
    assert differences(engine, 5, 150) == []


def test_random_templates_are_the_same_in_states_with_the_helper() -> None:
    chance = random.Random(7)
    wrong = []
    for case in cases(7, 250, native=0):
        text = chance.choice(FORMS).format(case.source)
        ours, theirs = filled(text, case.names), by_states(text, case.names, chance)
        if ours != theirs:
            wrong.append(f"{text} with {case.names}: {theirs}, not {ours}")
    assert wrong == []


def test_random_expressions_meet_values_and_every_fault() -> None:
    found = {expected(case) for case in cases(11, 700)}
    assert {name for kind, name in found if kind == "fault"} == FAULTS
    assert sum(kind == "value" for kind, _ in found) > 150


if __name__ == "__main__":
    for name, each in ENGINES.items():
        print(name, *differences(each, int(sys.argv[1]), int(sys.argv[2])), sep="\n  ")
