"""Who runs an execution: taking it over, giving it up, and being known to be alive.

An engine enlists and renews its lease. Who is alive decides who may take over; who may write is
decided by the epoch alone, which grows at each take-over: an owner that was taken for dead too soon
writes nothing any more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    String,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    select,
    text,
    update,
)

from agentflow.errors import Conflict
from agentflow.runtime.journal.messages import Messages
from agentflow.runtime.journal.owner import Owner, has_died, is_alive
from agentflow.runtime.journal.protocol import BATCH, StoredExecution
from agentflow.runtime.journal.reading import unknown
from agentflow.runtime.journal.tables import EXECUTIONS, IS_OPEN, OWNERS

T = TypeVar("T")

LEASE_SECONDS = 10.0
"""How long an engine counts as alive after it was last heard of."""

_FORGOTTEN_SECONDS = 86_400

_CHUNK = 1000
"""Ids in one query; databases bound the number of parameters."""

_COLUMNS = tuple(
    EXECUTIONS.c[name]
    for name in ("id", "owner", "epoch", "status", "head", "head_hash", "history_bytes")
)
# In one order for all, or two transactions wait for each other. A message may be posted meanwhile.
_LOCK = (
    select(*_COLUMNS)
    .where(EXECUTIONS.c.id.in_(bindparam("ids", expanding=True, type_=String())))
    .order_by(EXECUTIONS.c.id)
    .with_for_update(key_share=True)
)
_LOCK_FREE = _LOCK.where(text(IS_OPEN)).with_for_update(key_share=True, skip_locked=True)

_TAKE = (
    update(EXECUTIONS)
    .where(EXECUTIONS.c.id == bindparam("of"))
    .values(owner=bindparam("new_owner"), epoch=bindparam("new_epoch"))
)


class Ownership(Messages):
    """What an engine does to own executions."""

    def enlist(self, owner: str, lease_seconds: float = LEASE_SECONDS) -> None:
        """Be known as alive for so many seconds, by the store's clock."""

        def write(connection: Connection) -> None:
            now = self._database.now
            connection.execute(_forget(now))
            lease = {"expires_at": now + lease_seconds, "seconds": lease_seconds}
            known = update(OWNERS).where(OWNERS.c.id == owner).values(lease)
            if connection.execute(known).rowcount == 0:
                connection.execute(insert(OWNERS).values(id=owner, **lease))

        self._database.write(write)

    def renew(self, owner: str, lease_seconds: float = LEASE_SECONDS) -> bool:
        """Stay known as alive; `False` if the lease has run out.

        Then its executions may have been taken over. It may `enlist` again and go on with those
        that were not: what it lost refuses its events.
        """

        def write(connection: Connection) -> bool:
            now = self._database.now
            mine = update(OWNERS).where(OWNERS.c.id == owner, _is_valid(now))
            lease = mine.values(expires_at=now + lease_seconds, seconds=lease_seconds)
            return connection.execute(lease).rowcount == 1

        return self._database.write(write)

    def retire(self, owner: str) -> None:
        """Give everything up that `owner` has, and forget it."""
        freed = update(EXECUTIONS).where(text(IS_OPEN), EXECUTIONS.c.owner == owner)

        def write(connection: Connection) -> None:
            connection.execute(freed.values(owner=None))
            connection.execute(delete(OWNERS).where(OWNERS.c.id == owner))

        self._database.write(write)

    def claim(self, execution_id: str, owner: str) -> int:
        """Take an execution over and give its new epoch; whoever had it can no longer write.

        It can be taken from nobody, from a process of this machine that ended, and from an engine
        whose lease has run out.

        Raises:
            NotFound: there is no such execution.
            Conflict: an engine that is alive owns it, or a process of another machine that never
                had a lease.
        """

        def write(connection: Connection) -> int:
            row = locked(connection, [execution_id]).get(execution_id)
            if row is None:
                raise unknown(execution_id)
            if row.owner not in (None, owner) and self._living(connection, [row.owner]):
                raise _owned_elsewhere(execution_id, Owner.parse(row.owner))
            _take(connection, [row], owner)
            return int(row.epoch) + 1

        return self._database.write(write)

    def claim_many(self, execution_ids: Collection[str], owner: str) -> dict[str, int]:
        """Take over what of these is still free, in one transaction; gives their new epochs.

        Those that have ended, that a living engine owns or that somebody is taking at this moment
        are left out.
        """

        def write(connection: Connection) -> dict[str, int]:
            rows = [row for ids in _chunks(execution_ids) for row in _ask(connection, ids)]
            owners = {row.owner for row in rows} - {None, owner}
            living = self._living(connection, owners)
            free = [row for row in rows if row.owner not in living]
            _take(connection, free, owner)
            return {row.id: row.epoch + 1 for row in free}

        def _ask(connection: Connection, ids: Sequence[str]) -> Sequence[Row[Any]]:
            return connection.execute(_LOCK_FREE, {"ids": ids}).all()

        return self._database.write(write)

    def release(self, execution_id: str, owner: str) -> None:
        """Give an execution up; nothing happens if `owner` does not have it."""
        owned = (EXECUTIONS.c.id == execution_id) & (EXECUTIONS.c.owner == owner)
        freed = update(EXECUTIONS).where(owned).values(owner=None)
        self._database.write(lambda connection: connection.execute(freed))

    def orphans(self, limit: int = 100) -> list[str]:
        """Executions that run or wait and that nobody alive owns, oldest first.

        It costs as much as there are engines and orphans, however many executions there are. Batch
        runs are left out: only whoever has their items can go on with them.
        """

        def read(connection: Connection) -> list[str]:
            owners = set(connection.scalars(_OWNERS_OF_OPEN))
            dead = owners - self._living(connection, owners)
            oldest = (
                select(EXECUTIONS.c.started_at, EXECUTIONS.c.id)
                .where(text(IS_OPEN), ~EXECUTIONS.c.digest.startswith(BATCH))
                .order_by(EXECUTIONS.c.started_at, EXECUTIONS.c.id)
                .limit(limit)
            )
            # Two queries: SQLite uses an index for each of these conditions, and for neither of
            # them when they are joined by OR.
            free = connection.execute(oldest.where(EXECUTIONS.c.owner.is_(None)))
            lost = connection.execute(oldest.where(EXECUTIONS.c.owner.in_(dead)))
            return [row.id for row in sorted([*free, *lost], key=tuple)[:limit]]

        return self._database.read(read)

    def owned(self, owner: str) -> dict[str, int]:
        """The executions that run or wait and that `owner` has, with their epochs."""
        query = select(EXECUTIONS.c.id, EXECUTIONS.c.epoch).where(
            text(IS_OPEN), EXECUTIONS.c.owner == owner
        )
        return {row.id: row.epoch for row in self._all(query)}

    def is_owned(self, execution: StoredExecution) -> bool:
        """Whether somebody runs it who may not be taken from."""
        owner = execution.owner
        if owner is None:
            return False
        return bool(self._database.read(lambda connection: self._living(connection, [owner])))

    def _living(self, connection: Connection, owners: Collection[str]) -> set[str]:
        """Which of these owners nobody may take from.

        Where an engine has a lease, that decides, unless its process is known to have ended.
        """
        if not owners:
            return set()
        lease = select(OWNERS.c.id, _is_valid(self._database.now).label("is_valid"))
        found = connection.execute(lease.where(OWNERS.c.id.in_(owners)))
        leases = {row.id: bool(row.is_valid) for row in found}
        return {
            owner
            for owner in owners
            if (leases[owner] and not has_died(owner) if owner in leases else is_alive(owner))
        }


