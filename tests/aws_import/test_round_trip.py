"""Imported definitions compile back, and come back as they went."""

from __future__ import annotations

import pytest

from tests.asl.cases import CORPUS, Case, load
from tests.aws_import.round_trip import travel

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
