"""Runs whose chunks end in any order, are lost, and are stopped or cancelled at any moment.

An executor reports what became of chunks when a seeded chance says so: together, late, out of
order, as lost. Whatever happens, a run gives what plain Python gives or ends with a name; nothing is
recorded twice, and nothing that was recorded is carried out again.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import agentflow
from agentflow.errors import (
    ExecutionCancelled,
    ExecutionFailed,
    Fault,
    Json,
    Unavailable,
    fault_value,
)
from agentflow.functions import chunks
from agentflow.functions.encoding import decode, dump
from agentflow.functions.failures import error_value
from agentflow.runtime.batch import driver
from agentflow.runtime.executors.protocol import Report, Reporter, Task
from agentflow.runtime.journal.protocol import CANCEL, Message
from agentflow.runtime.journal.store import Journal
from tests.batch import jobs
from tests.batch.conftest import Map

ITEMS = 60


class Chance:
    """An executor of one thread, in which everything takes its time."""

    phase = None

    def __init__(
        self, seed: int, *, losses: float = 0, disturb: Callable[[], object] | None = None
    ) -> None:
        self._chance = random.Random(seed)
        self.parallel = self._chance.randint(1, 3)
        self._losses = losses
        self._disturb = disturb
        self._after = self._chance.randint(1, 40) if disturb is not None else 0
        self._tasks: dict[tuple[str, str], Task] = {}
        self._ready: list[Report] = []

    async def start(self, report: Reporter) -> None:
        self._report = report
        self._loop = asyncio.get_running_loop()

    def submit(self, tasks: Sequence[Task]) -> None:
        for task in tasks:
            self._tasks[task.execution, task.key] = task
            self._loop.call_later(self._chance.choice([0, 0, 0.001, 0.004]), self._end, task)

    def withdraw(self, execution: str, key: str) -> None:
        self._tasks.pop((execution, key), None)

    def demand(self, execution: str, key: str, count: int) -> None:
        raise AssertionError

    async def close(self) -> None:
        self._tasks.clear()

    def _end(self, task: Task) -> None:
        if self._tasks.get((task.execution, task.key)) is not task:
            return
        del self._tasks[task.execution, task.key]
        self._ready.append(self._carried_out(task))
        self._after -= 1
        if self._after == 0 and self._disturb is not None:
            threading.Thread(target=self._disturb).start()
        if not self._tasks or self._chance.random() < 0.6:
            self._chance.shuffle(self._ready)
            ready, self._ready = self._ready, []
            self._report(ready)

    def _carried_out(self, task: Task) -> Report:
        about = (task.execution, task.key, task.attempt)
        lost = fault_value("WorkerLost", "it was lost")
        if self._chance.random() < self._losses:
            return Report(*about, "failed", error=lost)
        work = chunks.run if task.function.endswith("run") else chunks.combine
        try:
            value: Json = decode(dump(work(**decode(dump(task.calls[0])))))
        except Fault as fault:
            return Report(*about, "failed", error=error_value(fault))
        if self._chance.random() < self._losses:
            return Report(*about, "failed", error=lost)
        return Report(*about, "completed", value=value)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "GATHER_SECONDS", 0.002)
    monkeypatch.setattr(driver, "DRAIN_SECONDS", 0.05)
    monkeypatch.setattr(driver, "CANCEL_SECONDS", 0.002)


def recorded(journal: Journal, id: str) -> Counter[int]:
    """How often each item is in a recorded chunk."""
    found: Counter[int] = Counter()
    for record in journal.history(id):
        if record.step is not None and record.step.startswith("items["):
            start, stop = map(int, record.step[6:-1].split(":"))
            found.update(range(start, stop))
    return found


def begun(journal: Journal, id: str) -> bool:
    return any(stored.id == id for stored in journal.executions())


def ways(
    runs: list[agentflow.BatchRun], journal: Journal, name: str, chance: random.Random
) -> list[Callable[[], object]]:
    """How a run may be disturbed: stopped, mostly."""
    message = Message(name, CANCEL, None, "", 1.0, "it")
    ways: list[Callable[[], object]] = [
        lambda: [run.stop() for run in runs],
        lambda: [run.cancel() for run in runs],
        lambda: journal.post(message),
    ]
    return [ways[0], ways[0], chance.choice(ways)]


@pytest.mark.parametrize("seed", range(24))
def test_whatever_happens_a_run_comes_to_what_python_gives(
    inline: Map, journal: Journal, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    reduce: Any = chance.choice([None, jobs.joined])
    losses = chance.choice([0.0, 0.1, 0.4])
    broken = chance.choice([None, None, ITEMS // 2])
    streams = chance.random() < 0.5
    ledger = tmp_path / "ledger"
    items = [[str(ledger), x, x == broken] for x in range(ITEMS)]
    expected: Any = [str(x) for x in range(ITEMS)]
    ledger.touch()

    for attempt in range(30):
        runs: list[agentflow.BatchRun] = []
        disturb = chance.choice([None, *ways(runs, journal, f"m{attempt}", chance)])
        before = recorded(journal, "it") if begun(journal, "it") else Counter[int]()
        called = Counter(map(int, ledger.read_text().split()))
        source: Any = iter(items) if streams else items
        executor = Chance(chance.randrange(1 << 30), losses=losses, disturb=disturb)
        run = inline(
            source, jobs.noted_text, reduce=reduce, arity=chance.randint(2, 4), id="it",
            chunk=chance.choice(["auto", 1, 7]), executor=executor, tolerate=0 if broken else ITEMS,
        )  # fmt: skip
        runs.append(run)
        try:
            result = run.result()
        except ExecutionFailed as error:
            outcome: Any = error.error["name"]
        except (Unavailable, ExecutionCancelled) as error:
            outcome = type(error)
        else:
            outcome = result
        after = recorded(journal, "it")
        assert set(after.values()) <= {1}
        again = Counter(map(int, ledger.read_text().split())) - called
        assert not before.keys() & again.keys()
        if outcome is not Unavailable:
            break
    else:
        pytest.fail("it never ended")

    if outcome is ExecutionCancelled:
        assert journal.execution("it").status == "cancelled"
    elif broken is not None:
        assert outcome in ("ValueError", "WorkerLost")
    elif outcome == "WorkerLost":
        assert losses > 0  # three workers in a row were lost with the same results
    elif run.failures:  # each of these was lost with two workers, alone
        lost = {failure.index for failure in run.failures}
        assert {failure.error["name"] for failure in run.failures} == {"WorkerLost"}
        assert losses > 0
        left = [None if x in lost else str(x) for x in range(ITEMS)]
        assert outcome == (left if reduce is None else "".join(filter(None, left)))
    else:
        assert outcome == (expected if reduce is None else "".join(expected))


def test_a_slow_chunk_that_comes_back_in_pieces_is_not_kept_waiting(inline: Map) -> None:
    class Losing(Chance):
        """Loses the first chunk when the results of all others wait to be taken."""

        is_lost = False

        def _end(self, task: Task) -> None:
            if task.key != "items[0:5]" or self.is_lost:
                super()._end(task)
                return
            self.is_lost = True
            self.withdraw(task.execution, task.key)
            error = fault_value("WorkerLost", "it was lost")
            report = Report(task.execution, task.key, task.attempt, "failed", error=error)
            self._loop.call_later(0.3, lambda: self._report([report]))

    executor = Losing(3)
    run = inline(range(2000), jobs.square, chunk=5, executor=executor)
    assert run.results() == [x * x for x in range(2000)]


def test_stopping_does_not_wait_for_a_reduce_for_good(inline: Map, journal: Journal) -> None:
    class Hanging(Chance):
        """Never ends a combination."""

        begun = threading.Event()

        def _end(self, task: Task) -> None:
            if task.key.startswith("reduce"):
                self.begun.set()
            else:
                super()._end(task)

    executor = Hanging(1)
    run = inline([str(x) for x in range(50)], jobs.identity, reduce=jobs.joined, chunk=2, arity=2,
                 id="hang", executor=executor)  # fmt: skip
    assert executor.begun.wait(60)
    run.stop()
    assert journal.execution("hang").status == "running"
    again = inline([str(x) for x in range(50)], jobs.identity, reduce=jobs.joined, id="hang")
    assert again.result() == "".join(map(str, range(50)))


class Starting(Chance):
    """Does not start until it is let."""

    def __init__(self) -> None:
        super().__init__(1)
        self.asked, self.let = threading.Event(), threading.Event()

    async def start(self, report: Reporter) -> None:
        self.asked.set()
        while not self.let.is_set():
            await asyncio.sleep(0.001)
        await super().start(report)


def test_a_run_can_be_cancelled_before_its_executor_has_started(
    inline: Map, journal: Journal
) -> None:
    executor = Starting()
    run = inline(range(5), jobs.square, id="early", executor=executor)
    assert executor.asked.wait(60)
    run.cancel()
    assert journal.execution("early").status == "cancelled"
    executor.let.set()
    with pytest.raises(ExecutionCancelled):
        run.results()


def test_a_run_can_be_stopped_before_its_executor_has_started(
    inline: Map, journal: Journal
) -> None:
    executor = Starting()
    run = inline(range(5), jobs.square, id="early", executor=executor)
    assert executor.asked.wait(60)
    run.stop()
    executor.let.set()
    assert (journal.execution("early").status, journal.execution("early").owner) == (
        "running",
        None,
    )
    with pytest.raises(Unavailable, match="was stopped"):
        run.results()
    assert inline(range(5), jobs.square, id="early").results() == [0, 1, 4, 9, 16]


def test_two_runs_of_one_id_do_not_share_a_process(inline: Map) -> None:
    def endless() -> Iterator[int]:
        yield from iter(int, 1)

    run = inline(endless(), jobs.square, id="one", chunk=1)
    values = iter(run)
    assert next(values) == 0
    with pytest.raises(agentflow.Conflict, match="under way in this process"):
        inline(endless(), jobs.square, id="one", chunk=1).results()
    assert next(values) == 0
    run.stop()


def test_items_that_ask_the_process_to_exit_only_stop_the_run(inline: Map) -> None:
    def leaving() -> Iterator[int]:
        yield 1
        raise SystemExit(3)

    with pytest.raises(RuntimeError, match="the items raised SystemExit: 3"):
        inline(leaving(), jobs.square).results()
    assert inline([2], jobs.square).results() == [4]
