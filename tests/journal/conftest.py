from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from agentflow.runtime.journal.store import Journal
from tests.journal.journal_examples import SPEC, Store
from tests.servers import PostgresServer, postgres_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server for tests that need a database of their own and leave the server alone."""
    with postgres_server(fsync=False) as server:
        yield server


class Databases:
    """Databases of one server, each empty when it is lent; to make one takes longer."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._free: list[str] = []
        self._made = 0

    @contextlib.contextmanager
    def lent(self) -> Iterator[str]:
        """The URL of one, which nobody is connected to afterwards."""
        if not self._free:
            self._free.append(self._server.database(f"store{self._made}"))
            self._made += 1
        url = self._free.pop()
        yield url
        writable = "-c default_transaction_read_only=off"  # whatever a test has set
        with psycopg.connect(url, autocommit=True, options=writable) as connection:
            connection.execute(f'ALTER DATABASE "{connection.info.dbname}" RESET ALL'.encode())
            connection.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
            connection.execute("GRANT USAGE ON SCHEMA public TO PUBLIC")  # as it was made
        self._free.append(url)


@pytest.fixture(scope="session")
def databases(postgres: PostgresServer) -> Databases:
    """What tests keep their journals in, one after another."""
    return Databases(postgres)


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store of each kind."""
    with _empty(request.param, request, tmp_path) as store:
        yield store


@pytest.fixture
def another(store: Store, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A second empty store of the same kind."""
    kind = "sqlite" if store.url is None else "postgres"
    with _empty(kind, request, tmp_path / "another") as second:
        yield second


@contextlib.contextmanager
def _empty(kind: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[Store]:
    if kind == "sqlite":
        yield Store(folder, None)
        return
    databases: Databases = request.getfixturevalue("databases")
    with databases.lent() as url:
        yield Store(folder, url)


@pytest.fixture
def journal(store: Store) -> Iterator[Journal]:
    """A journal that knows one workflow, in a store of each kind."""
    opened = store.open()
    opened.register(SPEC)
    yield opened
    opened.close()


@pytest.fixture
def file_journal(tmp_path: Path) -> Iterator[Journal]:
    """A journal in the project's own file."""
    opened = Journal.open(None, tmp_path)
    opened.register(SPEC)
    yield opened
    opened.close()
