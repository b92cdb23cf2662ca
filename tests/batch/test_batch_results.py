"""What batch runs give: values, lists, streams, combined results."""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import agentflow
from agentflow.errors import ExecutionFailed, InputError, UsageError
from agentflow.runtime.batch.ledger import Ledger
from agentflow.runtime.executors.inline import InlineExecutor
from agentflow.runtime.executors.protocol import Report, Reporter
from agentflow.runtime.journal import Journal
from tests.batch import jobs
from tests.batch.conftest import Map


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        pytest.param(range(3, 50, 4), [x * x for x in range(3, 50, 4)], id="range"),
        pytest.param(range(5, 0, -1), [25, 16, 9, 4, 1], id="range backwards"),
        pytest.param([3, 1, 2], [9, 1, 4], id="list"),
        pytest.param((3, 1, 2), [9, 1, 4], id="tuple"),
        pytest.param(np.arange(4), [0, 1, 4, 9], id="array"),
        pytest.param([], [], id="empty list"),
        pytest.param(range(0), [], id="empty range"),
        pytest.param(iter([]), [], id="empty iterator"),
        pytest.param([7], [49], id="one item"),
        pytest.param((x for x in range(100)), [x * x for x in range(100)], id="generator"),
        pytest.param({2: None, 3: None}.keys(), [4, 9], id="keys"),
    ],
)
def test_results_come_in_the_order_of_the_items(inline: Map, items: Any, expected: Any) -> None:
    assert inline(items, jobs.square).results() == expected


@pytest.mark.parametrize("chunk", ["auto", 1, 3, 1000])
@pytest.mark.parametrize("arity", [2, 16])
def test_the_size_of_chunks_changes_no_result(inline: Map, chunk: Any, arity: int) -> None:
    items = [f"{x}," for x in range(40)]
    options = {"chunk": chunk, "arity": arity}
    assert inline(items, jobs.identity, reduce=jobs.joined, **options).result() == "".join(items)


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    items=st.lists(st.integers(), max_size=60),
    chunk=st.integers(1, 25),
    arity=st.integers(2, 5),
    initial=st.one_of(st.none(), st.text(max_size=3)),
)
def test_a_reduce_keeps_the_order_whatever_the_grouping(
    inline: Map, items: list[int], chunk: int, arity: int, initial: str | None
) -> None:
    texts = [f"{item};" for item in items]
    start = {} if initial is None else {"initial": initial}
    run = inline(texts, jobs.identity, reduce=jobs.joined, chunk=chunk, arity=arity, **start)
    assert run.result() == (initial or "") + "".join(texts)


def test_map_reduce_gives_the_value(tmp_path: Path, url: str) -> None:
    result = agentflow.map_reduce(
        range(1000), map=jobs.square, reduce=sum, executor="inline", root=tmp_path, store=url
    )
    assert result == sum(x * x for x in range(1000))


@pytest.mark.parametrize(
    ("items", "options", "expected"),
    [
        ([], {}, 0),
        ([], {"initial": 5}, 5),
        ([], {"initial": None}, None),
        ([1, 2], {"initial": 5}, 10),
        ((x for x in ()), {}, 0),
    ],
    ids=["nothing", "nothing after an initial", "null as initial", "initial first", "empty stream"],
)
def test_initial_comes_first_and_is_the_result_of_nothing(
    inline: Map, items: Any, options: Any, expected: Any
) -> None:
    assert inline(items, jobs.square, reduce=sum, **options).result() == expected


def test_a_reduce_that_refuses_an_empty_list_fails_with_its_own_error(inline: Map) -> None:
    with pytest.raises(ExecutionFailed, match="ValueError"):
        inline([], jobs.square, reduce=max).result()


def test_a_function_may_return_nothing(inline: Map) -> None:
    assert inline(range(3), jobs.nothing).results() == [None, None, None]


def test_coroutine_functions_are_awaited_side_by_side(inline: Map) -> None:
    assert inline(range(200), jobs.square_later).results() == [x * x for x in range(200)]


def test_functions_may_be_given_by_their_path(inline: Map) -> None:
    root = Path(__file__).resolve().parent.parent.parent
    run = inline(range(4), "tests.batch.jobs.square", reduce="builtins.sum", root=root)
    assert run.result() == 14


def test_results_can_be_taken_as_they_come(inline: Map) -> None:
    run = inline(range(100), jobs.square, chunk=7)
    assert sorted(run.as_completed()) == [x * x for x in range(100)]


def test_results_are_taken_once(inline: Map) -> None:
    run = inline(range(3), jobs.square)
    assert run.results() == [0, 1, 4]
    with pytest.raises(UsageError, match="taken already"):
        run.results()


