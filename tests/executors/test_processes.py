"""What worker processes make possible: whatever a function does, it is named and stopped."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentflow.runtime.executors.protocol import Report, Task
from tests.executors.executor_bench import (
    PROJECT,
    Bench,
    batch,
    call,
    exists,
    gone,
    is_alive,
    stream,
    told,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(params=["pool", pytest.param("ray", marks=pytest.mark.slow)])
def bench(request: pytest.FixtureRequest) -> Bench:
    found: Bench = request.getfixturevalue(request.param)
    return found


CRASHES = [
    ("exit_now", {}, "exited with status 9"),
    ("crash", {}, "SIGSEGV"),
    ("kill_me", {}, "SIGKILL"),
    ("exit_later", {}, "exited with status 9"),
]


@pytest.mark.parametrize(("function", "arguments", "reason"), CRASHES, ids=[c[0] for c in CRASHES])
async def test_a_call_that_kills_its_worker_fails_alone_and_ran_once(
    bench: Bench, tmp_path: Path, function: str, arguments: dict[str, Any], reason: str
) -> None:
    ledger, neighbours = tmp_path / "ledger", tmp_path / "neighbours"
    fast = [call("noted", f"m[{n}]", ledger=str(neighbours), name=str(n)) for n in range(50)]
    ended = await bench.run(*fast[:20], call(function, ledger=str(ledger), **arguments), *fast[20:])
    assert ended["s"].kind == "failed"
    assert ended["s"].error["name"] == "WorkerLost"
    assert reason in ended["s"].error["message"]
    assert len(ledger.read_text().splitlines()) == 1
    assert {ended[task.key].value for task in fast} == {str(n) for n in range(50)}
    assert sorted(neighbours.read_text().split(), key=int) == [str(n) for n in range(50)]


async def test_a_function_that_forks_is_answered_once_and_by_the_parent(bench: Bench) -> None:
    report = await bench.outcome(call("fork_and_return"))
    assert report.value > 0
    assert (await bench.outcome(call("fork_and_return"))).value > 0


async def test_what_an_earlier_call_wrote_is_no_reason_for_a_death(bench: Bench) -> None:
    await bench.run(*(call("shout_from_below", f"m[{n}]") for n in range(20)))
    report = await bench.outcome(call("exit_now"))
    assert report.error["message"].endswith("it exited with status 9")


async def test_a_crash_names_the_line_it_happened_at(bench: Bench) -> None:
    report = await bench.outcome(call("crash"))
    assert [(f["file"], f["function"], f["code"]) for f in report.trace] == [
        ("trials.py", "crash", "ctypes.string_at(0)")
    ]


async def test_many_crashes_among_many_calls_are_each_named(bench: Bench) -> None:
    tasks = [
        call("exit_now", f"m[{n}]") if n % 10 == 3 else call("add", f"m[{n}]", a=n)
        for n in range(60)
    ]
    ended = await bench.run(*tasks)
    lost = {key for key, report in ended.items() if report.kind == "failed"}
    assert lost == {f"m[{n}]" for n in range(60) if n % 10 == 3}


async def test_a_crash_among_coroutines_is_found_by_calling_them_apart(
    bench: Bench, tmp_path: Path
) -> None:
    meeting = tmp_path / "meeting"
    meeting.mkdir()
    tasks = [call("met", f"m[{n}]", folder=str(meeting), name=str(n), count=6) for n in range(5)]
    crash = call("exit_met", "crash", folder=str(meeting), name="crash", count=6)
    ended = await bench.run(*tasks, crash)
    assert ended["crash"].error["name"] == "WorkerLost"
    assert {ended[task.key].value for task in tasks} == {6}


async def test_coroutines_that_may_run_once_are_lost_and_not_called_apart(
    bench: Bench, tmp_path: Path
) -> None:
    gate, meeting = tmp_path / "gate", tmp_path / "meeting"
    meeting.mkdir()
    ledgers = {f"m[{n}]": tmp_path / str(n) for n in range(8)}
    bench.reports.clear()
    bench.executor.submit(
        [
            replace(call("noted_until", key, path=str(gate), ledger=str(ledger)), at_most_once=True)
            for key, ledger in ledgers.items()
        ]
    )
    for ledger in ledgers.values():
        await exists(ledger)
    bench.executor.submit([call("exit_met", "crash", folder=str(meeting), name="c", count=1)])
    await bench.until(lambda: "crash" in bench.ended())
    gate.touch()
    await bench.until(lambda: bench.ended().keys() >= ledgers.keys())
    lost = [bench.ended()[key].error["name"] for key in ledgers if bench.ended()[key].error]
    assert set(lost) == {"WorkerLost"}  # those in the worker that crashed
    assert [ledger.read_text().split() for ledger in ledgers.values()] == [["begun"]] * 8


async def test_a_batch_whose_worker_dies_is_lost_as_a_whole(bench: Bench) -> None:
    report = await bench.outcome(batch("exit_at", [{"x": x, "at": 3} for x in range(6)]))
    assert report.kind == "failed"
    assert report.error["name"] == "WorkerLost"


@pytest.mark.parametrize("function", ["hang", "hang_in_c", "sleep", "stubborn", "block_the_loop"])
async def test_whatever_takes_too_long_is_stopped(
    bench: Bench, tmp_path: Path, function: str
) -> None:
    arguments: dict[str, Any] = {"seconds": 3600} if function == "sleep" else {}
    neighbours = [call("add", f"m[{n}]", a=n) for n in range(20)]
    ended = await bench.run(call(function, timeout=0.4, **arguments), *neighbours)
    assert ended["s"].error["name"] == "Timeout"
    assert all(ended[task.key].kind == "completed" for task in neighbours)


@pytest.mark.parametrize("function", ["hang", "hang_in_c"])
async def test_a_call_that_timed_out_leaves_no_process(
    bench: Bench, tmp_path: Path, function: str
) -> None:
    ledger = tmp_path / "ledger"
    await bench.outcome_in(
        lambda timeout: call(function, timeout=timeout, ledger=str(ledger)),
        lambda report: ledger.exists(),
    )
    assert not is_alive(int(ledger.read_text()))


@pytest.mark.parametrize("function", ["hang", "hang_in_c"])
async def test_a_withdrawn_call_is_stopped(bench: Bench, tmp_path: Path, function: str) -> None:
    ledger = tmp_path / "ledger"
    bench.reports.clear()
    bench.executor.submit([call(function, ledger=str(ledger))])
    await exists(ledger)
    bench.executor.withdraw("e1", "s")
    await bench.outcome(call("add", "after", a=1))
    await gone(int(ledger.read_text()))
    assert "s" not in bench.ended()


async def test_processes_that_a_function_leaves_behind_end_with_it(
    bench: Bench, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger"
    report = await bench.outcome_in(
        lambda timeout: call("children", timeout=timeout, ledger=str(ledger)),
        lambda report: ledger.exists(),
    )
    assert report.error["name"] == "Timeout"
    await gone(int(ledger.read_text()))


async def test_a_withdrawn_coroutine_is_cancelled_and_its_neighbours_go_on(
    bench: Bench, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    bench.reports.clear()
    bench.executor.submit([call("held_later", "a", path=str(gate))])
    bench.executor.submit([call("noted_until", "b", path=str(gate), ledger=str(tmp_path / "b"))])
    await exists(tmp_path / "b")
    bench.executor.withdraw("e1", "a")
    await bench.outcome(call("add", "after", a=1))
    gate.touch()
    await bench.until(lambda: "b" in bench.ended())
    assert "a" not in bench.ended()


async def test_a_call_withdrawn_before_its_turn_never_begins(bench: Bench, tmp_path: Path) -> None:
    gate, ledger = tmp_path / "gate", tmp_path / "ledger"
    held = [call("held", f"h[{n}]", path=str(gate)) for n in range(2)]
    late = [call("noted", f"late[{n}]", ledger=str(ledger), name=str(n)) for n in range(10)]
    bench.reports.clear()
    bench.executor.submit([*held, *late])
    for task in late[:9]:
        bench.executor.withdraw("e1", task.key)
    bench.executor.submit([stream("numbers", 5, n=1)])  # waits for nobody, and comes after those
    await bench.until(lambda: "p" in bench.ended())
    gate.touch()
    await bench.until(lambda: {"late[9]", "h[0]", "h[1]"} <= bench.ended().keys())
    assert ledger.read_text() == "9\n"


async def test_a_worker_killed_from_outside_costs_only_what_it_ran(
    bench: Bench, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger"
    neighbours = [call("add", f"m[{n}]", a=n) for n in range(50)]
    bench.reports.clear()
    bench.executor.submit([call("hang", ledger=str(ledger)), *neighbours])
    await exists(ledger)
    os.kill(int(ledger.read_text()), signal.SIGKILL)
    await bench.until(lambda: len(bench.ended()) == 51)
    assert bench.ended()["s"].error["name"] == "WorkerLost"
    assert [r.kind for r in bench.ended().values()].count("completed") == 50


async def test_output_below_python_is_reported_too(bench: Bench) -> None:
    await bench.run(call("shout_from_below"), call("add", "after", a=1))
    await bench.until(lambda: len(bench.printed("s")) == 2)
    assert bench.printed("s") == ["from below", "from below, too"]


async def test_a_stream_that_kills_its_worker_fails_after_its_values(bench: Bench) -> None:
    report = await bench.outcome(stream("numbers_then_exit", 10))
    assert bench.values() == [1]
    assert report.error["name"] == "WorkerLost"


async def test_a_batch_goes_on_behind_an_item_that_hangs_in_c(bench: Bench) -> None:
    calls = [{"x": x, "at": 1} for x in range(4)]
    expected = [0, "Timeout", 2, 3]
    report = await bench.outcome_in(
        lambda timeout: batch("hang_in_c_at", calls, timeout=timeout),
        lambda report: told(report) == expected,
    )
    assert told(report) == expected


async def test_an_async_batch_goes_on_behind_an_item_that_blocks_the_loop(bench: Bench) -> None:
    calls = [{"x": x, "at": 1} for x in range(4)]
    expected = [0, "Timeout", 2, 3]
    report = await bench.outcome_in(
        lambda timeout: batch("block_at_later", calls, timeout=timeout),
        lambda report: told(report) == expected,
    )
    assert told(report) == expected


async def test_a_thousand_tiny_calls_all_complete(bench: Bench) -> None:
    ended = await bench.run(*(call("add", f"m[{n}]", a=n) for n in range(1000)))
    assert {key: report.value for key, report in ended.items()} == {
        f"m[{n}]": n + 1 for n in range(1000)
    }


async def test_functions_of_two_projects_do_not_meet(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "trials.py").write_text("def add(a, b=1): return 'another project'")
    other = Task("e1", "o", 1, "call", "trials.add", [{"a": 1}], str(tmp_path))
    for _ in range(2):
        ended: dict[str, Report] = await bench.run(other, call("add", a=1))
        assert (ended["o"].value, ended["s"].value) == ("another project", 2)
    assert str(tmp_path) != PROJECT


@pytest.mark.slow
async def test_a_worker_that_was_stopped_is_not_waited_for(bench: Bench, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    bench.executor.submit([call("hang", ledger=str(ledger))])
    await exists(ledger)
    os.kill(int(ledger.read_text()), signal.SIGSTOP)
    await bench.until(lambda: "s" in bench.ended())
    assert bench.ended()["s"].error["name"] == "WorkerLost"


async def test_arguments_of_a_call_that_is_given_out_again_are_not_lost(
    bench: Bench, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    text = "z" * 500_000
    bench.reports.clear()
    bench.executor.submit([call("exit_after", f"x[{n}]", path=str(gate)) for n in range(2)])
    bench.executor.submit([call("echo", f"m[{n}]", value=text) for n in range(6)])
    gate.touch()
    await bench.until(lambda: len(bench.ended()) == 8)
    assert [bench.ended()[f"m[{n}]"].value for n in range(6)] == [text] * 6


async def test_long_arguments_pile_up_behind_a_slow_call_and_move_on(
    bench: Bench, tmp_path: Path
) -> None:
    gate, text = tmp_path / "gate", "z" * 100_000
    bench.reports.clear()
    bench.executor.submit([call("held", "slow", path=str(gate))])
    bench.executor.submit([call("echo", f"m[{n}]", value=text) for n in range(60)])
    await bench.until(lambda: len(bench.ended()) == 60)
    gate.touch()
    await bench.until(lambda: "slow" in bench.ended())
    assert {bench.ended()[f"m[{n}]"].value for n in range(60)} == {text}
