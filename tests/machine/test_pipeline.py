"""Pipelines as streams: what travels together, what is held back, what fails."""

from __future__ import annotations

import pytest

from agentflow.runtime.machine import protocol as p
from tests.machine.script import Play, error, play

QUICK = 0.001
"""Seconds between events: a call that takes so little is worth sending in company."""

TWO = """
  - id: p
    pipeline:
      from: ${ input }
      buffer: 4
      stages:
        - {id: a, call: f.a, with: {x: "${ item }"}}
        - {id: b, call: f.b, with: {x: "${ item }"}}
"""


def test_what_waits_travels_together_once_it_is_known_to_be_quick() -> None:
    play(
        TWO,
        """
start
-> invoke p[0].a {"x": 0}
p[0].a = 0
-> invoke p[0].b {"x": 0}
-> batch p[1:5].a [{"x": 1}, {"x": 2}, {"x": 3}, {"x": 4}]
p[0].b = 0
p[1:5].a : [1, 2, 3, 4]
-> batch p[1:5].b [{"x": 1}, {"x": 2}, {"x": 3}, {"x": 4}]
-> invoke p[5].a {"x": 5}
p[5].a = 5
p[1:5].b : [1, 2, 3, 4]
-> invoke p[5].b {"x": 5}
p[5].b = 5
-> done [0, 1, 2, 3, 4, 5]
""",
        input=[0, 1, 2, 3, 4, 5],
        tick=QUICK,
    )


@pytest.mark.parametrize(
    ("stage", "tick"),
    [
        pytest.param("{id: a, call: f.a}", 0.03, id="that takes a while"),
        pytest.param("{id: a, call: f.a, concurrency: 9}", 0.01, id="that has a slot for each"),
        pytest.param("{id: a, call: f.a, resources: {num_cpus: 1}}", QUICK, id="with resources"),
        pytest.param("{id: a, do: [{id: c, call: f.a}]}", QUICK, id="of steps"),
    ],
)
def test_items_travel_alone_in_a_stage(stage: str, tick: float) -> None:
    text = f"  - {{id: p, pipeline: {{from: '${{ input }}', buffer: 4, stages: [{stage}]}}}}"
    run = Play(text, input=list(range(9)), tick=tick)
    asked = run.feed("start")
    while run.machine.finished is None:
        asked += run.feed(f"{next(iter(run.machine.pending))} = 0")
    assert not [line for line in asked if line.startswith("batch")]


def test_a_lone_item_does_not_wait_for_company() -> None:
    play(
        """
  - id: p
    pipeline:
      from: {call: f.source}
      buffer: 4
      stages: [{id: a, call: f.a, with: {x: "${ item }"}}]
""",
        """
start
-> stream p.from demand 4 skip 0
p.from < [0]
-> demand p.from 1
-> invoke p[0].a {"x": 0}
p[0].a = 0
p.from < [1]
-> demand p.from 1
-> invoke p[1].a {"x": 1}
p.from < [2, 3]
-> demand p.from 2
p[1].a = 0
-> batch p[2:4].a [{"x": 2}, {"x": 3}]
p.from = null
p[2:4].a : [0, 0]
-> done [0, 0, 0, 0]
""",
        tick=QUICK,
    )


def test_work_that_takes_a_while_is_divided_among_free_slots() -> None:
    run = Play(
        """
  - id: p
    pipeline:
      from: {call: f.source}
      buffer: 8
      stages: [{id: a, call: f.a, concurrency: 2}]
""",
        tick=0.008,
    )
    run.feed("start")
    run.feed("p.from < [0]")
    run.feed("p[0].a = 0")
    asked = run.feed("p.from < [1, 2, 3, 4, 5, 6]")
    assert asked == [
        "demand p.from 7",
        "batch p[1:4].a [{}, {}, {}]",
        "batch p[4:7].a [{}, {}, {}]",
    ]


def test_a_batch_keeps_its_slot_until_all_of_it_has_left() -> None:
    play(
        TWO.replace("buffer: 4", "buffer: 2"),
        """
start
-> invoke p[0].a {"x": 0}
p[0].a = 0
-> invoke p[0].b {"x": 0}
-> batch p[1:3].a [{"x": 1}, {"x": 2}]
p[1:3].a : [1, 2]
-> batch p[3:5].a [{"x": 3}, {"x": 4}]
p[3:5].a : [3, 4]
p[0].b = 0
-> batch p[1:3].b [{"x": 1}, {"x": 2}]
-> batch p[5:7].a [{"x": 5}, {"x": 6}]
""",
        input=list(range(9)),
        tick=QUICK,
    )


