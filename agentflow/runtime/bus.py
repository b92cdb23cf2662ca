"""Hints between orchestrators and the live feed of events, through Redis, where there is one.

Nothing here is ever needed: a hint that is lost costs the time until the next look at the journal,
a lost event of the feed is read from the journal by whoever misses its number. So sending never
waits and never fails; a Redis that is gone, slow or flushed is left alone and tried again.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Protocol, TypeVar

import orjson

from agentflow.errors import Json, Unavailable, UsageError

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.client import PubSub
    from tenacity import RetryCallState

log = logging.getLogger(__name__)

QUEUED = 10_000
"""Hints that may wait to be sent; beyond, they are dropped."""
TOGETHER = 500
"""Hints that share a round trip."""
LARGEST = 10_000
"""Bytes of a hint that is still read; ours are far smaller."""
PATIENCE = 1.0
"""Seconds that Redis may take to answer. Nobody but the bus itself waits for it."""
QUIET = 5.0
"""Seconds without a hint until the connection is probed: one that broke may never say so."""
PAUSE_MAX = 5.0
"""Seconds between tries to reach a Redis that is gone, at most."""

CONNECTED = "connected"
"""The kind of hint that the bus itself gives: what was sent before was not heard."""

Receive = Callable[[dict[str, Json]], None]
T = TypeVar("T")


class Bus(Protocol):
    """Carries hints, best effort."""

    def send(self, hint: dict[str, Json]) -> None:
        """Send a hint to every orchestrator of the same store, this one included; returns at once.

        Its `kind` is a text. One that waits to be sent already is not sent twice.
        """
        ...

    async def send_at_once(self, hint: dict[str, Json]) -> None:
        """Send a hint without `run`: for a program that sends one and ends."""
        ...

    async def run(self, receive: Receive) -> None:
        """Carry hints until cancelled."""
        ...


class NoBus:
    """Where there is no Redis."""

    def send(self, hint: dict[str, Json]) -> None:
        """Nobody hears it."""

    async def send_at_once(self, hint: dict[str, Json]) -> None:
        """Nobody hears it."""

    async def run(self, receive: Receive) -> None:
        """Wait for nothing."""
        await asyncio.Event().wait()


class RedisBus:
    """Redis publish/subscribe, on one channel for each store.

    Args:
        url: `redis://host:6379/0`, `rediss://…` for TLS, `unix:///path`.
        store: What all orchestrators of a store call it; its hash names the channel.

    Raises:
        UsageError: the URL is none of a Redis.
        Unavailable: the client is not installed.
    """

    def __init__(self, url: str, store: str) -> None:
        self._client = _client(url)
        name = hashlib.blake2b(store.encode(), digest_size=8).hexdigest()
        self._channel = f"agentflow:{name}"
        self._unsent: dict[bytes, None] = {}
        self._has_unsent = asyncio.Event()
        self._is_away = False

    def send(self, hint: dict[str, Json]) -> None:
        """Queue a hint; dropped when Redis has been away for too long."""
        if len(self._unsent) < QUEUED:
            self._unsent[orjson.dumps(hint)] = None
            self._has_unsent.set()

    async def send_at_once(self, hint: dict[str, Json]) -> None:
        """Send a hint and disconnect; it is dropped when Redis does not answer soon."""
        self.send(hint)
        try:
            await self._send_some()
        except _failures() as error:
            log.debug("Redis does not answer: %s", error)
        finally:
            await self._leave()

    async def run(self, receive: Receive) -> None:
        """Send and receive until cancelled, whatever becomes of Redis meanwhile."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._send_all())
                group.create_task(self._receive_all(receive))
        finally:
            await self._send_last()
            await self._leave()

    async def _leave(self) -> None:
        with suppress(Exception):
            async with asyncio.timeout(PATIENCE):
                await self._client.aclose()

    # --- sending ------------------------------------------------------------------------------

    async def _send_all(self) -> None:
        while True:
            await self._has_unsent.wait()
            await self._patiently(self._send_whole)
            if not self._unsent:
                self._has_unsent.clear()

    async def _send_whole(self) -> None:
        """Send some, to the end also if cancelled: else nobody knew whether they were sent."""
        sending = asyncio.ensure_future(self._send_some())
        try:
            await asyncio.shield(sending)
        except asyncio.CancelledError:
            await asyncio.wait([sending])
            self._is_away = self._is_away or sending.exception() is not None
            raise

    async def _send_some(self) -> None:
        """Send the oldest hints; they wait again, before the others, if that fails."""
        # Taken out first: a hint like one of them that is given meanwhile tells of something newer.
        some = list(islice(self._unsent, TOGETHER))
        for hint in some:
            del self._unsent[hint]
        try:
            async with asyncio.timeout(PATIENCE), self._client.pipeline(transaction=False) as batch:
                for hint in some:
                    batch.publish(self._channel, hint)
                await batch.execute()
        except BaseException:
            self._unsent = dict.fromkeys([*some, *self._unsent])
            raise

    async def _send_last(self) -> None:
        """Send what waits at the end: who ends at once may have had no time to reach Redis."""
        if self._unsent and not self._is_away:
            with suppress(*_failures()):
                await self._send_some()

    # --- receiving ----------------------------------------------------------------------------

    async def _receive_all(self, receive: Receive) -> None:
        while True:
            channel = await self._patiently(self._subscribe)
            receive({"kind": CONNECTED})
            try:
                await _listen(channel, receive)
            except _failures() as error:
                log.debug("Redis no longer sends: %s", error)
            finally:
                await channel.aclose()  # type: ignore[no-untyped-call]  # of redis-py

    async def _subscribe(self) -> PubSub:
        """Listen to the channel: what is sent from here on is heard."""
        channel = self._client.pubsub()
        try:
            async with asyncio.timeout(PATIENCE):
                await channel.subscribe(self._channel)
                while not await channel.get_message(timeout=PATIENCE):
                    pass
        except BaseException:
            await channel.aclose()  # type: ignore[no-untyped-call]  # of redis-py
            raise
        return channel

    # --- patience -----------------------------------------------------------------------------

    async def _patiently(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Try until it works; the log says once that Redis is away."""
        from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

        trying = AsyncRetrying(
            retry=retry_if_exception_type(_failures()),
            wait=wait_random_exponential(multiplier=0.1, max=PAUSE_MAX),
            before_sleep=self._missed,
        )
        result: T = await trying(attempt)
        if self._is_away:
            self._is_away = False
            log.info("Redis is back")
        return result

    def _missed(self, state: RetryCallState) -> None:
        if not self._is_away and state.outcome is not None:
            self._is_away = True
            error = state.outcome.exception()
            log.warning(
                "Redis does not answer (%s); executions go on, "
                "other processes notice their changes a little later",
                error if str(error) else type(error).__name__,
            )


async def _listen(channel: PubSub, receive: Receive) -> None:
    """Give hints as they come, until the connection is lost."""
    is_probed = False
    while True:
        async with asyncio.timeout(QUIET + PATIENCE):
            message = await channel.get_message(timeout=QUIET)
        if message is not None:
            is_probed = False
            hint = _hint(message)
            if hint is not None:
                receive(hint)
        elif is_probed:
            raise TimeoutError("a probe was not answered")
        else:
            async with asyncio.timeout(PATIENCE):
                await channel.ping()
            is_probed = True


def _hint(message: dict[str, Json]) -> dict[str, Json] | None:
    """What a message of the channel says; `None` if it is none of ours."""
    data = message["data"]
    if message["type"] != "message" or len(data) > LARGEST:
        return None
    try:
        hint = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return hint if isinstance(hint, dict) and isinstance(hint.get("kind"), str) else None


def _client(url: str) -> Redis:
    try:
        import tenacity  # noqa: F401 - to miss it now rather than when hints are carried
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
    except ImportError as error:
        raise Unavailable(
            f"REDIS_URL is set, but the package {error.name} is not installed",
            help="pip install 'inferloop-agentflow[redis]'",
        ) from None
    try:
        client: Redis = Redis.from_url(
            url,
            # The bus counts the time itself: the client's own way (`wait_for`) may lose a
            # cancellation in Python 3.11. It tries again itself too, without a bound.
            socket_connect_timeout=PATIENCE,
            socket_timeout=None,
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError:
        # The address stays out of the message: it may hold a password.
        raise UsageError(
            "REDIS_URL is not the address of a Redis",
            help="write redis://host:6379/0, or rediss://… for TLS",
        ) from None
    return client


def _failures() -> tuple[type[Exception], ...]:
    """What may pass."""
    from redis.exceptions import RedisError

    return RedisError, OSError, TimeoutError
