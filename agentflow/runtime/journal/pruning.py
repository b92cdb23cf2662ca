"""Removing what is no longer needed: executions that ended long ago, and what only they used.

Executions go with their children, as whole trees, a few at a time, so that no transaction is long.
A blob goes when no row refers to it and it is older than a grace period. References are collected
anew for each batch of blobs, under a lock that keeps new ones from committing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import astuple
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import (
    BindParameter,
    Connection,
    Row,
    Select,
    bindparam,
    delete,
    func,
    or_,
    select,
    text,
    update,
)

from agentflow.errors import UsageError
from agentflow.runtime.journal.backend import Topic
from agentflow.runtime.journal.blobs import Blobs, Found
from agentflow.runtime.journal.clock import Now
from agentflow.runtime.journal.database import Database
from agentflow.runtime.journal.errors import Corrupt
from agentflow.runtime.journal.protocol import ENDED, Pruned, Status
from agentflow.runtime.journal.tables import (
    BLOB,
    DELIVERIES,
    EVENTS,
    EXECUTIONS,
    MESSAGES,
    SPECS,
    STORE,
)
from agentflow.runtime.journal.values import blob_of, decode_inline

T = TypeVar("T")

_TREES = 100
"""Executions without a parent that are looked at together."""

_EVENTS = 20_000
"""About how many events one transaction removes."""

_BLOBS = 500

_ENDED_AT = func.coalesce(EXECUTIONS.c.ended_at, EXECUTIONS.c.started_at)
_NODE = ("id", "parent", "status", "head", "history_bytes")
_NODES: Select[Any] = select(*(EXECUTIONS.c[name] for name in _NODE), _ENDED_AT.label("ended"))
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)

_DELETIONS = (
    delete(DELIVERIES).where(
        or_(
            DELIVERIES.c.execution_id.in_(_IDS),
            DELIVERIES.c.message_id.in_(
                select(MESSAGES.c.id).where(MESSAGES.c.execution_id.in_(_IDS))
            ),
        )
    ),
    delete(MESSAGES).where(MESSAGES.c.execution_id.in_(_IDS)),
    delete(EVENTS).where(EVENTS.c.execution_id.in_(_IDS)),
    delete(EXECUTIONS).where(EXECUTIONS.c.id.in_(_IDS)),
)

_VALUES = (
    EVENTS.c.data,
    EXECUTIONS.c.input,
    EXECUTIONS.c.output,
    EXECUTIONS.c.error,
    MESSAGES.c.data,
)
"""Columns that may refer to blobs."""


class Pruning:
    """One run of `prune`."""

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        *,
        older_than_seconds: float,
        statuses: Collection[Status],
        grace_seconds: float,
    ) -> None:
        if not ENDED.issuperset(statuses):
            raise UsageError(
                f"only executions that have ended can be pruned, not {', '.join(statuses)}",
                help=f"choose among {', '.join(sorted(ENDED))}",
            )
        self._database = database
        self._blobs = blobs
        self._statuses = frozenset(statuses)
        now = database.read(lambda connection: connection.execute(select(Now())).scalar_one())
        self._until = now - older_than_seconds
        self._sweep_until = now - grace_seconds

    def run(self) -> Pruned:
        """Remove, and tell what was removed."""
        total = Pruned()
        for batch in _portions(self._trees()):
            total = _sum(total, self._database.write(partial(self._remove, trees=batch)))
        self._database.write(self._remove_messages)
        self._database.write(self._remove_specs)
        old = (found for found in self._blobs.find() if found.written_at < self._sweep_until)
        for files in _batches(old, _BLOBS):
            total = _sum(total, self._database.write(partial(self._sweep, files=files)))
        return total

    def plan(self) -> Pruned:
        """What `run` would remove."""
        doomed = [node for tree in self._trees() for node in tree]
        used = self._database.read(lambda c: _referenced(c, {node.id for node in doomed}))
        old = [found for found in self._blobs.find() if found.written_at < self._sweep_until]
        swept = [found for found in old if found.name not in used]
        return _sum(_count(doomed), _count_blobs(swept))

    def _trees(self) -> Iterator[list[Row[Any]]]:
        """Executions without a parent that may go, each with its children and theirs."""
        roots = (
            _NODES.where(
                EXECUTIONS.c.parent.is_(None),
                EXECUTIONS.c.status.in_(self._statuses),
                self._until > _ENDED_AT,
            )
            .order_by(EXECUTIONS.c.id)
            .limit(_TREES)
        )
        after = ""
        while found := self._database.read(partial(self._grow, roots=roots, after=after)):
            after = found[-1][0].id
            yield from (tree for tree in found if all(map(self._may_go, tree)))

    def _grow(self, connection: Connection, roots: Any, after: str) -> list[list[Row[Any]]]:
        trees = [[row] for row in connection.execute(roots.where(EXECUTIONS.c.id > after))]
        tree_of = {tree[0].id: tree for tree in trees}
        level: list[Row[Any]] = [tree[0] for tree in trees]
        while level:
            parents = EXECUTIONS.c.parent.in_([row.id for row in level])
            level = list(connection.execute(_NODES.where(parents)))
            for row in level:
                tree_of[row.id] = tree_of[row.parent]
                tree_of[row.id].append(row)
        return trees

    def _may_go(self, node: Row[Any]) -> bool:
        return node.status in self._statuses and bool(node.ended < self._until)

    def _remove(self, connection: Connection, trees: Sequence[list[Row[Any]]]) -> Pruned:
        """Remove those of the trees that are still as they were; one may have been retried."""
        ids = [node.id for tree in trees for node in tree]
        rows = _NODES.where(EXECUTIONS.c.id.in_(ids)).order_by(EXECUTIONS.c.id)
        locked = connection.execute(rows.with_for_update(skip_locked=True))
        free = {row.id for row in locked if self._may_go(row)}
        doomed = [node for tree in trees if all(node.id in free for node in tree) for node in tree]
        for deletion in _DELETIONS:
            connection.execute(deletion, {"ids": [node.id for node in doomed]})
        # Before they are gone: what is missing from then on counts as pruned, not as lost.
        until = update(STORE).where(STORE.c.pruned_until < self._until)
        connection.execute(until.values(pruned_until=self._until))
        return _count(doomed)

    def _remove_messages(self, connection: Connection) -> None:
        """Remove published events that are old, and older than every execution there is."""
        oldest = select(func.min(EXECUTIONS.c.deaf_until)).scalar_subquery()
        newest = select(func.max(MESSAGES.c.cursor)).scalar_subquery()
        ids = select(MESSAGES.c.id).where(
            MESSAGES.c.execution_id.is_(None),
            MESSAGES.c.at < self._until,
            MESSAGES.c.cursor <= func.coalesce(oldest, newest),
        )
        found = list(connection.scalars(ids))
        for batch in _batches(found, 1000):
            connection.execute(delete(DELIVERIES).where(DELIVERIES.c.message_id.in_(batch)))
            connection.execute(delete(MESSAGES).where(MESSAGES.c.id.in_(batch)))

    def _remove_specs(self, connection: Connection) -> None:
        """Remove versions of workflows that no execution has and that are no name's latest."""
        self._database.order(connection, Topic.SPECS)
        rows = connection.execute(select(SPECS).order_by(SPECS.c.rank)).all()
        children = {row.digest: decode_inline(row.children).values() for row in rows}
        kept = set(connection.scalars(select(EXECUTIONS.c.digest).distinct()))
        kept |= set({row.name: row.digest for row in rows}.values())
        unseen = list(kept)
        while unseen:
            new = set(children.get(unseen.pop(), ())) - kept
            kept |= new
            unseen.extend(new)
        unused = [row.digest for row in rows if row.digest not in kept]
        for batch in _batches(unused, 1000):
            connection.execute(delete(SPECS).where(SPECS.c.digest.in_(batch)))

    def _sweep(self, connection: Connection, files: Sequence[Found]) -> Pruned:
        self._database.order(connection, Topic.BLOBS)
        used = _referenced(connection)
        swept = [
            file
            for file in files
            if file.name not in used and self._blobs.remove(file.name, older_than=self._sweep_until)
        ]
        return _count_blobs(swept)


