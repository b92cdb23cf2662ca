"""An engine and its store: never waited for on the event loop, frozen, or asked for too much."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentflow import Engine, ExecutionCancelled, ExecutionFailed, Unavailable
from agentflow.runtime.journal import silence, values
from agentflow.runtime.journal.database import Database
from tests.engine.conftest import PATIENCE, Ledger, Spec, send, until
from tests.servers import postgres_server


@pytest.fixture
def on_the_loop(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Where an engine's event loop itself went to the database."""
    seen: list[str] = []

    def watched(real: Callable[..., Any]) -> Callable[..., Any]:
        def go(self: Database, work: Any) -> Any:
            if threading.current_thread().name == "agentflow-engine":
                seen.append("".join(traceback.format_stack(limit=8)))
            return real(self, work)

        return go

    for name in ("read", "write"):
        monkeypatch.setattr(Database, name, watched(getattr(Database, name)))
    return seen


def test_the_event_loop_never_waits_for_the_journal(
    project: Path, spec: Spec, on_the_loop: list[str]
) -> None:
    spec("  - {id: l, listen: inner}", name="child")
    flow = spec("""
  - {id: a, call: work.mark, with: {name: a, value: 1}}
  - {id: early, listen: early}
  - {id: late, listen: late}
  - {id: e, emit: {type: told, data: 1}}
  - {id: c, run: child}
  - {id: f, call: work.fail_once, with: {name: f, value: 2}}
  - {id: r, return: "${ f }"}
""")
    with Engine(executor="inline", root=project) as engine:
        created = engine.create(flow, id="e")
        send(engine, "e", "early")
        assert engine.start(flow, id="e").id == created.id
    with Engine(executor="inline", root=project, adopt=True) as engine:
        again = engine.execution("e")
        send(engine, "e", "late")
        until(lambda: engine.journal.children("e"))
        send(engine, engine.journal.children("e")[0].id, "inner")
        with pytest.raises(ExecutionFailed, match="try again"):
            again.result(PATIENCE)
        assert engine.retry("e").result(PATIENCE) == 2
        fork = engine.fork("e", at="f")
        assert fork.result(PATIENCE) == 2
        waiting = engine.start(spec("  - {id: l, listen: never}", name="other"))
        waiting.cancel("enough")
        with pytest.raises(ExecutionCancelled):
            waiting.result(PATIENCE)
    assert on_the_loop == []


def test_a_history_without_room_ends_its_execution_and_no_other(
    project: Path, spec: Spec, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTFLOW_HISTORY_EVENTS", "20")
    long = spec("""
  - id: m
    map: ${ range(30) }
    concurrency: 3
    call: work.mark
    with: {name: "x${ item }", value: "${ item }"}
""")
    short = spec("  - {id: a, call: work.double, with: {x: 4}}\n  - {id: l, listen: go}", "short")
    with Engine(executor="inline", root=project) as engine:
        others = [engine.start(short) for _ in range(3)]
        full = engine.start(long, id="full")
        with pytest.raises(ExecutionFailed, match="may not hold more than 20 events") as caught:
            full.result(PATIENCE)
        assert caught.value.error["name"] == "LimitExceeded"
        for other in others:
            send(engine, other.id, "go", 1)
            assert other.result(PATIENCE) == 1
        assert [record.seq for record in full.events()][-1] <= 21
        assert full.events()[-1].type == "execution.ended"
    assert len(ledger()) < 30


def test_what_is_too_large_to_be_recorded_ends_its_execution_and_no_other(
    engine: Engine, spec: Spec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(values, "MAX_VALUE_BYTES", 100_000)
    text = "x" * 40_000
    large = spec("""
  - id: m
    map: ${ range(3) }
    call: work.mark
    batch: 1
    with: {name: x, value: "${ input }"}
  - {id: r, return: "${ m }"}
""")
    short = spec("  - {id: a, call: work.double, with: {x: 4}}\n  - {id: l, listen: go}", "short")
    others = [engine.start(short) for _ in range(3)]
    with pytest.raises(ExecutionFailed) as caught:
        engine.start(large, text).result(PATIENCE)
    assert caught.value.error["name"] == "PayloadTooLarge"
    for other in others:
        send(engine, other.id, "go", 1)
        assert other.result(PATIENCE) == 1


@pytest.mark.slow
def test_an_engine_gives_up_on_a_server_that_stays_frozen_and_another_goes_on(
    project: Path, spec: Spec, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silence, "SILENT_SECONDS", 0.3)
    monkeypatch.setenv("AGENTFLOW_STORE_WAIT_SECONDS", "1")
    flow = spec("""
  - {id: a, call: work.mark, with: {name: a, value: 1}}
  - {id: l, listen: go}
""")
    with postgres_server() as server:
        monkeypatch.setenv("DATABASE_URL", server.url)
        with Engine(executor="inline", root=project) as engine:
            execution = engine.start(flow, id="e")
            until(lambda: execution.status == "waiting")
            server.freeze()
            try:
                with pytest.raises(Unavailable, match=r"does not answer|timeout"):
                    execution.result(PATIENCE)
            finally:
                server.thaw()
        with Engine(executor="inline", root=project) as engine:
            again = engine.resume("e")
            send(engine, "e", "go", 7)
            assert again.result(PATIENCE) == 7
    assert ledger() == ["a"]
