"""From a key to its place in the spec."""

from __future__ import annotations

import pytest

from agentflow.cli import places
from agentflow.spec.load import loads

TEXT = """
workflow: w
defaults: {retry: {max_attempts: 5}}
do:
  - id: trip
    retry: {max_attempts: 2}
    saga:
      do:
        - id: book
          call: f.book
          compensate: {call: f.unbook}
  - id: counts
    map: [1]
    call: f.count
    reduce: {call: f.merge}
  - id: items
    map: [1]
    do:
      - id: parse
        call: f.parse
        catch:
          - on: "*"
            do: [{id: note, call: f.note}]
  - id: side
    fork:
      left: {do: [{id: x, call: f.left}]}
      right: {do: [{id: x, call: f.right}]}
  - id: order
    start: review
    states:
      review: {do: [{id: x, call: f.review}], next: done}
      done: {do: [{id: y, set: {z: 1}}], end: true}
  - id: flow
    pipeline:
      from: [1]
      stages: [{id: parse, call: f.stage}]
      reduce: {call: f.combine}
"""


@pytest.fixture(scope="module")
def workflow():
    return loads(TEXT).workflow


@pytest.mark.parametrize(
    ("key", "function", "attempts"),
    [
        ("trip", None, 2),
        ("trip~2.book", "f.book", 5),
        ("trip.book.compensate", "f.unbook", 5),
        ("counts", "f.count", 5),
        ("counts[17]", "f.count", 5),
        ("counts[0:64]", "f.count", 5),
        ("counts[17]@retry", "f.count", 5),
        ("counts.reduce[0][3]", "f.merge", 5),
        ("items[3].parse", "f.parse", 5),
        ("items[3].parse.note", "f.note", 5),
        ("side.left.x", "f.left", 5),
        ("side.right.x", "f.right", 5),
        ("order[1].review.x", "f.review", 5),
        ("order[2].done.y", None, None),
        ("flow[5].parse", "f.stage", 5),
        ("flow[5:9].parse", "f.stage", 5),
        ("flow.reduce[0][3]", "f.combine", 5),
    ],
    ids=str,
)
def test_a_key_leads_to_its_function_and_retry(workflow, key, function, attempts):
    place = places.find(workflow, key)
    assert place.function == function
    assert (place.retry.max_attempts if place.retry else None) == attempts
    assert TEXT.splitlines()[place.span.line - 1].strip()


def test_a_key_of_another_workflow_leads_nowhere(workflow):
    assert places.find(workflow, "elsewhere[0].x") is None


@pytest.mark.parametrize(
    ("key", "top"),
    [("a", "a"), ("a[3].b", "a"), ("a~2.b", "a"), ("a@retry", "a"), ("a.b.c", "a")],
)
def test_the_outermost_step_of_a_key(key, top):
    assert places.top(key) == top


def test_every_step_is_counted(workflow):
    assert places.count(workflow) == 13