FAILING = """
  - id: p
    pipeline:
      from: ${ input }
      buffer: 4
      stages: [{id: a, call: f.a, with: {x: "${ item }"}POLICY}]
"""


@pytest.mark.parametrize(
    ("policy", "script"),
    [
        pytest.param(
            "",
            'p[1:4].a : [1, "!Boom", 3]\n-> failed Boom at p[2].a',
            id="without a retry the pipeline fails",
        ),
        pytest.param(
            ", retry: {max_attempts: 2, interval: 1s, jitter: none}",
            """
p[1:4].a : [1, "!Boom", 3]
-> timer p[2].a@retry +1
fire p[2].a@retry
-> invoke p[2].a {"x": 2} #2
p[2].a = 2
-> done [0, 1, 2, 3]
""",
            id="with a retry it is called alone",
        ),
        pytest.param(
            "",
            """
p[1:4].a ! WorkerLost
-> invoke p[1].a {"x": 1}
p[1].a = 1
-> invoke p[2].a {"x": 2}
p[2].a = 2
-> invoke p[3].a {"x": 3}
p[3].a = 3
-> done [0, 1, 2, 3]
""",
            id="with a lost worker each is called alone",
        ),
        pytest.param("", "p[1:4].a ! Odd\n-> failed Odd at p[1:4].a", id="as a whole"),
    ],
)
def test_an_item_that_fails_in_company(policy: str, script: str) -> None:
    before = """
start
-> invoke p[0].a {"x": 0}
p[0].a = 0
-> batch p[1:4].a [{"x": 1}, {"x": 2}, {"x": 3}]
"""
    spec = FAILING.replace("POLICY", policy)
    play(spec, before + script, input=[0, 1, 2, 3], tick=QUICK)


def test_a_fault_in_an_items_arguments_is_that_items_failure() -> None:
    spec = FAILING.replace("POLICY", "").replace('"${ item }"', '"${ item.y }"')
    play(
        spec,
        """
start
-> invoke p[0].a {"x": 0}
p[0].a = 0
-> batch p[1:3].a [{"x": 1}, {"x": 2}]
p[1:3].a : [1, 2]
-> failed MissingKey at p[3].a
""",
        input=[{"y": 0}, {"y": 1}, {"y": 2}, {}],
        tick=QUICK,
    )


def test_a_cancelled_pipeline_withdraws_its_batches_and_its_source() -> None:
    run = Play(TWO.replace("${ input }", "{call: f.source}"), tick=QUICK)
    for text in ("start", "p.from < [0, 1, 2, 3]", "p[0].a = 0"):
        run.feed(text)
    assert set(run.feed("cancel")) == {
        "withdraw p.from",
        "withdraw p[1:4].a",
        "withdraw p[0].b",
        "cancelled",
    }


def test_a_failed_item_of_a_batch_can_be_retried() -> None:
    """`agentflow retry` forgives the failure: the item is called once more, alone."""
    run = Play(FAILING.replace("POLICY", ""), input=[0, 1, 2, 3], tick=QUICK)
    run.feed("start")
    run.feed("p[0].a = 0")
    outcomes = [{"value": 1}, {"error": error("Boom")}, {"value": 3}]
    event = p.BatchCompleted(run.now, "p[1:4].a", 1, outcomes, 0.001)
    asked = run.machine.forgive(event, run.now + 5)
    assert [run.show(command) for command in asked] == ['invoke p[2].a {"x": 2}']
    assert run.feed("p[2].a = 2") == ["done [0, 1, 2, 3]"]


def test_a_source_that_broke_can_be_retried_whatever_its_policy_says() -> None:
    """A forgiven failure begins the policy's count and the crash budget anew."""
    run = Play(TWO.replace("${ input }", "{call: f.source}"), tick=QUICK)
    run.feed("start")
    run.feed("p.from < [0]")
    for attempt in (1, 2):
        event = p.CallFailed(run.now, "p.from", attempt, error("Boom"))
        (opened,) = run.machine.forgive(event, run.now + 5)
        assert isinstance(opened, p.OpenStream)
        assert (opened.attempt, opened.skip) == (attempt + 1, 1)
    for attempt in (3, 4):
        lost = p.CallFailed(run.now, "p.from", attempt, error("WorkerLost"))
        (opened,) = run.machine.advance(lost)
        assert isinstance(opened, p.OpenStream)
    run.machine.advance(p.CallFailed(run.now, "p.from", 5, error("WorkerLost")))
    assert run.machine.finished is not None
