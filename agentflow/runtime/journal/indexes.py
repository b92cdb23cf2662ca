"""The indexes of the tables, which only a store that is being made or migrated needs.

An index with options for PostgreSQL has SQLAlchemy import that dialect, whatever the store is.
Apart from the tables, a process that opens a file does without it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Index, MetaData, Table, text

from agentflow.runtime.journal.tables import BLOB, EVENTS, EXECUTIONS, IS_OPEN, MESSAGES, SPECS


def _index(table: Table, name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index of the rows for which a condition holds."""
    options: dict[str, Any] = {"sqlite_where": text(where), "postgresql_where": text(where)}
    return Index(name, *(table.c[column] for column in columns), unique=unique, **options)


def _blobs(table: Table, *columns: str) -> None:
    """Indexes that find which blobs a table uses; they hold the few rows that do."""
    for column in columns:
        name = f"{table.name}_blobs_of_{column}"
        _index(table, name, column, where=f"substr({column}, 1, 1) = '{BLOB}'")


Index("specs_by_name", SPECS.c.name, SPECS.c.rank)

Index("executions_by_start", EXECUTIONS.c.started_at)
Index("executions_by_status", EXECUTIONS.c.status, EXECUTIONS.c.started_at)
Index("executions_by_workflow", EXECUTIONS.c.workflow, EXECUTIONS.c.started_at)
Index("executions_by_parent", EXECUTIONS.c.parent)
_index(EXECUTIONS, "open_executions_by_owner", "owner", "started_at", where=IS_OPEN)
_blobs(EXECUTIONS, "input", "output", "error")

# The last line of defence of "a completed step is recorded exactly once": it holds whatever the
# code does.
_index(
    EVENTS,
    "one_completion_per_step",
    "execution_id",
    "completes",
    unique=True,
    where="completes IS NOT NULL AND NOT superseded",
)
_index(EVENTS, "agent_states", "step", "attempt", where="type = 'agent.state'")
_blobs(EVENTS, "data")

Index("messages_by_name", MESSAGES.c.name, MESSAGES.c.execution_id)
_blobs(MESSAGES, "data")

METADATA: MetaData = SPECS.metadata
"""The tables with their indexes: what a store is made of."""
