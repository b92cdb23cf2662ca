"""New executions, any number in one commit: which ids are free, and whose the others are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from importlib import import_module
from typing import TypeAlias

from sqlalchemy import Connection, select

from agentflow.errors import AgentFlowError, Conflict, NotFound
from agentflow.runtime.journal.chain import genesis
from agentflow.runtime.journal.columns import EventColumns, ExecutionColumns, columns
from agentflow.runtime.journal.commits import RECORD, noted
from agentflow.runtime.journal.errors import Corrupt
from agentflow.runtime.journal.heads import Noted
from agentflow.runtime.journal.messages import NEWEST
from agentflow.runtime.journal.protocol import Record, StoredExecution
from agentflow.runtime.journal.reading import exists, unknown
from agentflow.runtime.journal.rows import (
    NewEvent,
    chained,
    execution_of,
    execution_row,
    new_event,
    size_of,
)
from agentflow.runtime.journal.statements import Listing, Statement
from agentflow.runtime.journal.tables import EXECUTIONS, SPECS
from agentflow.runtime.journal.values import Values, same

Start: TypeAlias = "tuple[StoredExecution, bool] | AgentFlowError"
"""The execution that has the id, and whether it is new; or why there is none."""

_FIND = Listing(
    lambda ids: select(*columns(EXECUTIONS, ExecutionColumns)).where(EXECUTIONS.c.id.in_(ids)),
    EXECUTIONS.c.id.type,
)


@cache
def _create(dialect: str) -> Statement:
    """Rows whose ids are free. Each dialect says so in a way of its own; only one is imported."""
    own = import_module(f"sqlalchemy.dialects.{dialect}")
    insert = own.insert(EXECUTIONS).on_conflict_do_nothing()
    return Statement(insert, *ExecutionColumns._fields)


class Raced(Exception):
    """Another process has started one of the executions at the same moment: look again."""


class Starts:
    """Executions to be started, each with its first event."""

    def __init__(self, asked: Sequence[tuple[StoredExecution, Record]], values: Values) -> None:
        self._asked = [replace(execution, head=first.seq) for execution, first in asked]
        self._values = values
        self._refused: dict[int, AgentFlowError] = {}
        self._rows: dict[str, tuple[ExecutionColumns, NewEvent]] = {}
        for number, (new, (_, first)) in enumerate(zip(self._asked, asked, strict=True)):
            try:
                rows = execution_row(new, values), new_event(first, values)
            except AgentFlowError as error:
                self._refused[number] = error
            else:
                self._rows.setdefault(new.id, rows)

    @property
    def texts(self) -> Iterator[str]:
        """All values in it, as they will be stored."""
        for row, event in self._rows.values():
            yield from (row.input, row.output, row.error, event.data)

    def write(
        self, connection: Connection, lost: Callable[[str], Corrupt | None], *, in_doubt: bool
    ) -> tuple[list[Start], list[Noted]]:
        """Write those whose ids are free; gives what became of each, and the new heads.

        `lost` says of an id that is not there whether the store has lost it. `in_doubt` says that
        an earlier attempt may have been kept: what it wrote counts as new.

        Raises:
            Raced: somebody else has started one meanwhile; nothing may be kept of this.
        """
        rows = map(ExecutionColumns._make, _FIND.rows(connection, self._rows))
        found = {row.id: row for row in rows}
        gone = {id: lost(id) for id in self._rows if id not in found}
        heads = self._insert(connection, [id for id, error in gone.items() if error is None])
        created = {head.execution for head in heads}
        mine: dict[str, StoredExecution] = {}
        results: list[Start] = []
        for number, new in enumerate(self._asked):
            row = found.get(new.id)
            if number in self._refused:
                results.append(self._refused[number])
            elif new.id in mine:  # asked for twice at the same time
                results.append(_same(mine[new.id], new))
            elif row is None and new.id not in created:
                results.append(gone[new.id] or unknown(new.id))
            elif row is None or (in_doubt and _is_own(row, new)):
                mine[new.id] = new
                results.append((new, True))
            else:
                results.append(self._known(row, new))
        return results, heads

    def refusal(self, connection: Connection) -> AgentFlowError:
        """Which of the tables' rules the first execution broke."""
        execution = self._asked[0]
        if not exists(connection, SPECS.c.digest == execution.digest):
            return NotFound(f"the journal holds no workflow with the digest {execution.digest}")
        if execution.parent and not exists(connection, EXECUTIONS.c.id == execution.parent):
            return unknown(execution.parent)
        return Corrupt(f"the store holds events of execution {execution.id}, but not its record")

    def _insert(self, connection: Connection, ids: Sequence[str]) -> list[Noted]:
        if not ids:
            return []
        deaf_until = NEWEST.value(connection) or 0
        rows: list[ExecutionColumns] = []
        firsts: list[EventColumns] = []
        for id in ids:
            row, event = self._rows[id]
            row = row._replace(deaf_until=deaf_until)
            firsts += chained(id, [event], genesis(row))
            rows.append(row._replace(head_hash=firsts[-1].hash, history_bytes=size_of([event])))
        if _create(connection.dialect.name).run_all(connection, rows) < len(rows):
            raise Raced
        RECORD.run_all(connection, firsts)
        return [noted(first) for first in firsts]

    def _known(self, row: ExecutionColumns, new: StoredExecution) -> Start:
        try:
            return _same(execution_of(row, self._values), new)
        except Corrupt as damage:
            return damage


def _is_own(found: ExecutionColumns, new: StoredExecution) -> bool:
    """Whether a row is the one that this process has written: owners and times are unique."""
    written = (found.owner, found.epoch, found.started_at, found.workflow, found.digest)
    return written == (new.owner, new.epoch, new.started_at, new.workflow, new.digest)


def _same(stored: StoredExecution, asked: StoredExecution) -> Start:
    """The execution that has an id, if it is what was asked for."""
    if stored.workflow != asked.workflow:
        what = f"of workflow {stored.workflow}, not {asked.workflow}"
    elif stored.digest != asked.digest:
        what = f"of another version of the text of workflow {stored.workflow}"
    elif not same(stored.input, asked.input):
        what = f"of workflow {stored.workflow} with another input"
    else:
        return stored, False
    return Conflict(
        f"the id {stored.id} is taken by an execution {what}",
        help=f"choose another id; `agentflow show {stored.id}` shows the one that has it",
    )