def test_an_endless_stream_is_read_only_as_far_as_its_results_are_taken(inline: Map) -> None:
    read = itertools.count()

    def endless() -> Iterator[int]:
        while True:
            yield next(read)

    run = inline(endless(), jobs.square, chunk=5)
    first = list(itertools.islice(run, 1000))
    assert first == [x * x for x in range(1000)]
    run.stop()
    assert next(read) < 5000


async def test_coroutines_await_all_results_or_one_after_another(inline: Map) -> None:
    assert await inline(range(10), jobs.square) == [x * x for x in range(10)]
    assert [value async for value in inline(range(10), jobs.square)] == [x * x for x in range(10)]
    assert await inline(range(10), jobs.square, reduce=sum) == 285


async def test_the_async_twins_leave_the_event_loop_running(tmp_path: Path, url: str) -> None:
    place: dict[str, Any] = {"executor": "inline", "root": tmp_path, "store": url}
    total, values = await asyncio.gather(
        agentflow.map_reduce_async(range(10), map=jobs.square, reduce=sum, **place),
        asyncio.wait_for(_all(agentflow.map_async(range(10), jobs.square, **place)), 60),
    )
    assert total == sum(values) == 285


async def _all(run: agentflow.BatchRun) -> list[Any]:
    return [value async for value in run]


@pytest.mark.parametrize(
    ("options", "shown"),
    [({}, ""), ({"progress": True}, "map:tests.batch.jobs.square")],
    ids=["nobody watches", "asked for"],
)
def test_progress_is_drawn_where_somebody_sees_it(
    inline: Map, capsys: pytest.CaptureFixture[str], options: dict[str, Any], shown: str
) -> None:
    inline(range(20), jobs.square, **options).results()
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(shown)
    assert ("20 items" in said.err) is bool(shown)


# --- values that are not JSON -----------------------------------------------------------------


@pytest.mark.parametrize("chunk", [1, 4, "auto"])
@pytest.mark.parametrize("function", [jobs.array_of, jobs.large_array_of], ids=["small", "large"])
def test_arrays_pass_between_map_and_reduce(inline: Map, function: Any, chunk: Any) -> None:
    result = inline(range(10), function, reduce=jobs.add_arrays, chunk=chunk).result()
    assert isinstance(result, np.ndarray)
    assert (result == 45.0).all()


def test_arrays_come_back_from_a_map(inline: Map) -> None:
    results = inline(range(5), jobs.large_array_of).results()
    assert [float(array[0]) for array in results] == [0, 1, 2, 3, 4]


def test_tables_pass_between_map_and_reduce(inline: Map) -> None:
    table = inline(range(10), jobs.table_of, reduce=jobs.append_tables, chunk=2).result()
    assert table["square"].to_pylist() == [x * x for x in range(10)]


def test_items_may_be_arrays_and_tables(inline: Map) -> None:
    items = [np.arange(3), {"inner": np.ones(2)}, 5]
    first, second, third = inline(items, jobs.identity).results()
    assert first.tolist() == [0, 1, 2]
    assert second["inner"].tolist() == [1.0, 1.0]
    assert third == 5


@pytest.mark.parametrize("value", [2**80, float("inf"), [1, -(2**70)]], ids=repr)
def test_numbers_that_json_does_not_have_come_back_as_they_were(inline: Map, value: Any) -> None:
    assert inline([value], jobs.identity).results() == [value]
    assert inline([value], jobs.identity, reduce=list).result() == [value]


def test_an_array_of_python_objects_is_refused(inline: Map) -> None:
    with pytest.raises(ExecutionFailed, match=r"InvalidOutput.*Python objects"):
        inline([1], jobs.array_of_objects).results()


def test_a_result_that_is_not_json_is_the_failure_of_its_item(inline: Map) -> None:
    run = inline(range(6), jobs.odd_set, tolerate=3)
    assert run.results() == [0, None, 2, None, 4, None]
    assert [failure.index for failure in run.failures] == [1, 3, 5]
    assert {failure.error["name"] for failure in run.failures} == {"InvalidOutput"}


@pytest.mark.parametrize("chunk", [3, 10])
def test_a_reduce_may_write_into_what_it_is_given(inline: Map, chunk: int) -> None:
    run = inline(range(10), jobs.large_array_of, reduce=jobs.add_into_first, chunk=chunk, arity=2)
    assert (run.result() == 45.0).all()


def test_a_reduce_is_not_asked_about_items_that_all_failed(inline: Map) -> None:
    count = 1 << 14
    run = inline([0] * count + [1], jobs.refuse_sevens, reduce=max, chunk=count + 1, tolerate=count)
    assert run.result() == 1


