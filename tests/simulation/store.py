"""The real journal in a file in memory, and an observer who sees every commit as it happens."""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from sqlalchemy import Connection, Engine, event

from agentflow.runtime.journal.database import DEFAULT_STORE
from agentflow.runtime.journal.store import Journal
from agentflow.runtime.journal.tables import METADATA
from tests.simulation.loop import Crash

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.world import World

SLOTS = 3
"""Processes that live at the same time; each has a journal of its own on the one file."""

_SHARED_MEMORY = Path("/dev/shm")


class Commit(NamedTuple):
    """An event as it stood in the store right after the commit that brought it."""

    order: int
    time: float
    """Virtual seconds."""
    execution: str
    seq: int
    type: str
    step: str | None
    attempt: int | None
    at: float
    data: str
    hash: bytes


@dataclass(slots=True)
class Ownership:
    """What the row of an execution says, and since when it has which epoch."""

    epoch: int
    owner: str | None
    status: str
    since: list[tuple[int, int]] = field(default_factory=list)
    """`(order, epoch)` of each take-over."""


class Store:
    """A journal that many simulations use one after another; each finds it empty."""

    world: World

    def __init__(self) -> None:
        parent = _SHARED_MEMORY if _SHARED_MEMORY.is_dir() else None
        self._folder = tempfile.TemporaryDirectory(prefix="simulation-", dir=parent)
        root = Path(self._folder.name)
        self.journals = [Journal.open(None, root) for _ in range(SLOTS)]
        self._raw = sqlite3.connect(root / DEFAULT_STORE, isolation_level=None)
        self._active: Process | None = None
        event.listen(Engine, "commit", self._before_commit)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *about: object) -> None:
        self.close()

    def close(self) -> None:
        """Throw it away."""
        event.remove(Engine, "commit", self._before_commit)
        self._raw.close()
        for journal in self.journals:
            journal.close()
        self._folder.cleanup()

    def enter(self, world: World) -> None:
        """Begin anew for a world."""
        self.world = world
        self.commits: list[Commit] = []
        self.owners: dict[str, Ownership] = {}
        self.execute("BEGIN IMMEDIATE")
        for table in reversed(METADATA.sorted_tables):
            self.execute(f"DELETE FROM {table.name}")
        self.execute("DELETE FROM sqlite_sequence")
        self.execute("COMMIT")

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run SQL past the journal: for the observer, and for whoever plants a fault."""
        return self._raw.execute(statement, values).fetchall()

    @contextlib.contextmanager
    def committing(self, process: Process | None) -> Iterator[None]:
        """A write; each COMMIT is a place for the process to die, and what it brought is noted."""
        self._active = process
        try:
            yield
        finally:
            self._active = None
            self._look()

    def epoch_at(self, execution: str, order: int) -> int:
        """Under which epoch an execution was owned at some moment."""
        return max((e for since, e in self.owners[execution].since if since <= order), default=0)

    def _look(self) -> None:
        """Note what has been committed since the last look."""
        world = self.world
        events = self.execute(
            "SELECT execution_id, seq, type, step, attempt, at, data, hash FROM events"
            " WHERE rowid > ? ORDER BY rowid",
            len(self.commits),
        )
        for event_ in events:
            commit = Commit(world.tick(), world.loop.now, *event_)
            self.commits.append(commit)
            world.note(f"commit {commit.execution} {commit.seq} {commit.type} {commit.step or ''}"
                       f" {commit.hash.hex()[:12]}")  # fmt: skip
        for id, epoch, owner, status in self.execute(
            "SELECT id, epoch, owner, status FROM executions ORDER BY id"
        ):
            known = self.owners.setdefault(id, Ownership(-1, None, ""))
            if known.epoch != epoch:
                known.since.append((world.tick(), epoch))
                world.note(f"owner of {id} is {owner}, epoch {epoch}")
            known.epoch, known.owner, known.status = epoch, owner, status

    def _before_commit(self, connection: Connection) -> None:
        if self._active is None:
            return
        try:
            self._active.point("commit")
        except Crash:
            connection.connection.rollback()  # what the database does when a process is gone
            raise
