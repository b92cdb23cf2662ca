"""The rows of the tables as tuples, in the order in which queries ask for their columns."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Column, Table

from agentflow.runtime.journal.protocol import Status


class ExecutionColumns(NamedTuple):
    """A row of `executions`."""

    id: str
    workflow: str
    version: str
    digest: str
    root: str
    status: Status
    input: str
    output: str
    error: str
    origin: str | None
    started_at: float
    ended_at: float | None
    owner: str | None
    epoch: int
    head: int
    head_hash: bytes
    history_bytes: int
    parent: str | None
    parent_key: str | None
    labels: str
    deaf_until: int


class EventColumns(NamedTuple):
    """A row of `events`."""

    execution_id: str
    seq: int
    type: str
    step: str | None
    attempt: int | None
    at: float
    data: str
    hash: bytes
    completes: str | None
    superseded: bool


class MessageColumns(NamedTuple):
    """A row of `messages`, but for its cursor."""

    id: str
    execution_id: str | None
    name: str
    correlation: str
    data: str
    at: float
    seal: bytes | None


class SpecColumns(NamedTuple):
    """A row of `specs`, but for its rank."""

    digest: str
    name: str
    version: str
    text: str
    path: str
    children: str
    seal: bytes | None


def columns(table: Table, kind: type[tuple[Any, ...]]) -> list[Column[Any]]:
    """The columns of a table that a kind of tuple has, in its order."""
    return [table.c[name] for name in kind._fields]  # type: ignore[attr-defined]  # of a NamedTuple