def test_arrays_of_a_chunk_are_combined_before_they_fill_the_memory(inline: Map) -> None:
    tracemalloc.start()
    run = inline(range(400), jobs.array_of_a_megabyte, reduce=jobs.add_into_first, chunk=400)
    total = run.result()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (total == sum(range(400))).all()
    assert peak < 200 * 2**20


# --- a reduce that is none --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reduce", "what"),
    [
        (len, "another result when neighbours are combined first"),
        (jobs.mean, "another result when neighbours are combined first"),
        (sorted, "another result when neighbours are combined first"),
    ],
    ids=["count", "mean", "list of values"],
)
def test_a_reduce_that_is_not_associative_is_refused(inline: Map, reduce: Any, what: str) -> None:
    with pytest.raises(ExecutionFailed, match=f"NotAssociative.*{what}") as caught:
        inline(range(100), jobs.square, reduce=reduce).result()
    assert caught.value.error["name"] == "NotAssociative"


@pytest.mark.parametrize(
    ("chunk", "what"), [(2, "cannot take what it gave"), (1, "was given its own results")]
)
def test_a_reduce_gets_its_own_results_as_json_gives_them_back(
    inline: Map, chunk: int, what: str
) -> None:
    with pytest.raises(ExecutionFailed, match=what):
        inline(["ab", "bc", "cd"], jobs.count_letters, reduce=jobs.counters, chunk=chunk).result()


# --- items that cannot be sent ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("items", "what"),
    [
        pytest.param([1, 2, {3}], "item 2 is a set", id="set"),
        pytest.param([1, b"x"], "item 1 is a bytes", id="bytes"),
        pytest.param((object() for _ in range(2)), "item 0 is an object", id="object"),
        pytest.param([{1: 2}], "item 0 has the key 1", id="key"),
        pytest.param(["\ud800"], "item 0 is not valid Unicode", id="half a character"),
    ],
)
def test_items_that_are_not_json_are_named(inline: Map, items: Any, what: str) -> None:
    with pytest.raises(InputError, match=what):
        inline(items, jobs.identity).results()


@pytest.mark.parametrize("done", [0, 3], ids=["at once", "late"])
def test_a_run_ends_with_an_item_that_cannot_be_sent(
    inline: Map, journal: Journal, done: int
) -> None:
    good: list[Any] = [*range(done)]
    with pytest.raises(InputError, match=f"item {done} is a set") as caught:
        inline([*good, {1}], jobs.square, chunk=1, id="mixed").results()
    assert ("only_failed=True goes on" in caught.value.help) == bool(done)
    assert journal.execution("mixed").status == "failed"
    with pytest.raises(ExecutionFailed, match=f"InvalidInput: item {done} is a set"):
        inline([*good, 7], jobs.square, chunk=1, id="mixed").results()
    mended = inline([*good, 7], jobs.square, chunk=1, id="mixed", only_failed=True)
    assert mended.results() == [each * each for each in [*good, 7]]


def test_large_items_travel_one_by_one(inline: Map) -> None:
    items = ["x" * (30 * 2**20) for _ in range(3)]
    assert inline(items, jobs.length, reduce=sum).result() == 3 * 30 * 2**20


def test_a_process_that_was_forked_after_a_run_ends_and_can_run_its_own(inline: Map) -> None:
    assert inline([1, 2], jobs.identity).results() == [1, 2]
    process = multiprocessing.get_context("fork").Process(
        target=lambda: inline([3], jobs.identity).results()
    )
    process.start()
    process.join(60)
    assert process.exitcode == 0


class Parted(InlineExecutor):
    """Keeps what became of the first chunk back until what came of the others is recorded."""

    async def start(self, report: Reporter) -> None:
        self.tell_late = report
        self.late: list[Report] = []
        await super().start(self._sort)

    def _sort(self, reports: Sequence[Report]) -> None:
        for report in reports:
            if report.key.startswith("items[0:"):
                self.late.append(report)
            else:
                self.tell_late([report])


def test_a_reduce_that_fails_while_others_are_recorded_fails_the_run(
    inline: Map, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = Parted(parallel=2)
    record = Ledger.record

    async def recorded(ledger: Ledger, *chunks: Any, **more: Any) -> None:
        await record(ledger, *chunks, **more)
        while not executor.late:
            await asyncio.sleep(0)
        executor.tell_late(executor.late)

    monkeypatch.setattr(Ledger, "record", recorded)
    run = inline(["ab", "bc", "cd"], jobs.count_letters, reduce=jobs.counters, chunk=2,
                 executor=executor)  # fmt: skip
    with pytest.raises(ExecutionFailed, match="cannot take what it gave"):
        run.result()
