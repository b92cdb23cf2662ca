"""What the helpers of workflows do as plain Python."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from agentflow.errors import Fault, UsageError
from agentflow.functions.flow import (
    Timeout,
    approve,
    compensate,
    emit,
    error,
    gather,
    is_workflow,
    listen,
    parallel,
    rehearse,
    saga,
    step,
    wait,
    workflow,
)


def test_a_workflow_is_the_function_it_was() -> None:
    def double(n: int) -> int:
        return 2 * n

    assert workflow(double) is double
    assert is_workflow(double)
    assert workflow(name="twice", version="2")(double)(4) == 8
    assert not is_workflow(len)


@pytest.mark.parametrize("wrong", [3, int])
def test_only_functions_are_workflows(wrong: Any) -> None:
    with pytest.raises(UsageError, match="not a function"):
        workflow(wrong)


def test_results_side_by_side() -> None:
    assert parallel(1, "a") == [1, "a"]
    assert parallel(a=1, b=[2]) == {"a": 1, "b": [2]}
    assert parallel() == []
    with pytest.raises(UsageError, match="either names or none"):
        parallel(1, a=2)  # type: ignore[call-overload]  # what it is about


def test_step_gives_the_result_back() -> None:
    assert step([1], retry={"max_attempts": 3}, timeout="1s", id="x") == [1]


@pytest.mark.parametrize(
    ("results", "arity", "calls"),
    [
        ([], 2, [[]]),
        ([1], 2, [[1]]),
        ([1, 2], 2, [[1, 2]]),
        ([1, 2, 3, 4, 5], 2, [[1, 2], [3, 4], [5], [3, 7], [5], [10, 5]]),
        ([1, 2, 3], 16, [[1, 2, 3]]),
    ],
)
def test_gather_reduces_in_a_tree(results: list[int], arity: int, calls: list[list[int]]) -> None:
    made: list[list[int]] = []

    def total(items: list[int]) -> int:
        made.append(items)
        return sum(items)

    assert gather(results, reduce=total, arity=arity) == sum(results)
    assert made == calls
    assert gather(results, concurrency=2) is results


def test_a_rehearsal_answers_and_does_not_wait() -> None:
    with rehearse(
        approvals=[{"ok": True}, Timeout()], messages={"paid": [1, 2], "late": [Timeout("late")]}
    ) as stage:
        assert approve("Sure?") == {"ok": True}
        with pytest.raises(Timeout):
            approve("Really?", timeout="1h")
        assert [listen("paid"), listen("paid", correlation=3)] == [1, 2]
        with pytest.raises(Fault, match="Timeout: late"):
            listen("late")
        emit("sent", {"n": 1}, subject="s")
        wait("30d")
    assert stage.waited == ["30d"]
    assert stage.emitted == [{"type": "sent", "source": None, "subject": "s", "data": {"n": 1}}]


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: approve("Sure?"), "approve('Sure?') has no answer"),
        (lambda: listen("paid"), "listen('paid') has no answer"),
    ],
)
def test_without_an_answer_there_is_one_clear_error(ask: Callable[[], Any], said: str) -> None:
    for run in (ask, lambda: _rehearsed(ask)):
        with pytest.raises(UsageError) as caught:
            run()
        assert said in caught.value.message
        assert "agentflow.rehearse(" in caught.value.help


def _rehearsed(ask: Callable[[], Any]) -> None:
    with rehearse():
        ask()


def test_wait_sleeps_for_durations_and_until_times(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    for duration in ("1m30s", 2, 0.5, "2001-01-01T00:00:00Z", "2001-01-01T00:00:00"):
        wait(duration)
    assert slept == [90.0, 2.0, 0.5, 0.0, 0.0]
    with pytest.raises(UsageError, match="neither a duration nor a time"):
        wait("soon")


def test_a_saga_undoes_in_reverse_order_and_passes_the_error_on() -> None:
    undone: list[str] = []

    def undo(what: str) -> None:
        undone.append(what)
        if what == "b":
            raise ValueError("stuck")

    def sell() -> None:
        with saga():
            compensate(undo, what="a")
            with saga():
                compensate(undo, what="b")
            raise LookupError("gone")

    with pytest.raises(LookupError) as caught:
        sell()
    assert undone == ["b", "a"]
    assert caught.value.__notes__ == ["could not be undone: ValueError: stuck"]

    with saga():
        compensate(undo, what="c")
    assert undone == ["b", "a"]
    with pytest.raises(UsageError, match="outside of a saga"):
        compensate(undo, what="d")


def test_an_exception_as_workflows_see_it() -> None:
    value = error(Timeout("too slow"))
    assert value == {"name": "Timeout", "message": "too slow", "data": None, "cause": None}
    assert error(KeyError("k"))["message"] == "'k'"
