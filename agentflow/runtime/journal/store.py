"""The journal: what is recorded about executions, and the only place where it is written.

Each method that writes is one transaction, durable when it returns; `atomically` makes one of
several. Methods block, so an event loop calls them in a thread of its own. Three rules hold
whatever the caller does: an event follows the one before it without a gap, an owner that lost its
execution writes nothing, and a step is completed once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import (
    Connection,
    Insert,
    Row,
    bindparam,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from agentflow.errors import Conflict
from agentflow.runtime.journal import schema
from agentflow.runtime.journal.backend import Topic
from agentflow.runtime.journal.blobs import Blobs
from agentflow.runtime.journal.chain import RETRIED, genesis
from agentflow.runtime.journal.commits import (
    OPEN,
    RECORD,
    Commit,
    Limits,
    Noted,
    exists,
    noted,
    set_aside,
)
from agentflow.runtime.journal.database import Database, open_database
from agentflow.runtime.journal.errors import Corrupt
from agentflow.runtime.journal.heads import Heads
from agentflow.runtime.journal.ownership import Ownership
from agentflow.runtime.journal.protocol import (
    ENDED,
    Change,
    Message,
    Record,
    StoredExecution,
    StoredSpec,
)
from agentflow.runtime.journal.reading import (
    newest_message,
    unknown,
)
from agentflow.runtime.journal.rows import (
    chained,
    event_rows,
    execution_of,
    execution_row,
    message_of,
    message_row,
    size_of,
    spec_row,
)
from agentflow.runtime.journal.tables import EXECUTIONS, MESSAGES, SPECS, STORE
from agentflow.runtime.journal.values import Values, same
from agentflow.runtime.journal.writing import Prepared, write_values
from agentflow.runtime.settings import Settings, load_settings

T = TypeVar("T")
log = logging.getLogger(__name__)

_FIND = select(EXECUTIONS).where(EXECUTIONS.c.id == bindparam("of"))
_CREATE: dict[str, Insert] = {
    name: dialect.insert(EXECUTIONS)
    .on_conflict_do_nothing()
    .execution_options(preserve_rowcount=True)
    for name, dialect in (("sqlite", sqlite), ("postgresql", postgresql))
}
_NEWEST_MESSAGE = select(newest_message())


class Journal(Ownership):
    """An open journal."""

    def __init__(self, database: Database, values: Values, heads: Heads, limits: Limits) -> None:
        super().__init__(database, values, heads)
        self.limits = limits
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
            heads = Heads(database.folder / f"heads-{str(identity)[:12]}.log")
            limits = Limits(settings.history_events, settings.history_bytes)
            return cls(database, values, heads, limits)
        except BaseException:
            database.close()
            raise

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
        rank = select(func.coalesce(func.max(SPECS.c.rank), 0) + 1).scalar_subquery()
        values = {**spec_row(spec), "rank": rank}
        known = update(SPECS).where(SPECS.c.digest == spec.digest).values(values)

        def write(connection: Connection) -> None:
            self._database.order(connection, Topic.SPECS)
            if connection.execute(known).rowcount == 0:
                connection.execute(insert(SPECS).values(values))

        self._database.write(write)

    def create(self, execution: StoredExecution, first: Record) -> tuple[StoredExecution, bool]:
        """Start an execution with its first event, or give the one that was started so before.

        The second value tells whether it is new. Its `digest` must be registered.

        Raises:
            Conflict: the id is taken by another workflow, another version or another input.
            Corrupt: there was such an execution, and the store has lost it.
        """
        new = replace(execution, head=first.seq)

        def prepare() -> Prepared[Row[Any] | None]:
            (event,) = event_rows([first], self._values)
            row = execution_row(new, self._values)

            def write(connection: Connection) -> Row[Any] | None:
                found = connection.execute(_FIND, {"of": execution.id}).first()
                if found is None:
                    self._require_never_acknowledged(connection, execution.id)
                    if self._insert(connection, row, event):
                        return None
                    found = connection.execute(_FIND, {"of": execution.id}).one()
                if self._database.in_doubt and _is_own(found, new):
                    return None
                return found

            return [row, event], write

        found = write_values(self._database, self._values, prepare)
        if found is None:
            return new, True
        stored = execution_of(found, self._values)
        _require_same(stored, new)
        return stored, False

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
                rows = commit.lock(connection)
                if commit.is_recorded(connection, rows):
                    return
                commit.require_owned(rows, OPEN)
                commit.require_room(rows, self.limits)
                self._note(commit.write(connection, rows))

            return commit.rows, write

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
                rows = commit.lock(connection)
                if commit.is_recorded(connection, rows):
                    return
                commit.require_owned(rows, ENDED)
                set_aside(connection, execution_id, from_seq)
                self._note(commit.write(connection, rows))

            return commit.rows, write

        write_values(self._database, self._values, prepare)

    def post(self, message: Message) -> bool:
        """Keep a message for whom it concerns; `False` if its id is known already.

        Raises:
            NotFound: it is addressed to an execution that does not exist.
        """

        def prepare() -> Prepared[bool]:
            row = message_row(message, self._values)
            return [row], lambda connection: self._post(connection, message, row)

        return write_values(self._database, self._values, prepare)

    def _post(self, connection: Connection, message: Message, row: Mapping[str, Any]) -> bool:
        self._database.order(connection, Topic.MESSAGES)
        known = connection.execute(select(MESSAGES).where(MESSAGES.c.id == message.id)).first()
        if known is not None:
            return self._database.in_doubt and message_of(known, self._values) == message
        if message.execution is not None:
            addressee = EXECUTIONS.c.id == message.execution
            if not exists(connection, addressee):
                raise unknown(message.execution)
        connection.execute(insert(MESSAGES), row)
        return True

    def _insert(
        self, connection: Connection, row: Mapping[str, Any], event: dict[str, Any]
    ) -> bool:
        """Insert a new execution; `False` if somebody else did at the same time."""
        row = {**row, "deaf_until": connection.scalar(_NEWEST_MESSAGE) or 0}
        (first,) = chained([event], genesis(row))
        row |= {"head_hash": first["hash"], "history_bytes": size_of([event])}
        if not connection.execute(_CREATE[connection.dialect.name], row).rowcount:
            return False
        connection.execute(RECORD, first)
        self._note([noted(first)])
        return True

    def _note(self, heads: Sequence[Noted]) -> None:
        """Remember outside of the store what will have been acknowledged."""

        def note() -> None:
            for head in heads:
                self._heads.note(*head)

        self._database.when_committed(note)

    def _missing(self) -> str:
        """What the store lacks of the events that were acknowledged last."""

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


def _is_own(found: Row[Any], new: StoredExecution) -> bool:
    """Whether a row is the one that this process has written: owners and times are unique."""
    written = (found.owner, found.epoch, found.started_at, found.workflow, found.digest)
    return written == (new.owner, new.epoch, new.started_at, new.workflow, new.digest)


def _require_same(stored: StoredExecution, asked: StoredExecution) -> None:
    if stored.workflow != asked.workflow:
        what = f"of workflow {stored.workflow}, not {asked.workflow}"
    elif stored.digest != asked.digest:
        what = f"of another version of the text of workflow {stored.workflow}"
    elif not same(stored.input, asked.input):
        what = f"of workflow {stored.workflow} with another input"
    else:
        return
    raise Conflict(
        f"the id {stored.id} is taken by an execution {what}",
        help=f"choose another id; `agentflow show {stored.id}` shows the one that has it",
    )
