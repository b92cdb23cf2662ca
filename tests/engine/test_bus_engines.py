"""Engines and other processes that share a Redis, or have none."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from agentflow import Engine, ExecutionCancelled
from agentflow.runtime import upkeep
from tests.engine.conftest import PATIENCE, Ledger, Spec
from tests.servers import RedisServer


@pytest.fixture
def redis_url(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines find Redis."""
    monkeypatch.setenv("REDIS_URL", redis.url)


@pytest.fixture
def hinted(redis_url: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines hear hints, and those of this process would never look by themselves."""
    monkeypatch.setattr(upkeep, "INBOX_SECONDS", 3600)


LISTENER = """
  - id: t
    try:
      do: [{id: l, listen: paid, correlation: o-1}]
      finally: [{id: z, call: work.mark, with: {name: cleaned}}]
"""


PATIENT = f"""
from agentflow.cli import main
from agentflow.runtime import bus
bus.PATIENCE = {PATIENCE}
main()
"""


def agentflow(*arguments: str, program: Sequence[str] = ("-m", "agentflow")) -> None:
    """What another process does with the same store and the same Redis."""
    subprocess.run(
        [sys.executable, *program, *arguments],
        check=True,
        capture_output=True,
        timeout=PATIENCE,
        env={**os.environ, "AGENTFLOW_EXECUTOR": "inline"},
    )


def agentflow_patiently(*arguments: str) -> None:
    """The same, where Redis is not given up however busy the machine is."""
    agentflow(*arguments, program=("-c", PATIENT))


@pytest.mark.slow
def test_a_cancellation_by_another_process_arrives_by_hint(
    hinted: None, engine: Engine, spec: Spec, ledger: Ledger
) -> None:
    execution = engine.start(spec(LISTENER))
    agentflow_patiently("cancel", execution.id)
    with pytest.raises(ExecutionCancelled):
        execution.result(PATIENCE)
    assert ledger() == ["cleaned"]


@pytest.mark.slow
def test_an_event_emitted_by_another_process_arrives_by_hint(
    hinted: None, engine: Engine, spec: Spec
) -> None:
    spec("  - {id: e, emit: {type: paid, subject: o-1, data: 7}}", name="emitter")
    execution = engine.start(spec("  - {id: l, listen: paid, correlation: o-1}"))
    agentflow_patiently("run", "emitter.yaml")
    assert execution.result(PATIENCE) == 7


@pytest.mark.slow
def test_a_message_from_the_command_line_arrives_by_hint(
    hinted: None, engine: Engine, spec: Spec
) -> None:
    execution = engine.start(
        spec("""
  - {id: l, listen: paid}
  - {id: ok, approve: really?}
  - {id: r, return: ["${ l }", "${ ok }"]}
""")
    )
    agentflow_patiently("signal", execution.id, "paid", "--data", "7")
    agentflow_patiently("approve", execution.id, "ok", "--data", "true")
    assert execution.result(PATIENCE) == [7, True]


@pytest.mark.slow
@pytest.mark.parametrize("fate", ["kill", "freeze"])
def test_a_message_sent_where_redis_does_not_answer_is_found_by_looking(
    redis_url: None, redis: RedisServer, engine: Engine, spec: Spec, fate: str
) -> None:
    execution = engine.start(spec("  - {id: l, listen: paid}"))
    getattr(redis, fate)()
    agentflow("signal", execution.id, "paid", "--data", "7")
    assert execution.result(PATIENCE) == 7


@pytest.mark.slow
@pytest.mark.parametrize("fate", ["kill", "freeze"])
def test_without_an_answering_redis_a_message_is_found_by_looking(
    redis_url: None, redis: RedisServer, engine: Engine, spec: Spec, fate: str
) -> None:
    execution = engine.start(spec(LISTENER))
    getattr(redis, fate)()
    agentflow("cancel", execution.id)
    with pytest.raises(ExecutionCancelled):
        execution.result(PATIENCE)


def test_an_engine_starts_where_redis_is_away(
    project: Path, spec: Spec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:hidden@127.0.0.1:1/0")
    with Engine(executor="inline", root=project) as engine:
        assert engine.start(spec("  - {id: a, return: 1}")).result(PATIENCE) == 1
