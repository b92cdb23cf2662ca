"""The journal: what is recorded about executions, and the only place where it is written.

Each method that writes is one transaction, durable when it returns; `group` makes one of several.
Methods block, so an event loop calls them in a thread of its own. Three rules hold whatever the
caller does: an event follows the one before it without a gap, an owner that lost its execution
writes nothing, and a step is completed once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import (
    Connection,
    Executable,
    Insert,
    Row,
    bindparam,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.elements import ColumnElement

from agentflow.errors import AgentFlowError, Conflict, NotFound
from agentflow.runtime.journal import schema
from agentflow.runtime.journal.backend import Topic
from agentflow.runtime.journal.chain import GENESIS, RETRIED, completes
from agentflow.runtime.journal.database import open_database
from agentflow.runtime.journal.errors import AlreadyRecorded, Corrupt, Fenced
from agentflow.runtime.journal.ownership import Ownership, locked
from agentflow.runtime.journal.protocol import (
    CANCEL,
    ENDED,
    Change,
    Message,
    Record,
    Status,
    StoredExecution,
    StoredSpec,
)
from agentflow.runtime.journal.reading import (
    concerns_execution,
    newest_message,
    not_delivered,
    unknown,
)
from agentflow.runtime.journal.rows import (
    change_row,
    event_rows,
    execution_of,
    execution_row,
    head_row,
    message_of,
    message_row,
    same,
    spec_row,
)
from agentflow.runtime.journal.tables import DELIVERIES, EVENTS, EXECUTIONS, MESSAGES, SPECS

T = TypeVar("T")

_OPEN: frozenset[Status] = frozenset({"running", "waiting"})

# Statements that every commit runs are built once: that takes longer than running them.
_FIND = select(EXECUTIONS).where(EXECUTIONS.c.id == bindparam("of"))
_UPDATE = update(EXECUTIONS).where(EXECUTIONS.c.id == bindparam("of"))
_CREATE: dict[str, Insert] = {
    name: dialect.insert(EXECUTIONS)
    .on_conflict_do_nothing()
    .execution_options(preserve_rowcount=True)
    for name, dialect in (("sqlite", sqlite), ("postgresql", postgresql))
}
_RECORD = insert(EVENTS)
_DELIVER = insert(DELIVERIES)
_NEWEST_MESSAGE = select(newest_message())


class Journal(Ownership):
    """An open journal."""

    @classmethod
    def open(
        cls,
        url: str | None,
        root: Path,
        *,
        wait_seconds: float = 30,
        clock: Callable[[], float] = time.time,
    ) -> Journal:
        """Open the store at `url`, by default `.agentflow/journal.db` in the project `root`.

        It is created, or migrated, if need be. `wait_seconds` bounds the wait for other processes
        that write to the same file, and for a server that is away. `clock` is what leases are
        measured by in a file; a server has its own clock.

        Raises:
            UsageError: `url` cannot be used.
            Unavailable: the store cannot be reached or written, or is newer than this code.
        """
        database = open_database(url, root, wait_seconds=wait_seconds, clock=clock)
        try:
            schema.ensure(database)
        except BaseException:
            database.close()
            raise
        return cls(database)

    def close(self) -> None:
        """Close the store. Closing twice is harmless."""
        self._database.close()

    @contextmanager
    def group(self) -> Iterator[None]:
        """Make one transaction, one flush of the disk, of all that this thread writes in a block.

        A write that raises is undone alone if the block catches it; else all of them are.
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
        """
        new = replace(execution, head=first.seq)
        (event,) = event_rows([first], GENESIS)
        row = {**execution_row(new), "head_hash": event["hash"]}

        def write(connection: Connection) -> Row[Any] | None:
            found = connection.execute(_FIND, {"of": execution.id}).first()
            if found is None:
                row["deaf_until"] = connection.scalar(_NEWEST_MESSAGE) or 0
                if connection.execute(_CREATE[connection.dialect.name], row).rowcount:
                    connection.execute(_RECORD, event)
                    return None
                found = connection.execute(_FIND, {"of": execution.id}).one()
            if self._database.in_doubt and _is_own(found, new):
                return None
            return found

        found = self._database.write(write)
        if found is None:
            return new, True
        stored = execution_of(found)
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
            NotFound: a consumed message does not exist.
            Fault: `InvalidOutput` or `PayloadTooLarge` of an event's data.
        """
        histories: dict[str, list[Record]] = {execution: [] for execution in epochs}
        for record in records:
            histories[record.execution].append(record)
        if not histories.keys() >= {change.execution for change in changes}:
            raise KeyError("a change of an execution without an epoch")
        deliveries = [
            {"message_id": message, "execution_id": execution, "key": key}
            for message, execution, key in consumed
        ]

        def write(connection: Connection) -> None:
            rows = locked(connection, list(histories))
            if _is_recorded(connection, rows, histories, epochs):
                return
            _require_owned(rows, histories, epochs, _OPEN)
            chains = [
                event_rows(following, rows[execution].head_hash)
                for execution, following in histories.items()
                if following
            ]
            _execute(connection, _RECORD, [row for chain in chains for row in chain])
            _execute(connection, _DELIVER, deliveries)
            _execute(connection, _UPDATE, [head_row(chain[-1]) for chain in chains])
            ends = [change_row(change, rows[change.execution].owner) for change in changes]
            _execute(connection, _UPDATE, ends)

        try:
            self._database.write(write)
        except IntegrityError as error:
            raise self._refusal(records, consumed) from error

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
        aside = (EVENTS.c.execution_id == execution_id) & (EVENTS.c.seq >= from_seq)
        undone = select(EVENTS.c.step).where(aside, EVENTS.c.type == "message.received")
        dropped = select(MESSAGES.c.id, EXECUTIONS.c.id, literal("")).where(
            EXECUTIONS.c.id == execution_id,
            MESSAGES.c.name == CANCEL,
            concerns_execution(),
            not_delivered(),
        )

        def write(connection: Connection) -> None:
            history, epochs = {execution_id: [record]}, {execution_id: epoch}
            rows = locked(connection, [execution_id])
            if _is_recorded(connection, rows, history, epochs):
                return
            _require_owned(rows, history, epochs, ENDED)
            (event,) = event_rows([record], rows[execution_id].head_hash)
            connection.execute(
                delete(DELIVERIES).where(
                    DELIVERIES.c.execution_id == execution_id, DELIVERIES.c.key.in_(undone)
                )
            )
            connection.execute(
                insert(DELIVERIES).from_select(["message_id", "execution_id", "key"], dropped)
            )
            connection.execute(update(EVENTS).where(aside).values(superseded=True))
            connection.execute(_RECORD, event)
            _execute(connection, _UPDATE, [head_row(event)])
            running = change_row(Change(execution_id, "running"), rows[execution_id].owner)
            _execute(connection, _UPDATE, [running])

        self._database.write(write)

    def post(self, message: Message) -> bool:
        """Keep a message for whom it concerns; `False` if its id is known already.

        Raises:
            NotFound: it is addressed to an execution that does not exist.
        """
        row = message_row(message)

        def write(connection: Connection) -> bool:
            self._database.order(connection, Topic.MESSAGES)
            known = connection.execute(select(MESSAGES).where(MESSAGES.c.id == message.id)).first()
            if known is not None:
                return self._database.in_doubt and message_of(known) == message
            if message.execution is not None:
                addressee = EXECUTIONS.c.id == message.execution
                if not _exists(connection, addressee):
                    raise unknown(message.execution)
            connection.execute(insert(MESSAGES), row)
            return True

        return self._database.write(write)

    def _refusal(
        self, records: Sequence[Record], consumed: Sequence[tuple[str, str, str]]
    ) -> AgentFlowError:
        """Which of the tables' rules a commit broke, looked up after it was undone."""

        def look(connection: Connection) -> AgentFlowError:
            seen = set()
            for record in records:
                key = completes(record)
                if key is None:
                    continue
                place = (record.execution, key)
                if place in seen or _is_completed(connection, *place):
                    return AlreadyRecorded(*place, "the completion")
                seen.add(place)
            for message, execution, key in consumed:
                if not _exists(connection, MESSAGES.c.id == message):
                    return NotFound(f"there is no message '{message}'")
                if (message, execution) in seen or _is_delivered(connection, message, execution):
                    return AlreadyRecorded(execution, key, f"message '{message}'")
                seen.add((message, execution))
            return Corrupt("the store holds events beyond the end of a history")

        return self._database.write(look)


