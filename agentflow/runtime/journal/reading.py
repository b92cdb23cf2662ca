"""What can be asked of a journal. Nothing here writes; any thread may ask at any time."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Select,
    bindparam,
    func,
    literal,
    literal_column,
    not_,
    select,
)
from sqlalchemy.sql.elements import ColumnElement

from agentflow.errors import NotFound, UsageError
from agentflow.runtime.journal.chain import (
    StoredEvent,
    verified,
    verified_part,
    verify_end,
    verify_open,
)
from agentflow.runtime.journal.columns import ExecutionColumns, SpecColumns, columns
from agentflow.runtime.journal.database import Database
from agentflow.runtime.journal.errors import Corrupt
from agentflow.runtime.journal.heads import Head, Heads, short
from agentflow.runtime.journal.protocol import (
    ENDED,
    KEPT,
    HistorySize,
    Record,
    Status,
    StoredExecution,
    StoredSpec,
)
from agentflow.runtime.journal.rows import execution_of, listed, spec_of
from agentflow.runtime.journal.statements import Statement
from agentflow.runtime.journal.tables import EVENTS, EXECUTIONS, SPECS, STORE
from agentflow.runtime.journal.values import Values

LAST = "@last"
LAST_FAILED = "@last-failed"

_CANDIDATES = 5
"""How many executions an error names."""

_ROWS = select(*columns(EXECUTIONS, ExecutionColumns))
_ROW = Statement(_ROWS.where(EXECUTIONS.c.id == bindparam("of")), "of")
_ORDERED = (
    select(*columns(EVENTS, StoredEvent))
    .where(EVENTS.c.execution_id == bindparam("of"))
    .order_by(EVENTS.c.seq)
)
_EVENTS = Statement(_ORDERED, "of")
_AFTER = _ORDERED.where(EVENTS.c.seq > bindparam("after"))
_EVENTS_AFTER = Statement(_AFTER, "of", "after")
_SOME_EVENTS_AFTER = Statement(_AFTER.limit(bindparam("most")), "of", "after", "most")
_HASH = Statement(
    select(EVENTS.c.hash).where(
        EVENTS.c.execution_id == bindparam("of"), EVENTS.c.seq == bindparam("seq")
    ),
    "of",
    "seq",
)
_SPECS = select(*columns(SPECS, SpecColumns))
_SPEC = Statement(_SPECS.where(SPECS.c.digest == bindparam("digest")), "digest")
_NEWEST_SPEC = Statement(
    _SPECS.where(SPECS.c.name == bindparam("of")).order_by(SPECS.c.rank.desc()).limit(1), "of"
)
_PRUNED_UNTIL = Statement(select(STORE.c.pruned_until))
_TRUTH = {0: False, 1: True}
_NEWEST_FIRST = (EXECUTIONS.c.started_at.desc(), EXECUTIONS.c.id.desc())


class Reader:
    """Executions, their histories and their specs."""

    def __init__(self, database: Database, values: Values, heads: Heads) -> None:
        self._database = database
        self._values = values
        self._heads = heads

    @property
    def name(self) -> str:
        """What every process calls this store: a file, or an address without its password."""
        return self._database.name

    def spec(self, digest: str) -> StoredSpec:
        """The workflow with this digest.

        Raises:
            NotFound: none is registered.
            Corrupt: its text is not what was registered.
        """
        row = self._database.read(lambda connection: _SPEC.first(connection, digest))
        if row is None:
            raise NotFound(f"the journal holds no workflow with the digest {digest}")
        return spec_of(SpecColumns._make(row))

    def find_spec(self, name: str) -> StoredSpec | None:
        """The workflow of this name that was registered last."""
        row = self._database.read(lambda connection: _NEWEST_SPEC.first(connection, name))
        return None if row is None else spec_of(SpecColumns._make(row))

    def execution(self, execution_id: str) -> StoredExecution:
        """The execution with exactly this id; `resolve` takes abbreviations.

        How it ended is compared with the last event of its history.

        Raises:
            NotFound: there is none.
            Corrupt: it is not what was written, or was lost.
        """

        def read(connection: Connection) -> tuple[ExecutionColumns, list[StoredEvent]]:
            row = self._row(connection, execution_id, head)
            if row.status not in ENDED:
                return row, []
            return row, _events(connection, _EVENTS_AFTER, execution_id, row.head - 2)

        head = self._heads.known(execution_id)
        row, last = self._database.read(read)
        if row.status in ENDED:
            verify_end(row, last, self._values)
        else:
            verify_open(row)
        return execution_of(row, self._values)

    def history_size(self, execution_id: str) -> HistorySize:
        """How long the history of an execution is.

        Raises:
            NotFound: there is no such execution.
        """
        head = self._heads.known(execution_id)
        row = self._database.read(lambda connection: self._row(connection, execution_id, head))
        return HistorySize(row.head, row.history_bytes)

    def executions(
        self, status: Status | None = None, workflow: str | None = None, limit: int = 20
    ) -> list[StoredExecution]:
        """The newest executions, newest first.

        Of one that is damaged the values are missing, and its error says so.
        """
        query = _ROWS.order_by(*_NEWEST_FIRST).limit(limit)
        if status is not None:
            query = query.where(EXECUTIONS.c.status == status)
        if workflow is not None:
            query = query.where(EXECUTIONS.c.workflow == workflow)
        return [listed(ExecutionColumns._make(row), self._values) for row in self._all(query)]

    def children(self, parent: str) -> list[StoredExecution]:
        """The executions that a `run` step of `parent` started, oldest first."""
        query = _ROWS.where(EXECUTIONS.c.parent == parent).order_by(
            EXECUTIONS.c.started_at, EXECUTIONS.c.id
        )
        return [listed(ExecutionColumns._make(row), self._values) for row in self._all(query)]

    def resolve(self, reference: str) -> str:
        """The id that `reference` means: an id, a unique prefix, `@last` or `@last-failed`.

        Raises:
            NotFound: nothing matches; similar ids are suggested.
            UsageError: a prefix is not unique; the candidates are listed.
        """
        if reference in (LAST, LAST_FAILED):
            return self._last(reference)
        # A full id wins over longer ids that begin with it: it sorts first among them.
        query = (
            select(EXECUTIONS.c.id)
            .where(
                EXECUTIONS.c.id >= reference,
                func.substr(EXECUTIONS.c.id, 1, len(reference)) == reference,
            )
            .order_by(EXECUTIONS.c.id)
            .limit(_CANDIDATES + 1)
        )
        found = [str(row.id) for row in self._all(query)]
        if not reference or not found:
            raise self._not_found(reference)
        if len(found) > 1 and found[0] != reference:
            more = ", …" if len(found) > _CANDIDATES else ""
            raise UsageError(
                f"'{reference}' is the beginning of several executions: "
                f"{', '.join(found[:_CANDIDATES])}{more}",
                help="write more of the id",
            )
        return found[0]

    def history(self, execution_id: str) -> list[Record]:
        """All events of an execution, after the hash chain was checked.

        Raises:
            NotFound: there is no such execution.
            Corrupt: the history is not what was written.
        """

        def read(connection: Connection) -> tuple[ExecutionColumns, list[StoredEvent]]:
            row = self._row(connection, execution_id, head)
            if head is not None:
                self._require_head(connection, head)
            return row, _events(connection, _EVENTS, execution_id)

        head = self._heads.known(execution_id)
        row, events = self._database.read(read)
        return verified(row, events, self._values)

    def page(self, execution_id: str, after: int, limit: int) -> list[Record]:
        """At most `limit` events behind event number `after`, each checked to follow the last.

        It is for reading along. Whoever reads from the beginning up to the size of the history has
        checked as much as `history` does, but for which events a retry has set aside.

        Raises:
            NotFound: there is no such execution.
            Corrupt: an event is not what was written.
        """

        def read(connection: Connection) -> tuple[ExecutionColumns, list[StoredEvent]]:
            row = self._row(connection, execution_id, head)
            if head is not None and after == 0:
                self._require_head(connection, head)
            most = limit + (after > 0)
            return row, _events(connection, _SOME_EVENTS_AFTER, execution_id, after - 1, most)

        head = self._heads.known(execution_id)
        row, events = self._database.read(read)
        return verified_part(row, after, events, self._values)

    def agent_state(self, step: str, root: str) -> Record | None:
        """The newest state that counts of an agent's instance in a project; see `KEPT`.

        Raises:
            Corrupt: it is not what was written.
        """
        query = (
            select(EVENTS.c.execution_id, EVENTS.c.seq)
            .join(EXECUTIONS, EXECUTIONS.c.id == EVENTS.c.execution_id)
            .where(EVENTS.c.type == literal_column(f"'{KEPT}'"), EVENTS.c.step == step)
            .where(EXECUTIONS.c.root == root, not_(EVENTS.c.superseded))
            .order_by(EVENTS.c.attempt.desc(), EVENTS.c.at.desc())
            .limit(1)
        )
        found = self._database.read(lambda connection: connection.execute(query).first())
        return None if found is None else self.page(found.execution_id, found.seq - 1, 1)[0]

    def replay(self, execution_id: str) -> list[Record]:
        """The events that still count: `history` without those a retry set aside."""
        return [record for record in self.history(execution_id) if not record.superseded]

    def _row(
        self, connection: Connection, execution_id: str, head: Head | None
    ) -> ExecutionColumns:
        """The row of an execution whose `head` was looked up before this transaction.

        Looked up later it could tell of what another process has acknowledged since.
        """
        row = _ROW.first(connection, execution_id)
        if row is None:
            if head is not None:
                self._require_pruned(connection, head)
            raise unknown(execution_id)
        return ExecutionColumns._make(row)

    def _require_head(self, connection: Connection, head: Head) -> None:
        """Refuse a history that has lost what was acknowledged, though it is whole in itself."""
        found = _HASH.value(connection, head.execution, head.seq)
        if found is not None and short(found) == head.hash:
            return
        if _ROW.first(connection, head.execution) is None:
            self._require_pruned(connection, head)
        else:
            raise self._older(head)

    def _require_pruned(self, connection: Connection, head: Head) -> None:
        error = self._missing_since(connection, head)
        if error is not None:
            raise error

    def _missing_since(self, connection: Connection, head: Head) -> Corrupt | None:
        """The error for an execution that is not there, unless it may have been pruned."""
        is_pruned = head.at < (_PRUNED_UNTIL.value(connection) or 0)
        return None if is_pruned else self._older(head)

    def _older(self, head: Head) -> Corrupt:
        return Corrupt(
            f"the store is older than what was acknowledged: execution {head.execution} had event "
            f"{head.seq}, as {self._heads.path} says",
            seq=head.seq,
            help=f"put the newer store back; or delete {self._heads.path} to accept this one, and "
            "what it has lost is done again",
        )

    def _all(self, query: Select[Any]) -> Sequence[Row[Any]]:
        return self._database.read(lambda connection: connection.execute(query).all())

    def _last(self, reference: str) -> str:
        query = select(EXECUTIONS.c.id).order_by(*_NEWEST_FIRST).limit(1)
        if reference == LAST_FAILED:
            query = query.where(EXECUTIONS.c.status == "failed")
        found: str | None = self._database.read(lambda connection: connection.scalar(query))
        if found is None:
            what = "has failed" if reference == LAST_FAILED else "has been started"
            raise NotFound(f"{reference}: no execution in this store {what} yet")
        return found

    def _not_found(self, reference: str) -> NotFound:
        if reference.startswith("@"):
            return unknown(reference, f"{LAST} is the last one, {LAST_FAILED} the last that failed")
        query = select(EXECUTIONS.c.id).order_by(*_NEWEST_FIRST).limit(200)
        known = [str(row.id) for row in self._all(query)]
        close = difflib.get_close_matches(reference, known, n=3)
        return unknown(reference, f"did you mean {' or '.join(close)}?" if close else "")


def unknown(reference: str, remedy: str = "") -> NotFound:
    """The error for an execution that is not there."""
    return NotFound(
        f"there is no execution '{reference}'", help=remedy or "`agentflow executions` lists them"
    )


def exists(connection: Connection, *conditions: ColumnElement[bool]) -> bool:
    """Whether there is a row that meets all conditions."""
    return connection.scalar(select(literal(1)).where(*conditions).limit(1)) is not None


def _events(connection: Connection, query: Statement, *parameters: Any) -> list[StoredEvent]:
    """Events; what is true or false is a number in SQLite, and may be damaged."""
    return [
        StoredEvent._make((*values, _TRUTH.get(superseded, superseded)))
        for *values, superseded in query.rows(connection, *parameters)
    ]
