"""How many events a second the journal records, against SQLite without it, in the same run."""

from __future__ import annotations

import itertools
import json
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from agentflow.runtime.journal.protocol import Record, StoredExecution, StoredSpec
from agentflow.runtime.journal.store import Journal
from agentflow.runtime.settings import Settings

GROUPS = (1, 10, 100)
SECONDS = 1.0
"""How long each figure is measured."""

VALUE = {"value": {"text": "x" * 200}}


def run(scale: float = 1.0) -> dict[str, float]:
    """Events per second by group size, their ratio to plain SQLite, and events read per second."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        plain, journal = _plain(root), _journal(root)
        plain_seqs, journal_seqs = itertools.count(2), itertools.count(2)
        for group in GROUPS:
            bare = _rate(partial(_insert, plain), plain_seqs, group, SECONDS * scale)
            kept = _rate(partial(_append, journal), journal_seqs, group, SECONDS * scale)
            figures[f"sqlite_{group}"] = bare
            figures[f"journal_{group}"] = kept
            figures[f"ratio_{group}"] = kept / bare
        start = time.perf_counter()
        events = len(journal.history("e"))
        figures["verified_reads"] = events / (time.perf_counter() - start)
        journal.close()
        plain.close()
    return figures


def _rate(
    commit: Callable[[list[int]], None], seqs: Iterator[int], group: int, seconds: float
) -> float:
    commits, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        commit(list(itertools.islice(seqs, group)))
        commits += 1
    return commits * group / elapsed


def _plain(root: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(root / "plain.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE events (execution, seq, data, PRIMARY KEY (execution, seq))")
    return connection


def _insert(connection: sqlite3.Connection, seqs: list[int]) -> None:
    rows = [("e", seq, json.dumps(VALUE)) for seq in seqs]
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany("INSERT INTO events VALUES (?, ?, ?)", rows)
    connection.execute("COMMIT")


def _journal(root: Path) -> Journal:
    limits = Settings(history_events=10_000_000, history_bytes=10_000_000_000)
    journal = Journal.open(None, root, settings=limits)
    journal.register(StoredSpec("d", "hello", "1", "workflow: hello", "hello.yaml"))
    execution = StoredExecution(
        id="e",
        workflow="hello",
        version="1",
        digest="d",
        root=str(root),
        status="running",
        input=None,
        started_at=0.0,
        epoch=1,
    )
    journal.create(execution, Record("e", 1, "execution.started", 0.0, data={"input": None}))
    return journal


def _append(journal: Journal, seqs: list[int]) -> None:
    records = [Record("e", seq, "call.completed", 1.0, f"s[{seq}]", 1, VALUE) for seq in seqs]
    journal.append(records, [], {"e": 1})


if __name__ == "__main__":
    for name, figure in run().items():
        print(f"{name:16} {figure:12,.2f}")
