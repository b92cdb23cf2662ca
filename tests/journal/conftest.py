from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentflow.runtime.journal.store import Journal
from tests.journal.journal_examples import SPEC, Store
from tests.servers import PostgresServer, postgres_server

_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server for tests that need a database of their own and leave the server alone."""
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """An empty store of each kind."""
    if request.param == "sqlite":
        return Store(tmp_path, None)
    server: PostgresServer = request.getfixturevalue("postgres")
    return Store(tmp_path, server.database(f"store{next(_numbers)}"))


@pytest.fixture
def another(store: Store, request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A second empty store of the same kind."""
    if store.url is None:
        return Store(tmp_path / "another", None)
    server: PostgresServer = request.getfixturevalue("postgres")
    return Store(tmp_path / "another", server.database(f"store{next(_numbers)}"))


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
