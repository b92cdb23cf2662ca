"""What a journal needs of a database, in the words that SQLite and PostgreSQL share."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from enum import Enum
from pathlib import Path
from typing import Protocol, TypeVar

from sqlalchemy import Connection, Engine

from agentflow.errors import AgentFlowError

T = TypeVar("T")


class Topic(Enum):
    """What some transactions must not do at the same time."""

    SCHEMA = 1
    """Make or migrate the tables."""
    MESSAGES = 2
    """Post messages: a reader that saw one must not miss an earlier one that commits later."""
    SPECS = 3
    """Register workflows: each gets a rank."""
    BLOBS = 4
    """Use blobs (shared) or sweep them."""


class Backend(Protocol):
    """A kind of database."""

    name: str
    """For messages; without its password."""
    path: Path | None
    """The file that holds it, if it is in one."""
    folder: Path
    """Where what belongs to the store and is not in it is kept: blobs, the log of heads."""

    @property
    def writer(self) -> Engine:
        """Connections that write. A `Database` has one of them."""
        ...

    @property
    def reader(self) -> Engine:
        """Connections that read, each transaction one snapshot."""
        ...

    def exclusively(self) -> AbstractContextManager[None]:
        """Keep other processes from writing for a block, where the server does not order them."""
        ...

    def order(self, connection: Connection, topic: Topic, *, shared: bool = False) -> None:
        """From here to its end, let no other transaction of this topic run.

        Those that share do not exclude each other.
        """
        ...

    def patiently(self, attempt: Callable[[], T]) -> T:
        """Make an attempt, again and again while its failures may pass, up to a bound."""
        ...

    def explain(self, error: BaseException) -> AgentFlowError:
        """What an error of the driver means for the person who can fix it."""
        ...

    def close(self) -> None:
        """Give back what is held beside the connections."""
        ...


def create_folder(folder: Path) -> None:
    """Make a store's folder; git is told to look away from it."""
    if not folder.exists():
        folder.mkdir(parents=True)
        (folder / ".gitignore").write_text("*\n", encoding="utf-8")
