"""Items that fail: what is told of them, how many are tolerated, how they are tried again."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from agentflow.errors import ExecutionFailed, UsageError
from agentflow.runtime.journal.store import Journal
from tests.batch import jobs
from tests.batch.conftest import Ledger, Map, noted, recorded_items


def test_the_first_failure_ends_a_run_and_names_the_item(inline: Map, journal: Journal) -> None:
    run = inline(range(1, 30), jobs.refuse_sevens, chunk=30)
    with pytest.raises(ExecutionFailed, match="ValueError: 7 is a multiple of seven") as caught:
        run.results()
    assert "item 6 is 7" in caught.value.help
    assert "only_failed=True" in caught.value.help
    assert run.failures[0].index == 6
    assert run.failures[0].trace[-1]["function"] == "refuse_sevens"
    stored = journal.execution(run.id)
    assert (stored.status, stored.origin) == ("failed", "items[6]")


@pytest.mark.parametrize(
    ("tolerate", "holds"),
    [(3, True), (2, False), ("15%", True), ("14%", False), (0.15, True), (0.14, False)],
)
def test_so_many_failures_are_tolerated(inline: Map, tolerate: Any, *, holds: bool) -> None:
    run = inline(range(20), jobs.refuse_sevens, tolerate=tolerate)
    if holds:
        assert run.results() == [None if x % 7 == 0 else x for x in range(20)]
        return
    with pytest.raises(ExecutionFailed, match="TooManyFailures: 3 items failed"):
        run.results()
    assert [failure.input for failure in run.failures] == [0, 7, 14]


def test_tolerated_failures_are_left_out_of_the_reduce(inline: Map) -> None:
    run = inline((x for x in range(20)), jobs.refuse_sevens, reduce=sum, tolerate="20%", chunk=4)
    assert run.result() == sum(x for x in range(20) if x % 7)


def test_items_are_tried_again_in_the_worker(inline: Map, tmp_path: Path, ledger: Ledger) -> None:
    items = noted(tmp_path, range(5))
    options = {"retry": {"max_attempts": 3, "interval": 0.001, "on": "ConnectionError"}}
    assert inline(items, jobs.fail_until_third, **options).results() == list(range(5))
    assert Counter(ledger()) == dict.fromkeys(range(5), 3)


@pytest.mark.parametrize(
    ("function", "name", "index"),
    [
        (jobs.end_early, "RuntimeError", 3),
        (jobs.leave, "SystemExit", 0),
        (jobs.refuse_sevens, "ValueError", 0),
    ],
)
def test_whatever_a_function_raises_is_the_items_failure(
    inline: Map, function: Any, name: str, index: int
) -> None:
    run = inline(range(5), function, tolerate=5)
    results = run.results()
    assert len(results) == 5
    assert (run.failures[0].error["name"], run.failures[0].index) == (name, index)
    assert results[index] is None


@pytest.mark.parametrize("tolerate", [0, 100], ids=["failed", "succeeded"])
@pytest.mark.parametrize("reduce", [None, sum], ids=["map", "map-reduce"])
def test_what_failed_is_tried_again_alone(
    inline: Map, tmp_path: Path, ledger: Ledger, journal: Journal, reduce: Any, tolerate: int
) -> None:
    items = noted(tmp_path, range(40))
    call: dict[str, Any] = {"chunk": 10, "reduce": reduce, "id": "mend", "tolerate": tolerate}
    run = inline(items, jobs.fail_unless_mended, **call)
    if tolerate:
        run.result()
    else:
        with pytest.raises(ExecutionFailed):
            run.result()
    done = recorded_items(journal, "mend")
    (tmp_path / "ledger.mended").touch()
    again = inline(items, jobs.fail_unless_mended, **call, only_failed=True)
    expected = list(range(40)) if reduce is None else sum(range(40))
    assert again.result() == expected
    assert again.failures == []
    times = Counter(ledger())
    assert {x for x in done if times[x] == 1} == {x for x in done if x % 3}
    assert inline(items, jobs.fail_unless_mended, **call).result() == expected


def test_what_fails_again_is_listed_again(inline: Map, tmp_path: Path) -> None:
    items = noted(tmp_path, range(10))
    call: dict[str, Any] = {"tolerate": 10, "id": "still"}
    first = inline(items, jobs.fail_unless_mended, **call)
    first.results()
    again = inline(items, jobs.fail_unless_mended, **call, only_failed=True)
    assert again.results() == [x if x % 3 else None for x in range(10)]
    assert [failure.index for failure in again.failures] == [0, 3, 6, 9]


def test_only_failed_needs_an_id(inline: Map) -> None:
    with pytest.raises(UsageError, match="only_failed needs the id"):
        inline([1], jobs.square, only_failed=True)
