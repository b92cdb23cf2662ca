"""Calls of agents, the same on every executor."""

# ruff: noqa: ASYNC240  # other processes can be watched only by their files
from __future__ import annotations

import asyncio
import gc
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.agents.conftest import ask
from tests.executors.executor_bench import Bench, exists, gone

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_an_instance_keeps_its_state_between_calls(bench: Bench) -> None:
    before = (await bench.outcome(ask("counter.add", "a1"))).value
    seen = [
        (await bench.outcome(ask(f"counter.{method}", step))).value
        for step, method in [("a2", "add"), ("a3", "add_later"), ("a4", "add")]
    ]
    assert seen == [before + 1, before + 2, before + 3]


async def test_each_key_and_agent_and_each_execution_has_an_instance_of_its_own(
    bench: Bench,
) -> None:
    ended = await bench.run(
        ask("counter.add", "b1", key="b"),
        ask("counter.add", "b2", key="c"),
        ask("counter.add", "b3", execution="e2"),
        ask("notebook.write", "b4", key="b", note="x"),
    )
    assert [report.value for report in ended.values()] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("function", "arguments", "value"),
    [
        ("single", {"x": 1}, 1),
        ("Bare", {}, "ran"),
        ("Bare.other", {}, "other"),
    ],
    ids=["the only method", "run", "a named one"],
)
async def test_a_call_reaches_a_method(
    bench: Bench, function: str, arguments: dict[str, Any], value: Any
) -> None:
    report = await bench.outcome(ask(function, function, **arguments))
    assert (report.kind, report.value) == ("completed", value)


async def test_one_call_at_a_time_is_always_in_one_thread(bench: Bench) -> None:
    ended = await bench.run(*(ask("single", f"c{x}", key="c", x=x) for x in range(4)))
    assert sorted(report.value for report in ended.values()) == [1, 2, 3, 4]


async def test_a_call_has_a_context_and_its_prints_are_heard(bench: Bench) -> None:
    report = await bench.outcome(ask("counter.who", "d.e", attempt=2))
    assert report.value == ["e1", "d.e", 2, "e1/d.e"]
    assert bench.printed("d.e") == ["looking"]


@pytest.mark.parametrize("method", ["meet", "meet_async"])
async def test_as_many_calls_run_at_once_as_the_agent_says(bench: Bench, method: str) -> None:
    tasks = [ask(f"crowd.{method}", f"{method}{n}", others=3, place=method) for n in range(3)]
    ended = await bench.run(*tasks)
    assert [report.value for report in ended.values()] == [3, 3, 3]


@pytest.mark.parametrize(
    ("function", "arguments", "name", "message"),
    [
        ("counter.refuse", {}, "ValueError", "no"),
        ("counter.add", {"n": "x"}, "InvalidInput", "n: expected an integer"),
        ("counter.lock", {}, "InvalidOutput", "result is a lock, which is not JSON"),
        ("counter.ad", {}, "FunctionNotFound", "agent `counter` has no method `ad`"),
        ("counter.__init__", {}, "FunctionNotFound", "has no method"),
        ("counter", {}, "FunctionNotFound", "several methods"),
        ("conter.add", {}, "FunctionNotFound", "no agent `conter` in the project; did you mean"),
        ("notebook.restore", {"state": []}, "FunctionNotFound", "has no method `restore`"),
        ("broken", {}, "AgentNotStarted", "cannot start: LookupError: no key in the"),
    ],
)
async def test_a_call_fails_with_a_named_error(
    bench: Bench, function: str, arguments: dict[str, Any], name: str, message: str
) -> None:
    report = await bench.outcome(ask(function, function, **arguments))
    assert report.kind == "failed"
    assert report.error["name"] == name
    assert message in report.error["message"]


async def count(bench: Bench, step: str) -> int:
    """One more on the execution's own counter."""
    value: int = (await bench.outcome(ask("counter.add", step))).value
    return value