def _referenced(connection: Connection, without: Collection[str] = ()) -> set[str]:
    """The digests of all blobs that rows refer to, leaving out rows of some executions."""
    found = set()
    for column in _VALUES:
        table = column.table
        owner = table.c["execution_id" if "execution_id" in table.c else "id"]
        query = select(owner, column).where(text(f"substr({column.name}, 1, 1) = '{BLOB}'"))
        for execution, stored in connection.execute(query):
            if execution not in without:
                found.add(_digest(stored))
    return found


def _digest(stored: str) -> str:
    try:
        return blob_of(stored) or ""
    except Corrupt:
        return ""  # damaged: what it referred to cannot be told, and reading it is refused


def _portions(trees: Iterable[list[Row[Any]]]) -> Iterator[list[list[Row[Any]]]]:
    """Trees in groups of about as many events as one transaction should remove."""
    portion: list[list[Row[Any]]] = []
    events = 0
    for tree in trees:
        portion.append(tree)
        events += sum(node.head for node in tree)
        if events >= _EVENTS or len(portion) >= _TREES:
            yield portion
            portion, events = [], 0
    if portion:
        yield portion


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _count(nodes: Sequence[Row[Any]]) -> Pruned:
    return Pruned(
        executions=len(nodes),
        events=sum(node.head for node in nodes),
        bytes=sum(node.history_bytes for node in nodes),
    )


def _count_blobs(files: Sequence[Found]) -> Pruned:
    return Pruned(blobs=len(files), bytes=sum(file.size for file in files))


def _sum(one: Pruned, other: Pruned) -> Pruned:
    return Pruned(*(a + b for a, b in zip(astuple(one), astuple(other), strict=True)))
