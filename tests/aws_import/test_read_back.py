"""Definitions that hold the workflow they were compiled from."""

from __future__ import annotations

import json

from agentflow.adapters.aws.asl.read import read
from agentflow.adapters.aws.compile import definition
from agentflow.adapters.aws.imports import import_machine
from agentflow.spec.load import loads
from agentflow.spec.write import to_yaml
from tests.aws_import.native import imported

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
