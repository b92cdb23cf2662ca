"""The first schema: specs, executions, events, messages and their deliveries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ID = sa.String().with_variant(sa.String(collation="C"), "postgresql")
_COUNTER = sa.Integer().with_variant(sa.BigInteger(), "postgresql")
_ONE_COMPLETION = sa.text("completes IS NOT NULL AND NOT superseded")


def upgrade() -> None:
    """Create all tables."""
    op.create_table(
        "specs",
        sa.Column("digest", sa.String(), primary_key=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("children", sa.Text(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
    )
    op.create_index("specs_by_name", "specs", ["name", "rank"])
    op.create_table(
        "executions",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("workflow", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), sa.ForeignKey("specs.digest"), nullable=False),
        sa.Column("root", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("input", sa.Text(), nullable=False),
        sa.Column("output", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("origin", sa.String()),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("ended_at", sa.Float()),
        sa.Column("owner", sa.String()),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("head", sa.Integer(), nullable=False),
        sa.Column("head_hash", sa.LargeBinary(), nullable=False),
        sa.Column("parent", _ID, sa.ForeignKey("executions.id")),
        sa.Column("parent_key", sa.String()),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("deaf_until", _COUNTER, nullable=False),
    )
    op.create_index("executions_by_start", "executions", ["started_at"])
    op.create_index("executions_by_status", "executions", ["status", "started_at"])
    op.create_index("executions_by_workflow", "executions", ["workflow", "started_at"])
    op.create_index("executions_by_parent", "executions", ["parent"])
    op.create_table(
        "events",
        sa.Column("execution_id", _ID, sa.ForeignKey("executions.id"), primary_key=True),
        sa.Column("seq", sa.Integer(), primary_key=True),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("step", sa.String()),
        sa.Column("attempt", sa.Integer()),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("completes", sa.String()),
        sa.Column("superseded", sa.Boolean(), nullable=False),
    )
    op.create_index(
        "one_completion_per_step",
        "events",
        ["execution_id", "completes"],
        unique=True,
        sqlite_where=_ONE_COMPLETION,
        postgresql_where=_ONE_COMPLETION,
    )
    op.create_table(
        "messages",
        sa.Column("cursor", _COUNTER, primary_key=True),
        sa.Column("id", sa.String(), unique=True, nullable=False),
        sa.Column("execution_id", _ID, sa.ForeignKey("executions.id")),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("correlation", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("messages_by_name", "messages", ["name", "execution_id"])
    op.create_table(
        "deliveries",
        sa.Column("message_id", sa.String(), sa.ForeignKey("messages.id"), primary_key=True),
        sa.Column("execution_id", _ID, sa.ForeignKey("executions.id"), primary_key=True),
        sa.Column("key", sa.String(), nullable=False),
    )
