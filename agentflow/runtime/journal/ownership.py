"""Who runs an execution: taking it over, giving it up, and being known to be alive.

An engine enlists and renews its lease. Who is alive decides who may take over; who may write is
decided by the epoch alone, which grows at each take-over: an owner that was taken for dead too soon
writes nothing any more.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import (
    BindParameter,
    Connection,
    Float,
    Select,
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
from agentflow.runtime.journal.clock import Now
from agentflow.runtime.journal.messages import Messages
from agentflow.runtime.journal.owner import Owner, has_died, is_alive
from agentflow.runtime.journal.protocol import BATCH, StoredExecution
from agentflow.runtime.journal.reading import unknown
from agentflow.runtime.journal.statements import Listing, Statement
from agentflow.runtime.journal.tables import EXECUTIONS, IS_OPEN, OWNERS

T = TypeVar("T")

LEASE_SECONDS = 10.0
"""How long an engine counts as alive after it was last heard of."""

_FORGOTTEN_SECONDS = 86_400


class Standing(NamedTuple):
    """Where an execution stands."""

    id: str
    owner: str | None
    epoch: int
    status: str
    head: int
    head_hash: bytes
    history_bytes: int


def _standing(ids: list[BindParameter[Any]]) -> Select[Any]:
    columns = (EXECUTIONS.c[name] for name in Standing._fields)
    # In one order for all, or two transactions wait for each other.
    return select(*columns).where(EXECUTIONS.c.id.in_(ids)).order_by(EXECUTIONS.c.id)


# A message may be posted meanwhile.
_LOCK = Listing(lambda ids: _standing(ids).with_for_update(key_share=True), EXECUTIONS.c.id.type)
_LOCK_FREE = Listing(
    lambda ids: (
        _standing(ids).where(text(IS_OPEN)).with_for_update(key_share=True, skip_locked=True)
    ),
    EXECUTIONS.c.id.type,
)

_TAKE = Statement(
    update(EXECUTIONS)
    .where(EXECUTIONS.c.id == bindparam("of"))
    .values(owner=bindparam("new_owner"), epoch=bindparam("new_epoch")),
    "of",
    "new_owner",
    "new_epoch",
)
_IS_OPEN = text(IS_OPEN)
_IS_MINE = EXECUTIONS.c.owner == bindparam("by")
_FREE = Statement(
    update(EXECUTIONS).where(EXECUTIONS.c.id == bindparam("of"), _IS_MINE).values(owner=None),
    "of",
    "by",
)
_FREE_ALL = Statement(update(EXECUTIONS).where(_IS_OPEN, _IS_MINE).values(owner=None), "by")
_OWNED = Statement(select(EXECUTIONS.c.id, EXECUTIONS.c.epoch).where(_IS_OPEN, _IS_MINE), "by")

# A lease that ends too far ahead was given before the clock went back.
_IS_VALID = and_(OWNERS.c.expires_at > Now(), OWNERS.c.expires_at <= Now() + 2 * OWNERS.c.seconds)
_GIVEN = {"seconds": bindparam("for"), "expires_at": Now() + bindparam("for", type_=Float())}
_EXTENDED = update(OWNERS).where(OWNERS.c.id == bindparam("of")).values(_GIVEN)
_LEASE = Statement(_EXTENDED, "of", "for")
_VALID_LEASE = Statement(_EXTENDED.where(_IS_VALID), "of", "for")
_NEW_LEASE = Statement(insert(OWNERS).values(id=bindparam("of"), **_GIVEN), "of", "for")
_END_LEASE = Statement(delete(OWNERS).where(OWNERS.c.id == bindparam("of")), "of")
_LEASES = Listing(
    lambda owners: select(OWNERS.c.id, _IS_VALID).where(OWNERS.c.id.in_(owners)),
    OWNERS.c.id.type,
)
# Leases of engines that are long gone and own nothing.
_FORGET = Statement(
    delete(OWNERS).where(
        OWNERS.c.expires_at < Now() - _FORGOTTEN_SECONDS,
        ~exists().where(_IS_OPEN, EXECUTIONS.c.owner == OWNERS.c.id),
    )
)


def _owners_of_open() -> Select[Any]:
    """All owners of executions that run or wait, by stepping through the index.

    `SELECT DISTINCT` would look at every such execution.
    """
    least = select(func.min(EXECUTIONS.c.owner).label("owner")).where(_IS_OPEN)
    found = least.cte("found", recursive=True)
    greater = least.where(EXECUTIONS.c.owner > found.c.owner).scalar_subquery()
    found = found.union_all(select(greater).where(found.c.owner.is_not(None)))
    return select(found.c.owner).where(found.c.owner.is_not(None))


_OWNERS_OF_OPEN = Statement(_owners_of_open())
_OLDEST = (
    select(EXECUTIONS.c.started_at, EXECUTIONS.c.id)
    .where(_IS_OPEN, ~EXECUTIONS.c.digest.startswith(BATCH))
    .order_by(EXECUTIONS.c.started_at, EXECUTIONS.c.id)
    .limit(bindparam("most"))
)
_FREE_EXECUTIONS = Statement(_OLDEST.where(EXECUTIONS.c.owner.is_(None)), "most")
_LOST_EXECUTIONS = Listing(
    lambda owners: _OLDEST.where(EXECUTIONS.c.owner.in_(owners)), EXECUTIONS.c.owner.type, "most"
)


class Ownership(Messages):
    """What an engine does to own executions."""

    def enlist(self, owner: str, lease_seconds: float = LEASE_SECONDS) -> None:
        """Be known as alive for so many seconds, by the store's clock."""

        def write(connection: Connection) -> None:
            _FORGET.run(connection)
            if _LEASE.run(connection, owner, lease_seconds) == 0:
                _NEW_LEASE.run(connection, owner, lease_seconds)

        self._database.write(write)

    def renew(self, owner: str, lease_seconds: float = LEASE_SECONDS) -> bool:
        """Stay known as alive; `False` if the lease has run out.

        Then its executions may have been taken over. It may `enlist` again and go on with those
        that were not: what it lost refuses its events.
        """
        return self._database.write(
            lambda connection: _VALID_LEASE.run(connection, owner, lease_seconds) == 1
        )

    def retire(self, owner: str) -> None:
        """Give everything up that `owner` has, and forget it."""

        def write(connection: Connection) -> None:
            _FREE_ALL.run(connection, owner)
            _END_LEASE.run(connection, owner)

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
            rows = [Standing._make(row) for row in _LOCK_FREE.rows(connection, execution_ids)]
            owners = {row.owner for row in rows if row.owner not in (None, owner)}
            living = self._living(connection, owners)
            free = [row for row in rows if row.owner not in living]
            _take(connection, free, owner)
            return {row.id: row.epoch + 1 for row in free}

        return self._database.write(write)

    def release(self, execution_id: str, owner: str) -> None:
        """Give an execution up; nothing happens if `owner` does not have it."""
        self._database.write(lambda connection: _FREE.run(connection, execution_id, owner))

    def orphans(self, limit: int = 100) -> list[str]:
        """Executions that run or wait and that nobody alive owns, oldest first.

        It costs as much as there are engines and orphans, however many executions there are. Batch
        runs are left out: only whoever has their items can go on with them.
        """

        def read(connection: Connection) -> list[str]:
            owners = {owner for (owner,) in _OWNERS_OF_OPEN.rows(connection)}
            dead = owners - self._living(connection, owners)
            # Two queries: SQLite uses an index for each of these conditions, and for neither of
            # them when they are joined by OR.
            free = _FREE_EXECUTIONS.rows(connection, limit)
            lost = _LOST_EXECUTIONS.rows(connection, dead, limit)
            return [id for _, id in sorted([*free, *lost])[:limit]]

        return self._database.read(read)

    def owned(self, owner: str) -> dict[str, int]:
        """The executions that run or wait and that `owner` has, with their epochs."""
        return dict(self._database.read(lambda connection: _OWNED.rows(connection, owner)))

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
        leases = {owner: bool(is_valid) for owner, is_valid in _LEASES.rows(connection, owners)}
        return {
            owner
            for owner in owners
            if (leases[owner] and not has_died(owner) if owner in leases else is_alive(owner))
        }


def locked(connection: Connection, ids: Collection[str]) -> dict[str, Standing]:
    """Where executions stand; a server keeps the rows from others until the commit."""
    return {row[0]: Standing._make(row) for row in _LOCK.rows(connection, ids)}


def _take(connection: Connection, rows: Sequence[Standing], owner: str) -> None:
    _TAKE.run_all(connection, [(row.id, owner, row.epoch + 1) for row in rows])


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
