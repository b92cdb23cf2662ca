"""The journal: what is recorded about executions, and the only place where it is written.

Each method that writes is one transaction, durable when it returns; `group` makes one of several.
Methods block, so an event loop calls them in a thread of its own. Three rules hold whatever the
caller does: an event follows the one before it without a gap, an owner that lost its execution
writes nothing, and a step is completed once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Connection,
    Executable,
    Row,
    bindparam,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.elements import ColumnElement

from agentflow.errors import AgentFlowError, Conflict, NotFound
from agentflow.runtime.journal import schema
from agentflow.runtime.journal.chain import GENESIS, RETRIED, completes
from agentflow.runtime.journal.database import open_database
from agentflow.runtime.journal.errors import AlreadyRecorded, Corrupt, Fenced
from agentflow.runtime.journal.owner import Owner, is_alive
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
    Reader,
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
    message_row,
    same,
    spec_row,
)
from agentflow.runtime.journal.tables import DELIVERIES, EVENTS, EXECUTIONS, MESSAGES, SPECS

_CHUNK = 1000
"""Ids in one query; databases bound the number of parameters."""

_OPEN: frozenset[Status] = frozenset({"running", "waiting"})

# Statements that every commit runs are built once: that takes longer than running them.
_FIND = select(EXECUTIONS).where(EXECUTIONS.c.id == bindparam("of"))
_LOCK = (
    select(
        *(EXECUTIONS.c[name] for name in ("id", "owner", "epoch", "status", "head", "head_hash"))
    )
    .where(EXECUTIONS.c.id.in_(bindparam("ids", expanding=True)))
    .with_for_update()
)
_UPDATE = update(EXECUTIONS).where(EXECUTIONS.c.id == bindparam("of"))
_CREATE = insert(EXECUTIONS)
_RECORD = insert(EVENTS)
_DELIVER = insert(DELIVERIES)
_NEWEST_MESSAGE = select(newest_message())


class Journal(Reader):
    """An open journal."""

    @classmethod
    def open(cls, url: str | None, root: Path, *, wait_seconds: float = 30) -> Journal:
        """Open the store at `url`, by default `.agentflow/journal.db` in the project `root`.

        It is created, or migrated, if need be. `wait_seconds` bounds the wait for other processes
        that write to the same file.

        Raises:
            UsageError: `url` cannot be used.
            Unavailable: the store cannot be reached or written, or is newer than this code.
        """
        database = open_database(url, root, wait_seconds=wait_seconds)
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
        with self._database.write():
            yield

    def register(self, spec: StoredSpec) -> None:
        """Keep a workflow's text and make it the latest of its name. Doing so again is free."""
        if self.find_spec(spec.name) == spec:
            return
        rank = select(func.coalesce(func.max(SPECS.c.rank), 0) + 1).scalar_subquery()
        values = {**spec_row(spec), "rank": rank}
        with self._database.write() as connection:
            known = update(SPECS).where(SPECS.c.digest == spec.digest).values(values)
            if connection.execute(known).rowcount == 0:
                connection.execute(insert(SPECS).values(values))

    def create(self, execution: StoredExecution, first: Record) -> tuple[StoredExecution, bool]:
        """Start an execution with its first event, or give the one that was started so before.

        The second value tells whether it is new. Its `digest` must be registered.

        Raises:
            Conflict: the id is taken by another workflow, another version or another input.
        """
        new = replace(execution, head=first.seq)
        (event,) = event_rows([first], GENESIS)
        row = {**execution_row(new), "head_hash": event["hash"]}
        with self._database.write() as connection:
            found = connection.execute(_FIND, {"of": execution.id}).first()
            if found is None:
                row["deaf_until"] = connection.scalar(_NEWEST_MESSAGE) or 0
                connection.execute(_CREATE, row)
                connection.execute(_RECORD, event)
                return new, True
        stored = execution_of(found)
        _require_same(stored, new)
        return stored, False

    def claim(self, execution_id: str, owner: str) -> int:
        """Take an execution over and give its new epoch; whoever had it can no longer write.

        Raises:
            NotFound: there is no such execution.
            Conflict: a process that is alive, or on another machine, owns it.
        """
        with self._database.write() as connection:
            row = _locked(connection, [execution_id]).get(execution_id)
            if row is None:
                raise unknown(execution_id)
            if row.owner not in (None, owner) and is_alive(row.owner):
                raise _owned_elsewhere(execution_id, Owner.parse(row.owner))
            values = {"owner": owner, "epoch": row.epoch + 1}
            connection.execute(
                update(EXECUTIONS).where(EXECUTIONS.c.id == execution_id).values(values)
            )
        return int(values["epoch"])

    def release(self, execution_id: str, owner: str) -> None:
        """Give an execution up; nothing happens if `owner` does not have it."""
        owned = (EXECUTIONS.c.id == execution_id) & (EXECUTIONS.c.owner == owner)
        with self._database.write() as connection:
            connection.execute(update(EXECUTIONS).where(owned).values(owner=None))

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
        try:
            with self._database.write() as connection:
                owned = _owned(connection, histories, epochs, _OPEN)
                chains = [
                    event_rows(following, owned[execution].head_hash)
                    for execution, following in histories.items()
                    if following
                ]
                _execute(connection, _RECORD, [row for chain in chains for row in chain])
                _execute(connection, _DELIVER, deliveries)
                _execute(connection, _UPDATE, [head_row(chain[-1]) for chain in chains])
                ends = [change_row(change, owned[change.execution].owner) for change in changes]
                _execute(connection, _UPDATE, ends)
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
        with self._database.write() as connection:
            owned = _owned(connection, {execution_id: [record]}, {execution_id: epoch}, ENDED)
            (event,) = event_rows([record], owned[execution_id].head_hash)
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
            running = change_row(Change(execution_id, "running"), owned[execution_id].owner)
            _execute(connection, _UPDATE, [running])

    def post(self, message: Message) -> bool:
        """Keep a message for whom it concerns; `False` if its id is known already.

        Raises:
            NotFound: it is addressed to an execution that does not exist.
        """
        row = message_row(message)
        with self._database.write() as connection:
            known = select(MESSAGES.c.id).where(MESSAGES.c.id == message.id)
            if connection.scalar(known) is not None:
                return False
            if message.execution is not None:
                addressee = select(EXECUTIONS.c.id).where(EXECUTIONS.c.id == message.execution)
                if connection.scalar(addressee) is None:
                    raise unknown(message.execution)
            connection.execute(insert(MESSAGES), row)
        return True

    def _refusal(
        self, records: Sequence[Record], consumed: Sequence[tuple[str, str, str]]
    ) -> AgentFlowError:
        """Which of the tables' rules a commit broke, looked up after it was undone."""
        with self._database.write() as connection:
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


def _locked(connection: Connection, ids: Sequence[str]) -> dict[str, Row[Any]]:
    """Where executions stand; a server keeps the rows from others until the commit."""
    return {
        row.id: row
        for start in range(0, len(ids), _CHUNK)
        for row in connection.execute(_LOCK, {"ids": ids[start : start + _CHUNK]})
    }


def _owned(
    connection: Connection,
    histories: Mapping[str, Sequence[Record]],
    epochs: Mapping[str, int],
    allowed: frozenset[Status],
) -> dict[str, Row[Any]]:
    """The rows of executions whose owner may write these events, in one of these states."""
    rows = _locked(connection, list(histories))
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
    return rows


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
