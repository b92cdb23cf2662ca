"""The tables of the journal.

Any change here needs a migration in `migrations/versions` and a new `REVISION`; a test compares
what the migrations build with what stands here. JSON is kept as text, so that any SQL shell can
read a journal. The tables have a registry of their own: a step function that runs in the same
process may have a table named `events` too.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import MetaData, Table
from sqlalchemy.orm import registry
from sqlmodel import Field, Index, SQLModel, Text, text

REVISION = "0001"
"""The newest migration; a store is opened without looking further when it has this one."""


class _Row(SQLModel, registry=registry(metadata=MetaData())):
    pass


class SpecRow(_Row, table=True):
    """A workflow's text; see `StoredSpec`."""

    __tablename__ = "specs"
    __table_args__ = (Index("specs_by_name", "name", "rank"),)

    digest: str = Field(primary_key=True)
    name: str
    version: str
    text: str = Field(sa_type=Text)
    path: str
    children: str = Field(sa_type=Text)
    rank: int
    """Grows with each registration: the greatest is a name's latest."""


class ExecutionRow(_Row, table=True):
    """One execution; see `StoredExecution`."""

    __tablename__ = "executions"
    __table_args__ = (
        Index("executions_by_start", "started_at"),
        Index("executions_by_status", "status", "started_at"),
        Index("executions_by_workflow", "workflow", "started_at"),
        Index("executions_by_parent", "parent"),
    )

    id: str = Field(primary_key=True)
    workflow: str
    version: str
    digest: str = Field(foreign_key="specs.digest")
    root: str
    status: str
    input: str = Field(sa_type=Text)
    output: str = Field(sa_type=Text)
    error: str = Field(sa_type=Text)
    origin: str | None = None
    started_at: float
    ended_at: float | None = None
    owner: str | None = None
    epoch: int
    head: int
    head_hash: bytes
    """The hash of event `head`: shows a history that lost its end."""
    parent: str | None = Field(default=None, foreign_key="executions.id")
    parent_key: str | None = None
    labels: str = Field(sa_type=Text)
    deaf_until: int
    """The newest message when it was created: events published before are not for it."""


class EventRow(_Row, table=True):
    """One event; see `Record` and `chain`.

    `completes` is the key of the step whose result this is. The unique index on it is the last
    line of defence of "a completed step is recorded exactly once": it holds whatever the code does.
    """

    __tablename__ = "events"
    __table_args__ = (
        Index(
            "one_completion_per_step",
            "execution_id",
            "completes",
            unique=True,
            sqlite_where=text("completes IS NOT NULL AND NOT superseded"),
            postgresql_where=text("completes IS NOT NULL AND NOT superseded"),
        ),
    )

    execution_id: str = Field(primary_key=True, foreign_key="executions.id")
    seq: int = Field(primary_key=True)
    type: str
    step: str | None = None
    attempt: int | None = None
    at: float
    data: str = Field(sa_type=Text)
    hash: bytes
    completes: str | None = None
    superseded: bool


class MessageRow(_Row, table=True):
    """One message; see `Message`. `cursor` is the order of arrival."""

    __tablename__ = "messages"
    __table_args__ = (
        Index("messages_by_name", "name", "execution_id"),
        {"sqlite_autoincrement": True},  # a cursor must never come twice, also after deletions
    )

    cursor: int | None = Field(default=None, primary_key=True)
    id: str = Field(unique=True)
    execution_id: str | None = Field(default=None, foreign_key="executions.id")
    name: str
    correlation: str = Field(sa_type=Text)
    data: str = Field(sa_type=Text)
    at: float


class DeliveryRow(_Row, table=True):
    """An execution took a message; a published event has one for each execution it reached."""

    __tablename__ = "deliveries"

    message_id: str = Field(primary_key=True, foreign_key="messages.id")
    execution_id: str = Field(primary_key=True, foreign_key="executions.id")
    key: str
    """Of the step that took it; empty when the execution as a whole did."""


def _table(row: type[Any]) -> Table:
    table: Table = row.__table__
    return table


METADATA = _Row.metadata
SPECS = _table(SpecRow)
EXECUTIONS = _table(ExecutionRow)
EVENTS = _table(EventRow)
MESSAGES = _table(MessageRow)
DELIVERIES = _table(DeliveryRow)
