"""What progress is told by events and commands: given these notices, then these counters."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentflow.cli import rows
from agentflow.cli.progress import (
    ItemsCounted,
    Progress,
    Retrying,
    StepEnded,
    StepStarted,
    Waiting,
)
from agentflow.runtime.machine import Machine, compile_workflow
from agentflow.runtime.machine import protocol as p
from agentflow.spec.load import loads

MAP = """
workflow: w
do:
  - {id: begin, call: f.begin}
  - {id: skipped, if: "${ false }", call: f.never}
  - id: each
    map: ${ begin }
    as: x
    call: f.work
    with: {x: "${ x }"}
    batch: 2
    retry: {max_attempts: 3, interval: 2s}
    tolerate: 1
    reduce: {call: f.add}
  - {id: done, set: {y: "${ each }"}}
output: ${ y }
"""


class Run:
    """A machine and the progress that watches it, as the engine and the command line do."""

    def __init__(self, text: str) -> None:
        workflow = loads(text).workflow
        self.machine = Machine(compile_workflow(workflow))
        self.progress = Progress(workflow)
        self.happenings: list[object] = []
        self.commands: list[p.Command] = []
        self.at = 100.0

    def start(self, parallel: int = 1) -> None:
        self.tell(p.Started(self.at, "x1", None, parallel))

    def tell(self, event: p.Event) -> None:
        self.commands = self.machine.advance(event)
        self.happenings += self.progress.feed("x1", (event,), tuple(self.commands))

    def pass_time(self, seconds: float = 1.0) -> float:
        self.at += seconds
        return self.at

    def complete(self, key: str, value: object = None, attempt: int = 1) -> None:
        self.tell(p.CallCompleted(self.pass_time(), key, attempt, value))

    def fail(self, key: str, attempt: int = 1, name: str = "Oops") -> None:
        error = {"name": name, "message": "no luck", "data": None, "cause": None}
        self.tell(p.CallFailed(self.pass_time(), key, attempt, error))

    def batch(self, key: str, *outcomes: object) -> None:
        self.tell(p.BatchCompleted(self.pass_time(), key, 1, list(outcomes), 0.1))

    def step(self, id: str):
        return next(step for step in self.progress.steps if step.id == id)

    def told(self, kind: type) -> list:
        return [happening for happening in self.happenings if isinstance(happening, kind)]


OOPS = {"error": {"name": "Oops", "message": "no luck", "data": None, "cause": None}}


def test_steps_go_from_pending_over_running_to_succeeded_or_skipped():
    run = Run(MAP)
    assert [step.state for step in run.progress.steps] == ["pending"] * 4
    run.start()
    assert [step.state for step in run.progress.steps] == ["running", *["pending"] * 3]
    run.complete("begin", [1])
    states = [step.state for step in run.progress.steps]
    assert states == ["succeeded", "skipped", "running", "pending"]
    assert (run.step("begin").started, run.step("begin").ended) == (100.0, 101.0)


def test_a_step_that_nothing_could_skip_was_not_skipped():
    run = Run(
        "workflow: w\ndo:\n  - {id: past, wait: 1970-01-01T00:00:01Z}\n  - {id: b, call: f.b}\n"
    )
    run.start()
    assert [step.state for step in run.progress.steps] == ["succeeded", "running"]


def test_a_step_without_events_of_its_own_counts_as_done_when_the_next_begins():
    run = Run("workflow: w\ndo:\n  - {id: a, set: {x: 1}}\n  - {id: b, call: f.b}\n")
    run.start()
    assert run.step("a").state == "succeeded"
    run.complete("b", 2)
    assert run.progress.status == "succeeded"
    assert run.step("b").state == "succeeded"


def test_a_map_counts_what_is_done_running_retried_and_failed():
    run = Run(MAP)
    run.start()
    run.complete("begin", [1, 2, 3, 4])
    each = run.step("each")
    assert rows.counted(each) == "0/4"
    assert rows.busy(each) == ["4 running"]
    run.batch("each[0:2]", {"value": 1}, OOPS)
    assert rows.counted(each) == "1/4"
    assert rows.busy(each) == ["2 running", "1 retrying"]
    assert run.told(Retrying)[-1] == Retrying(102.0, "each[1]", 2, 3, 2.0, OOPS["error"])
    run.tell(p.TimerFired(run.pass_time(), "each[1]@retry"))
    assert rows.busy(each) == ["3 running"]
    run.fail("each[1]", 2)
    run.tell(p.TimerFired(run.pass_time(), "each[1]@retry"))
    run.fail("each[1]", 3)
    assert rows.busy(each) == ["2 running", "1 failed"]
    run.batch("each[2:4]", {"value": 3}, {"value": 4})
    assert rows.counted(each) == "3/4"
    assert rows.table(run.progress, run.at, 10)[2].detail == "reducing"
    run.complete("each.reduce[0][0]", 8)
    assert run.progress.status == "succeeded"
    assert rows.ending(each) == "succeeded 7.0s, 3 items, 1 failed, 2 retries"


def test_an_item_that_succeeds_on_its_second_attempt_is_no_failure():
    run = Run(MAP)
    run.start()
    run.complete("begin", [1])
    run.batch("each[0:1]", OOPS)
    run.tell(p.TimerFired(run.pass_time(), "each[0]@retry"))
    run.complete("each[0]", 1, 2)
    assert rows.counted(run.step("each")) == "1/1"
    assert not run.step("each").items.failed


BLOCKS = """
workflow: w
do:
  - id: each
    map: ${ [1, 2, 3] }
    as: x
    do:
      - {id: first, call: f.first}
      - {id: second, call: f.second}
