"""The tables of the journal.

Any change here needs a migration in `migrations/versions` and a new `REVISION`; a test compares
what the migrations build with what stands here and in `indexes`. JSON is kept as text, so that any
SQL shell can read a journal.

They are SQLAlchemy's own tables, not models: nothing maps a row to an object, as rows are read and
written as tuples (`columns`), and models, with what maps them, would take a fifth of the time in
which a process starts.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)
from sqlalchemy.types import TypeEngine

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


_Filled: partial[Column[Any]] = partial(Column, nullable=False)
_Key: partial[Column[Any]] = partial(Column, primary_key=True)

_TABLES = MetaData()
"""Without the indexes: whoever makes a store takes `indexes.METADATA`."""

SPECS = Table(
    "specs",
    _TABLES,
    _Key("digest", String),
    _Filled("name", String),
    _Filled("version", String),
    _Filled("text", Text),
    _Filled("path", String),
    _Filled("children", Text),
    # Grows with each registration: the greatest is a name's latest.
    _Filled("rank", Integer),
    # The hash of what the row says; `NULL` where an older version wrote it.
    Column("seal", LargeBinary),
)
"""A workflow's text; see `StoredSpec`."""

EXECUTIONS = Table(
    "executions",
    _TABLES,
    _Key("id", Id),
    _Filled("workflow", String),
    _Filled("version", String),
    _Filled("digest", String, ForeignKey("specs.digest")),
    _Filled("root", String),
    _Filled("status", String),
    _Filled("input", Text),
    _Filled("output", Text),
    _Filled("error", Text),
    Column("origin", String),
    _Filled("started_at", Float),
    Column("ended_at", Float),
    Column("owner", String),
    _Filled("epoch", Integer),
    _Filled("head", Integer),
    # The hash of event `head`: shows a history that lost its end.
    _Filled("head_hash", LargeBinary),
    # Of its events' data, without what is in blobs.
    _Filled("history_bytes", Counter, server_default="0"),
    Column("parent", Id, ForeignKey("executions.id")),
    Column("parent_key", String),
    _Filled("labels", Text),
    # The newest message when it was created: events published before are not for it.
    _Filled("deaf_until", Counter),
)
"""One execution; see `StoredExecution`."""

EVENTS = Table(
    "events",
    _TABLES,
    _Key("execution_id", Id, ForeignKey("executions.id")),
    _Key("seq", Integer),
    _Filled("type", String),
    Column("step", String),
    Column("attempt", Integer),
    _Filled("at", Float),
    _Filled("data", Text),
    _Filled("hash", LargeBinary),
    # The key of the step whose result this is; see its index.
    Column("completes", String),
    _Filled("superseded", Boolean),
)
"""One event; see `Record` and `chain`."""

MESSAGES = Table(
    "messages",
    _TABLES,
    # The order of arrival.
    _Key("cursor", Counter),
    _Filled("id", String, unique=True),
    Column("execution_id", Id, ForeignKey("executions.id")),
    _Filled("name", String),
    _Filled("correlation", Text),
    _Filled("data", Text),
    _Filled("at", Float),
    # The hash of what the row says; `NULL` where an older version wrote it.
    Column("seal", LargeBinary),
    sqlite_autoincrement=True,  # a cursor must never come twice, also after deletions
)
"""One message; see `Message`."""

DELIVERIES = Table(
    "deliveries",
    _TABLES,
    _Key("message_id", String, ForeignKey("messages.id")),
    _Key("execution_id", Id, ForeignKey("executions.id")),
    # Of the step that took it; empty when the execution as a whole did.
    _Filled("key", String),
)
"""An execution took a message; a published event has one for each execution it reached."""

OWNERS = Table(
    "owners",
    _TABLES,
    _Key("id", String),
    _Filled("expires_at", Float),
    # How long the lease was given for.
    _Filled("seconds", Float),
)
"""The lease of an engine. Times are Unix seconds of the store's clock."""

STORE = Table(
    "agentflow_store",
    _TABLES,
    # Given when it was made: another one in its place has another.
    _Key("id", String),
    # The oldest revision whose code may use it.
    _Filled("compatible_from", String),
    # Executions that ended before may have been pruned.
    _Filled("pruned_until", Float),
)
"""What is known of the store as a whole; there is one row."""
