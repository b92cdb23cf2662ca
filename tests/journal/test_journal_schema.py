"""A store is brought to the newest schema, and the migrations say the same as the tables."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_engine

from agentflow.errors import Unavailable
from agentflow.runtime.journal import schema
from agentflow.runtime.journal.database import open_database
from agentflow.runtime.journal.store import Journal
from agentflow.runtime.journal.tables import METADATA, REVISION
from tests.journal.journal_examples import SPEC, Store, begin


def _described(connection: Connection) -> object:
    """Each table's columns, keys and indexes, as SQLite itself tells them."""

    def ask(query: str) -> list[tuple[object, ...]]:
        return sorted((tuple(row) for row in connection.exec_driver_sql(query)), key=str)

    tables = ask("SELECT name FROM sqlite_master WHERE type = 'table'")
    details = {
        (name, kind): ask(f"SELECT * FROM pragma_{kind}('{name}')")
        for (name,) in tables
        for kind in ("table_info", "foreign_key_list")
    }
    return ask("SELECT name, sql FROM sqlite_master WHERE type = 'index'"), details


def test_the_migrations_build_what_the_tables_say(tmp_path: Path) -> None:
    with create_engine("sqlite://").begin() as connection:
        schema.migrate(connection, schema.BASE)
        context = MigrationContext.configure(
            connection, opts={"version_table": schema.VERSION_TABLE, "compare_type": True}
        )
        assert compare_metadata(context, METADATA) == []
        migrated = _described(connection)
        assert connection.exec_driver_sql(
            f"SELECT version_num FROM {schema.VERSION_TABLE}"
        ).scalars().all() == [REVISION]
    database = open_database("sqlite:///fresh.db", tmp_path, wait_seconds=1)
    schema.ensure(database)
    assert database.read(_described) == migrated
    database.close()


def test_a_new_store_is_at_the_newest_revision(store: Store) -> None:
    store.open().close()
    assert _revision(store) == REVISION


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    Journal.open(None, tmp_path).close()
    before = (tmp_path / ".agentflow/journal.db").read_bytes()
    Journal.open(None, tmp_path).close()
    assert (tmp_path / ".agentflow/journal.db").read_bytes() == before


def test_a_store_of_a_newer_version_is_refused_and_left_alone(store: Store) -> None:
    journal = store.open()
    journal.register(SPEC)
    begin(journal, "e")
    journal.close()
    store.tamper(f"UPDATE {schema.VERSION_TABLE} SET version_num = '9999'")
    with pytest.raises(Unavailable, match="written by a newer AgentFlow") as refused:
        store.open()
    assert "pip install -U" in refused.value.help
    assert _revision(store) == "9999"


def test_a_store_that_is_behind_is_migrated(tmp_path: Path) -> None:
    # No older schema exists yet: an empty one, stamped with what stands before the first, is it.
    folder = tmp_path / ".agentflow"
    folder.mkdir()
    store = sqlite3.connect(folder / "journal.db")
    with store:
        store.execute(f"CREATE TABLE {schema.VERSION_TABLE} (version_num VARCHAR(32) NOT NULL)")
    store.close()
    journal = Journal.open(None, tmp_path)
    journal.register(SPEC)
    assert len(journal.history(begin(journal, "e"))) == 1
    journal.close()
    assert _revision(Store(tmp_path, None)) == REVISION


def _revision(store: Store) -> str:
    ((revision,),) = store.ask(f"SELECT version_num FROM {schema.VERSION_TABLE}")
    return str(revision)
