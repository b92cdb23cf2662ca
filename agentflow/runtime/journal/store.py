"""The journal: what is recorded about executions, and the only place where it is written.

Each method that writes is one transaction, durable when it returns; `atomically` makes one of
several. Methods block, so an event loop calls them in a thread of its own. Three rules hold
whatever the caller does: an event follows the one before it without a gap, an owner that lost its
execution writes nothing, and a step is completed once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from sqlalchemy import (
    Connection,
    bindparam,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from agentflow.errors import AgentFlowError
from agentflow.runtime.journal import backup, schema
from agentflow.runtime.journal.backend import Topic
from agentflow.runtime.journal.blobs import Blobs
from agentflow.runtime.journal.columns import SpecColumns
from agentflow.runtime.journal.commits import (
    OPEN,
    Commit,
    Limits,
    set_aside,
)
from agentflow.runtime.journal.database import Database, open_database
from agentflow.runtime.journal.errors import Corrupt
from agentflow.runtime.journal.heads import Heads, Noted
from agentflow.runtime.journal.ownership import Ownership
from agentflow.runtime.journal.protocol import (
    ENDED,
    RETRIED,
    Change,
    Pruned,
    Record,
    Status,
    StoredExecution,
    StoredSpec,
)
from agentflow.runtime.journal.pruning import Pruning
from agentflow.runtime.journal.rows import spec_row
from agentflow.runtime.journal.starting import Raced, Start, Starts
from agentflow.runtime.journal.statements import Statement
from agentflow.runtime.journal.tables import SPECS, STORE
from agentflow.runtime.journal.values import Values
from agentflow.runtime.journal.writing import Prepared, write_values
from agentflow.runtime.settings import Settings, load_settings

T = TypeVar("T")
log = logging.getLogger(__name__)

_LATEST = {
    **{name: bindparam(f"new_{name}") for name in SpecColumns._fields},
    "rank": select(func.coalesce(func.max(SPECS.c.rank), 0) + 1).scalar_subquery(),
}
_NAMES = [f"new_{name}" for name in SpecColumns._fields]
_REGISTER = Statement(insert(SPECS).values(_LATEST), *_NAMES)
_REGISTER_AGAIN = Statement(
    update(SPECS).where(SPECS.c.digest == bindparam("new_digest")).values(_LATEST), *_NAMES
)


class Journal(Ownership):
    """An open journal."""

    def __init__(
        self, database: Database, values: Values, heads: Heads, settings: Settings
    ) -> None:
        super().__init__(database, values, heads)
        self._blob_grace_seconds = settings.blob_grace_seconds
        self.limits = Limits(settings.history_events, settings.history_bytes)
        """How long one execution's history may become."""
        self.behind = self._missing()
        """What the store has lost of what was acknowledged, as far as is known; mostly empty.

        Executions that lost events are refused when they are read; the others are in order.
        """
        if self.behind:
            log.warning("%s", self.behind)

    @classmethod
    def open(
        cls,
        url: str | None,
        root: Path,
        *,
        wait_seconds: float | None = None,
        clock: Callable[[], float] = time.time,
        settings: Settings | None = None,
    ) -> Journal:
        """Open the store at `url`, by default `.agentflow/journal.db` in the project `root`.

        It is created, or migrated, if need be. `wait_seconds` bounds the wait for other processes
        that write to the same file, and for a server that is away. `clock` is what leases are
        measured by in a file; a server has its own clock. What is not given is taken from the
        settings, by default those of the environment.

        Raises:
            UsageError: `url` cannot be used.
            Unavailable: the store cannot be reached or written, or is newer than this code.
        """
        settings = settings or load_settings()
        wait = settings.store_wait_seconds if wait_seconds is None else wait_seconds
        database = open_database(url, root, wait_seconds=wait, clock=clock)
        try:
            schema.ensure(database)
            identity = database.read(lambda connection: connection.scalar(select(STORE.c.id)))
            values = Values(Blobs(_place(settings.blobs, database, root), wait_seconds=wait))
            name = database.path.stem if database.path else "server"
            heads = Heads(database.folder / f"{name}-heads-{str(identity)[:12]}.log")
            return cls(database, values, heads, settings)
        except BaseException:
            database.close()
            raise

    @property
    def blobs(self) -> Blobs:
        """The store of large values. What no event refers to is swept after a while."""
        return self._values.blobs

    def close(self) -> None:
        """Close the store. Closing twice is harmless."""
        self._heads.flush()
        self._database.close()

    @contextmanager
    def group(self) -> Iterator[None]:
        """Make one transaction, one flush of the disk, of all that this thread writes in a block.

        A write that raises is undone alone if the block catches it; else all of them are. When the
        connection to the database is lost, the block raises `Unavailable`; see `atomically`.
        """
        with self._database.transaction():
            yield

    def atomically(self, write: Callable[[], T]) -> T:
        """Make one transaction of all that `write` writes, and give its result.

        Unlike a `group` it is done again when the connection to the database was lost.
        """
        return self._database.write(lambda connection: write())

    def register(self, spec: StoredSpec) -> None:
        """Keep a workflow's text and make it the latest of its name. Doing so again is free."""
        if self.find_spec(spec.name) == spec:
            return
        row = spec_row(spec)

        def write(connection: Connection) -> None:
            self._database.order(connection, Topic.SPECS)
            if _REGISTER_AGAIN.run(connection, *row) == 0:
                _REGISTER.run(connection, *row)

        self._database.write(write)

    def create(self, execution: StoredExecution, first: Record) -> tuple[StoredExecution, bool]:
        """Start an execution with its first event, or give the one that was started so before.

        The second value tells whether it is new. Its `digest` must be registered.

        Raises:
            Conflict: the id is taken by another workflow, another version or another input.
            NotFound: its workflow, or its parent, is not registered.
            Corrupt: there was such an execution, and the store has lost it.
        """
        (start,) = self.create_all([(execution, first)])
        if isinstance(start, AgentFlowError):
            raise start
        return start

    def create_all(self, asked: Sequence[tuple[StoredExecution, Record]]) -> list[Start]:
        """`create` for any number of executions in one transaction; errors are given, not raised.

        Raises:
            Unavailable: the store cannot be written; nothing was.
        """
        heads = {new.id: self._heads.known(new.id) for new, _ in asked}

        def prepare() -> Prepared[list[Start]]:
            starts = Starts(asked, self._values)

            def write(connection: Connection) -> list[Start]:
                def lost(id: str) -> Corrupt | None:
                    head = heads[id]
                    return None if head is None else self._missing_since(connection, head)

                in_doubt = self._database.in_doubt
                results, new = starts.write(connection, lost, in_doubt=in_doubt)
                self._note(new)
                return results

            return starts.texts, write

        try:
            return write_values(self._database, self._values, prepare)
        except Raced:
            return self.create_all(asked)
        except IntegrityError as error:
            if len(asked) == 1:
                return [self._database.read(Starts(asked, self._values).refusal)]
            log.debug("some of %d starts broke a rule of the tables: %s", len(asked), error)
            return [start for one in asked for start in self.create_all([one])]

    def append(
        self,
        records: Sequence[Record],
        changes: Sequence[Change],
        epochs: Mapping[str, int],
        consumed: Sequence[tuple[str, str, str]] = (),
    ) -> None:
        """Record events of any number of executions, all or nothing.

        `epochs` has the epoch under which each of the executions is owned. `consumed` holds
        `(message id, execution, key)` of the messages that were taken. An execution whose change
        ends it has no owner any more.

        Doing it again changes nothing: whoever does not know whether a commit was kept repeats it.

        Raises:
            Fenced: executions were taken over, have ended, or have events the caller lacks.
            AlreadyRecorded: the completion of a step, or a message, is recorded already.
            HistoryFull: a history would become too long; an event that ends it is taken all the
                same.
            NotFound: a consumed message does not exist.
            Fault: `InvalidOutput` or `PayloadTooLarge` of an event's data.
        """

        def prepare() -> Prepared[None]:
            commit = Commit(records, changes, epochs, consumed, self._values)

            def write(connection: Connection) -> None:
                found = commit.lock(connection)
                if commit.is_recorded(connection, found):
                    return
                commit.require_owned(found, OPEN)
                commit.require_room(found, self.limits)
                self._note(commit.write(connection, found))

            return commit.texts, write

        try:
            write_values(self._database, self._values, prepare)
        except IntegrityError as error:
            commit = Commit(records, changes, epochs, consumed, self._values)
            raise self._database.write(commit.refusal) from error

    def supersede(self, execution_id: str, from_seq: int, epoch: int, record: Record) -> None:
        """Set the events from `from_seq` on aside and let the execution run on from before them.

        `record` is the `execution.retried` event that says so; its data gets `{"from": from_seq}`.
        Messages that the events took can be taken again. A cancellation that nobody has acted on
        is dropped: the retry was asked for after it.

        Raises:
            Fenced: as for `append`.
        """
        data = {**(record.data or {}), "from": from_seq}
        record = replace(record, type=RETRIED, data=data)
        running = Change(execution_id, "running")

        def prepare() -> Prepared[None]:
            commit = Commit([record], [running], {execution_id: epoch}, (), self._values)

            def write(connection: Connection) -> None:
                found = commit.lock(connection)
                if commit.is_recorded(connection, found):
                    return
                commit.require_owned(found, ENDED)
                set_aside(connection, execution_id, from_seq)
                self._note(commit.write(connection, found))

            return commit.texts, write

        write_values(self._database, self._values, prepare)

    def prune(
        self,
        older_than_seconds: float,
        *,
        statuses: Collection[Status] = ENDED,
        dry_run: bool = False,
    ) -> Pruned:
        """Remove executions that ended so long ago, and what nothing else uses.

        That is their events, messages and children, versions of workflows that no execution has
        and that are no name's latest, published events that are older than every execution, and
        blobs that nothing refers to and that are older than the grace period of the settings. An
        execution stays as long as its parent or one of its children does. With `dry_run` nothing is
        removed; what would be is told.

        Raises:
            UsageError: one of the statuses is not an end.
        """
        pruning = Pruning(
            self._database,
            self._values.blobs,
            older_than_seconds=older_than_seconds,
            statuses=statuses,
            grace_seconds=self._blob_grace_seconds,
        )
        return pruning.plan() if dry_run else pruning.run()

    def backup(self, target: Path) -> None:
        """Copy a journal in a file, with its blobs, to a new folder, while it is in use.

        To restore it, put the folder in the place of the one that holds the journal.

        Raises:
            UsageError: the journal is on a server, which has tools of its own.
            Conflict: there is something at `target`.
            Unavailable: the copy cannot be made.
        """
        path = self._database.path
        if path is None:
            raise backup.refuse(self._database.name)
        backup.back_up(path, self._values.blobs, target)

    def _note(self, heads: Sequence[Noted]) -> None:
        """Remember outside of the store what will have been acknowledged."""
        self._database.when_committed(lambda: self._heads.note(heads))

    def _missing(self) -> str:
        """What the store lacks of the events that were acknowledged last."""
        others = self._heads.others()
        if self._database.path is not None and others:
            return (
                f"{self._database.name} is new, and {others[0]} tells of another store that was in "
                "its place; put that back, or delete its log to begin anew"
            )

        def look(connection: Connection) -> None:
            for head in self._heads.latest():
                self._require_head(connection, head)

        try:
            self._database.read(look)
        except Corrupt as error:
            return f"{error.message}; {error.help}"
        return ""


def _place(given: str | None, database: Database, root: Path) -> str:
    """Where blobs are: beside a file, or where the settings say, counted from the project."""
    if given is None:
        return str(database.folder / "blobs")
    return given if "://" in given else str(root / given)
