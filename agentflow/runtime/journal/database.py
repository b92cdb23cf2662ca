"""Two doors to a store: reading, and writing in one transaction. Which database it is ends here.

One connection writes. It is taken under a lock between threads and, on SQLite, between processes.
Work is given as a function, because it is done again when the database was away for a moment.
Errors of the database leave as one clear `Unavailable` or `Corrupt`.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, make_url, text
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from agentflow.errors import Unavailable, UsageError
from agentflow.runtime.journal.backend import Backend, Topic
from agentflow.runtime.journal.statements import Statement

T = TypeVar("T")

DEFAULT_STORE = Path(".agentflow/journal.db")
"""Where a project's journal is, from the project root."""

_POSTGRES = {"postgres", "postgresql", "postgresql+psycopg"}

_IDLE = 4
"""Connections for reading that are kept at most; a burst may need more for a moment."""

# Parts may be within parts: the name means the innermost one.
_BEGIN_PART = Statement(text("SAVEPOINT part"))
_UNDO_PART = Statement(text("ROLLBACK TO SAVEPOINT part"))
_END_PART = Statement(text("RELEASE SAVEPOINT part"))


class Database:
    """An open store."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._thread = threading.RLock()
        self._connection: Connection | None = None
        self._transaction: Connection | None = None
        self._idle: list[Connection] = []
        self._afterwards: list[Callable[[], None]] = []
        self._is_closed = False
        self.in_doubt = False
        """During `write`: a commit of the same work failed and may have been kept all the same."""
        with self._translated():
            backend.patiently(self._connect)

    @property
    def name(self) -> str:
        """The database as messages name it."""
        return self._backend.name

    @property
    def path(self) -> Path | None:
        """The file that holds it, if it is in one."""
        return self._backend.path

    @property
    def folder(self) -> Path:
        """Where what belongs to the store and is not in it is kept."""
        return self._backend.folder

    def read(self, work: Callable[[Connection], T]) -> T:
        """Do `work` with a connection that sees one snapshot; any number of threads may read."""
        with self._translated():
            return self._backend.patiently(lambda: self._look(work))

    def write(self, work: Callable[[Connection], T]) -> T:
        """Do `work` in a transaction: durable when this returns, undone if it raises.

        Inside a transaction of the same thread it is part of that; if it raises, it alone is
        undone. When the connection is lost, it is done again with a new one. If that happened
        during the commit, `in_doubt` is true then: what it wrote may be there.
        """
        with self._thread:
            if self._transaction is not None:
                # Errors stay as they are: the outermost write decides whether to try again.
                with self._part(self._transaction) as connection:
                    return work(connection)
            with self._translated(), self._without_doubt():
                return self._backend.patiently(lambda: self._attempt(work))

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Make one transaction of what this thread writes in a block.

        A block cannot be done again: it raises `Unavailable` when the connection is lost.
        """
        with self._thread:
            if self._transaction is not None:
                with self._part(self._transaction):
                    yield
                return
            with self._translated(), self._without_doubt():
                with self._begun() as connection:
                    yield
                    self._commit(connection)
                self._after_commit()

    def order(self, connection: Connection, topic: Topic, *, shared: bool = False) -> None:
        """From here to its end, let no other transaction of this topic run; see `Backend`."""
        self._backend.order(connection, topic, shared=shared)

    def when_committed(self, do: Callable[[], None]) -> None:
        """Do something after the transaction that is under way was committed, if it is."""
        self._afterwards.append(do)

    def close(self) -> None:
        """Close all connections; SQLite moves its log into the file, hence under the lock."""
        with self._thread:
            if self._is_closed:
                return
            self._is_closed = True
            self._close_idle()
            self._backend.reader.dispose()
            with self._translated(), self._backend.exclusively():
                self._disconnect()
                self._backend.writer.dispose()
            self._backend.close()

    @contextlib.contextmanager
    def _part(self, connection: Connection) -> Iterator[Connection]:
        """A part of the transaction that is undone alone if the block raises."""
        so_far = len(self._afterwards)
        _BEGIN_PART.run(connection)
        try:
            yield connection
        except BaseException:
            del self._afterwards[so_far:]
            try:
                _UNDO_PART.run(connection)
                _END_PART.run(connection)
            except SQLAlchemyError:
                connection.invalidate()  # all of it is gone: nobody may go on as if it were not
            raise
        _END_PART.run(connection)

    def _look(self, work: Callable[[Connection], T]) -> T:
        """Read with a connection that is kept: taking one from the pool costs more than a row."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._backend.reader.connect()
        try:
            connection.begin()  # a `Statement` does not do so by itself
            result = work(connection)
            connection.rollback()
        except BaseException as error:
            connection.close()
            if isinstance(error, OperationalError | InterfaceError):
                self._close_idle()  # the server may be gone
            raise
        self._idle.append(connection)
        if self._is_closed or len(self._idle) > _IDLE:
            self._close_idle()
        return result

    def _close_idle(self) -> None:
        while self._idle:
            with contextlib.suppress(IndexError, SQLAlchemyError):
                self._idle.pop().close()

    def _attempt(self, work: Callable[[Connection], T]) -> T:
        with self._begun() as connection:
            result = work(connection)
            self._commit(connection)
        self._after_commit()
        return result

    @contextlib.contextmanager
    def _begun(self) -> Iterator[Connection]:
        """A transaction under the lock, rolled back unless the block commits it."""
        with self._backend.exclusively():
            connection = self._connection or self._connect_unlocked()
            self._transaction = connection
            self._afterwards.clear()
            try:
                connection.begin()
                yield connection
            except BaseException as error:
                self._roll_back(connection, error)
                raise
            finally:
                self._transaction = None

    def _commit(self, connection: Connection) -> None:
        doubted, self.in_doubt = self.in_doubt, True
        connection.commit()
        self.in_doubt = doubted

    def _after_commit(self) -> None:
        afterwards, self._afterwards = self._afterwards, []
        for do in afterwards:
            do()

    @contextlib.contextmanager
    def _without_doubt(self) -> Iterator[None]:
        try:
            yield
        finally:
            self.in_doubt = False

    def _roll_back(self, connection: Connection, error: BaseException) -> None:
        is_broken = self.in_doubt or isinstance(error, OperationalError | InterfaceError)
        try:
            connection.rollback()
        except SQLAlchemyError:
            is_broken = True
        if is_broken:
            self._disconnect()

    def _connect(self) -> None:
        with self._backend.exclusively():
            self._connect_unlocked()

    def _connect_unlocked(self) -> Connection:
        if self._is_closed:
            raise Unavailable(f"the journal {self.name} was closed")
        self._connection = self._backend.writer.connect()
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(SQLAlchemyError):
                connection.close()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError:
            raise  # a rule of the tables was broken: the caller knows which, and what it means
        except DBAPIError as error:
            raise self._backend.explain(error.orig or error) from error
        except (sqlite3.Error, UnicodeDecodeError) as error:
            # Raised by the driver itself; the latter when it quotes a damaged schema.
            raise self._backend.explain(error) from error
        except PoolTimeout as error:
            raise Unavailable(
                f"all connections to {self.name} have been busy for too long",
                help="ask for less at the same time",
            ) from error


def open_database(
    url: str | None, root: Path, *, wait_seconds: float, clock: Callable[[], float] = time.time
) -> Database:
    """Open the store at `url`, by default the project's own file.

    `clock` is the clock of a file; a server has its own.

    Raises:
        UsageError: the URL cannot be used.
        Unavailable: the store cannot be reached.
    """
    backend = _backend(url, root, wait_seconds, clock)
    try:
        return Database(backend)
    except BaseException:
        backend.close()
        raise


def _backend(
    url: str | None, root: Path, wait_seconds: float, clock: Callable[[], float]
) -> Backend:
    from agentflow.runtime.journal.sqlite import Sqlite

    if url is None:
        return Sqlite(root.resolve() / DEFAULT_STORE, wait_seconds, clock)
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise UsageError(
            "DATABASE_URL is not a database's address",
            help="write postgresql://user:password@host/name or sqlite:///path",
        ) from error
    if parsed.drivername in _POSTGRES:
        from agentflow.runtime.journal.postgres import DRIVER, Postgres

        return Postgres(
            parsed.set(drivername=DRIVER), root.resolve() / DEFAULT_STORE.parent, wait_seconds
        )
    if parsed.drivername != "sqlite":
        raise UsageError(
            f"DATABASE_URL names a database of the kind {parsed.drivername}, which is not "
            "supported",
            help="write postgresql://user:password@host/name or sqlite:///path",
        )
    if parsed.database in (None, "", ":memory:") or parsed.query:
        raise UsageError(
            f"DATABASE_URL {url} does not name a file",
            help="a journal outlives the process: write sqlite:///path, without options",
        )
    # A relative path counts from the project, so that every folder in it finds the same journal.
    return Sqlite((root / str(parsed.database)).resolve(), wait_seconds, clock)
