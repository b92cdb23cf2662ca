"""What every executor does alike; each test runs on each of them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentflow.runtime.executors.protocol import Task
from tests.executors.executor_bench import PROJECT, Bench, batch, call, stream, told

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(params=["inline", "pool", pytest.param("ray", marks=pytest.mark.slow)])
def bench(request: pytest.FixtureRequest) -> Bench:
    found: Bench = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize(
    ("function", "arguments", "value"),
    [
        ("add", {"a": 1}, 2),
        ("add_later", {"a": 1, "b": 5}, 6),
        ("echo", {"value": {"a": [1, 2.5, None, True, "ü"]}}, {"a": [1, 2.5, None, True, "ü"]}),
        ("echo", {"value": None}, None),
        ("priced", {"order": {"id": 1, "price": 2}}, {"id": 1, "price": 4.0}),
        ("priced", {"id": 1, "price": 2}, {"id": 1, "price": 4.0}),
        ("who", {}, ["e1", "w", "s", 1, "e1/s", False]),
        ("large", {"size": 3_000_000}, "x" * 3_000_000),
        ("echo", {"value": "y" * 3_000_000}, "y" * 3_000_000),
    ],
    ids=[
        "function",
        "async",
        "json",
        "null",
        "dataclass",
        "fields",
        "context",
        "large result",
        "large argument",
    ],
)
async def test_a_call_completes(
    bench: Bench, function: str, arguments: dict[str, Any], value: Any
) -> None:
    report = await bench.outcome(call(function, **arguments))
    assert (report.kind, report.value, report.error) == ("completed", value, None)


@pytest.mark.parametrize(
    ("function", "arguments", "name", "message"),
    [
        ("refuse", {"code": 7}, "Refused", "refused: 7"),
        ("fault", {}, "OutOfStock", "no more"),
        ("leave", {}, "SystemExit", "sys.exit(3)"),
        ("interrupt", {}, "KeyboardInterrupt", ""),
        ("lock", {}, "InvalidOutput", "result is a lock, which is not JSON"),
        ("not_a_number", {}, "InvalidOutput", "result.items[1] is nan"),
        ("add", {"a": "x"}, "InvalidInput", "a: expected an integer"),
        ("add", {"z": 1}, "InvalidInput", "z: unknown argument"),
        ("nothing", {}, "FunctionNotFound", "has no function 'nothing'"),
        ("large", {"size": 100 * 1024 * 1024}, "PayloadTooLarge", "64 MB"),
    ],
)
async def test_a_call_fails_with_a_named_error(
    bench: Bench, function: str, arguments: dict[str, Any], name: str, message: str
) -> None:
    report = await bench.outcome(call(function, **arguments))
    assert report.kind == "failed"
    assert report.error["name"] == name
    assert message in report.error["message"]


async def test_a_failure_carries_its_data_and_the_users_frames(bench: Bench) -> None:
    report = await bench.outcome(call("refuse", code=7))
    assert report.error["data"] == {"code": 7}
    assert [(f["file"], f["function"], f["code"]) for f in report.trace] == [
        ("trials.py", "refuse", "raise Refused(code)")
    ]


async def test_a_batch_gives_an_outcome_for_each_item(bench: Bench) -> None:
    report = await bench.outcome(batch("refuse_some", [{"x": x} for x in range(5)]))
    assert report.kind == "batch"
    assert report.values is not None
    assert [v.get("value", v.get("error", {}).get("name")) for v in report.values] == [
        "Refused", 1, 2, "Refused", 4,
    ]  # fmt: skip
    assert report.elapsed > 0


async def test_items_of_a_batch_know_their_own_keys(bench: Bench) -> None:
    task = Task("e1", "m[8:10]", 1, "batch", "trials.whose", [{"x": 0}, {"x": 1}], PROJECT)
    report = await bench.outcome(task)
    assert report.values == [{"value": "0:m[8]"}, {"value": "1:m[9]"}]


@pytest.mark.parametrize(("key", "step"), [("m[4:6]", "m[5]"), ("p[4:6].parse", "p[5].parse")])
async def test_an_item_has_the_key_it_would_have_alone(bench: Bench, key: str, step: str) -> None:
    report = await bench.outcome(replace(batch("who", [{}, {}]), key=key))
    assert report.values is not None
    assert report.values[1]["value"][2] == step


async def test_a_batch_in_turn_makes_one_call_at_a_time(bench: Bench, tmp_path: Path) -> None:
    calls = [{"folder": str(tmp_path), "name": str(n)} for n in range(5)]
    report = await bench.outcome(replace(batch("together", calls), in_turn=True))
    assert report.values == [{"value": 1}] * 5


async def test_an_empty_batch_has_no_outcomes(bench: Bench) -> None:
    assert (await bench.outcome(batch("add", []))).values == []


async def test_a_slow_item_is_a_timeout_and_its_neighbours_complete(
    bench: Bench, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger"
    calls = [{"x": x, "at": 2, "ledger": str(ledger)} for x in range(5)]
    expected, rounds = [0, 1, "Timeout", 3, 4], []

    def task(timeout: float) -> Task:
        rounds.append(timeout)
        return batch("hang_at", calls, timeout=timeout)

    report = await bench.outcome_in(task, lambda report: told(report) == expected)
    assert told(report) == expected
    assert ledger.read_text().split() == ["0", "1", "2", "3", "4"] * len(rounds)


async def test_a_slow_async_item_is_a_timeout_and_its_neighbours_complete(bench: Bench) -> None:
    calls = [{"x": x, "at": 2} for x in range(5)]
    expected = [0, 1, "Timeout", 3, 4]
    report = await bench.outcome_in(
        lambda timeout: batch("hang_at_later", calls, timeout=timeout),
        lambda report: told(report) == expected,
    )
    assert told(report) == expected


async def test_a_call_with_a_timeout_knows_its_deadline(bench: Bench) -> None:
    report = await bench.outcome(call("who", timeout=60))
    assert report.value[-1] is True


async def test_output_is_reported_under_the_key_of_its_call(bench: Bench) -> None:
    await bench.run(call("talk", "a", text="one"), call("talk_later", "b", text="two"))
    assert bench.printed("a") == ["one", "and more"]
    assert bench.printed("b") == ["two", "two again"]


async def test_secrets_reach_the_function_when_they_are_declared(bench: Bench) -> None:
    os.environ["TRIALS_SECRET"] = "hush"
    task = call("hidden")
    report = await bench.outcome(task)
    assert report.error["name"] == "MissingSecret"
    declared = Task(
        "e1", "s", 1, "call", "trials.hidden", [{}], PROJECT, secrets=("TRIALS_SECRET",)
    )
    assert (await bench.outcome(declared)).value == "hush"


async def test_slow_calls_hold_up_neither_results_nor_calls_behind_them(
    bench: Bench, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    fast = [call("add", f"m[{n}]", a=n) for n in range(100)]
    bench.executor.submit([*fast[:50], call("held", "slow", path=str(gate)), *fast[50:]])
    await bench.until(lambda: len(bench.ended()) == 100)
    assert "slow" not in bench.ended()
    gate.touch()
    await bench.until(lambda: "slow" in bench.ended())


class TestStreams:
    @pytest.mark.parametrize("function", ["numbers", "numbers_later", "numbers_list"])
    @pytest.mark.parametrize("skip", [0, 2])
    async def test_values_come_in_order_and_then_the_end(
        self, bench: Bench, function: str, skip: int
    ) -> None:
        report = await bench.outcome(stream(function, 100, skip=skip, n=5))
        assert report.kind == "completed"
        assert bench.values() == [0, 1, 2, 3, 4][skip:]

    @pytest.mark.parametrize("function", ["numbers", "numbers_later"])
    async def test_a_stream_never_runs_ahead_of_the_demand(
        self, bench: Bench, tmp_path: Path, function: str
    ) -> None:
        ledger = tmp_path / "ledger"
        bench.reports.clear()
        bench.executor.submit([stream(function, 2, n=10, ledger=str(ledger))])
        await bench.until(lambda: bench.values() == [0, 1])
        await bench.outcome(call("add", "meanwhile", a=1))
        assert ledger.read_text().split() == ["0", "1"]
        bench.reports.clear()
        bench.executor.demand("e1", "p", 3)
        await bench.until(lambda: bench.values() == [2, 3, 4])
        await bench.outcome(call("add", "meanwhile", a=1))
        assert ledger.read_text().split() == ["0", "1", "2", "3", "4"]
        bench.reports.clear()
        bench.executor.demand("e1", "p", 100)
        await bench.until(lambda: "p" in bench.ended())
        assert bench.values() == [5, 6, 7, 8, 9]

    async def test_an_error_ends_a_stream_after_its_values(self, bench: Bench) -> None:
        report = await bench.outcome(stream("numbers_then_fault", 10))
        assert bench.values() == [1]
        assert report.error["name"] == "Dry"

    async def test_a_timeout_ends_a_stream_after_its_values(self, bench: Bench) -> None:
        report = await bench.outcome_in(
            lambda timeout: stream("numbers_then_hang", 10, timeout=timeout),
            lambda report: bench.values() == [1],
        )
        assert bench.values() == [1]
        assert report.error["name"] == "Timeout"

    async def test_what_is_no_stream_is_refused(self, bench: Bench) -> None:
        report = await bench.outcome(stream("add", 10, a=1))
        assert report.error["name"] == "InvalidOutput"

    async def test_a_withdrawn_stream_says_nothing_more(self, bench: Bench) -> None:
        bench.reports.clear()
        bench.executor.submit([stream("numbers", 1, n=10)])
        await bench.until(lambda: bench.values() == [0])
        bench.executor.withdraw("e1", "p")
        bench.executor.demand("e1", "p", 5)
        await bench.outcome(call("add", "after", a=1))
        assert bench.values() == []


async def test_two_executions_may_use_the_same_keys(bench: Bench) -> None:
    tasks = [Task(f"e{n}", "s", 1, "call", "trials.add", [{"a": n}], PROJECT) for n in range(1, 4)]
    bench.reports.clear()
    bench.executor.submit(tasks)
    await bench.until(lambda: len(bench.reports) == 3)
    assert {r.execution: r.value for r in bench.reports} == {"e1": 2, "e2": 3, "e3": 4}
