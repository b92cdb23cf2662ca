"""Hints between orchestrators, over a real Redis that dies, freezes and forgets."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from agentflow import Engine, Unavailable, UsageError
from agentflow.runtime import bus as bus_module
from agentflow.runtime.bus import CONNECTED, LARGEST, QUEUED, TOGETHER, NoBus, RedisBus
from tests.engine.conftest import PATIENCE
from tests.servers import RedisServer

STORE = "a store"


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis is not given up where a busy machine makes it slow."""
    monkeypatch.setattr(bus_module, "PATIENCE", PATIENCE)


class Heard:
    """A running bus and what it gave."""

    def __init__(self, bus: RedisBus) -> None:
        self.bus = bus
        self.hints: list[dict[str, Any]] = []
        self._news = asyncio.Event()

    def take(self, hint: dict[str, Any]) -> None:
        self.hints.append(hint)
        self._news.set()

    async def until(self, holds: Callable[[list[dict[str, Any]]], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not holds(self.hints):
                self._news.clear()
                await self._news.wait()

    async def until_heard(self, number: int) -> None:
        await self.until(lambda hints: hint(number) in hints)

    async def until_connected(self, times: int) -> None:
        await self.until(lambda hints: hints.count({"kind": CONNECTED}) >= times)


class Log(logging.Handler):
    """What the bus tells whoever runs it."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self._news = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        self._news.set()

    async def until_said(self, words: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while not any(words in record.getMessage() for record in self.records):
                self._news.clear()
                await self._news.wait()


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[Log]:
    caplog.set_level(logging.INFO, bus_module.log.name)
    log = Log()
    bus_module.log.addHandler(log)
    yield log
    bus_module.log.removeHandler(log)


@asynccontextmanager
async def listening(url: str, store: str = STORE) -> AsyncIterator[Heard]:
    heard = Heard(RedisBus(url, store))
    task = asyncio.create_task(heard.bus.run(heard.take))
    try:
        await heard.until_connected(1)
        yield heard
    finally:
        await stopped(task)


async def stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=PATIENCE)
    assert done, "it does not end"


def hint(number: int) -> dict[str, Any]:
    return {"kind": "test", "number": number}


# --- carrying --------------------------------------------------------------------------------


@pytest.mark.usefixtures("patient")
async def test_a_hint_reaches_every_bus_of_its_store_and_no_other(redis: RedisServer) -> None:
    async with (
        listening(redis.url) as one,
        listening(redis.url) as two,
        listening(redis.url, "another store") as other,
    ):
        one.bus.send(hint(1))
        await one.until_heard(1)
        await two.until_heard(1)
        other.bus.send(hint(2))
        await other.until_heard(2)
        assert hint(1) not in other.hints
        assert hint(2) not in one.hints


@pytest.mark.usefixtures("patient")
async def test_what_was_given_before_it_runs_is_sent_once_and_in_order(redis: RedisServer) -> None:
    sender = RedisBus(redis.url, STORE)
    for number in [1, 2, 1, 3]:
        sender.send(hint(number))
    async with listening(redis.url) as heard:
        task = asyncio.create_task(sender.run(lambda hint: None))
        await heard.until_heard(3)
        await stopped(task)
        assert heard.hints[1:] == [hint(1), hint(2), hint(3)]


@pytest.mark.usefixtures("patient")
async def test_what_waits_when_a_bus_is_stopped_is_sent(redis: RedisServer) -> None:
    async with listening(redis.url) as heard:
        sender = RedisBus(redis.url, STORE)
        task = asyncio.create_task(sender.run(lambda hint: None))
        await asyncio.sleep(0)  # it has begun, and nothing more
        sender.send(hint(1))
        await stopped(task)
        await heard.until_heard(1)


@pytest.mark.usefixtures("patient")
async def test_many_hints_arrive(redis: RedisServer) -> None:
    async with listening(redis.url) as heard:
        sent = [hint(number) for number in range(3 * TOGETHER)]
        for each in sent:
            heard.bus.send(each)
        await heard.until(lambda hints: len(hints) > len(sent))
        assert heard.hints[1:] == sent


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"\xff\xfe", b"[1]", b'"kind"', b'{"kind": []}', b"{}", b"[" * (LARGEST + 1)],
    ids=["nothing", "no JSON", "no text", "a list", "a text", "no kind", "empty", "too large"],
)
async def test_what_others_send_on_the_channel_is_passed_over(
    redis: RedisServer, data: bytes
) -> None:
    from redis.asyncio import Redis

    async with listening(redis.url) as heard, Redis.from_url(redis.url) as stranger:
        assert await stranger.publish(heard.bus._channel, data) == 1
        heard.bus.send(hint(1))
        await heard.until_heard(1)
        assert heard.hints == [{"kind": CONNECTED}, hint(1)]


# --- a Redis that is away --------------------------------------------------------------------


async def test_after_a_restart_hints_are_carried_again(redis: RedisServer) -> None:
    async with listening(redis.url) as one, listening(redis.url) as two:
        redis.kill()
        one.bus.send(hint(1))
        await asyncio.to_thread(redis.start)
        await two.until_connected(2)
        one.bus.send(hint(2))
        await two.until_heard(2)


async def test_a_redis_that_was_not_there_is_found_when_it_comes(redis: RedisServer) -> None:
    redis.kill()
    heard = Heard(RedisBus(redis.url, STORE))
    heard.bus.send(hint(1))
    task = asyncio.create_task(heard.bus.run(heard.take))
    await asyncio.to_thread(redis.start)
    await heard.until_connected(1)
    heard.bus.send(hint(2))
    await heard.until_heard(2)
    await stopped(task)


@pytest.mark.slow
async def test_a_frozen_redis_holds_nobody_up(redis: RedisServer) -> None:
    async with listening(redis.url) as one:
        async with listening(redis.url) as two:
            redis.freeze()
            for number in range(3 * QUEUED):
                one.bus.send(hint(number))
            two.bus.send(hint(-1))
        # `two` has ended while Redis was frozen; `one` goes on where it was.
        redis.thaw()
        await one.until_heard(0)


async def test_a_connection_that_broke_silently_is_noticed(
    redis: RedisServer, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus_module, "QUIET", 0.05)
    monkeypatch.setattr(bus_module, "PATIENCE", 0.2)
    async with listening(redis.url) as heard:
        redis.freeze()
        await log.until_said("Redis does not answer")
        redis.thaw()
        await heard.until_connected(2)


@pytest.mark.usefixtures("patient")
async def test_a_flushed_redis_changes_nothing(redis: RedisServer) -> None:
    from redis.asyncio import Redis

    async with listening(redis.url) as heard, Redis.from_url(redis.url) as stranger:
        await stranger.flushall()
        heard.bus.send(hint(1))
        await heard.until_heard(1)
        assert heard.hints.count({"kind": CONNECTED}) == 1


async def test_hints_beyond_the_bound_are_dropped() -> None:
    bus = RedisBus("redis://127.0.0.1:1/0", STORE)
    for number in range(QUEUED + 100):
        bus.send(hint(number))
    assert list(map(orjson.loads, bus._unsent)) == [hint(number) for number in range(QUEUED)]


async def test_that_redis_is_away_and_back_is_said_once(redis: RedisServer, log: Log) -> None:
    async with listening(redis.url) as heard:
        redis.kill()
        heard.bus.send(hint(1))
        await log.until_said("executions go on")
        await asyncio.to_thread(redis.start)
        await heard.until_connected(2)
        heard.bus.send(hint(2))
        await heard.until_heard(2)
    # On a busy machine a dying server may let somebody in once more: then it was away twice.
    levels = [record.levelname for record in log.records]
    assert levels == ["WARNING", "INFO"] * (len(levels) // 2)
    assert levels


# --- mistakes --------------------------------------------------------------------------------


def test_an_address_that_is_none_is_refused_without_repeating_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "http://user:hidden@host")
    with pytest.raises(UsageError, match="not the address of a Redis") as caught:
        Engine(executor="inline", root=project)
    assert "hidden" not in str(caught.value) + caught.value.help


def test_a_missing_client_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(Unavailable, match="not installed") as caught:
        RedisBus("redis://127.0.0.1", STORE)
    assert "[redis]" in caught.value.help


async def test_without_redis_there_is_nothing_to_do() -> None:
    bus = NoBus()
    bus.send(hint(1))
    task = asyncio.create_task(bus.run(lambda hint: None))
    await stopped(task)
    assert task.cancelled()
