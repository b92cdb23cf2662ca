"""What is written is read back as the same workflow, and looks as if a person had written it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from agentflow.errors import Diagnostic
from agentflow.spec.expressions.template import Interpolation
from agentflow.spec.model import Workflow
from agentflow.spec.parse import parse
from agentflow.spec.read import read
from agentflow.spec.source import plain
from agentflow.spec.write import template, to_data, to_yaml
from agentflow.spec.write_yaml import document
from tests.chaos.shapes import SHAPES as CHAOS
from tests.simulation.shapes import SHAPES as SIMULATED
from tests.spec.models import TEXTS, Maker, expression, placeless

SPECS = sorted((Path(__file__).parents[2] / "specs").glob("*.yaml"))
CHILDREN = {path.name: path.read_text() for path in SPECS}


def reread(text: str) -> Workflow:
    diagnostics: list[Diagnostic] = []
    workflow = parse(read(text, "written.yaml", diagnostics), diagnostics).workflow
    assert not diagnostics, f"{diagnostics[0]}\n{text}"
    return workflow


def assert_survives(workflow: Workflow) -> None:
    text = to_yaml(workflow)
    again = reread(text)
    assert placeless(again) == placeless(workflow), text
    written = plain(read(text, "written.yaml", []))
    assert json.dumps(written) == json.dumps(to_data(workflow)), text
    assert to_yaml(again) == text


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_the_project_s_workflows_survive(path: Path) -> None:
    assert_survives(reread(path.read_text()))


@pytest.mark.parametrize("shape", [*CHAOS, *SIMULATED], ids=lambda shape: shape.name)
def test_the_workflows_of_the_campaigns_survive(shape: object) -> None:
    assert_survives(reread(shape.text))  # type: ignore[attr-defined]  # both kinds have a text


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32))
def test_any_workflow_survives(seed: int) -> None:
    assert_survives(Maker(seed).workflow())


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(TEXTS)
keys = texts.filter(lambda text: text != "on")  # a field of the language, which keeps its looks


@given(
    st.recursive(texts, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=5)
)
@settings(max_examples=50)
def test_yaml_1_1_reads_the_same_texts(value: object) -> None:
    assert yaml.safe_load(document({"value": value}, {}))["value"] == value


@pytest.mark.parametrize("rest", ["", "x", " x", "- x", " 1"])
def test_a_text_is_a_text_whatever_it_begins_with(rest: str) -> None:
    for first in map(chr, range(0x21, 0x7F)):
        text = f"{first}{rest}"
        for value in (text, [text], {"a": text}):
            assert yaml.safe_load(document({"value": value}, {}))["value"] == value


WRITTEN = """\
workflow: tidy
version: 1.0.0
description: |-
  Count words.

  Twice.

input:
  type: object
  properties:
    text: {type: string}
    limit: {type: integer, default: 3}
  required: [text]

do:
  - id: words
    if: ${ input.limit > 0 }
    call: functions.text.count_words
    with: {text: "${ input.text }", note: say "hi", dots: "a: b", "yes": "yes"}
    resources: {num_cpus: 2, memory: 512MiB}
    timeout: 1m30s
    retry: {on: [ConnectionError], max_attempts: 3, interval: 500ms}
    catch:
      - on: Timeout
        as: err
        do:
          - id: give_up
            raise: {name: TooSlow, message: "${ err.message }"}

  - id: parts
    fork:
      left:
        do:
          - id: pause
            wait: 5
      right:
        do:
          - id: ask
            approve: Go on?
    join: any

output: ${ words }
concurrency: 4
"""


def test_a_tidy_workflow_is_written_as_it_was() -> None:
    assert to_yaml(reread(WRITTEN)) == WRITTEN


def test_a_dollar_before_an_expression_stays_a_dollar() -> None:
    written = template(Interpolation(("costs $$", expression("a"), "$"), reread(WRITTEN).span))

    assert written == 'costs ${ "$$" }${ a }$'


def test_places_are_comments_at_the_steps() -> None:
    text = to_yaml(reread("workflow: w\ndo:\n  - id: a\n    wait: 1\n"), places=True)

    assert "  - id: a  # written.yaml:3:9\n" in text
