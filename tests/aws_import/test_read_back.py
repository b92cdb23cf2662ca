"""Definitions that hold the workflow they were compiled from."""

from __future__ import annotations

import json
from collections import Counter

import pytest
import yaml

from agentflow.adapters.aws.asl.read import read
from agentflow.adapters.aws.compile import definition
from agentflow.adapters.aws.imports import import_machine
from agentflow.spec.load import loads
from agentflow.spec.write import to_yaml
from tests.aws_import.native import imported
from tests.conformance.generated.maker import Made
from tests.conformance.generated.sides import Verdict, judge
from tests.conformance.generated.workflows import workflow

OWN = """
workflow: own
do:
  - id: price
    call: shop.price
    with: {item: "${ input.item }", currency: EUR}
    retry: {on: [Busy], max_attempts: 3}
  - id: words
    set: {sentence: "${ str(input.item) + \\" costs \\" + str(price) }"}
  - id: answer
    listen: answered
    correlation: ${ input.item }
output: {said: "${ sentence }", answer: "${ answer }"}
targets: {aws: {keep_spec: %s}}
"""


def test_a_compiled_workflow_comes_back_as_it_was() -> None:
    there = definition(loads(OWN % "true"))
    assert imported(there).text == to_yaml(loads(OWN % "true").workflow)
    deployed = json.loads(json.dumps(there).replace('"own-functions"', '"arn:of:a:version:7"'))
    assert imported(deployed).text == to_yaml(loads(OWN % "true").workflow)


def test_a_compiled_workflow_that_was_changed_is_read_by_its_states() -> None:
    there = definition(loads(OWN % "true"))
    there["TimeoutSeconds"] = 77
    made = import_machine(read(there), "own")
    assert "it was changed since" in made.notes[0]
    text = to_yaml(made.workflow)
    assert "timeout: 77s" in text or "timeout: 1m17s" in text
    assert "call: shop.price" in text
    assert "listen: answered" in text
    assert "call: agentflow.adapters.aws.foreign.evaluate" in text
    assert "retry: {on: [Busy], max_attempts: 3}" in text
    assert "loop:" not in text


def test_without_the_setting_a_definition_holds_no_spec() -> None:
    assert definition(loads(OWN % "false"))["Comment"] == "own 1.0.0"


# --- what was changed does what it did -------------------------------------------------------------

BUSY = "call: made.busy, with: {at: s1, failures: 1}, retry: {max_attempts: 2, interval: 0s}"
FAIL = 'call: made.fail, with: {at: s1, name: Odd, data: {why: "${ input.n }"}}'
WRONG = 'call: made.give, with: {at: s1, x: "${ input.n[17] }"}'
TOLD = 'catch: [{as: e, do: [{id: told, return: "${ [e.name, e.data] }"}]}]'
STEPS = {
    "a call knows its attempt": BUSY,
    "a call whose arguments may fail knows its attempt": BUSY.replace(
        "failures: 1", 'failures: "${ input.n // input.n }"'
    ),
    "a call that can be undone knows its attempt": (
        f"saga: {{do: [{{id: one, {BUSY}, compensate: {{call: made.give, with: {{at: s2}}}}}}, "
        f"{{id: two, {FAIL}}}]}}, {TOLD}"
    ),
    "a call in a branch knows its attempt": f"fork: {{left: {{do: [{{id: a, {BUSY}}}]}}}}, {TOLD}",
    "an error keeps its data": FAIL,
    "an error keeps its data out of a branch": (
        f"fork: {{left: {{do: [{{id: a, {FAIL}}}]}}}}, {TOLD}"
    ),
    "an error keeps its data out of an item": (
        f'map: "${{ input.l }}", concurrency: 1, do: [{{id: a, {FAIL}}}], {TOLD}'
    ),
    "an error with a name of ours keeps its data out of a branch": (
        f"fork: {{left: {{do: [{{id: a, {FAIL.replace('Odd', 'MissingKey')}}}]}}}}, {TOLD}"
    ),
    "a loop without end in a branch is caught": (
        'fork: {left: {do: [{id: a, loop: {while: "${ input.n > 0 }", max: 2, '
        f"do: [{{id: b, call: made.give, with: {{at: s2}}}}]}}}}]}}}}, {TOLD}"
    ),
    "a wrong argument of a call has its name": f"{WRONG}, {TOLD}",
    "a wrong argument of a call in a branch has its name": (
        f"fork: {{left: {{do: [{{id: a, {WRONG}, catch: [{{'on': Odd, do: [{{id: b, {BUSY}}}]}}]}}]}}"
        f"}}, {TOLD}"
    ),
}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS.keys())
def test_a_definition_without_its_spec_does_what_the_workflow_does(step: str) -> None:
    spec = {"workflow": "made", "do": [{"id": "step", **yaml.safe_load(f"{{{step}}}")}]}
    assert judge(Made(spec, {"n": 3, "l": [1, 2]}), "import") == Verdict("equal")


@pytest.mark.slow
def test_generated_workflows_mean_the_same_when_their_definitions_are_read_back() -> None:
    verdicts = {seed: judge(workflow(seed, budget=8), "import") for seed in range(300, 312)}
    wrong = {seed: each for seed, each in verdicts.items() if each.kind in ("differs", "broken")}
    assert not wrong
    assert Counter(each.kind for each in verdicts.values())["equal"] >= 3
