"""New executions, any number in one commit: which ids are free, and whose the others are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from sqlalchemy import Connection, Insert, Row, String, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from agentflow.errors import AgentFlowError, Conflict, NotFound
from agentflow.runtime.journal.chain import genesis
from agentflow.runtime.journal.commits import RECORD, Noted, noted
from agentflow.runtime.journal.errors import Corrupt
from agentflow.runtime.journal.messages import newest_message
from agentflow.runtime.journal.protocol import Record, StoredExecution
from agentflow.runtime.journal.reading import exists, unknown
from agentflow.runtime.journal.rows import chained, event_rows, execution_of, execution_row, size_of
from agentflow.runtime.journal.tables import EXECUTIONS, SPECS
from agentflow.runtime.journal.values import Values, same

Start: TypeAlias = "tuple[StoredExecution, bool] | AgentFlowError"
"""The execution that has the id, and whether it is new; or why there is none."""

_CHUNK = 500
"""Ids in one query; databases bound the number of parameters."""

_FIND = select(EXECUTIONS).where(
    EXECUTIONS.c.id.in_(bindparam("ids", expanding=True, type_=String()))
)
_CREATE: dict[str, Insert] = {
    name: dialect.insert(EXECUTIONS).on_conflict_do_nothing().returning(EXECUTIONS.c.id)
    for name, dialect in (("sqlite", sqlite), ("postgresql", postgresql))
}
_NEWEST_MESSAGE = select(newest_message())


class Starts:
    """Executions to be started, each with its first event."""

    def __init__(self, asked: Sequence[tuple[StoredExecution, Record]], values: Values) -> None:
        self._asked = [replace(execution, head=first.seq) for execution, first in asked]
        self._values = values
        self._refused: dict[int, AgentFlowError] = {}
        self._rows: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
        for number, (new, (_, first)) in enumerate(zip(self._asked, asked, strict=True)):
            try:
                (event,) = event_rows([first], values)
                rows = execution_row(new, values), event
            except AgentFlowError as error:
                self._refused[number] = error
            else:
                self._rows.setdefault(new.id, rows)

    @property
    def rows(self) -> Iterator[dict[str, Any]]:
        """All rows that hold values."""
        for pair in self._rows.values():
            yield from pair

    def write(
        self, connection: Connection, lost: Callable[[str], Corrupt | None], *, in_doubt: bool
    ) -> tuple[list[Start], list[Noted]]:
        """Write those whose ids are free; gives what became of each, and the new heads.

        `lost` says of an id that is not there whether the store has lost it. `in_doubt` says that
        an earlier attempt may have been kept: what it wrote counts as new.
        """
        found = self._find(connection, self._rows)
        gone = {id: lost(id) for id in self._rows if id not in found}
        free = [id for id, error in gone.items() if error is None]
        heads = self._insert(connection, free)
        created = {head.execution for head in heads}
        found |= self._find(connection, [id for id in free if id not in created])
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
        deaf_until = connection.scalar(_NEWEST_MESSAGE) or 0
        rows, events = [], {}
        for id in ids:
            row, event = self._rows[id]
            row = {**row, "deaf_until": deaf_until}
            (first,) = chained([event], genesis(row))
            row |= {"head_hash": first["hash"], "history_bytes": size_of([event])}
            rows.append(row)
            events[id] = first
        created = connection.scalars(_CREATE[connection.dialect.name], rows).all()
        if created:
            connection.execute(RECORD, [events[id] for id in created])
        return [noted(events[id]) for id in created]

    def _find(self, connection: Connection, ids: Iterable[str]) -> dict[str, Row[Any]]:
        every = list(ids)
        chunks = (every[start : start + _CHUNK] for start in range(0, len(every), _CHUNK))
        return {row.id: row for part in chunks for row in connection.execute(_FIND, {"ids": part})}

    def _known(self, row: Row[Any], new: StoredExecution) -> Start:
        try:
            return _same(execution_of(row, self._values), new)
        except Corrupt as damage:
            return damage


def _is_own(found: Row[Any], new: StoredExecution) -> bool:
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
