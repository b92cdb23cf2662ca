"""Executions that change hands: between processes, between moments, between life and death.

Each was found by the simulation (`python -m tests.simulation`); here it is on its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentflow import Conflict, Engine, Unavailable
from agentflow.runtime.blocking import InThreads
from agentflow.runtime.exchange import child_id
from agentflow.runtime.executors.inline import InlineExecutor
from agentflow.runtime.executors.protocol import Report
from agentflow.runtime.host import Host
from agentflow.runtime.journal.protocol import CANCEL, Change, Message, Record
from agentflow.runtime.journal.store import Journal
from agentflow.runtime.logs import LogBook
from agentflow.spec.load import Loaded
from tests.engine.hosts import ELSEWHERE, Idle, Unreliable, ended, serving, until

Spec = Callable[..., Loaded]


def test_a_cancellation_is_kept_before_it_is_acknowledged(engine: Engine, spec: Spec) -> None:
    execution = engine.start(spec("  - {id: l, listen: never}"))
    engine.cancel(execution.id, "enough")
    kept = [m for _, m in engine.journal.inbox(0) if m.execution == execution.id]
    assert [message.data for message in kept] == ["enough"]


async def test_a_message_is_taken_once_also_by_the_next_owner(project: Path, spec: Spec) -> None:
    loaded = spec("""
  - {id: l, listen: go}
  - {id: m, listen: go}
  - {id: r, return: ["${ l }", "${ m }"]}
