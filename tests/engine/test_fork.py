"""New executions that share the beginning of another one's history."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from agentflow import Conflict, Engine, ExecutionFailed, NotFound
from tests.engine.conftest import Ledger, Spec
from tests.engine.hosts import ended, serving

STEPS = """
  - {id: a, call: work.mark, with: {name: a, value: "${ input.x }"}}
  - id: m
    map: [1, 2]
    batch: 2
    call: work.mark
    with: {name: m, value: "${ item }"}
  - {id: b, call: work.mark, with: {name: b, value: "${ a + 1 }"}}
  - {id: c, call: work.mark, with: {name: c, value: "${ [b, m] }"}}
"""


def test_a_fork_keeps_what_was_done_before_the_step(
    engine: Engine, spec: Spec, ledger: Ledger
) -> None:
    first = engine.start(spec(STEPS), {"x": 1})
    assert first.result() == [2, [1, 2]]
    fork = engine.fork(first.id, at="b")
    assert fork.result() == [2, [1, 2]]
    assert fork.id != first.id
    assert ledger() == ["a", "m", "m", "b", "c", "b", "c"]
    assert fork.record().labels == {"forked_from": f"{first.id}@b"}
    assert [r.seq for r in fork.events()] == list(range(1, len(fork.events()) + 1))


async def test_a_fork_has_the_time_of_a_new_execution(project: Path, spec: Spec) -> None:
    loaded = spec("workflow: flow\ntimeout: 1h\ndo: [{id: a, call: work.double, with: {x: 1}}]")
    async with serving(project) as (host, _):
        first = await host.start(loaded, None, "first")
        assert (await ended(first)).output == 2
    async with serving(project, clock=lambda: time.time() + 86_400) as (host, journal):
        fork = await host.fork("first", "a", ..., None)
        again = await host.fork(fork.stored.id, "a", ..., None)
        assert [(await ended(each)).output for each in (fork, again)] == [2, 2]
        [*_, forked, _, _, _] = journal.history(again.stored.id)
        assert (forked.type, forked.data) == (
            "execution.forked",
            {"execution": fork.stored.id, "step": "a"},
        )


def test_a_fork_at_the_first_step_runs_everything(engine: Engine, spec: Spec) -> None:
    first = engine.start(spec(STEPS), {"x": 1})
    first.result()
    assert engine.fork(first.id, at="a", input={"x": 5}).result() == [6, [1, 2]]


def test_a_fork_takes_a_changed_workflow(engine: Engine, spec: Spec, ledger: Ledger) -> None:
    first = engine.start(spec(STEPS), {"x": 1})
    first.result()
    changed = spec(STEPS.replace("${ a + 1 }", "${ a + 10 }"), name="changed")
    assert engine.fork("@last", at="b", spec=changed).result() == [11, [1, 2]]
    assert ledger() == ["a", "m", "m", "b", "c", "b", "c"]


def test_a_workflow_that_changed_before_the_step_is_refused(engine: Engine, spec: Spec) -> None:
    first = engine.start(spec(STEPS), {"x": 1})
    first.result()
    changed = spec(STEPS.replace("map: [1, 2]", "map: [1, 3]"), name="changed")
    with pytest.raises(Conflict, match="differs before `b`"):
        engine.fork(first.id, at="b", spec=changed)


def test_a_step_that_did_not_begin_is_named(engine: Engine, spec: Spec) -> None:
    first = engine.start(spec(STEPS), {"x": 1})
    first.result()
    with pytest.raises(NotFound, match="`zzz` did not begin") as caught:
        engine.fork(first.id, at="zzz")
    assert "`a`, `m`, `b`, `c`" in caught.value.help


def test_a_fork_of_a_retried_execution_follows_its_last_history(
    engine: Engine, spec: Spec, ledger: Ledger
) -> None:
    loaded = spec("""
  - {id: a, call: work.fail_once, with: {name: a, value: 1}}
  - {id: b, call: work.mark, with: {name: b, value: "${ a }"}}
""")
    first = engine.start(loaded)
    with pytest.raises(ExecutionFailed):
        first.result()
    assert engine.retry(first.id).result() == 1
    assert engine.fork(first.id, at="b").result() == 1
    assert ledger() == ["a", "a", "b", "b"]
