"""Statements that run again and again, given to the driver as text and tuples.

SQLAlchemy builds a context and a result around each execution, which takes ten times as long as
SQLite takes for the row itself. A statement that belongs to every commit, or to every look at an
execution, is therefore written with SQLAlchemy like all others, compiled once for each kind of
database, and then handed to the driver. What the driver raises comes out as SQLAlchemy raises it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple, NoReturn, TypeAlias

from sqlalchemy import BindParameter, Connection, Executable, bindparam
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

Row: TypeAlias = tuple[Any, ...]

_LISTED = 512
"""Values in one list; databases bound the number of parameters."""


class _Text(NamedTuple):
    """A statement as a driver takes it."""

    text: str
    order: Callable[[Row], Row] | None
    """Puts parameters into the order of the text, with its constants, unless they are so."""


class Statement:
    """A statement whose parameters come as tuples, in the order of `names`."""

    def __init__(self, executable: Executable, *names: str) -> None:
        self._executable = executable
        self._names = names
        self._texts: dict[str, _Text] = {}

    def rows(self, connection: Connection, *parameters: Any) -> list[Row]:
        """What a query gives."""
        text, order = self._text(connection)
        cursor: Any = connection.connection.cursor()
        try:
            cursor.execute(text, order(parameters) if order else parameters)
            found: list[Row] = cursor.fetchall()
        except connection.dialect.loaded_dbapi.Error as error:
            _raise(connection, text, error)
        finally:
            cursor.close()
        return found

    def first(self, connection: Connection, *parameters: Any) -> Row | None:
        """The first row of what a query gives."""
        return next(iter(self.rows(connection, *parameters)), None)

    def value(self, connection: Connection, *parameters: Any) -> Any:
        """The first column of the first row of what a query gives, `None` if it gives none."""
        row = self.first(connection, *parameters)
        return None if row is None else row[0]

    def run(self, connection: Connection, *parameters: Any) -> int:
        """Change something; gives the number of rows it concerned."""
        return self.run_all(connection, [parameters])

    def run_all(self, connection: Connection, rows: Sequence[Row]) -> int:
        """Change something once for each tuple; gives the number of rows it concerned in all."""
        if not rows:
            return 0
        text, order = self._text(connection)
        ordered = [order(row) for row in rows] if order else rows
        cursor: Any = connection.connection.cursor()
        try:
            if len(ordered) == 1:
                cursor.execute(text, ordered[0])
            else:
                cursor.executemany(text, ordered)
            count: int = cursor.rowcount
        except connection.dialect.loaded_dbapi.Error as error:
            _raise(connection, text, error)
        finally:
            cursor.close()
        return count

    def _text(self, connection: Connection) -> _Text:
        known = self._texts.get(connection.dialect.name)
        if known is None:
            known = self._texts[connection.dialect.name] = self._compiled(connection)
        return known

    def _compiled(self, connection: Connection) -> _Text:
        dialect = connection.dialect
        if not dialect.positional:
            dialect = type(dialect)(paramstyle="format")  # type: ignore[call-arg]  # all take it
        statement: Any = self._executable
        keys = {"column_keys": self._names} if getattr(statement, "is_insert", False) else {}
        compiled = statement.compile(dialect=dialect, **keys)
        order: list[str] = compiled.positiontup or []
        constants = {n: value for n, value in compiled.params.items() if n not in self._names}
        names = [*self._names, *constants]
        if order == names and not constants:
            return _Text(str(compiled), None)
        places = [names.index(name) for name in order]
        rest = tuple(constants.values())
        return _Text(str(compiled), lambda row: tuple(map((row + rest).__getitem__, places)))


class Listing:
    """A query for the rows of many values; `names` are its other parameters.

    Lists are filled up with their last value to a power of two, so that few statements are enough.
    """

    def __init__(
        self,
        build: Callable[[list[BindParameter[Any]]], Executable],
        kind: TypeEngine[Any],
        *names: str,
    ) -> None:
        self._build = build
        self._kind = kind
        self._names = names
        self._by_size: dict[int, Statement] = {}

    def rows(
        self, connection: Connection, values: Collection[Any], *parameters: Any
    ) -> Iterator[Row]:
        """What the query gives, for some hundred values after the other."""
        ordered = sorted(values)
        for start in range(0, len(ordered), _LISTED):
            part = ordered[start : start + _LISTED]
            size = 1 << (len(part) - 1).bit_length()
            filled = part + part[-1:] * (size - len(part))
            yield from self._of(size).rows(connection, *filled, *parameters)

    def _of(self, size: int) -> Statement:
        known = self._by_size.get(size)
        if known is None:
            names = [f"value{number}" for number in range(size)]
            parameters = [bindparam(name, type_=self._kind) for name in names]
            known = Statement(self._build(parameters), *names, *self._names)
            self._by_size[size] = known
        return known


def _raise(connection: Connection, text: str, error: Any) -> NoReturn:
    """Raise a driver's error as SQLAlchemy does, and give the connection up if it broke."""
    dialect = connection.dialect
    is_lost = dialect.is_disconnect(error, connection.connection.dbapi_connection, None)
    if is_lost:
        connection.invalidate(error)
        connection.engine.dispose()  # the others in the pool have most likely broken too
    kind = dialect.loaded_dbapi.Error
    raise DBAPIError.instance(
        text, None, error, kind, connection_invalidated=is_lost, dialect=dialect
    ) from error
