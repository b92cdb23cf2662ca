from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agentflow.runtime.executors.inline import InlineExecutor
from agentflow.runtime.executors.protocol import Report
from tests.executors.executor_bench import Bench, batch, call, exists, stream

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_it_runs_without_ray() -> None:
    code = "import sys, agentflow.runtime.executors.inline; print('ray' in sys.modules)"
    done = subprocess.run(  # noqa: ASYNC221  # nothing else runs meanwhile
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


async def test_arguments_stay_as_they_were(inline: Bench) -> None:
    task = call("change", values=[1, 2])
    assert (await inline.outcome(task)).value == 3
    assert task.calls == [{"values": [1, 2]}]


async def test_more_calls_than_threads_all_complete(inline: Bench) -> None:
    ended = await inline.run(*(call("add", f"m[{n}]", a=n) for n in range(200)))
    assert {key: report.value for key, report in ended.items()} == {
        f"m[{n}]": n + 1 for n in range(200)
    }


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("hang", {}),
        ("sleep", {"seconds": 2}),
        ("stubborn", {}),
        ("sleep_later", {"seconds": 3600}),
    ],
    ids=["loop", "sleep in C", "catches everything", "async"],
)
async def test_a_call_that_takes_too_long_is_a_timeout(
    inline: Bench, function: str, arguments: dict[str, Any]
) -> None:
    report = await inline.outcome(call(function, timeout=0.05, **arguments))
    assert report.kind == "failed"
    assert report.error["name"] == "Timeout"
    assert "0.05 s" in report.error["message"]


async def test_threads_left_behind_are_replaced(inline: Bench) -> None:
    hung = [call("sleep", f"hung[{n}]", seconds=2, timeout=0.02) for n in range(4)]
    ended = await inline.run(*hung, call("add", "after", a=1))
    assert ended["after"].value == 2
    assert {ended[task.key].error["name"] for task in hung} == {"Timeout"}


async def test_a_blocked_event_loop_does_not_hold_up_the_timeout(inline: Bench) -> None:
    report = await inline.outcome(call("block_the_loop", timeout=0.05))
    assert report.error["name"] == "Timeout"


async def test_a_withdrawn_call_reports_nothing_and_frees_its_thread(
    inline: Bench, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger"
    inline.executor.submit([call("hang", f"h[{n}]", ledger=str(ledger)) for n in range(2)])
    await exists(ledger)
    for n in range(2):
        inline.executor.withdraw("e1", f"h[{n}]")
    ended = await inline.run(call("add", "after", a=1))
    assert set(ended) == {"after"}


async def test_a_call_withdrawn_before_its_turn_never_begins(inline: Bench, tmp_path: Path) -> None:
    gate, ledger = tmp_path / "gate", tmp_path / "ledger"
    inline.executor.submit([call("held", f"h[{n}]", path=str(gate)) for n in range(2)])
    inline.executor.submit([call("noted", "late", ledger=str(ledger), name="late")])
    inline.executor.withdraw("e1", "late")
    gate.touch()
    await inline.run(call("noted", "next", ledger=str(ledger), name="next"))
    assert ledger.read_text() == "next\n"


async def test_a_new_attempt_takes_the_place_of_the_old_one(inline: Bench, tmp_path: Path) -> None:
    inline.executor.submit([call("held", path=str(tmp_path / "never"))])
    report = await inline.outcome(call("add", a=1))
    assert report.value == 2


async def test_async_calls_run_beside_each_other(inline: Bench, tmp_path: Path) -> None:
    tasks = [call("met", f"m[{n}]", folder=str(tmp_path), name=str(n), count=20) for n in range(20)]
    ended = await inline.run(*tasks)
    assert {report.value for report in ended.values()} == {20}


async def test_async_items_of_a_batch_run_beside_each_other(inline: Bench, tmp_path: Path) -> None:
    calls = [{"folder": str(tmp_path), "name": str(n), "count": 20} for n in range(20)]
    report = await inline.outcome(batch("met", calls))
    assert report.values == [{"value": 20}] * 20


async def test_the_process_prints_nothing_of_the_calls(
    inline: Bench, capfd: pytest.CaptureFixture[str]
) -> None:
    await inline.run(call("talk", "a", text="one"), call("talk_later", "b", text="two"))
    assert inline.printed("a") == ["one", "and more"]
    assert inline.printed("b") == ["two", "two again"]
    assert capfd.readouterr() == ("", "")


async def test_reports_come_in_groups(inline: Bench) -> None:
    groups: list[int] = []
    take = inline.take

    def counting(reports: Any) -> None:
        groups.append(len(reports))
        take(reports)

    executor = InlineExecutor(parallel=2)
    await executor.start(counting)
    bench, inline.executor = inline, executor
    await bench.run(*(call("add", f"m[{n}]", a=n) for n in range(100)))
    await executor.close()
    assert sum(groups) == 100


async def test_closing_leaves_nothing_waiting(tmp_path: Path) -> None:
    executor = InlineExecutor(parallel=1)
    reports: list[Report] = []
    await executor.start(reports.extend)
    executor.submit([call("hang", ledger=str(tmp_path / "l")), stream("numbers", 1, n=5)])
    await exists(tmp_path / "l")
    await executor.close()
    await asyncio.sleep(0)
    assert [r for r in reports if r.kind != "yielded"] == []
