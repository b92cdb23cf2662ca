"""Writing rows whose large values are kept as blobs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias, TypeVar

from sqlalchemy import Connection

from agentflow.runtime.journal.backend import Topic
from agentflow.runtime.journal.database import Database
from agentflow.runtime.journal.tables import BLOB
from agentflow.runtime.journal.values import Values, blob_of

T = TypeVar("T")

Prepared: TypeAlias = tuple[Iterable[str], Callable[[Connection], T]]
"""Values as they will be stored, the large ones put as blobs, and what writes them."""


class _Swept(Exception):
    """A blob was swept between being put and being used."""


def write_values(database: Database, values: Values, prepare: Callable[[], Prepared[T]]) -> T:
    """Write in one transaction what `prepare` gives.

    Blobs are put before the transaction begins: a slow network must not hold rows from others. A
    sweep may take one that nothing refers to just then, so whether they are there is asked again
    when no sweep can run any more.
    """
    while True:
        texts, write = prepare()
        references = (text for text in texts if text.startswith(BLOB))
        blobs = {digest for text in references if (digest := blob_of(text))}
        try:
            return database.write(_with(database, values, blobs, write))
        except _Swept:
            continue


def _with(
    database: Database, values: Values, blobs: set[str], write: Callable[[Connection], T]
) -> Callable[[Connection], T]:
    def work(connection: Connection) -> T:
        if blobs:
            database.order(connection, Topic.BLOBS, shared=True)
        if not all(map(values.blobs.holds, blobs)):
            raise _Swept
        return write(connection)

    return work if blobs else write