"""


@pytest.mark.parametrize("concurrency", ["", "concurrency: 1"], ids=["free", "throttled"])
def test_items_that_are_blocks_are_done_after_their_last_step(concurrency):
    run = Run(BLOCKS + concurrency)
    run.start()
    each = run.step("each")
    for place in range(3):
        run.complete(f"each[{place}].first")
        assert rows.counted(each) == "0/3"
    for place in range(3):
        run.complete(f"each[{place}].second")
        assert rows.counted(each) == f"{place + 1}/3"
    assert run.progress.status == "succeeded"


def test_an_item_that_returns_early_is_done():
    early = BLOCKS.replace(
        "{id: first,", "{id: stop, if: '${ x == 2 }', return: 0}\n      - {id: first,"
    )
    run = Run(early)
    run.start()
    run.complete("each[0].first")
    run.complete("each[0].second")
    assert rows.counted(run.step("each")) == "1/3"
    run.complete("each[2].first")
    run.complete("each[2].second")
    assert rows.counted(run.step("each")) == "3/3"


PIPELINE = """
workflow: w
do:
  - id: p
    pipeline:
      from: ${ ["a", "b"] }
      as: x
      stages:
        - {id: one, call: f.one}
        - {id: two, call: f.two}
"""


def test_an_item_of_a_pipeline_is_done_after_its_last_stage():
    run = Run(PIPELINE)
    run.start()
    run.complete("p[0].one")
    assert rows.counted(run.step("p")) == "0/2"
    run.complete("p[0].two")
    assert rows.counted(run.step("p")) == "1/2"


def test_the_stages_of_a_running_pipeline_are_counted_one_by_one():
    run = Run(PIPELINE.replace('["a", "b"]', "range(9)"))
    run.start()
    run.complete("p[0].one")
    outcomes = [{"value": 1}, {"value": 2}, {"error": {"name": "Boom"}}]
    run.tell(p.BatchCompleted(run.pass_time(), "p[1:4].one", 1, outcomes, 0.1))
    run.tell(p.BatchCompleted(run.pass_time(), "p[0:2].two", 1, outcomes[:2], 0.1))
    assert rows.counted(run.step("p")) == "2/9"
    assert rows.busy(run.step("p"))[:2] == ["one 3", "two 2"]


def test_a_failure_marks_its_step_and_leaves_the_rest_pending():
    run = Run(MAP)
    run.start()
    run.fail("begin")
    assert [step.state for step in run.progress.steps] == ["failed", *["pending"] * 3]
    assert [row.detail for row in rows.table(run.progress, run.at, 10)][1:] == ["not started"] * 3


def test_a_cancelled_execution_leaves_no_step_running():
    run = Run(MAP)
    run.start()
    run.tell(p.CancelRequested(run.pass_time(), "enough"))
    assert run.progress.status == "cancelled"
    assert run.step("begin").state == "cancelled"
    assert run.step("begin").running == 0


WAITING = """
workflow: w
do:
  - {id: ok, approve: Really?}
  - {id: paid, listen: payment, correlation: 7}
  - {id: rest, wait: 1h}
