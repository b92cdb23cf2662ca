"""What is special about PostgreSQL: the only module that knows of it.

The server orders writers, so no lock is held between processes. Connections break whenever it is
restarted: what failed for such a reason is done again until a bound is reached. Nothing is notified
here: NOTIFY takes a lock of the whole database at commit and costs a factor of five.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    NullPool,
    create_engine,
    event,
    text,
)
from sqlalchemy.exc import InterfaceError, NoSuchModuleError, OperationalError

from agentflow.errors import AgentFlowError, Unavailable, UsageError
from agentflow.runtime.journal.backend import Topic
from agentflow.runtime.journal.errors import Corrupt
from agentflow.runtime.journal.statements import Statement

log = logging.getLogger(__name__)
T = TypeVar("T")

DRIVER = "postgresql+psycopg"

_OPENING_SECONDS = 5
"""How long a first connection is tried for: a wrong address should be reported soon."""

_STOPPED_SECONDS = 5
"""A process that is stopped inside a transaction keeps rows from others no longer than this."""

_READERS = 4

_NAMESPACE = 0x4146  # of our advisory locks, which all users of a database share
_ORDER = Statement(text(f"SELECT pg_advisory_xact_lock({_NAMESPACE}, :topic)"), "topic")
_SHARE = Statement(text(f"SELECT pg_advisory_xact_lock_shared({_NAMESPACE}, :topic)"), "topic")

_PASSING = frozenset(
    {
        "25P03",  # our own process was stopped inside a transaction
        "40001",  # serialization failure
        "40P01",  # deadlock
        "53300",  # too many connections
        "57P01",  # the server shuts down
        "57P02",  # … after a crash
        "57P03",  # … or does not take connections yet
        "57P05",
    }
)
"""What a later attempt may not meet. Of class 08, connection exceptions, everything counts."""


class Postgres:
    """A PostgreSQL database."""

    def __init__(self, url: URL, folder: Path, wait_seconds: float) -> None:
        self.name = url.render_as_string(hide_password=True)
        self.path: Path | None = None
        self.folder = folder
        self._wait = wait_seconds
        self._is_open = False
        try:
            self.writer = self._engine(url, poolclass=NullPool)
            reader = self._engine(url, pool_size=_READERS, pool_timeout=wait_seconds)
        except (NoSuchModuleError, ModuleNotFoundError) as error:
            raise Unavailable(
                f"there is no driver for {self.name}: {error}",
                help="pip install 'inferloop-agentflow[postgres]'",
            ) from error
        # A history is read in two queries that must see the same moment.
        self.reader = reader.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )

    def exclusively(self) -> AbstractContextManager[None]:
        """Nothing to hold: the server orders writers."""
        return contextlib.nullcontext()

    def order(self, connection: Connection, topic: Topic, *, shared: bool = False) -> None:
        """Let the transactions of a topic commit one after the other."""
        statement = _SHARE if shared else _ORDER
        statement.rows(connection, topic.value)

    def patiently(self, attempt: Callable[[], T]) -> T:
        """Try until it succeeds, fails for good, or has failed for too long."""
        try:
            result = attempt()
        except (OperationalError, InterfaceError) as error:
            if not _may_pass(error):
                raise
            result = self._again(attempt)
        self._is_open = True
        return result

    def _again(self, attempt: Callable[[], T]) -> T:
        """Try on; what goes well at once, as nearly all does, has no use for the machinery."""
        from tenacity import Retrying, retry_if_exception, stop_after_delay
        from tenacity import wait_random_exponential as growing

        wait = self._wait if self._is_open else min(self._wait, _OPENING_SECONDS)
        retrying = Retrying(
            retry=retry_if_exception(_may_pass),
            stop=stop_after_delay(wait),
            wait=growing(multiplier=0.05, max=1),
            before_sleep=lambda state: log.debug("%s: %s", self.name, state.outcome),
            reraise=True,
        )
        return retrying(attempt)

    def explain(self, error: BaseException) -> AgentFlowError:
        """What an error means for the person who can fix it."""
        from psycopg import DataError

        code = getattr(error, "sqlstate", None) or ""
        if code.startswith("XX") and code != "XX000":
            return Corrupt(f"the database {self.name} is damaged: {error}")
        if isinstance(error, DataError):
            return UsageError(f"the database cannot hold a value: {_first_line(error)}")
        what, remedy = next(
            (meaning for prefix, meaning in _MEANINGS.items() if code.startswith(prefix)), _FAILED
        )
        return Unavailable(f"the database {self.name} {what}: {_first_line(error)}", help=remedy)

    def close(self) -> None:
        """Nothing is held beside the connections."""

    def _engine(self, url: URL, **pool: Any) -> Engine:
        milliseconds = {
            "idle_in_transaction_session_timeout": _STOPPED_SECONDS * 1000,
            "lock_timeout": int(self._wait * 1000),
        }
        options = " ".join(f"-c {name}={value}" for name, value in milliseconds.items())
        given = {
            "options": options,
            "client_encoding": "utf8",
            "connect_timeout": 5,
            "application_name": "agentflow",
            # A machine that vanished is noticed, rather than waited for as long as TCP does.
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": 10_000,
        }
        arguments = {name: value for name, value in given.items() if name not in url.query}
        engine = create_engine(url, connect_args=arguments, **pool)
        from agentflow.runtime.journal.silence import Watched

        @event.listens_for(engine, "do_connect")
        def connect(_dialect: Any, _record: Any, conninfo: Any, address: Any) -> Watched:
            return Watched.open(*conninfo, **address)

        return engine


def _may_pass(error: BaseException) -> bool:
    """Whether a later attempt may succeed: the server restarts, or we were in another's way."""
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    code = getattr(error.orig, "sqlstate", None)
    if code is not None:
        return code in _PASSING or code.startswith("08")
    return error.connection_invalidated or _is_unreachable(str(error.orig))


def _is_unreachable(message: str) -> bool:
    # A failed connection has no code. What the server itself refused has FATAL in its text.
    passing = ("starting up", "shutting down", "recovery", "too many", "not yet accepting")
    return "FATAL" not in message or any(words in message for words in passing)


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]


_FAILED = ("failed", "check that it runs and takes connections")
_MEANINGS = {
    "53100": (
        "has no room on its disk",
        "free some space and run `agentflow resume`; nothing that was acknowledged is lost",
    ),
    "25006": ("may only be read", "set DATABASE_URL to the primary server, not to a standby"),
    "42501": ("refuses this user", "grant the user rights on the schema and its tables"),
    "55P03": (
        "has been locked by another session for too long",
        "`SELECT * FROM pg_stat_activity` shows which",
    ),
}
"""By the beginning of PostgreSQL's error code."""
