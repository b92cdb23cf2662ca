"""State of agents that is recorded with their calls, and what new instances begin with."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agentflow import Engine, ExecutionFailed
from agentflow.spec.load import Loaded, loads
from tests.agents.conftest import PROJECT
from tests.executors.executor_bench import Bench

KEYED = """
workflow: keyed
input: {type: object, properties: {note: {}, key: {type: string}}, required: [note, key]}
do:
  - {id: write, call: agent:notebook.write, with: {note: "${ input.note }"}, key: "${ input.key }"}
  - {id: read, call: agent:notebook.read, key: "${ input.key }"}
"""
OWN = """
workflow: own
input: {type: object, properties: {mark: {type: string}}, required: [mark]}
do:
  - {id: first, call: agent:notebook.write, with: {note: a}}
  - {id: go, call: desk.wait_for, with: {path: "${ input.mark }"}}
  - {id: second, call: agent:notebook.write, with: {note: b}}
  - {id: read, call: agent:notebook.read}
"""
CRASH = """
workflow: crash
input: {type: object, properties: {mark: {type: string}}, required: [mark]}
do:
  - {id: first, call: agent:notebook.write, with: {note: a}}
  - {id: second, call: agent:notebook.write_once, with: {note: b, mark: "${ input.mark }"}}
  - {id: read, call: agent:notebook.read}
"""
SPOILT = """
workflow: spoilt
do: [{id: spoil, call: agent:notebook.spoil}]
"""


def workflow(text: str) -> Loaded:
    return loads(text, root=Path(PROJECT), functions=True)


Open = Callable[[str], Any]


@pytest.fixture
def engine(tmp_path: Path) -> Open:
    """Opens an engine on the test's own journal."""

    @contextmanager
    def opened(executor: str) -> Iterator[Engine]:
        store = f"sqlite:///{tmp_path}/journal.db"
        with Engine(executor=executor, store=store, root=Path(PROJECT)) as made:
            yield made

    return opened


def test_the_next_engine_finds_the_state_of_a_key(engine: Open) -> None:
    with engine("inline") as first:
        assert first.start(workflow(KEYED), {"note": 1, "key": "k"}).result(60) == [1]
    with engine("inline") as second:
        assert second.start(workflow(KEYED), {"note": 2, "key": "k"}).result(60) == [1, 2]
        assert second.start(workflow(KEYED), {"note": 3, "key": "other"}).result(60) == [3]


def test_instances_in_two_engines_catch_up_with_each_other(engine: Open) -> None:
    with engine("inline") as one, engine("inline") as other:
        seen = [
            each.start(workflow(KEYED), {"note": number, "key": "k"}).result(60)
            for number, each in enumerate((one, other, one, other))
        ]
    assert seen == [[0], [0, 1], [0, 1, 2], [0, 1, 2, 3]]


def test_a_state_is_recorded_before_the_result_it_belongs_to(engine: Open) -> None:
    with engine("inline") as made:
        execution = made.start(workflow(KEYED), {"note": 1, "key": "k"})
        execution.result(60)
        told = [(each.type, each.step, each.attempt, each.data) for each in execution.events()]
    assert [(type, step) for type, step, _, _ in told] == [
        ("execution.started", None),
        ("agent.state", "agent:notebook/k"),
        ("call.completed", "write"),
        ("agent.state", "agent:notebook/k"),
        ("call.completed", "read"),
        ("execution.ended", None),
    ]
    assert told[1][2:] == (1, {"state": [1]})


def until(engine: Engine, id: str, step: str) -> None:
    """Wait until a step is recorded."""
    while not any(
        r.step == step and r.type == "call.completed" for r in engine.journal.history(id)
    ):
        time.sleep(0.005)


def test_a_resumed_execution_finds_the_state_of_its_own_instance(
    engine: Open, tmp_path: Path
) -> None:
    with engine("inline") as first:
        execution = first.start(workflow(OWN), {"mark": str(tmp_path / "go")})
        until(first, execution.id, "first")
    (tmp_path / "go").touch()
    with engine("inline") as second:
        assert second.resume(execution.id).result(60) == ["a", "b"]


def test_a_fork_begins_with_the_state_at_the_fork(engine: Open, tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    with engine("inline") as made:
        execution = made.start(workflow(OWN), {"mark": str(tmp_path / "go")})
        assert execution.result(60) == ["a", "b"]
        assert made.fork(execution.id, at="second").result(60) == ["a", "b"]
        assert made.fork(execution.id, at="first").result(60) == ["a", "b"]


def test_a_state_that_is_not_json_fails_the_call(engine: Open) -> None:
    with engine("inline") as made, pytest.raises(ExecutionFailed) as failed:
        made.start(workflow(SPOILT), {}).result(60)
    assert failed.value.error["name"] == "InvalidOutput"
    assert "agent notebook cannot give its state" in failed.value.error["message"]
    assert "lock" in failed.value.error["message"]


@pytest.mark.slow
def test_on_ray_a_crash_loses_nothing_that_was_recorded(
    ray_bench: Bench, engine: Open, tmp_path: Path
) -> None:
    with engine("ray") as made:
        crashed = made.start(workflow(CRASH), {"mark": str(tmp_path / "mark")})
        assert crashed.result(60) == ["a", "b"]
        assert made.start(workflow(KEYED), {"note": 1, "key": "k"}).result(60) == [1]
    with engine("inline") as later:
        assert later.start(workflow(KEYED), {"note": 2, "key": "k"}).result(60) == [1, 2]
