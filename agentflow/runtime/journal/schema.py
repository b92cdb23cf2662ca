"""Bring a store to the newest schema when it is opened.

A new store is made from the tables as they stand; only one that is behind is migrated, and only
then is alembic imported, which takes longer than a short workflow.
"""

from __future__ import annotations

import uuid
from pathlib import Path

from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    insert,
    inspect,
    select,
)

from agentflow.errors import Unavailable
from agentflow.runtime.journal.backend import Topic
from agentflow.runtime.journal.database import Database
from agentflow.runtime.journal.tables import COMPATIBLE_FROM, REVISION, STORE

MIGRATIONS = Path(__file__).parent / "migrations"

VERSION_TABLE = "agentflow_revision"
"""Not alembic's own name for it: a database may be shared with an application that uses alembic."""

BASE = "base"
"""Alembic's word for a store before the first migration."""

_VERSION = Table(
    VERSION_TABLE,
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc"),  # as alembic makes it
)


def ensure(database: Database) -> None:
    """Create or migrate the tables if need be.

    Raises:
        Unavailable: the store was written by a newer AgentFlow, or holds something else.
    """
    if not database.read(_is_usable):
        database.write(lambda connection: _bring_up(database, connection))


def _is_usable(connection: Connection) -> bool:
    """Whether the schema is this code's, or a newer one that says this code may use it."""
    revision = _revision(connection)
    if revision in (None, BASE, REVISION) or str(revision) < REVISION:
        return revision == REVISION
    compatible_from = None
    if inspect(connection).has_table(STORE.name):
        compatible_from = connection.scalar(select(STORE.c.compatible_from))
    return compatible_from is not None and compatible_from <= REVISION


def _bring_up(database: Database, connection: Connection) -> None:
    database.order(connection, Topic.SCHEMA)
    revision = _revision(connection)  # again: another process may have been faster
    if revision is None:
        _create(connection)
    elif revision != REVISION:
        migrate(connection, revision)


def migrate(connection: Connection, revision: str, to: str = "head") -> None:
    """Run the migrations after `revision` up to `to`, in the transaction of `connection`.

    Raises:
        Unavailable: there is no such revision here, so the store is newer than this code.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    scripts = ScriptDirectory.from_config(config)
    if revision not in {BASE, *(script.revision for script in scripts.walk_revisions())}:
        raise Unavailable(
            f"the journal was written by a newer AgentFlow (its schema is {revision}, this one "
            f"knows {REVISION})",
            help="update with `pip install -U inferloop-agentflow`, or set DATABASE_URL to "
            "another store",
        )
    command.upgrade(config, to)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.scalar(select(_VERSION.c.version_num)) or BASE


def _create(connection: Connection) -> None:
    from agentflow.runtime.journal.indexes import METADATA

    present = sorted(set(METADATA.tables) & set(inspect(connection).get_table_names()))
    if present:
        raise Unavailable(
            f"the store holds something else: it has tables named {', '.join(present)} but is no "
            "journal",
            help="set DATABASE_URL to a store of its own",
        )
    METADATA.create_all(connection, checkfirst=False)
    _VERSION.create(connection)
    connection.execute(insert(_VERSION).values(version_num=REVISION))
    store = {"id": uuid.uuid4().hex, "compatible_from": COMPATIBLE_FROM, "pruned_until": 0.0}
    connection.execute(insert(STORE).values(store))
