"""The tables of the journal.

Any change here needs a migration in `migrations/versions` and a new `REVISION`; a test compares
what the migrations build with what stands here. JSON is kept as text, so that any SQL shell can
read a journal. The tables have a registry of their own: a step function that runs in the same
process may have a table named `events` too.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Dialect, Integer, MetaData, String, Table, TypeDecorator
from sqlalchemy.orm import registry
from sqlalchemy.types import TypeEngine
from sqlmodel import Field, Index, SQLModel, Text, text

REVISION = "0003"
"""The newest migration; a store is opened without looking further when it has this one."""

COMPATIBLE_FROM = "0002"
"""The oldest code that may use a store of this revision: what its schema lacks it must not need."""

IS_OPEN = "status NOT IN ('succeeded', 'failed', 'cancelled')"
"""As an index says it, so that a query that says the same can use the index.

Not `status IN ('running', 'waiting')`: SQLite would choose the index by status instead.
"""

BLOB = "@"
"""What a stored value begins with that is kept as a blob; no JSON begins so."""


class Id(TypeDecorator[str]):
    """Text that is ordered by its bytes everywhere, whatever the language of a database."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """`COLLATE "C"` on PostgreSQL; SQLite does so by itself."""
        collation = "C" if dialect.name == "postgresql" else None
        return dialect.type_descriptor(String(collation=collation))


class Counter(TypeDecorator[int]):
    """A number that may outgrow 32 bits."""

    impl = Integer
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """SQLite has one kind, and increments only what is called `INTEGER`."""
        return dialect.type_descriptor(Integer() if dialect.name == "sqlite" else BigInteger())


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


def _blobs(table: str, *columns: str) -> list[Index]:
    """Indexes that find which blobs a table uses; they hold the few rows that do."""
    return [
        Index(f"{table}_blobs_of_{name}", name, **_where(f"substr({name}, 1, 1) = '{BLOB}'"))
        for name in columns
    ]


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
    seal: bytes | None = None
    """The hash of what the row says; `None` where an older version wrote it."""


class ExecutionRow(_Row, table=True):
    """One execution; see `StoredExecution`."""

    __tablename__ = "executions"
    __table_args__ = (
        Index("executions_by_start", "started_at"),
        Index("executions_by_status", "status", "started_at"),
        Index("executions_by_workflow", "workflow", "started_at"),
        Index("executions_by_parent", "parent"),
        Index("open_executions_by_owner", "owner", "started_at", **_where(IS_OPEN)),
        *_blobs("executions", "input", "output", "error"),
    )

    id: str = Field(primary_key=True, sa_type=Id)
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
    history_bytes: int = Field(sa_type=Counter, sa_column_kwargs={"server_default": "0"})
    """Of its events' data, without what is in blobs."""
    parent: str | None = Field(default=None, foreign_key="executions.id", sa_type=Id)
    parent_key: str | None = None
    labels: str = Field(sa_type=Text)
    deaf_until: int = Field(sa_type=Counter)
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
            **_where("completes IS NOT NULL AND NOT superseded"),
        ),
        Index("agent_states", "step", "attempt", **_where("type = 'agent.state'")),
        *_blobs("events", "data"),
    )

    execution_id: str = Field(primary_key=True, foreign_key="executions.id", sa_type=Id)
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
        *_blobs("messages", "data"),
        {"sqlite_autoincrement": True},  # a cursor must never come twice, also after deletions
    )

    cursor: int | None = Field(default=None, primary_key=True, sa_type=Counter)
    id: str = Field(unique=True)
    execution_id: str | None = Field(default=None, foreign_key="executions.id", sa_type=Id)
    name: str
    correlation: str = Field(sa_type=Text)
    data: str = Field(sa_type=Text)
    at: float
    seal: bytes | None = None
    """The hash of what the row says; `None` where an older version wrote it."""


class DeliveryRow(_Row, table=True):
    """An execution took a message; a published event has one for each execution it reached."""

    __tablename__ = "deliveries"

    message_id: str = Field(primary_key=True, foreign_key="messages.id")
    execution_id: str = Field(primary_key=True, foreign_key="executions.id", sa_type=Id)
    key: str
    """Of the step that took it; empty when the execution as a whole did."""


class OwnerRow(_Row, table=True):
    """The lease of an engine. Times are Unix seconds of the store's clock."""

    __tablename__ = "owners"

    id: str = Field(primary_key=True)
    expires_at: float
    seconds: float
    """How long the lease was given for."""


class StoreRow(_Row, table=True):
    """What is known of the store as a whole; there is one row."""

    __tablename__ = "agentflow_store"

    id: str = Field(primary_key=True)
    """Given when it was made: another one in its place has another."""
    compatible_from: str
    """The oldest revision whose code may use it."""
    pruned_until: float
    """Executions that ended before may have been pruned."""


def _table(row: type[Any]) -> Table:
    table: Table = row.__table__
    return table


METADATA = _Row.metadata
SPECS = _table(SpecRow)
EXECUTIONS = _table(ExecutionRow)
EVENTS = _table(EventRow)
MESSAGES = _table(MessageRow)
DELIVERIES = _table(DeliveryRow)
OWNERS = _table(OwnerRow)
STORE = _table(StoreRow)
