"""Connections to PostgreSQL that notice a server which is frozen.

A server that crashed closes its connections, and a machine that vanished no longer acknowledges
what is sent to it; TCP tells of both. A server that is frozen (stopped, swapping, its disk hung)
does neither: its kernel goes on acknowledging, and whoever waits for an answer waits for ever. A
statement may also be slow in good faith. So when an answer is late, a second connection asks the
server whether it answers at all; if not, the first one is closed like one that broke.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.conninfo import make_conninfo

T = TypeVar("T")

SILENT_SECONDS = 3.0
"""How long an answer may take until the server is asked whether it is there."""

PROBE_SECONDS = 2
"""How long it may take for that; the two together stay well below an engine's lease."""


class Watched(psycopg.Connection[Any]):
    """A connection that is closed, with an `OperationalError`, when its server has frozen."""

    address: str
    """Where it leads, for a second one."""

    @classmethod
    def open(cls, conninfo: str = "", **address: Any) -> Watched:
        """Connect as `psycopg.connect` does."""
        connection = cls.connect(conninfo, **address)
        plain = {name: value for name, value in address.items() if name != "context"}
        connection.address = make_conninfo(conninfo, **plain)
        return connection

    def wait(self, gen: PQGen[T], *arguments: Any, **options: Any) -> T:
        """Carry out what talks to the server."""
        return super().wait(_watched(gen, SILENT_SECONDS, self._require), *arguments, **options)

    def _require(self) -> None:
        """Close the connection unless the server answers on another one."""
        if not _answers(self.address):
            self.pgconn.finish()
            raise psycopg.OperationalError("the server does not answer, though it is reachable")


class _Probe(psycopg.Connection[Any]):
    """A connection on which nothing takes long."""

    def wait(self, gen: PQGen[T], *arguments: Any, **options: Any) -> T:
        return super().wait(_watched(gen, PROBE_SECONDS, self._give_up), *arguments, **options)

    def _give_up(self) -> None:
        self.pgconn.finish()
        raise psycopg.OperationalError("no answer")


def _answers(address: str) -> bool:
    try:
        # A pooler may let us in by itself, hence the question.
        with _Probe.connect(address, autocommit=True, connect_timeout=PROBE_SECONDS) as probe:
            probe.execute("SELECT 1")
    except psycopg.Error as error:
        return "FATAL" in str(error)  # what the server itself says: it takes no more connections
    return True


def _watched(gen: PQGen[T], seconds: float, is_late: Callable[[], None]) -> PQGen[T]:
    """A conversation with the server; `is_late` is called whenever so long nothing came of it."""
    try:
        waits_for = next(gen)
        since = time.monotonic()
        while True:
            ready = yield waits_for
            if ready:
                since = time.monotonic()
            elif time.monotonic() - since > seconds:
                is_late()
                since = time.monotonic()
            waits_for = gen.send(ready)
    except StopIteration as end:
        result: T = end.value
        return result
