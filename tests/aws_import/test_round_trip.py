"""Imported definitions compile back, and come back as they went."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from agentflow.adapters.aws.asl.read import read
from agentflow.adapters.aws.compile import definition
from agentflow.adapters.aws.imports import import_machine
from agentflow.errors import Json
from agentflow.spec.load import loads
from agentflow.spec.write import to_yaml
from tests.asl.cases import CORPUS, Case, load
from tests.aws_import.round_trip import travel
from tests.aws_import.test_aws_import_semantics import jumping
from tests.aws_import.worlds import workflow

CASES = load(CORPUS)


@pytest.mark.parametrize("case", CASES[::9], ids=lambda case: case.id)
def test_a_case_comes_back_as_it_went(case: Case) -> None:
    trip = travel(case)
    assert trip.refused or trip.stable, (trip.differences, trip.notes)


@pytest.mark.slow
def test_every_case_that_can_be_imported_comes_back_as_it_went() -> None:
    trips = [travel(case) for case in CASES]
    assert sum(not trip.refused for trip in trips) > 0.9 * len(trips)
    assert [trip.case.id for trip in trips if not trip.refused and not trip.stable] == []


@settings(deadline=None, max_examples=20)
@given(jumping())
def test_however_states_jump_the_workflow_comes_back_as_it_went(machine: Json) -> None:
    first = workflow(machine)
    there = definition(first)
    second = to_yaml(import_machine(read(there), "made").workflow)
    assert second == first.text
    assert definition(loads(second)) == there
