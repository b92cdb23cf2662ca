"""What is special about SQLite: the only module that knows of it.

SQLite 3.7.0 to 3.51.2 can lose commits and damage the file when two connections write or
checkpoint at the same instant (the "WAL-reset bug"), and Python ships such versions. Therefore one
connection per process writes and checkpoints; it does so, and is opened and closed, only while it
holds a lock on a file beside the database; and readers cannot write and never checkpoint.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import (
    Connection,
    Engine,
    NullPool,
    create_engine,
    event,
    text,
)

from agentflow.errors import AgentFlowError, Unavailable
from agentflow.runtime.journal.backend import Topic, create_folder
from agentflow.runtime.journal.clock import FUNCTION
from agentflow.runtime.journal.errors import Corrupt
from agentflow.runtime.journal.statements import Statement

T = TypeVar("T")

_WRITER_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a commit survives power loss, not only the process's death
    "PRAGMA foreign_keys = ON",
    "PRAGMA journal_size_limit = 67108864",  # the log shrinks back after a burst
)
_READER_PRAGMAS = ("PRAGMA query_only = ON", "PRAGMA wal_autocheckpoint = 0")

_POLL_SECONDS = 0.001
_FOREIGN_LOCK_SECONDS = 5
"""Our own processes wait for the lock file; only a foreign tool makes SQLite itself wait."""


class Sqlite:
    """A database in a file."""

    def __init__(self, path: Path, wait_seconds: float, clock: Callable[[], float]) -> None:
        try:
            create_folder(path.parent)
        except OSError as error:
            raise _unwritable(error, path.parent) from error
        self.path: Path | None = path
        self.name = str(path)
        self.folder = path.parent
        self.writer = writer(path, clock)
        self.reader = reader(path, clock)
        self._lock = FileLock(path.with_suffix(".lock"), wait_seconds)

    def exclusively(self) -> AbstractContextManager[None]:
        """Keep other processes from writing, and from opening and closing, for a block."""
        return self._lock

    def order(self, connection: Connection, topic: Topic, *, shared: bool = False) -> None:
        """Nothing to do: there is one writer at a time."""

    def patiently(self, attempt: Callable[[], T]) -> T:
        """Once: there is no connection that could break, and locks have a wait of their own."""
        return attempt()

    def explain(self, error: BaseException) -> AgentFlowError:
        """What an error means for the person who can fix it."""
        return explain(error, Path(self.name))

    def close(self) -> None:
        """Close the lock's file."""
        self._lock.close()


def writer(path: Path, clock: Callable[[], float] = time.time) -> Engine:
    """The one connection of this process that writes. To be used under the lock."""
    return _engine(path, clock, "rwc", "BEGIN IMMEDIATE", _WRITER_PRAGMAS)


def reader(path: Path, clock: Callable[[], float] = time.time) -> Engine:
    """Connections that read, each a snapshot of what is committed."""
    return _engine(path, clock, "ro", "BEGIN", _READER_PRAGMAS)


def _engine(
    path: Path, clock: Callable[[], float], mode: str, begin: str, pragmas: tuple[str, ...]
) -> Engine:
    uri = f"{path.as_uri()}?mode={mode}"

    def connect() -> sqlite3.Connection:
        # isolation_level None: the module must not open transactions by itself.
        connection = sqlite3.connect(
            uri,
            uri=True,
            timeout=_FOREIGN_LOCK_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.create_function(FUNCTION, 0, clock)
            for pragma in pragmas:
                connection.execute(pragma)
        except BaseException:
            connection.close()
            raise
        return connection

    pool = NullPool if mode == "rwc" else None  # the one that writes is kept by the `Database`
    engine = create_engine(f"sqlite:///{path}", creator=connect, poolclass=pool)
    event.listen(engine, "begin", Statement(text(begin)).run)
    return engine


class FileLock:
    """A lock between processes, and between journals of one process, on a file of its own.

    The system releases it when the process dies. The wait for it is bounded.
    """

    def __init__(self, path: Path, wait_seconds: float) -> None:
        self._path = path
        self._wait = wait_seconds
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise _unwritable(error, path) from error

    def __enter__(self) -> None:
        """Hold the lock.

        Raises:
            Unavailable: another process held it for longer than the wait.
        """
        self._acquire()

    def __exit__(self, *about: object) -> None:
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give the file back."""
        os.close(self._file)

    def _acquire(self) -> None:
        deadline = time.monotonic() + self._wait
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Unavailable(
                        f"{self._path} has been held by another process for {self._wait:g} s",
                        help=f"`fuser {self._path}` names it; it may be stopped (Ctrl-Z) or hang",
                    ) from None
                time.sleep(_POLL_SECONDS)
            else:
                return


def explain(error: BaseException, path: Path) -> AgentFlowError:
    """What an error of SQLite means for the person who can fix it."""
    # An extended code holds the primary one in its low byte: SQLITE_READONLY_DBMOVED, …
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    undecodable = isinstance(error, UnicodeDecodeError) or "decode to UTF-8" in str(error)
    if code == sqlite3.SQLITE_CORRUPT or undecodable:
        return Corrupt(f"{path} is damaged: {error}")
    what, remedy = _MEANINGS.get(code, _FAILED)(path)
    return Unavailable(f"{what}: {error}", help=remedy)


def _full(path: Path) -> tuple[str, str]:
    return (
        f"the disk that holds {path} is full",
        "free some space and run `agentflow resume`; nothing that was acknowledged is lost",
    )


def _readonly(path: Path) -> tuple[str, str]:
    return (
        f"{path} may not be written",
        f"make {path.parent} and what is in it writable, or set DATABASE_URL to another store",
    )


def _foreign_lock(path: Path) -> tuple[str, str]:
    return (
        f"{path} has been locked by another program for {_FOREIGN_LOCK_SECONDS} s",
        f"close the database tool that has it open; `fuser {path}` names it",
    )


def _not_a_database(path: Path) -> tuple[str, str]:
    return (
        f"{path} is not a journal",
        "move the file away, or set DATABASE_URL to another store",
    )


def _failed(path: Path) -> tuple[str, str]:
    return f"the store {path} failed", "check the disk and the file's rights, then try again"


_FAILED = _failed
_MEANINGS: dict[int, Callable[[Path], tuple[str, str]]] = {
    sqlite3.SQLITE_FULL: _full,
    sqlite3.SQLITE_READONLY: _readonly,
    sqlite3.SQLITE_CANTOPEN: _readonly,
    sqlite3.SQLITE_PERM: _readonly,
    sqlite3.SQLITE_BUSY: _foreign_lock,
    sqlite3.SQLITE_LOCKED: _foreign_lock,
    sqlite3.SQLITE_NOTADB: _not_a_database,
}


def _unwritable(error: OSError, path: Path) -> AgentFlowError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        what, remedy = _full(path)
    else:
        what, remedy = _readonly(path)
    return Unavailable(f"{what}: {error.strerror}", help=remedy)
