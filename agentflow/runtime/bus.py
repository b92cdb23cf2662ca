"""Hints between orchestrators and the live feed of events, through Redis, where there is one.

Nothing here is ever needed: a hint that is lost costs the time until the next look at the journal,
a lost event of the feed is read from the journal by whoever misses its number. So sending never
waits and never fails; a Redis that is gone, slow or flushed is left alone and tried again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import orjson

from agentflow.errors import Json, Unavailable

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = logging.getLogger(__name__)

QUEUED = 10_000
"""Hints that may wait to be sent; beyond, they are dropped."""
PATIENCE = 0.25
"""Seconds that one send may take."""
PAUSE_MAX = 5.0
"""Seconds between tries to reach a Redis that is gone, at most."""

Receive = Callable[[dict[str, Json]], None]


class Bus(Protocol):
    """Carries hints, best effort."""

    def send(self, hint: dict[str, Json]) -> None:
        """Send a hint to every orchestrator of the same store, this one included; returns at once."""
        ...

    async def run(self, receive: Receive) -> None:
        """Carry hints until cancelled."""
        ...


class NoBus:
    """Where there is no Redis."""

    def send(self, hint: dict[str, Json]) -> None:
        """Nobody hears it."""

    async def run(self, receive: Receive) -> None:
        """Wait for nothing."""
        await asyncio.Event().wait()


class RedisBus:
    """Redis publish/subscribe on one channel per store."""

    def __init__(self, url: str, namespace: str) -> None:
        try:
            from redis.asyncio import Redis
        except ImportError:
            raise Unavailable(
                "REDIS_URL is set, but the redis client is not installed",
                help="pip install 'inferloop-agentflow[redis]'",
            ) from None
        self._client: Redis = Redis.from_url(url, socket_connect_timeout=1, health_check_interval=5)
        self._channel = f"agentflow:{namespace}"
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(QUEUED)

    def send(self, hint: dict[str, Json]) -> None:
        """Queue a hint; dropped when Redis has been too slow for too long."""
        with suppress(asyncio.QueueFull):
            self._queue.put_nowait(orjson.dumps(hint))

    async def run(self, receive: Receive) -> None:
        """Send and receive until cancelled, whatever becomes of Redis meanwhile."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._again_and_again(self._send_all))
                group.create_task(self._again_and_again(lambda: self._receive_all(receive)))
        finally:
            with suppress(Exception):
                await asyncio.wait_for(self._client.aclose(), PATIENCE)

    async def _again_and_again(self, work: Callable[[], Json]) -> None:
        from redis.exceptions import RedisError
        from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

        tries = AsyncRetrying(
            retry=retry_if_exception_type((RedisError, OSError, TimeoutError)),
            wait=wait_random_exponential(multiplier=0.1, max=PAUSE_MAX),
        )
        async for attempt in tries:
            with attempt:
                await work()

    async def _send_all(self) -> None:
        while True:
            hint = await self._queue.get()
            await asyncio.wait_for(self._client.publish(self._channel, hint), PATIENCE)

    async def _receive_all(self, receive: Receive) -> None:
        async with self._client.pubsub(ignore_subscribe_messages=True) as channel:
            await channel.subscribe(self._channel)
            receive({"kind": "connected"})
            async for message in channel.listen():
                with suppress(orjson.JSONDecodeError):
                    hint = orjson.loads(message["data"])
                    if isinstance(hint, dict):
                        receive(hint)
