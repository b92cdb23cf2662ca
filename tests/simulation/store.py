"""The real journal in a file in memory, and an observer who sees every commit as it happens."""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from sqlalchemy import Connection, Engine, event

from agentflow.runtime.journal.database import DEFAULT_STORE
from agentflow.runtime.journal.indexes import METADATA
from agentflow.runtime.journal.store import Journal
from agentflow.runtime.journal.tables import STORE
from tests.simulation.loop import Crash

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.world import World

EPOCH = 1_700_000_000.0
"""What right clocks show when a simulation begins."""

SLOTS = 3
"""Processes that live at the same time; each has a journal of its own on the one file."""

_SHARED_MEMORY = Path("/dev/shm")


class Commit(NamedTuple):
    """An event as it stood in the store right after the commit that brought it."""

    order: int
    group: int
    """Events of one write have the same."""
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
        self.journals = [Journal.open(None, root, clock=self._clock) for _ in range(SLOTS)]
        self._raw = sqlite3.connect(root / DEFAULT_STORE, isolation_level=None)
        self._active: Process | None = None
        self._thread = threading.get_ident()
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
        self._writes = 0
        self.execute("BEGIN IMMEDIATE")
        for table in reversed(METADATA.sorted_tables):
            if table is not STORE:
                self.execute(f"DELETE FROM {table.name}")
        self.execute("DELETE FROM sqlite_sequence")
        self.execute("COMMIT")

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run SQL past the journal: for the observer, and for whoever plants a fault."""
        return self._raw.execute(statement, values).fetchall()

    @contextlib.contextmanager
    def committing(self, process: Process | None, group: Any = ()) -> Iterator[None]:
        """A write; each COMMIT is a place for the process to die, and what it brought is noted.

        `group` holds the records that must be written together or not at all.
        """
        self._active = process
        self._writes += 1
        try:
            yield
        finally:
            self._active = None
            new = {(commit.execution, commit.seq) for commit in self._look(process)}
            written = [record for record in group if (record.execution, record.seq) in new]
            if written and len(written) < len(group):
                self.world.problems.append(f"of a group only {written} was committed")

    def expire(self, owner: str) -> None:
        """Let the lease of an engine run out before its time."""
        self.execute("UPDATE owners SET expires_at = ? WHERE id = ?", self._clock() - 1, owner)

    def epoch_at(self, execution: str, order: int) -> int:
        """Under which epoch an execution was owned at some moment."""
        return max((e for since, e in self.owners[execution].since if since <= order), default=0)

    def _look(self, process: Process | None) -> list[Commit]:
        """Note what has been committed since the last look, by a process or somebody outside."""
        world = self.world
        known_before = len(self.commits)
        events = self.execute(
            "SELECT execution_id, seq, type, step, attempt, at, data, hash FROM events"
            " WHERE rowid > ? ORDER BY rowid",
            len(self.commits),
        )
        for event_ in events:
            commit = Commit(world.tick(), self._writes, world.loop.now, *event_)
            self.commits.append(commit)
            if commit.seq > 1 and process is not None:
                owner = self.owners[commit.execution].owner
                if owner != process.owner:
                    world.problems.append(
                        f"{commit.execution}: {process.owner} wrote event {commit.seq}"
                        f" while {owner} owned it"
                    )
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
        return self.commits[known_before:]

    def _clock(self) -> float:
        """The machine's clock, which leases go by."""
        return EPOCH + self.world.loop.now + self.world.skew

    def _before_commit(self, connection: Connection) -> None:
        if self._active is None or threading.get_ident() != self._thread:
            return  # an engine that another test has left open commits too
        try:
            self._active.point("commit")
        except Crash:
            connection.connection.rollback()  # what the database does when a process is gone
            raise
