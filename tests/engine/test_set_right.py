"""Executions of which the journal knows something else than the engine that serves them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentflow import AgentFlowError
from agentflow.runtime.blocking import InThreads
from agentflow.runtime.custody import REREADS
from agentflow.runtime.executors.protocol import Report
from agentflow.runtime.host import Host
from agentflow.runtime.journal.errors import AlreadyRecorded, Corrupt
from agentflow.runtime.journal.protocol import Record
from agentflow.runtime.machine import Machine
from agentflow.runtime.machine.protocol import Event
from agentflow.spec.load import Loaded
from tests.engine.hosts import Idle, serving, until

Spec = Callable[..., Loaded]

STEP = "  - {id: a, call: work.double, with: {x: 1}}"


class Contradicting(InThreads):
    """A journal that refuses the completion of calls of one execution so many times."""

    def __init__(self, execution: str, times: int, error: AgentFlowError) -> None:
        super().__init__()
        self.execution = execution
        self.times = times
        self.error = error

    async def write(self, work: Any, *args: Any, **kwargs: Any) -> Any:
        records: list[Record] = args[0] if work.__name__ == "append" else []
        refused = [
            r for r in records if (r.execution, r.type) == (self.execution, "call.completed")
        ]
        if refused and self.times:
            self.times -= 1
            raise self.error
        return await super().write(work, *args, **kwargs)


REFUSED = AlreadyRecorded("e1", "a", "the completion")


async def ended(host: Host, loaded: Loaded, id: str) -> Any:
    held = await host.start(loaded, None, id)
    assert held.live is not None
    return await asyncio.wait_for(asyncio.wrap_future(held.live.ended), 60)


async def test_what_is_recorded_already_is_read_again_and_served_on(
    project: Path, spec: Spec
) -> None:
    blocking = Contradicting("e1", 2, REFUSED)
    async with serving(project, blocking=blocking) as (host, journal):
        await ended(host, spec(STEP), "e1")
        assert blocking.times == 0
        assert journal.execution("e1").output == 2


@pytest.mark.parametrize("adopt", [False, True], ids=["at rest", "while orphans are adopted"])
async def test_what_gets_nowhere_is_given_back_and_who_waits_is_told(
    project: Path, spec: Spec, adopt: bool
) -> None:
    blocking = Contradicting("e1", 99, REFUSED)
    async with serving(project, blocking=blocking, adopt=adopt) as (host, journal):
        with pytest.raises(AlreadyRecorded):
            await ended(host, spec(STEP), "e1")
        assert blocking.times == 99 - 1 - REREADS
        assert journal.execution("e1").owner is None
        await ended(host, spec(STEP), "e2")  # the others go on
        assert journal.execution("e1").owner is None


async def test_a_fault_of_one_history_stops_no_other_of_the_same_commit(
    project: Path, spec: Spec
) -> None:
    executor, blocking = Idle(), Contradicting("e1", 99, Corrupt("it is not what was written"))
    loaded = spec(STEP)
    async with serving(project, executor=executor, blocking=blocking) as (host, journal):
        one, two = [await host.start(loaded, None, id) for id in ("e1", "e2")]
        assert one.live is not None
        assert two.live is not None
        executor.report([Report(id, "a", 1, "completed", value=2) for id in ("e1", "e2")])
        await asyncio.wait_for(asyncio.wrap_future(two.live.ended), 60)
        with pytest.raises(Corrupt):
            await asyncio.wait_for(asyncio.wrap_future(one.live.ended), 60)
        assert journal.execution("e2").output == 2
        await until(lambda: journal.execution("e1").owner is None)


def stumble(machine: Machine, event: Event) -> None:
    """What a machine with a bug does."""
    raise KeyError(type(event).__name__)


async def test_what_meets_a_bug_is_given_back_so_that_it_can_be_cancelled(
    project: Path, spec: Spec, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = Idle()
    async with serving(project, executor=executor) as (host, journal):
        held = await host.start(spec(STEP), None, "e1")
        assert held.live is not None
        with monkeypatch.context() as bug:
            bug.setattr(Machine, "advance", stumble)
            executor.report([Report("e1", "a", 1, "completed", value=2)])
            with pytest.raises(AgentFlowError, match="met a bug of AgentFlow: KeyError"):
                await asyncio.wait_for(asyncio.wrap_future(held.live.ended), 60)
        assert journal.execution("e1").owner is None
        await host.cancel("e1", "enough")
        await until(lambda: journal.execution("e1").status == "cancelled")


async def test_who_takes_it_over_first_is_whom_the_others_hear(project: Path, spec: Spec) -> None:
    executor = Idle()
    async with serving(project, executor=executor) as (host, journal):
        held = await host.start(spec(STEP), None, "e1")
        assert held.live is not None
        journal.claim("e1", host._lease.owner)  # as if a moment ago
        executor.report([Report("e1", "a", 1, "completed", value=1)])
        await until(lambda: host.orchestrator.live("e1") is not held.live)
        again = await host.resume("e1")
        assert again.live is not None
        executor.report([Report("e1", "a", 1, "completed", value=2)])
        for live in (held.live, again.live):
            end = await asyncio.wait_for(asyncio.wrap_future(live.ended), 60)
            assert end is not None
            assert end.output == 2


class LateValues(InThreads):
    """A journal during whose commit of a take-over a stream from before it gives values."""

    def __init__(self, executor: Idle) -> None:
        super().__init__()
        self.executor = executor

    async def write(self, work: Any, *args: Any, **kwargs: Any) -> Any:
        records = args[0] if work.__name__ == "append" else []
        if any(record.type == "execution.resumed" for record in records):
            self.executor.report([Report("e1", "p.from", 1, "yielded", values=[99])])
            self.executor.report([Report("e1", "p.from", 1, "completed")])
        return await super().write(work, *args, **kwargs)


async def test_what_a_stream_gives_before_it_is_opened_again_is_not_taken(
    project: Path, spec: Spec
) -> None:
    loaded = spec("""
  - id: p
    pipeline:
      from: {call: work.numbers, with: {n: 3}}
      as: x
      stages: [{id: s, do: [{id: r, return: "${ x }"}]}]
""")
    executor = Idle()
    async with serving(project, executor=executor, blocking=LateValues(executor)) as (
        host,
        journal,
    ):
        held = await host.start(loaded, None, "e1")
        assert held.live is not None
        executor.report([Report("e1", "p.from", 1, "yielded", values=[0])])
        await until(lambda: journal.execution("e1").head > 1)
        host.orchestrator.lose([held.live])
        await until(lambda: host.orchestrator.live("e1"))
        live = host.orchestrator.live("e1")
        assert live is not None
        await until(lambda: not live.unopened)
        executor.report([Report("e1", "p.from", 1, "yielded", values=[1, 2])])
        executor.report([Report("e1", "p.from", 1, "completed")])
        await asyncio.wait_for(asyncio.wrap_future(held.live.ended), 60)
        assert journal.execution("e1").output == [0, 1, 2]
