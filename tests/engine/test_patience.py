"""Waiting for a result in a way that a signal always ends."""

from __future__ import annotations

from concurrent.futures import Future
from threading import Timer

import pytest

from agentflow.runtime import patience
from agentflow.runtime.patience import result_of


def test_it_gives_what_comes_after_several_glances(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "GLANCE", 0.001)
    future: Future[int] = Future()
    Timer(0.02, future.set_result, [7]).start()
    assert result_of(future) == 7


def test_it_raises_what_the_work_ended_with_a_time_limit_of_its_own_too() -> None:
    for error in (ValueError("x"), TimeoutError("the work's own")):
        future: Future[int] = Future()
        future.set_exception(error)
        with pytest.raises(type(error), match=str(error)):
            result_of(future)


@pytest.mark.parametrize("seconds", [0, -1, 0.002])
def test_it_gives_up_in_time(seconds: float) -> None:
    with pytest.raises(TimeoutError):
        result_of(Future(), seconds)
    future: Future[int] = Future()
    future.set_result(1)
    assert result_of(future, seconds) == 1
