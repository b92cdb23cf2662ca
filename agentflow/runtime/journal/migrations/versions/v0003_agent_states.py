"""An index that finds the last recorded state of an agent's instance.

It only adds: a process of the version before that has the store open goes on working.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the index; it holds the few events that are states."""
    where = sa.text("type = 'agent.state'")
    op.create_index(
        "agent_states",
        "events",
        ["step", "attempt"],
        sqlite_where=where,
        postgresql_where=where,
    )
