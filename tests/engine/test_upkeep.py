"""What an engine does beside its executions: it keeps its lease, hears others, takes over."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentflow import Conflict
from agentflow.runtime import upkeep
from agentflow.runtime.archive import Past
from agentflow.runtime.blocking import InThreads
from agentflow.runtime.executors.inline import InlineExecutor
from agentflow.runtime.executors.protocol import Report
from agentflow.runtime.host import Host
from agentflow.runtime.journal.protocol import CANCEL, Message
from agentflow.runtime.journal.store import Journal
from agentflow.runtime.logs import LogBook
from agentflow.spec.load import Loaded
from tests.engine.hosts import ELSEWHERE, Idle, Unreliable, ended, serving, until

Spec = Callable[..., Loaded]


async def test_an_engine_has_a_lease_before_it_owns_anything(project: Path, spec: Spec) -> None:
    journal = Journal.open(None, project)
    host = Host(journal, InlineExecutor(), LogBook(project, print), lambda _: None, 4)
    await host.start(spec("  - {id: l, listen: never}"), None, "e1")
    assert journal.renew(host._lease.owner)
    await host.close()
    journal.close()


async def test_a_lost_lease_costs_at_once_what_others_took_over_and_nothing_else(
    project: Path, spec: Spec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "LEASE_SECONDS", 0.1)  # it is renewed every 25 ms
    idle = Idle()
    loaded = spec("  - {id: a, call: work.double, with: {x: 1}}")
    async with serving(project, executor=idle) as (host, journal):
        mine = await host.start(loaded, None, "mine")
        lost = await host.start(loaded, None, "lost")
        assert mine.live is not None
        assert lost.live is not None
        with journal.group():
            journal.release("lost", host._lease.owner)
            journal.claim("lost", ELSEWHERE)
            journal.enlist(host._lease.owner, -1)
        with pytest.raises(Conflict, match="was not heard of"):
            await ended(lost)
        assert idle.withdrawn == [("lost", "a")]
        assert journal.renew(host._lease.owner)
        idle.report([Report("mine", "a", 1, "completed", value=2)])
        await ended(mine)
        assert journal.execution("mine").output == 2


async def test_an_orphan_that_cannot_be_read_for_a_moment_is_adopted(
    project: Path, spec: Spec
) -> None:
    options: dict[str, Any] = {"adopt": True, "blocking": Unreliable("_past")}
    async with serving(project, **options) as (host, journal):
        await host.create(spec("  - {id: l, return: 1}"), None, "e1")
        await until(lambda: journal.execution("e1").status == "succeeded")


async def test_an_orphan_that_cannot_be_continued_is_read_once_and_hides_no_other(
    project: Path, spec: Spec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "ORPHANS", 1)  # that are taken over at once
    monkeypatch.setattr(upkeep, "ORPHAN_SECONDS", 0.001)
    looked: list[str] = []

    class Watched(InThreads):
        async def read(self, work: Any, *args: Any, **kwargs: Any) -> Any:
            looked.append(f"{work.__name__} {args[0]}" if args else work.__name__)
            return await super().read(work, *args, **kwargs)

    journal = Journal.open(None, project)
    host = Host(journal, InlineExecutor(), LogBook(project, print), lambda _: None, 4)
    broken = await host.create(spec("  - {id: a, return: 0}", name="broken"), None, "bad")
    await host.create(spec("  - {id: a, return: 1}"), None, "good")
    await host.close()
    with sqlite3.connect(project / ".agentflow" / "journal.db") as store:
        damage = "update specs set text = 'workflow: [' where digest = ?"
        store.execute(damage, (broken.stored.digest,))
    store.close()
    journal.close()
    async with serving(project, adopt=True, blocking=Watched()) as (host, journal):
        await until(lambda: journal.execution("good").status == "succeeded")
        rounds = len(looked)
        await until(lambda: len(looked) > rounds + 20)
    assert looked.count("_past bad") == 1


async def test_adopting_what_is_being_resumed_takes_over_once(project: Path, spec: Spec) -> None:
    async with serving(project) as (host, journal):
        created = await host.create(spec("  - {id: l, listen: never}"), None, "e1")
        await asyncio.gather(host.resume("e1"), host._adopt(["e1"]), host._adopt(["e1"]))
        assert journal.execution("e1").epoch == created.stored.epoch + 1
        assert host.orchestrator.live("e1") is not None


async def test_a_cancellation_that_comes_while_an_execution_is_brought_back_is_heard(
    project: Path, spec: Spec
) -> None:
    idle = Idle()
    async with serving(project, executor=idle) as (host, journal):
        await host.create(spec("  - {id: a, call: work.double, with: {x: 1}}"), None, "e1")
        request = Message("m1", CANCEL, None, "enough", 0.0, "e1")
        past = host._archive.past

        async def slowly(id: str) -> Past:
            found = await past(id)
            journal.post(request)  # by another process
            host.orchestrator.deliver(request)  # as the inbox does
            return found

        host._archive.past = slowly  # type: ignore[method-assign]  # to act in between
        await host.resume("e1")
        await until(lambda: journal.execution("e1").status == "cancelled")


async def test_messages_are_taken_in_the_order_of_their_arrival(project: Path, spec: Spec) -> None:
    loaded = spec("  - {id: l, listen: go}\n  - {id: r, return: '${ l }'}")
    async with serving(project) as (host, journal):
        await host.create(loaded, None, "e1")
        first, second = (Message(f"m{n}", "go", None, n, 0.0, "e1") for n in (1, 2))
        await host.post(first)
        messages = host._archive.messages

        async def slowly(id: str, name: str) -> list[Message]:
            found = await messages(id, name)
            host.orchestrator.deliver(second)  # it arrives while the first is looked for
            return found

        host._archive.messages = slowly  # type: ignore[method-assign]  # to act in between
        await host.resume("e1")
        await until(lambda: journal.execution("e1").status == "succeeded")
        assert journal.execution("e1").output == 1
