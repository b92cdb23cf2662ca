"""What a host says leaves it in the order in which it was said, however exchanges overtake."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agentflow.runtime.executors.ray_host import Host
from agentflow.runtime.executors.wire import Kind, frame, frames


class Pool:
    """A pool with one call under way, of which the test says what it does."""

    outstanding = 1

    def __init__(self) -> None:
        self.obeyed: list[int] = []

    def withdraw(self, id: int) -> None:
        self.obeyed.append(id)


@pytest.fixture
def host() -> Host:
    host = Host(1)
    pool: Any = Pool()
    host._pool = pool
    return host


def ids(answer: bytes) -> list[int]:
    return [id for _, id, _ in frames(answer)]


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_newer_exchange_does_not_take_what_an_older_one_is_about_to_say(host: Host) -> None:
    first = asyncio.create_task(host.exchange(0, b""))
    await settle()
    host._put(frame(Kind.YIELDED, 1))
    second = asyncio.create_task(host.exchange(1, b""))
    while host._expected < 2:
        await asyncio.sleep(0)
    host._put(frame(Kind.COMPLETED, 2))
    assert ids(await first) == [1]
    assert ids(await second) == [2]


async def test_exchanges_that_come_in_another_order_are_obeyed_and_answered_in_theirs(
    host: Host,
) -> None:
    late = asyncio.create_task(host.exchange(1, frame(Kind.WITHDRAW, 8)))
    await settle()
    host._put(frame(Kind.YIELDED, 1))
    early = asyncio.create_task(host.exchange(0, frame(Kind.WITHDRAW, 7)))
    assert ids(await early) == [1]
    host._put(frame(Kind.COMPLETED, 2))
    assert ids(await late) == [2]
    assert host._pool.obeyed == [7, 8]  # type: ignore[union-attr]