async def test_a_failed_call_leaves_the_instance_as_it_is(bench: Bench) -> None:
    before = await count(bench, "f1")
    failed = await bench.outcome(ask("counter.refuse", "f2"))
    assert failed.trace[-1]["function"] == "refuse"
    assert await count(bench, "f3") == before + 101


async def test_a_coroutine_that_takes_too_long_is_cancelled(bench: Bench, tmp_path: Path) -> None:
    before, mark = await count(bench, "g1"), str(tmp_path / "mark")
    report = await bench.outcome(ask("counter.linger", "g2", timeout=0.1, mark=mark))
    assert report.error["name"] == "Timeout"
    assert await count(bench, "g3") == before + 1001


async def test_a_method_that_takes_too_long_ends_its_instance(bench: Bench, tmp_path: Path) -> None:
    await count(bench, "h1")
    mark = str(tmp_path / "mark")
    report = await bench.outcome(ask("counter.hang", "h2", timeout=0.1, mark=mark))
    assert report.error["name"] == "Timeout"
    assert await count(bench, "h3") == 1


async def test_a_neighbour_of_a_call_that_cannot_be_stopped_is_lost(
    bench: Bench, tmp_path: Path
) -> None:
    here, never = str(tmp_path / "here"), str(tmp_path / "never")
    bench.executor.submit([ask("crowd.wait", "i1", mark=here, path=never)])
    await exists(tmp_path / "here")
    bench.executor.submit([ask("crowd.hang", "i2", timeout=0.2, mark=here + "!")])
    await bench.until(lambda: bench.ended().keys() >= {"i1", "i2"})
    errors = {step: report.error["name"] for step, report in bench.ended().items()}
    assert errors == {"i1": "WorkerLost", "i2": "Timeout"}


async def test_a_call_that_waits_behind_one_that_cannot_be_stopped_is_made(
    bench: Bench, tmp_path: Path
) -> None:
    bench.executor.submit([ask("counter.hang", "j1", timeout=0.5, mark=str(tmp_path / "mark"))])
    await exists(tmp_path / "mark")
    bench.executor.submit([ask("counter.add", "j2")])
    await bench.until(lambda: bench.ended().keys() >= {"j1", "j2"})
    ended = bench.ended()
    assert (ended["j1"].error["name"], ended["j2"].value) == ("Timeout", 1)


async def test_a_withdrawn_coroutine_is_cancelled(bench: Bench, tmp_path: Path) -> None:
    before = await count(bench, "k1")
    bench.executor.submit([ask("counter.linger", "k2", mark=str(tmp_path / "mark"))])
    await exists(tmp_path / "mark")
    bench.executor.withdraw("e1", "k2")
    assert await count(bench, "k3") == before + 1001
    assert "k2" not in bench.ended()


async def test_a_withdrawn_method_that_does_not_return_ends_its_instance(
    bench: Bench, tmp_path: Path
) -> None:
    bench.executor.submit([ask("counter.hang", "l1", mark=str(tmp_path / "mark"))])
    await exists(tmp_path / "mark")
    bench.executor.withdraw("e1", "l1")
    assert await count(bench, "l2") == 1


async def test_an_instance_ends_when_nobody_calls_it(bench: Bench, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    pid, calls = (await bench.outcome(ask("brief", "m1", mark=str(mark)))).value
    await (collected(mark) if bench.executor.phase is None else gone(pid))
    again = (await bench.outcome(ask("brief", "m2", mark=str(mark)))).value
    assert (calls, again[1]) == (1, 1)


async def collected(mark: Path) -> None:
    """Wait until an object that leaves a mark at its end is gone."""
    while not mark.exists():
        gc.collect()
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("kind", ["batch", "stream"])
async def test_an_agent_takes_single_calls_only(bench: Bench, kind: Any) -> None:
    report = await bench.outcome(replace(ask("counter.add"), kind=kind, demand=1))
    assert report.error["name"] == "FunctionNotFound"