""")
    first = Message("m1", "go", None, 1, 0.0, "e1")
    async with serving(project) as (host, journal):
        await host.start(loaded, None, "e1")
        await host.post(first)
        await until(lambda: len(journal.history("e1")) == 2)
    async with serving(project) as (host, journal):
        held = await host.resume("e1")
        await until(lambda: host.orchestrator.mailbox._listeners)
        host.orchestrator.deliver(first)  # it stands in the inbox, which is read from any point on
        await host.post(Message("m2", "go", None, 2, 0.0, "e1"))
        await ended(held)
        assert journal.execution("e1").output == [1, 2]


async def test_resuming_twice_at_once_takes_over_once(project: Path, spec: Spec) -> None:
    async with serving(project) as (host, journal):
        created = await host.create(spec("  - {id: l, listen: never}"), None, "e1")
        held = await asyncio.gather(*(host.resume("e1") for _ in range(3)))
        assert len({id(h.live) for h in held}) == 1
        assert journal.execution("e1").epoch == created.stored.epoch + 1


class Overtaken(InThreads):
    """Lets another engine take an execution over just before this one does."""

    async def write(self, work: Any, *args: Any, **kwargs: Any) -> Any:
        if work.__name__ == "claim":
            await super().write(work, args[0], ELSEWHERE)
        return await super().write(work, *args, **kwargs)


async def test_whoever_is_faster_to_take_over_is_asked_to_cancel(project: Path, spec: Spec) -> None:
    async with serving(project, blocking=Overtaken()) as (host, journal):
        await host.create(spec("  - {id: l, listen: never}"), None, "e1")
        held = await host.cancel("e1", "no longer needed")
        assert held.live is None
        assert [request.data for request in journal.messages_for("e1", CANCEL)] == [
            "no longer needed"
        ]


@pytest.mark.parametrize("name", ["claim", "_past"])
async def test_a_take_over_that_fails_leaves_the_execution_to_others(
    project: Path, spec: Spec, name: str
) -> None:
    async with serving(project, blocking=Unreliable(name)) as (host, journal):
        await host.create(spec("  - {id: l, listen: never}"), None, "e1")
        with pytest.raises(Unavailable):
            await host.resume("e1")
        assert journal.execution("e1").owner is None
        assert (await host.resume("e1")).live is not None


async def test_a_child_that_another_process_runs_is_waited_for(project: Path, spec: Spec) -> None:
    child = spec("  - {id: l, listen: never}", name="child")
    parent = spec("  - {id: c, run: child}")
    async with serving(project) as (host, journal):
        await host.create(parent, None, "e1")
        id = child_id("e1", "c")
        await host._record_start(child, {}, id, owner=ELSEWHERE, parent=("e1", "c"))
        held = await host.resume("e1")
        assert held.live is not None
        await until(lambda: held.live is not None and held.live.children)
        end = Record(id, 2, "execution.ended", 1.0, data={"status": "succeeded"})
        journal.append([end], [Change(id, "succeeded", output=7, ended_at=1.0)], {id: 1})
        await ended(held)
        assert journal.execution("e1").output == 7


async def test_cancelling_a_parent_reaches_a_child_of_another_process(
    project: Path, spec: Spec
) -> None:
    child = spec("  - {id: l, listen: never}", name="child")
    parent = spec("  - {id: c, run: child}")
    async with serving(project) as (host, journal):
        await host.create(parent, None, "e1")
        id = child_id("e1", "c")
        await host._record_start(child, {}, id, owner=ELSEWHERE, parent=("e1", "c"))
        held = await host.resume("e1")
        await until(lambda: held.live is not None and held.live.children)
        await host.cancel("e1", "enough")
        await until(lambda: [m for _, m in journal.inbox(0) if m.execution == id])


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("post", "  - {id: e, emit: {type: t, data: 1}}"),
        ("atomically", "  - {id: c, run: child}"),
    ],
    ids=["an event is not published", "a child is not started"],
)
async def test_a_journal_that_fails_beside_the_turns_ends_them(
    project: Path, spec: Spec, name: str, step: str
) -> None:
    spec("  - {id: l, listen: never}", name="child")
    journal = Journal.open(None, project)
    blocking = Unreliable()
    host = Host(
        journal, InlineExecutor(), LogBook(project, print), lambda _: None, 4, blocking=blocking
    )
    await host.create(spec(step), None, "e1")
    await host.resume("e1")
    blocking.names.append(name)
    with pytest.raises(ExceptionGroup) as caught:
        await asyncio.wait_for(host.serve(), 60)
    assert caught.group_contains(Unavailable)
    await host.close()
    journal.close()


async def test_a_refused_result_does_not_get_lost_beside_a_fenced_execution(
    project: Path, spec: Spec
) -> None:
    idle = Idle()
    loaded = spec("  - {id: a, call: work.double, with: {x: 1}}\n  - {id: l, listen: go}")
    async with serving(project, executor=idle) as (host, journal):
        mine = await host.start(loaded, None, "mine")
        lost = await host.start(loaded, None, "lost")
        assert mine.live is not None
        assert lost.live is not None
        journal.release("lost", host._lease.owner)
        journal.claim("lost", ELSEWHERE)
        idle.report(
            [
                Report("mine", "a", 9, "completed", value=0),
                Report("lost", "a", 1, "completed", value=2),
            ]
        )
        with pytest.raises(Exception, match="taken over"):
            await ended(lost)
        idle.report([Report("mine", "a", 1, "completed", value=2)])
        await host.post(Message("m1", "go", None, 1, 0.0, "mine"))
        await ended(mine)
        types = [record.type for record in journal.history("mine")]
        assert types[:3] == ["execution.started", "result.refused", "call.completed"]


async def test_cancelling_what_has_ended_meanwhile_takes_nothing_over(
    project: Path, spec: Spec
) -> None:
    async with serving(project) as (host, journal):
        await host.create(spec("  - {id: l, listen: never}"), None, "e1")
        asked = await asyncio.gather(*(host.cancel("e1", "enough") for _ in range(3)))
        for held in asked:
            if held.live is not None:
                await ended(held)
        assert journal.execution("e1").status == "cancelled"
        assert journal.execution("e1").owner is None
        assert host.orchestrator.lives == []


async def test_a_retry_is_not_cancelled_by_the_request_before_it(project: Path, spec: Spec) -> None:
    loaded = spec("  - {id: l, listen: go}")
    async with serving(project) as (host, journal):
        await host.start(loaded, None, "e1")
        await host.cancel("e1", "enough")
        await until(lambda: journal.execution("e1").status == "cancelled")
        await host.retry("e1")
        for _, message in journal.inbox(0):
            host.orchestrator.deliver(message)  # it stands in the inbox, which may be read late
        await host.post(Message("m1", "go", None, 5, 0.0, "e1"))
        await until(lambda: journal.execution("e1").output == 5)


@pytest.mark.parametrize("fails", [["atomically"], ["claim"]], ids=["started", "claimed"])
async def test_what_was_written_and_not_acknowledged_is_given_back(
    project: Path, spec: Spec, fails: list[str]
) -> None:
    loaded = spec("  - {id: l, listen: never}")
    blocking = Unreliable(acknowledges=False)
    async with serving(project, blocking=blocking) as (host, journal):
        await host.create(loaded, None, "other")
        blocking.names += fails
        with pytest.raises(Unavailable):
            await (host.resume("other") if fails == ["claim"] else host.start(loaded, None, "e1"))
        id = "other" if fails == ["claim"] else "e1"
        assert journal.execution(id).owner is None


async def test_an_engine_that_cannot_give_back_gives_up(project: Path, spec: Spec) -> None:
    journal = Journal.open(None, project)
    blocking = Unreliable("claim", "release", acknowledges=False)
    host = Host(
        journal, InlineExecutor(), LogBook(project, print), lambda _: None, 4, blocking=blocking
    )
    await host.create(spec("  - {id: l, listen: never}"), None, "e1")
    with pytest.raises(Unavailable):
        await host.resume("e1")
    with pytest.raises(ExceptionGroup) as caught:
        await asyncio.wait_for(host.serve(), 60)
    assert caught.group_contains(Unavailable)
    await host.close()
    journal.close()


async def test_a_refused_start_does_not_give_back_what_is_served(project: Path, spec: Spec) -> None:
    loaded = spec("  - {id: l, listen: never}")
    async with serving(project) as (host, journal):
        await host.start(loaded, 1, "e1")
        with pytest.raises(Conflict):
            await host.start(loaded, 2, "e1")
        assert journal.execution("e1").owner == host._lease.owner