"""


def test_waiting_steps_say_for_what():
    run = Run(WAITING)
    run.start()
    assert run.told(Waiting)[-1] == Waiting(100.0, "ok", "ok", approval=True)
    assert rows.busy(run.step("ok")) == ["waits for approval"]
    run.tell(p.MessageReceived(run.pass_time(), "ok", "m1", None))
    assert run.told(Waiting)[-1].name == "payment"
    assert rows.busy(run.step("paid")) == ['waits for a message "payment"']
    run.tell(p.MessageReceived(run.pass_time(), "paid", "m2", None))
    assert rows.busy(run.step("rest")) == ["waits for a time"]
    run.tell(p.TimerFired(run.pass_time(3600), "rest@wait"))
    assert run.progress.status == "succeeded"


def test_notices_of_child_executions_are_passed_over():
    run = Run(MAP)
    run.start()
    before = run.step("begin").state
    assert run.progress.feed("child", (p.CallCompleted(1.0, "begin", 1, None),), ()) == []
    assert run.step("begin").state == before


def test_happenings_come_in_the_order_of_things():
    run = Run("workflow: w\ndo:\n  - {id: a, call: f.a}\n  - {id: b, call: f.b}\n")
    run.start()
    run.complete("a")
    run.complete("b")
    told = [(type(happening), happening.step.id) for happening in run.happenings]
    assert told == [(StepStarted, "a"), (StepEnded, "a"), (StepStarted, "b"), (StepEnded, "b")]


@pytest.mark.parametrize(
    ("current", "height", "expected"),
    [
        (0, 5, ["s0", "s1", "s2", "… 7 more steps"]),
        (5, 5, ["… 4 steps before", "s4", "s5", "s6", "… 3 more steps"]),
        (9, 5, ["… 7 steps before", "s7", "s8", "s9"]),
        (3, 10, [f"s{n}" for n in range(10)]),
    ],
    ids=["first", "middle", "last", "all fit"],
)
def test_a_long_workflow_is_shown_around_what_runs(current, height, expected):
    steps = "".join(f"  - {{id: s{n}, call: f.f}}\n" for n in range(10))
    run = Run(f"workflow: w\ndo:\n{steps}")
    run.start()
    for n in range(current):
        run.complete(f"s{n}")
    assert [row.name for row in rows.table(run.progress, run.at, height)] == expected


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(["ok", "fail"]), min_size=1, max_size=12), st.randoms())
def test_counters_never_exceed_the_items_and_end_at_them(outcomes, random):
    run = Run(MAP.replace("tolerate: 1", "tolerate: 100%").replace("batch: 2", "batch: 3"))
    run.start(parallel=2)
    run.complete("begin", list(outcomes))
    items = run.step("each").items
    while run.progress.status == "running":
        (key, frame) = random.choice(sorted(run.machine.pending.items()))
        (command,) = frame.outstanding(run.machine, key)
        match command:
            case p.InvokeBatch(calls=calls):
                verdicts = [{"value": 1} if call["x"] == "ok" else OOPS for call in calls]
                run.batch(key, *verdicts)
            case p.Invoke(attempt=attempt, arguments={"x": "fail"}):
                run.fail(key, attempt)
            case p.Invoke(attempt=attempt):
                run.complete(key, 1, attempt)
            case p.StartTimer():
                run.tell(p.TimerFired(run.pass_time(), key))
        assert items.done + len(items.failed) <= len(outcomes)
        assert run.step("each").running >= 0
    assert items.done == outcomes.count("ok")
    assert len(items.failed) == outcomes.count("fail")
    assert len(run.told(Retrying)) == 2 * outcomes.count("fail")
    assert run.told(ItemsCounted)
