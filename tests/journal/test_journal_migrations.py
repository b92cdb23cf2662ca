"""Stores of older versions are brought up, also when that is interrupted, and keep all they hold."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, insert, table
from sqlalchemy import column as named

from agentflow.runtime.journal import schema
from agentflow.runtime.journal.database import open_database
from agentflow.runtime.journal.protocol import Record
from agentflow.runtime.journal.store import Journal
from agentflow.runtime.journal.tables import REVISION
from tests.journal.journal_examples import Store, completed

ROWS: dict[str, list[dict[str, Any]]] = json.loads(
    Path(__file__).with_name("journal-0001.json").read_text(encoding="utf-8")
)
"""What the first version of the journal wrote, by table."""

LIVING = {"open": 3, "ended": 7, "child": 2}
"""How many events its executions have."""


def _value(column: str, value: Any) -> Any:
    if isinstance(value, dict):
        return bytes.fromhex(value["hex"])
    return bool(value) if column == "superseded" else value


def write_rows(connection: Connection, rename: dict[str, str] | None = None) -> None:
    """Write the rows as the first version did, which knows no other columns."""
    for name, rows in ROWS.items():
        for row in rows:
            # The cursor is the database's own affair.
            values = {key: _value(key, value) for key, value in row.items() if key != "cursor"}
            if rename:
                values = {
                    key: rename.get(value, value) if isinstance(value, str) else value
                    for key, value in values.items()
                }
            connection.execute(insert(table(name, *map(named, values))).values(values))


def make(store: Store) -> None:
    """A store as the first version left it."""
    database = open_database(store.url, store.root, wait_seconds=5)

    def write(connection: Connection) -> None:
        schema.migrate(connection, schema.BASE, "0001")
        write_rows(connection)

    database.write(write)
    database.close()


def require_all(journal: Journal) -> None:
    """Everything is there and can go on."""
    for name, events in LIVING.items():
        assert len(journal.history(name)) == events
    assert journal.execution("ended").output == {"y": "fine"}
    assert [record.seq for record in journal.replay("ended")] == [1, 2, 3, 5, 6, 7]
    assert journal.children("ended")[0].id == "child"
    assert journal.spec("d2").children == {"hello.yaml": "d1"}
    assert [found.id for _, found in journal.inbox(0)][:2] == ["m1", "m2"]
    assert journal.messages_for("open", "go") == []
    assert journal.messages_for("open", "news")[0].id == "m2"


def test_a_store_of_the_first_version_is_brought_up_and_goes_on(store: Store) -> None:
    make(store)
    journal = store.open()
    require_all(journal)
    journal.release("open", "elsewhere:1:1")
    assert journal.claim("open", "me") == 2
    journal.append([completed("open", 4, "c")], [], {"open": 2})
    assert len(journal.history("open")) == 4
    journal.close()


def test_a_process_of_the_first_version_may_still_write(store: Store) -> None:
    make(store)
    journal = store.open()
    own = {name: f"old-{name}" for name in (*LIVING, "m1", "m2", "d1", "d2")}
    database = open_database(store.url, store.root, wait_seconds=5)

    def write(connection: Connection) -> None:
        # A renamed execution has another chain, so that only a new one can be written whole.
        write_rows(connection, own)

    database.write(write)
    database.close()
    require_all(journal)
    assert journal.spec("old-d1").text == "workflow: hello"
    assert journal.children("old-ended")[0].id == "old-child"
    assert [found.id for found in journal.messages_for("open", "news")] == ["m2", "old-m2"]
    journal.close()


def _open_and_die(store: Store, at: int) -> None:
    """Open the store; kill this process before its statement or commit number `at`."""
    count = 0

    def step(*_: object) -> None:
        nonlocal count
        if count == at:
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1

    event.listen(Engine, "before_cursor_execute", step)
    event.listen(Engine, "commit", step)
    store.open().close()


@pytest.mark.slow
def test_a_migration_killed_at_any_statement_is_completed_by_the_next_one(store: Store) -> None:
    make(store)
    fork = multiprocessing.get_context("fork")
    kills = killed_during = 0
    while True:
        process = fork.Process(target=_open_and_die, args=(store, kills))
        process.start()
        process.join()
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
        kills += 1
        ((revision,),) = store.ask(f"SELECT version_num FROM {schema.VERSION_TABLE}")
        assert revision in ("0001", REVISION)
        killed_during += revision == "0001"
        assert store.ask("SELECT count(*) FROM events") == [(len(ROWS["events"]),)]
    assert killed_during > 15
    assert store.ask(f"SELECT version_num FROM {schema.VERSION_TABLE}") == [(REVISION,)]
    journal = store.open()
    require_all(journal)
    journal.close()


def test_what_older_events_weigh_is_counted(store: Store) -> None:
    make(store)
    store.open().close()
    weights = dict(store.ask("SELECT id, history_bytes FROM executions"))
    expected = dict.fromkeys(LIVING, 0)
    for row in ROWS["events"]:
        expected[row["execution_id"]] += len(row["data"].encode())
    assert weights == expected


def test_histories_of_the_first_version_read_as_they_were_written(store: Store) -> None:
    make(store)
    journal = store.open()
    assert journal.history("open")[1] == Record(
        "open", 2, "call.completed", 101.5, "a", 1, {"value": {"text": "grüße", "n": 1.25}}
    )
    journal.close()
