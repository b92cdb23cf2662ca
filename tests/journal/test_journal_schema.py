"""A store is brought to the newest schema, and the migrations say the same as the tables."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from agentflow.errors import Unavailable
from agentflow.runtime.journal import schema
from agentflow.runtime.journal.database import open_database
from agentflow.runtime.journal.indexes import METADATA
from agentflow.runtime.journal.store import Journal
from agentflow.runtime.journal.tables import REVISION
from tests.journal.journal_examples import SPEC, Store, begin

QUESTIONS = {
    "sqlite": (
        "SELECT name, sql FROM sqlite_master WHERE type = 'index'",
        (
            "SELECT m.name, t.name, t.type, t.[notnull], t.dflt_value, t.pk FROM sqlite_master m "
            "JOIN pragma_table_info(m.name) t WHERE m.type = 'table'"
        ),
        (
            "SELECT m.name, k.[from], k.[table], k.[to] FROM sqlite_master m "
            "JOIN pragma_foreign_key_list(m.name) k WHERE m.type = 'table'"
        ),
    ),
    "postgresql": (
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
        (
            "SELECT table_name, column_name, data_type, is_nullable, column_default, collation_name "
            "FROM information_schema.columns WHERE table_schema = 'public'"
        ),
        "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint",
    ),
}
"""What a database itself tells of its indexes, columns and keys."""


def _described(connection: Connection) -> list[list[tuple[object, ...]]]:
    return [
        sorted((tuple(row) for row in connection.exec_driver_sql(query)), key=str)
        for query in QUESTIONS[connection.dialect.name]
    ]


def test_the_migrations_build_what_the_tables_say(store: Store, another: Store) -> None:
    fresh = open_database(store.url, store.root, wait_seconds=1)
    schema.ensure(fresh)
    migrated = open_database(another.url, another.root, wait_seconds=1)
    migrated.write(lambda connection: schema.migrate(connection, schema.BASE))

    def compare(connection: Connection) -> list[object]:
        context = MigrationContext.configure(
            connection, opts={"version_table": schema.VERSION_TABLE, "compare_type": True}
        )
        return list(compare_metadata(context, METADATA))

    assert migrated.read(compare) == []
    assert migrated.read(_described) == fresh.read(_described)
    assert _revision(store) == REVISION
    fresh.close()
    migrated.close()


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
    store.tamper(
        f"UPDATE {schema.VERSION_TABLE} SET version_num = '9999'",
        "UPDATE agentflow_store SET compatible_from = '9000'",
    )
    with pytest.raises(Unavailable, match="written by a newer AgentFlow") as refused:
        store.open()
    assert "pip install -U" in refused.value.help
    assert _revision(store) == "9999"


def test_a_newer_store_that_says_so_may_be_used(store: Store) -> None:
    store.open().close()
    store.tamper(f"UPDATE {schema.VERSION_TABLE} SET version_num = '9999'")
    journal = store.open()
    journal.register(SPEC)
    assert len(journal.history(begin(journal, "e"))) == 1
    journal.close()
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
