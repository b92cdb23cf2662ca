"""Leases of engines, values in blobs, seals, and what is known of the store as a whole.

It only adds: a process of the version before that has the store open goes on working.
"""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_COUNTER = sa.Integer().with_variant(sa.BigInteger(), "postgresql")
_OPEN = "status NOT IN ('succeeded', 'failed', 'cancelled')"
_BLOBS = (
    ("executions", "input"),
    ("executions", "output"),
    ("executions", "error"),
    ("events", "data"),
    ("messages", "data"),
)
_SIZE = {"sqlite": "length(CAST(data AS BLOB))", "postgresql": "octet_length(data)"}


def upgrade() -> None:
    """Add the new tables, columns and indexes, and count what is there."""
    op.create_table(
        "owners",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
    )
    op.add_column("specs", sa.Column("seal", sa.LargeBinary()))
    op.add_column("messages", sa.Column("seal", sa.LargeBinary()))
    op.add_column(
        "executions", sa.Column("history_bytes", _COUNTER, nullable=False, server_default="0")
    )
    size = _SIZE[op.get_bind().dialect.name]
    op.execute(
        "UPDATE executions SET history_bytes = coalesce((SELECT "  # noqa: S608  # fixed text
        f"sum({size}) FROM events WHERE execution_id = executions.id), 0)"
    )
    _index("open_executions_by_owner", "executions", ["owner", "started_at"], _OPEN)
    for table, column in _BLOBS:
        condition = f"substr({column}, 1, 1) = '@'"
        _index(f"{table}_blobs_of_{column}", table, [column], condition)
    store = op.create_table(
        "agentflow_store",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("compatible_from", sa.String(), nullable=False),
        sa.Column("pruned_until", sa.Float(), nullable=False),
    )
    op.bulk_insert(
        store, [{"id": uuid.uuid4().hex, "compatible_from": "0002", "pruned_until": 0.0}]
    )


def _index(name: str, table: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
