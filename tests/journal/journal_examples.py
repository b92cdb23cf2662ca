"""What the journal's tests write."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from agentflow.runtime.journal.protocol import Message, Record, StoredExecution, StoredSpec
from agentflow.runtime.journal.store import Journal

SPEC = StoredSpec(digest="d1", name="hello", version="1", text="workflow: hello", path="hello.yaml")
LIVE = "elsewhere:1:1"
"""An owner on another machine: nobody here can tell whether it lives."""


def execution(name: str, **fields: Any) -> StoredExecution:
    """A running execution of `SPEC`, owned under epoch 1."""
    given: dict[str, Any] = {
        "workflow": SPEC.name,
        "version": SPEC.version,
        "digest": SPEC.digest,
        "root": "/project",
        "status": "running",
        "input": {"name": "World"},
        "started_at": 100.0,
        "epoch": 1,
    }
    return StoredExecution(id=name, **(given | fields))


def started(name: str) -> Record:
    return Record(name, 1, "execution.started", 100.0, data={"input": {"name": "World"}})


def completed(name: str, seq: int, step: str | None = None, value: Any = None) -> Record:
    """The completion of a step, by default one of its own for each event."""
    return Record(name, seq, "call.completed", 101.5, step or f"s{seq}", 1, {"value": value})


def begin(journal: Journal, name: str, **fields: Any) -> str:
    journal.create(execution(name, **fields), started(name))
    return name


def message(name: str, ident: str, to: str | None = None, data: Any = None) -> Message:
    return Message(id=ident, name=name, correlation=None, data=data, at=102.0, execution=to)


@dataclass(frozen=True)
class Store:
    """Where a journal is: the project's own file, or a database of a server."""

    root: Path
    url: str | None

    def open(self, **options: Any) -> Journal:
        return Journal.open(self.url, self.root, **options)

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        """What the database itself answers."""
        if self.url is not None:
            with psycopg.connect(self.url) as server:
                return server.execute(statement.encode()).fetchall()
        file = sqlite3.connect(self.root / ".agentflow/journal.db")
        answer = file.execute(statement).fetchall()
        file.close()
        return answer

    def tamper(self, *statements: str) -> None:
        """Change it behind the journal's back."""
        if self.url is not None:
            with psycopg.connect(self.url) as server:
                for statement in statements:
                    server.execute(statement.encode())
            return
        file = sqlite3.connect(self.root / ".agentflow/journal.db")
        with file:
            for statement in statements:
                file.execute(statement)
        file.close()