def locked(connection: Connection, ids: Collection[str]) -> dict[str, Row[Any]]:
    """Where executions stand; a server keeps the rows from others until the commit."""
    return {
        row.id: row for part in _chunks(ids) for row in connection.execute(_LOCK, {"ids": part})
    }


def _take(connection: Connection, rows: Sequence[Row[Any]], owner: str) -> None:
    values = [{"of": row.id, "new_owner": owner, "new_epoch": row.epoch + 1} for row in rows]
    if values:
        connection.execute(_TAKE, values)


def _chunks(ids: Collection[str]) -> Iterator[list[str]]:
    ordered = sorted(ids)
    return (ordered[start : start + _CHUNK] for start in range(0, len(ordered), _CHUNK))


def _is_valid(now: ColumnElement[float]) -> ColumnElement[bool]:
    """A lease has not run out. One that ends too far ahead was given before the clock went back."""
    return and_(OWNERS.c.expires_at > now, OWNERS.c.expires_at <= now + 2 * OWNERS.c.seconds)


def _forget(now: ColumnElement[float]) -> Any:
    """Remove the leases of engines that are long gone and own nothing."""
    owns = exists().where(text(IS_OPEN), EXECUTIONS.c.owner == OWNERS.c.id)
    return delete(OWNERS).where(OWNERS.c.expires_at < now - _FORGOTTEN_SECONDS, ~owns)


def _owners_of_open() -> Any:
    """All owners of executions that run or wait, by stepping through the index.

    `SELECT DISTINCT` would look at every such execution.
    """
    least = select(func.min(EXECUTIONS.c.owner).label("owner")).where(text(IS_OPEN))
    found = least.cte("found", recursive=True)
    greater = least.where(EXECUTIONS.c.owner > found.c.owner).scalar_subquery()
    found = found.union_all(select(greater).where(found.c.owner.is_not(None)))
    return select(found.c.owner).where(found.c.owner.is_not(None))


_OWNERS_OF_OPEN = _owners_of_open()


def _owned_elsewhere(execution_id: str, owner: Owner) -> Conflict:
    if owner.is_local:
        return Conflict(
            f"execution {execution_id} is run by process {owner.pid}",
            help=f"wait for it, or stop it with `agentflow cancel {execution_id}`",
        )
    return Conflict(
        f"execution {execution_id} is run by process {owner.pid} on machine {owner.host}, which "
        "is not known to have ended",
        help=f"wait for it, or continue it on {owner.host}",
    )