def _execute(connection: Connection, statement: Executable, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(statement, rows)


def _exists(connection: Connection, *conditions: ColumnElement[bool]) -> bool:
    return connection.scalar(select(literal(1)).where(*conditions).limit(1)) is not None


def _is_completed(connection: Connection, execution: str, key: str) -> bool:
    return _exists(
        connection,
        EVENTS.c.execution_id == execution,
        EVENTS.c.completes == key,
        ~EVENTS.c.superseded,
    )


def _is_delivered(connection: Connection, message: str, execution: str) -> bool:
    return _exists(
        connection,
        DELIVERIES.c.message_id == message,
        DELIVERIES.c.execution_id == execution,
    )


def _require_owned(
    rows: Mapping[str, Row[Any]],
    histories: Mapping[str, Sequence[Record]],
    epochs: Mapping[str, int],
    allowed: frozenset[Status],
) -> None:
    """Refuse unless the executions' owner writes the events that follow, in one of these states."""
    reasons = {}
    for execution, records in histories.items():
        row = rows.get(execution)
        if row is None:
            reasons[execution] = "does not exist"
        elif row.epoch != epochs[execution]:
            reasons[execution] = f"was taken over by {row.owner or 'another process'}"
        elif row.status not in allowed:
            reasons[execution] = f"is {row.status}"
        elif any(record.seq != seq for seq, record in enumerate(records, row.head + 1)):
            reasons[execution] = f"has {row.head} events, these do not follow"
    if reasons:
        raise Fenced(reasons)


def _is_recorded(
    connection: Connection,
    rows: Mapping[str, Row[Any]],
    histories: Mapping[str, Sequence[Record]],
    epochs: Mapping[str, int],
) -> bool:
    """Whether a commit with these events was kept already, under these epochs."""
    written = {execution: records for execution, records in histories.items() if records}
    for execution, records in written.items():
        row = rows.get(execution)
        if row is None or row.epoch != epochs[execution] or row.head < records[-1].seq:
            return False
    return bool(written) and all(
        _are_recorded(connection, execution, records) for execution, records in written.items()
    )


def _are_recorded(connection: Connection, execution: str, records: Sequence[Record]) -> bool:
    columns = ("seq", "type", "step", "attempt", "at", "data")
    found = connection.execute(
        select(*(EVENTS.c[name] for name in columns))
        .where(
            EVENTS.c.execution_id == execution,
            EVENTS.c.seq.between(records[0].seq, records[-1].seq),
        )
        .order_by(EVENTS.c.seq)
    )
    wanted = [tuple(row[name] for name in columns) for row in event_rows(records, GENESIS)]
    return [tuple(row) for row in found] == wanted


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
