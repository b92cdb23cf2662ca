"""Which process runs an execution: taking it over, giving it up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from agentflow.errors import Conflict
from agentflow.runtime.journal.owner import Owner, is_alive
from agentflow.runtime.journal.reading import Reader, unknown
from agentflow.runtime.journal.tables import EXECUTIONS

_CHUNK = 1000
"""Ids in one query; databases bound the number of parameters."""

_LOCK = (
    select(
        *(EXECUTIONS.c[name] for name in ("id", "owner", "epoch", "status", "head", "head_hash"))
    )
    .where(EXECUTIONS.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(EXECUTIONS.c.id)  # one order for all, or two transactions wait for each other
    .with_for_update(key_share=True)  # a message to the execution may be posted meanwhile
)


class Ownership(Reader):
    """What an orchestrator does to own executions."""

    def claim(self, execution_id: str, owner: str) -> int:
        """Take an execution over and give its new epoch; whoever had it can no longer write.

        Raises:
            NotFound: there is no such execution.
            Conflict: a process that is alive, or on another machine, owns it.
        """

        def write(connection: Connection) -> int:
            row = locked(connection, [execution_id]).get(execution_id)
            if row is None:
                raise unknown(execution_id)
            if row.owner not in (None, owner) and is_alive(row.owner):
                raise _owned_elsewhere(execution_id, Owner.parse(row.owner))
            epoch = int(row.epoch) + 1
            taken = update(EXECUTIONS).where(EXECUTIONS.c.id == execution_id)
            connection.execute(taken.values(owner=owner, epoch=epoch))
            return epoch

        return self._database.write(write)

    def release(self, execution_id: str, owner: str) -> None:
        """Give an execution up; nothing happens if `owner` does not have it."""
        owned = (EXECUTIONS.c.id == execution_id) & (EXECUTIONS.c.owner == owner)
        freed = update(EXECUTIONS).where(owned).values(owner=None)
        self._database.write(lambda connection: connection.execute(freed))


def locked(connection: Connection, ids: Sequence[str]) -> dict[str, Row[Any]]:
    """Where executions stand; a server keeps the rows from others until the commit."""
    ordered = sorted(ids)
    return {
        row.id: row
        for start in range(0, len(ordered), _CHUNK)
        for row in connection.execute(_LOCK, {"ids": ordered[start : start + _CHUNK]})
    }


def _owned_elsewhere(execution_id: str, owner: Owner) -> Conflict:
    if owner.is_local:
        return Conflict(
            f"execution {execution_id} is run by process {owner.pid}",
            help=f"wait for it, or stop it with `agentflow cancel {execution_id}`",
        )
    return Conflict(
        f"execution {execution_id} is run by process {owner.pid} on machine {owner.host}, and "
        "nobody here can tell whether that still runs",
        help=f"continue it on {owner.host}",
    )
