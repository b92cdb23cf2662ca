"""The short way to a host: a socket of the machine that it shares with the executor.

A call of an actor takes longer than most steps. Ray still places, starts and supervises a host, and
tells the executor where it listens; what the two say then passes between them alone.

The socket's name is an abstract one, so nothing is left behind by processes that are killed. Only
this user gets in: the kernel says whose process the other end is, and the executor shows the secret
that Ray brought it. Whoever cannot connect, because the host is on another machine, of another
user or in another container, calls the actor instead.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import secrets
import socket
import struct
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias, cast

from agentflow.runtime.executors.wire import Frame, Frames, Kind, frame

HEARTBEAT = 5.0
"""Seconds after which a host that has nothing to say says so."""
LOOK = HEARTBEAT + 1.0
"""Seconds between two looks whether a host was heard of."""
SILENT_BEATS = 6
"""Heartbeats without a word after which a host counts as lost."""
_NAME_BYTES = 16
_SECRET_BYTES = 32
_PEER = struct.Struct("3i")
_OPENING = 10.0
"""Seconds in which whoever connects must have shown the secret."""

Take: TypeAlias = Callable[[list[Frame]], Coroutine[Any, Any, None] | None]
"""Takes frames; gives what to wait for before the next ones are taken, if that takes a while."""


class Door:
    """The host's side: where the executor that made it gets in, and nobody else.

    `obey` receives the commands, `left` hears that the executor is gone.
    """

    def __init__(self, obey: Callable[[list[Frame]], None], left: Callable[[], None]) -> None:
        self.address = secrets.token_bytes(_NAME_BYTES + _SECRET_BYTES)
        """The name of the socket and the secret."""
        self._obey = obey
        self._left = left
        self._server: asyncio.Server | None = None
        self._guest: _Guest | None = None

    @property
    def is_used(self) -> bool:
        """Whether the executor is there."""
        return self._guest is not None

    async def open(self) -> None:
        """Listen."""
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(_name(self.address))
        loop = asyncio.get_running_loop()
        secret = self.address[_NAME_BYTES:]
        self._server = await loop.create_unix_server(
            lambda: _Guest(secret, self._let_in), sock=listening
        )

    def say(self, data: bytes) -> None:
        """Send frames to the executor."""
        if self._guest is not None:
            self._guest.say(data)

    def close(self) -> None:
        """Let nobody in any more, and end what is said."""
        if self._server is not None:
            self._server.close()
        if self._guest is not None:
            self._guest.close()

    def _let_in(self, guest: _Guest) -> None:
        guest.obey, guest.left = self._obey, self._left
        self._guest = guest
        if self._server is not None:
            self._server.close()
        self._beat()

    def _beat(self) -> None:
        self.say(frame(Kind.BEAT, 0))
        asyncio.get_running_loop().call_later(HEARTBEAT, self._beat)


class _End(asyncio.Protocol):
    """One end of a socket."""

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self._frames = Frames()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    @property
    def is_closed(self) -> bool:
        """Whether either end has ended."""
        return self._transport.is_closing()

    def say(self, data: bytes) -> None:
        """Send frames, unless the other end is gone."""
        if not self.is_closed:
            self._transport.write(data)

    def close(self) -> None:
        """End what is said."""
        self._transport.close()


class _Guest(_End):
    """Whoever came to a host's door; a stranger until the secret was shown."""

    def __init__(self, secret: bytes, let_in: Callable[[_Guest], None]) -> None:
        super().__init__()
        self._secret = secret
        self._let_in = let_in
        self._shown: bytes | None = b""
        """What was shown so far; `None`: the secret, and all that follows is to be obeyed."""
        self.obey: Callable[[list[Frame]], None] = _nothing
        self.left: Callable[[], None] = _nothing

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if not _is_ours(transport.get_extra_info("socket")):
            self._transport.abort()
            return
        asyncio.get_running_loop().call_later(_OPENING, self._turn_away)

    def data_received(self, data: bytes) -> None:
        if self._shown is not None:
            data = self._look_at(self._shown + data)
        if self._shown is None and data:
            self.obey(list(self._frames.feed(data)))

    def _look_at(self, shown: bytes) -> bytes:
        """Compare the secret as soon as it is here; gives what comes after it."""
        secret, rest = shown[: len(self._secret)], shown[len(self._secret) :]
        self._shown = secret
        if len(secret) == len(self._secret):
            if hmac.compare_digest(secret, self._secret):
                self._shown = None
                self._let_in(self)
            else:
                self._transport.abort()
        return rest

    def _turn_away(self) -> None:
        if self._shown is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.left()


class Socket(_End):
    """The executor's side of a host's socket."""

    def __init__(self, take: Take) -> None:
        super().__init__()
        self._take = take
        self.lost: Callable[[str], None] = _nothing
        """Hears why the host is gone."""
        self._silent = 0
        self._reading: asyncio.Task[None] | None = None

    def send(self, commands: bytes) -> None:
        """Have the host obey."""
        self.say(commands)

    def close(self) -> None:
        """Leave the host."""
        self.lost = _nothing
        self._looking.cancel()
        super().close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._look_later()

    def data_received(self, data: bytes) -> None:
        self._silent = 0
        arrived = list(self._frames.feed(data))
        later = self._take(arrived) if arrived else None
        if later is not None:
            self._transport.pause_reading()
            self._reading = asyncio.get_running_loop().create_task(self._go_on_after(later))

    async def _go_on_after(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        finally:
            self._silent = 0
            if not self.is_closed:
                self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._looking.cancel()
        self.lost("its process has ended" if exc is None else str(exc))

    def _look(self) -> None:
        """See whether it was heard of since the last look.

        Looks are counted, so that a process that was stopped itself (Ctrl-Z) does not take its own
        pause for the host's.
        """
        self._silent += 1
        if self._silent > SILENT_BEATS:
            self.lost(f"not heard of for {SILENT_BEATS * HEARTBEAT:g} s")
        else:
            self._look_later()

    def _look_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._looking = loop.call_later(LOOK, self._look)


async def connect(address: bytes, take: Take, lost: Callable[[str], None]) -> Socket | None:
    """Enter a host's door; `None` if it cannot be reached that way."""
    reached = socket.socket(socket.AF_UNIX)
    reached.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(reached, _name(address))
        is_ours = _is_ours(reached)
    except OSError:
        is_ours = False
    if not is_ours:
        reached.close()
        return None
    loop = asyncio.get_running_loop()
    _, entered = await loop.create_unix_connection(lambda: Socket(take), sock=reached)
    if entered.is_closed:
        return None
    entered.lost = lost
    entered.say(address[_NAME_BYTES:])
    return entered


def _name(address: bytes) -> str:
    return "\0agentflow-" + address[:_NAME_BYTES].hex()


def _is_ours(end: socket.socket) -> bool:
    """Whether the other end of a socket is a process of this user."""
    packed = end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    _, user, _ = _PEER.unpack(packed)
    return bool(user == os.getuid())


def _nothing(*_ignored: object) -> None:
    """Nobody listens."""
