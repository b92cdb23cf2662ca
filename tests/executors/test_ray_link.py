"""A link and its host, by either way between them: the socket, and calls of the actor."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from agentflow.runtime.executors.pool import WorkerPool
from agentflow.runtime.executors.protocol import Report, Task
from agentflow.runtime.executors.ray_exchange import Exchanges
from agentflow.runtime.executors.ray_host import Host
from agentflow.runtime.executors.ray_link import Given, Link
from agentflow.runtime.executors.ray_socket import Socket
from agentflow.runtime.executors.reports import job_of
from tests.executors.executor_bench import batch, call, exists, stream

ADDRESS_BYTES = 48


class Method:
    """A method of an actor that is in this process."""

    def __init__(self, method: Callable[..., Awaitable[Any]]) -> None:
        self._method = method

    def remote(self, *arguments: Any) -> Awaitable[Any]:
        return asyncio.ensure_future(self._method(*arguments))


class Actor:
    """A host as Ray shows it: next door, or where its door cannot be reached."""

    def __init__(self, host: Host, *, is_near: bool) -> None:
        self._host = host
        self._is_near = is_near
        self.ready = Method(self._ready)
        self.exchange = Method(host.exchange)

    async def _ready(self) -> bytes:
        address = await self._host.ready()
        return address if self._is_near else bytes(ADDRESS_BYTES)


class Line:
    """A link to a host of two workers, with all that it told."""

    def __init__(self, actor: Actor) -> None:
        self.reports: list[Report] = []
        self.returned: list[str] = []
        self._ids = 0
        self.link = Link(
            actor,
            2,
            on_reports=self.reports.extend,
            on_returned=lambda given: self.returned.append(given.task.key),
            on_loss=lambda link, reason: pytest.fail(reason),
        )

    def submit(self, *tasks: Task) -> list[int]:
        """Give tasks; gives their ids."""
        first = self._ids + 1
        for task in tasks:
            self._ids += 1
            self.link.submit(Given(self._ids, task, job_of(self._ids, task)))
        return list(range(first, self._ids + 1))

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not done():
                await asyncio.sleep(0.001)


@pytest_asyncio.fixture(params=[True, False], ids=["socket", "actor calls"])
async def line(request: pytest.FixtureRequest) -> AsyncIterator[Line]:
    host = Host(2)
    host._pool = WorkerPool(2, host._put)
    host._pool.start()
    line = Line(Actor(host, is_near=request.param))
    yield line
    assert isinstance(line.link._way, Socket if request.param else Exchanges)
    line.link._leave()
    await host.close()


async def test_what_is_given_before_the_way_is_found_is_carried_out(line: Line) -> None:
    line.submit(call("add", "a", a=1), batch("add", [{"a": 2}, {"a": 3}]))
    await line.until(lambda: len(line.reports) == 2)
    ended = {report.key: report for report in line.reports}
    assert ended["a"].value == 2
    assert ended["m[0:2]"].values == [{"value": 3}, {"value": 4}]
    assert not line.link.given


async def test_long_results_and_short_ones_arrive_in_the_order_of_a_stream(line: Line) -> None:
    (id,) = line.submit(stream("numbers", 3, n=5))
    await line.until(lambda: sum(len(report.values or ()) for report in line.reports) == 3)
    line.link.demand(id, 10)
    line.submit(call("large", "long", size=3_000_000))
    await line.until(lambda: not line.link.given)
    values = [value for report in line.reports for value in report.values or ()]
    assert values == [0, 1, 2, 3, 4]
    (text,) = [report.value for report in line.reports if report.key == "long"]
    assert len(text) == 3_000_000


async def test_what_is_withdrawn_reports_nothing_and_what_has_not_begun_comes_back(
    line: Line, tmp_path: Path
) -> None:
    ledgers = [tmp_path / name for name in ("0", "1")]
    hanging = line.submit(*(call("hang", f"h[{n}]", ledger=str(ledgers[n])) for n in range(2)))
    for ledger in ledgers:
        await exists(ledger)
    line.submit(*(call("add", f"m[{n}]", a=n) for n in range(6)))
    line.link.recall(4)
    await line.until(lambda: len(line.returned) == 4)
    for id in hanging:
        line.link.withdraw(id)
    await line.until(lambda: not line.link.given)
    assert {report.key for report in line.reports}.isdisjoint({*line.returned, "h[0]", "h[1]"})
    assert len(line.reports) == 2
