"""Generated workflows mean the same here and compiled; `python -m tests.conformance.generated`."""

from __future__ import annotations

from collections import Counter

import pytest

from agentflow.errors import SpecError
from tests.conformance.generated.maker import Made
from tests.conformance.generated.shrink import shrunk
from tests.conformance.generated.sides import judge
from tests.conformance.generated.workflows import workflow

FIRST = {"aws": 0, "distributed": 100, "sfnx": 200}
"""Seeds, from which on some are tried against an engine."""


@pytest.mark.parametrize("against", FIRST)
def test_generated_workflows_mean_the_same(against: str) -> None:
    seeds = range(FIRST[against], FIRST[against] + 20)
    verdicts = {seed: judge(workflow(seed, budget=8), against) for seed in seeds}
    wrong = {s: each for s, each in verdicts.items() if each.kind in ("differs", "broken")}
    assert not wrong
    assert Counter(each.kind for each in verdicts.values())["equal"] >= 6


def test_a_seed_always_gives_the_same_workflow() -> None:
    assert workflow(7) == workflow(7)
    assert workflow(7) != workflow(8)


def test_a_workflow_shrinks_to_what_matters() -> None:
    def calls_busy(made: Made) -> bool:
        try:
            return "made.busy" in made.loaded().text
        except SpecError:
            return False

    made = next(each for each in map(workflow, range(100)) if calls_busy(each))
    (step,) = shrunk(made, calls_busy).spec["do"]
    assert step["call"] == "made.busy"
    assert step.keys() == {"id", "call", "with"}
