"""Two doors to a store: reading, and writing in one transaction. Which database it is ends here.

One connection writes. It is taken under a lock between threads and, on SQLite, between processes.
Errors of the database leave as one clear `Unavailable` or `Corrupt`.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from sqlalchemy import URL, Connection, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError

from agentflow.errors import AgentFlowError, Unavailable, UsageError
from agentflow.runtime.journal import sqlite

DEFAULT_STORE = Path(".agentflow/journal.db")
"""Where a project's journal is, from the project root."""

_DRIVERS = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg"}


class Lock(Protocol):
    """Keeps other processes from writing at the same time."""

    def __call__(self) -> AbstractContextManager[None]:
        """Hold the lock for a block."""
        ...

    def close(self) -> None:
        """Give back what the lock itself holds."""
        ...


class _Unlocked:
    """For servers, which order writers themselves."""

    def __call__(self) -> AbstractContextManager[None]:
        return contextlib.nullcontext()

    def close(self) -> None:
        pass


class Database:
    """An open store."""

    def __init__(
        self,
        writer: Engine,
        reader: Engine,
        *,
        lock: Lock,
        explain: Callable[[BaseException], AgentFlowError],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._lock = lock
        self._explain = explain
        self._thread = threading.RLock()
        self._transaction: Connection | None = None
        with self._thread, self._lock(), self._translated():
            self._connection = writer.connect()

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that sees one snapshot; any number of threads may read."""
        with self._translated(), self._reader.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction: committed and durable at the end of the block, undone if it raises.

        A block inside a block is part of the outer transaction; if it raises, it alone is undone.
        """
        with self._thread:
            if self._transaction is not None:
                with self._translated(), self._transaction.begin_nested():
                    yield self._transaction
                return
            with self._lock(), self._translated(), self._connection.begin():
                self._transaction = self._connection
                try:
                    yield self._connection
                finally:
                    self._transaction = None

    def close(self) -> None:
        """Close all connections; SQLite moves its log into the file, hence under the lock."""
        with self._thread:
            if self._connection.closed:
                return
            self._reader.dispose()
            with self._lock(), self._translated():
                self._connection.close()
                self._writer.dispose()
            self._lock.close()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError:
            raise  # a rule of the tables was broken: the caller knows which, and what it means
        except DBAPIError as error:
            raise self._explain(error.orig or error) from error
        except (sqlite3.Error, UnicodeDecodeError) as error:
            # Raised by the driver itself; the latter when it quotes a damaged schema.
            raise self._explain(error) from error


def open_database(url: str | None, root: Path, *, wait_seconds: float) -> Database:
    """Open the store at `url`, by default the project's own file.

    Raises:
        UsageError: the URL cannot be used.
        Unavailable: the store cannot be reached.
    """
    if url is None:
        return _open_file(root.resolve() / DEFAULT_STORE, wait_seconds)
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise UsageError(
            "DATABASE_URL is not a database's address",
            help="write postgresql://user:password@host/name or sqlite:///path",
        ) from error
    if parsed.get_backend_name() != "sqlite":
        return _open_server(parsed)
    if parsed.database in (None, "", ":memory:") or parsed.query:
        raise UsageError(
            f"DATABASE_URL {url} does not name a file",
            help="a journal outlives the process: write sqlite:///path, without options",
        )
    # A relative path counts from the project, so that every folder in it finds the same journal.
    return _open_file((root / str(parsed.database)).resolve(), wait_seconds)


def _open_file(path: Path, wait_seconds: float) -> Database:
    sqlite.create_folder(path)
    lock = sqlite.FileLock(path.with_suffix(".lock"), wait_seconds)
    try:
        return Database(
            sqlite.writer(path),
            sqlite.reader(path),
            lock=lock,
            explain=lambda error: sqlite.explain(error, path),
        )
    except BaseException:
        lock.close()
        raise


def _open_server(url: URL) -> Database:
    if url.drivername in _DRIVERS:
        url = url.set(drivername=_DRIVERS[url.drivername])
    name = url.render_as_string(hide_password=True)
    try:
        engine = create_engine(url, pool_pre_ping=True)
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise Unavailable(
            f"there is no driver for {name}: {error}",
            help="pip install 'inferloop-agentflow[postgres]'",
        ) from error
    return Database(
        engine,
        # A history is read in two queries that must see the same moment.
        engine.execution_options(isolation_level="REPEATABLE READ"),
        lock=_Unlocked(),
        explain=lambda error: Unavailable(
            f"the database {name} failed: {error}", help="check that it runs and takes connections"
        ),
    )
