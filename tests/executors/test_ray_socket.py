"""The socket between an executor and a host on its machine: who gets in, and what each hears."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
import pytest_asyncio

from agentflow.runtime.executors import ray_socket
from agentflow.runtime.executors.ray_socket import Door, Socket, connect
from agentflow.runtime.executors.wire import Frame, Kind, frame

SECRET_BYTES = 32


class Host:
    """A host's door, with all that was commanded; `said` names the ids."""

    def __init__(self) -> None:
        self.said: list[int] = []
        self.left = asyncio.Event()
        self.door = Door(self._obey, self.left.set)

    def _obey(self, commands: list[Frame]) -> None:
        self.said += [id for _, id, _ in commands]


class Executor:
    """What an executor hears of a host."""

    def __init__(self) -> None:
        self.heard: list[int] = []
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.gate: asyncio.Event | None = None
        """If there is one: every piece that was heard waits for it."""

    def take(self, arrived: list[Frame]) -> Coroutine[Any, Any, None] | None:
        ids = [id for kind, id, _ in arrived if kind is not Kind.BEAT]
        if self.gate is None:
            self.heard += ids
            return None
        return self._take_later(self.gate, ids)

    async def _take_later(self, gate: asyncio.Event, ids: list[int]) -> None:
        await gate.wait()
        self.heard += ids

    async def enter(self, address: bytes) -> Socket:
        entered = await connect(address, self.take, self.lost.set_result)
        assert entered is not None
        return entered


@pytest_asyncio.fixture
async def host() -> AsyncIterator[Host]:
    host = Host()
    await host.door.open()
    yield host
    host.door.close()


@pytest_asyncio.fixture
async def executor() -> Executor:
    return Executor()


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not done():
            await asyncio.sleep(0)


async def stranger(host: Host, shown: bytes) -> bytes:
    """Show something at the door; gives what is heard until the end."""
    with socket.socket(socket.AF_UNIX) as end:
        end.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(end, name_of(host))
        await loop.sock_sendall(end, shown)
        try:
            return await loop.sock_recv(end, 1024)
        except ConnectionResetError:
            return b""


def name_of(host: Host) -> str:
    return "\0agentflow-" + host.door.address[:-SECRET_BYTES].hex()


async def test_what_is_said_arrives_whole_and_in_order(host: Host, executor: Executor) -> None:
    entered = await executor.enter(host.door.address)
    lengths = [0, 1, 70_000, 3_000_000, 5]
    for id, length in enumerate(lengths):
        entered.send(frame(Kind.SUBMIT, id, bytes(length)))
    await until(lambda: len(host.said) == len(lengths))
    for id, length in enumerate(lengths):
        host.door.say(frame(Kind.COMPLETED, id, bytes(length)))
    await until(lambda: len(executor.heard) == len(lengths))
    assert host.said == executor.heard == [0, 1, 2, 3, 4]
    entered.close()


async def test_the_secret_and_the_commands_may_come_in_any_pieces(host: Host) -> None:
    shown = host.door.address[-SECRET_BYTES:] + frame(Kind.WITHDRAW, 7) + frame(Kind.WITHDRAW, 8)
    with socket.socket(socket.AF_UNIX) as end:
        end.connect(name_of(host))
        for at in range(len(shown)):
            end.send(shown[at : at + 1])
            await asyncio.sleep(0)
        await until(lambda: host.said == [7, 8])


@pytest.mark.parametrize(
    "shown",
    [bytes(SECRET_BYTES), bytes(SECRET_BYTES) + frame(Kind.WITHDRAW, 7), bytes(100_000)],
    ids=["a wrong secret", "with a command behind it", "far too much"],
)
async def test_a_stranger_is_turned_away_and_the_executor_still_gets_in(
    host: Host, executor: Executor, shown: bytes
) -> None:
    assert await stranger(host, shown) == b""
    assert host.said == []
    assert not host.left.is_set()
    entered = await executor.enter(host.door.address)
    entered.send(frame(Kind.WITHDRAW, 1))
    await until(lambda: host.said == [1])
    entered.close()


async def test_whoever_shows_nothing_is_turned_away_after_a_while(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_socket, "_OPENING", 0.01)
    assert await stranger(host, b"x") == b""


async def test_nobody_gets_in_behind_the_executor(host: Host, executor: Executor) -> None:
    entered = await executor.enter(host.door.address)
    await until(lambda: host.door.is_used)
    assert await connect(host.door.address, executor.take, executor.lost.set_result) is None
    entered.close()


async def test_without_a_door_there_is_no_way_in(executor: Executor) -> None:
    address = Door(lambda commands: None, lambda: None).address
    assert await connect(address, executor.take, executor.lost.set_result) is None


async def test_a_host_hears_that_its_executor_is_gone(host: Host, executor: Executor) -> None:
    entered = await executor.enter(host.door.address)
    entered.send(frame(Kind.WITHDRAW, 1))
    entered.close()
    await asyncio.wait_for(host.left.wait(), 60)
    assert host.said == [1]
    assert not executor.lost.done()


async def test_an_executor_hears_the_last_words_of_a_host_and_that_it_is_gone(
    host: Host, executor: Executor
) -> None:
    await executor.enter(host.door.address)
    await until(lambda: host.door.is_used)
    host.door.say(frame(Kind.COMPLETED, 1, bytes(2_000_000)) + frame(Kind.COMPLETED, 2))
    host.door.close()
    assert await asyncio.wait_for(executor.lost, 60) == "its process has ended"
    assert executor.heard == [1, 2]


async def test_what_takes_long_to_read_is_read_before_what_comes_next(
    host: Host, executor: Executor
) -> None:
    executor.gate = asyncio.Event()
    entered = await executor.enter(host.door.address)
    await until(lambda: host.door.is_used)
    for id in range(1, 4):
        host.door.say(frame(Kind.COMPLETED, id, bytes(100_000)))
        await asyncio.sleep(0)
    assert executor.heard == []
    executor.gate.set()
    await until(lambda: executor.heard == [1, 2, 3])
    entered.close()


async def test_a_host_that_only_beats_is_kept_and_a_silent_one_is_lost(
    host: Host, executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_socket, "HEARTBEAT", 0.001)
    monkeypatch.setattr(ray_socket, "LOOK", 0.02)
    entered = await executor.enter(host.door.address)
    await asyncio.sleep(0.3)
    assert not executor.lost.done()
    host.door.say = lambda data: None  # type: ignore[method-assign]  # as if it were stopped
    assert "not heard of" in await asyncio.wait_for(executor.lost, 60)
    entered.close()
