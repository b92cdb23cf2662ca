"""Alembic runs this file to migrate, in the transaction of the connection it is given."""

from __future__ import annotations

from alembic import context

from agentflow.runtime.journal.indexes import METADATA
from agentflow.runtime.journal.schema import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=VERSION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
