"""A sound store, and every way in which a disk or a person can damage it."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agentflow.runtime.journal.protocol import Change, Message, Record, StoredExecution
from agentflow.runtime.journal.store import Journal
from agentflow.runtime.settings import Settings
from tests.journal.journal_examples import SPEC, completed, execution

EXECUTIONS = ("a", "b", "c", "d", "e", "f")
LARGE = "large " * 12_000
TEXTS = (SPEC.text, "workflow: hello\n# two")
DATABASE = Path(".agentflow/journal.db")


@dataclass(frozen=True)
class Truth:
    """What the sound store holds."""

    histories: dict[str, list[Record]]
    rows: dict[str, StoredExecution]
    messages: dict[str, Message]


@dataclass(frozen=True)
class Sound:
    """The sound store, as files: closed, open with a log of writes, and as it was before."""

    folder: Path
    truth: Truth


@dataclass
class Case:
    """A damaged store, and what of it must still be readable."""

    root: Path
    chance: random.Random
    touched: set[str] | None = None
    """The executions whose rows or blobs were damaged; `None` where it may be any."""
    log: str = "kept"

    @property
    def database(self) -> Path:
        return self.root / DATABASE

    @property
    def writes(self) -> Path:
        return self.database.with_name("journal.db-wal")


def make(folder: Path) -> Sound:
    """Write a store with running, waiting, ended, retried and child executions."""
    root = folder / "work"
    journal = Journal.open(None, root, settings=Settings())
    journal.register(SPEC)
    journal.register(replace(SPEC, digest="d2", version="2", text=TEXTS[1]))
    for number, name in enumerate(EXECUTIONS):
        value = [LARGE, name] if name in "bc" else {"name": name}
        fields: dict[str, Any] = {"input": value, "started_at": 100.0 + number}
        if name == "f":
            fields |= {"parent": "a", "parent_key": "run", "digest": "d2"}
        data = {"execution": name, "input": value, "parallel": 1}
        first = Record(name, 1, "execution.started", 100.0, data=data)
        journal.create(execution(name, **fields), first)
        journal.post(Message(f"m-{name}", "go", None, {"to": name}, 101.0, name))
    for name in EXECUTIONS:
        _grow(journal, name, 2, 7)
    _end(journal, "c", 9, [LARGE, "out"])
    _end(journal, "d", 9, 1.5)
    journal.supersede("d", 5, 1, Record("d", 10, "execution.retried", 110.0, data={"forgives": 4}))
    _copy(root, folder / "older")
    for name in "abdef":
        _grow(journal, name, journal.execution(name).head + 1, 5)
    journal.append([], [Change("e", "waiting")], {"e": 1})
    journal._heads.flush()
    _copy(root, folder / "open")
    truth = Truth(
        {name: journal.history(name) for name in EXECUTIONS},
        {name: journal.execution(name) for name in EXECUTIONS},
        {message.id: message for _, message in journal.inbox(0)},
    )
    journal.close()
    _copy(root, folder / "closed")
    return Sound(folder, truth)


def _grow(journal: Journal, name: str, seq: int, count: int) -> None:
    for number in range(seq, seq + count):
        value = [LARGE, name, number] if name == "b" and number % 3 == 0 else {"n": number * 1.5}
        journal.append([completed(name, number, value=value)], [], {name: 1})


def _end(journal: Journal, name: str, seq: int, output: Any) -> None:
    data = {"status": "succeeded", "output": output, "error": None, "origin": None}
    ended = Record(name, seq, "execution.ended", 104.0, data=data)
    journal.append([ended], [Change(name, "succeeded", output, ended_at=104.0)], {name: 1})


def _copy(root: Path, to: Path) -> None:
    shutil.copytree(root, to, ignore=shutil.ignore_patterns("*.lock", "*-shm"))


def cut_log(case: Case) -> None:
    """The log of writes lost its end."""
    _cut(case.writes, case.chance)


def cut_file(case: Case) -> None:
    """The database lost its end."""
    _cut(case.database, case.chance)


def flip_log(case: Case) -> None:
    """One bit of the log of writes is another."""
    _flip(case.writes, case.chance)


def flip_file(case: Case) -> None:
    """One bit of the database is another."""
    _flip(case.database, case.chance)


def lose_sector(case: Case) -> None:
    """512 bytes were never written."""
    file = case.chance.choice([case.database, case.writes])
    content = bytearray(file.read_bytes())
    place = case.chance.randrange(max(1, len(content) // 512)) * 512
    content[place : place + 512] = bytes(len(content[place : place + 512]))
    file.write_bytes(content)


def swap_pages(case: Case) -> None:
    """Two pages of the database stand in each other's place."""
    content = case.database.read_bytes()
    pages = [content[start : start + 4096] for start in range(0, len(content), 4096)]
    one, other = case.chance.sample(range(len(pages)), 2)
    pages[one], pages[other] = pages[other], pages[one]
    case.database.write_bytes(b"".join(pages))


def remove_row(case: Case) -> None:
    """An event, or a whole execution's row, is gone."""
    name, seq = _event(case)
    if case.chance.random() < 0.8:
        _sql(case, "DELETE FROM events WHERE execution_id = ? AND seq = ?", name, seq)
    else:
        _sql(case, "DELETE FROM executions WHERE id = ?", name)


def swap_rows(case: Case) -> None:
    """Two events of one execution stand in each other's place."""
    name, one = _event(case)
    _, other = _event(case)
    for old, new in ((one, 999), (other, one), (999, other)):
        move = "UPDATE events SET seq = ? WHERE execution_id = ? AND seq = ?"
        _sql(case, move, new, name, old)


def edit_event(case: Case) -> None:
    """A column of an event has the value of another event."""
    name, seq = _event(case)
    column = case.chance.choice(["type", "step", "attempt", "at", "data", "hash", "superseded"])
    other = (
        "SELECT {0} FROM events WHERE {0} IS NOT (SELECT {0} FROM events "
        "WHERE execution_id = ? AND seq = ?) LIMIT 1 OFFSET ?"
    )
    edit = f"UPDATE events SET {column} = coalesce(({other.format(column)}), 'none'), completes = NULL WHERE execution_id = ? AND seq = ?"
    _sql(case, edit, name, seq, case.chance.randrange(6), name, seq)


def edit_execution(case: Case) -> None:
    """A column of an execution has another value."""
    name = _touch(case, case.chance.choice(EXECUTIONS))
    column, value = case.chance.choice(
        [
            ("input", '{"name":"else"}'),
            ("input", '{"name":'),
            ("output", "[1]"),
            ("error", '{"name":"Boom"}'),
            ("origin", "else"),
            ("status", "failed"),
            ("status", "runing"),
            ("digest", "d1" if name == "f" else "d2"),
            ("workflow", "other"),
            ("version", "9"),
            ("root", "/else"),
            ("started_at", 99.0),
            ("started_at", "noon"),
            ("labels", '{"a":"b"}'),
            ("parent_key", "else"),
            ("head", 3),
            ("head_hash", bytes(32)),
            ("deaf_until", 77),
        ]
    )
    _sql(case, f"UPDATE executions SET {column} = ? WHERE id = ?", value, name)


def edit_spec(case: Case) -> None:
    """The text of a workflow is another."""
    digest = case.chance.choice(["d1", "d2"])
    case.touched = {"f"} if digest == "d2" else set(EXECUTIONS) - {"f"}
    _sql(case, "UPDATE specs SET text = text || ' ' WHERE digest = ?", digest)


def edit_message(case: Case) -> None:
    """A message says something else, or is addressed to somebody else."""
    name = _touch(case, case.chance.choice(EXECUTIONS))
    column = case.chance.choice(["data", "name", "correlation", "execution_id"])
    value = "a" if column == "execution_id" and name != "a" else '"else"'
    _sql(case, f"UPDATE messages SET {column} = ? WHERE id = ?", value, f"m-{name}")
    case.touched = {name, "a"}


def damage_blob(case: Case) -> None:
    """A blob is gone, cut, changed, or has the content of another."""
    files = sorted((case.database.parent / "blobs").glob("*/*"))
    file = case.chance.choice(files)
    case.touched = {"b", "c"}
    match case.chance.randrange(4):
        case 0:
            file.unlink()
        case 1:
            _cut(file, case.chance)
        case 2:
            _flip(file, case.chance)
        case _:
            other = case.chance.choice([found for found in files if found != file])
            shutil.copyfile(other, file)


def put_back(case: Case) -> None:
    """An older file stands in the place of the database; the log of heads is newer."""
    older = case.root.parent / "sound/older/.agentflow"
    for file in (case.database, case.writes):
        file.unlink(missing_ok=True)
        if (older / file.name).exists():
            shutil.copyfile(older / file.name, file)


DAMAGES: dict[Callable[[Case], None], tuple[str, int]] = {
    cut_log: ("open", 4),
    cut_file: ("closed", 2),
    flip_log: ("open", 4),
    flip_file: ("closed", 6),
    lose_sector: ("open", 2),
    swap_pages: ("closed", 1),
    remove_row: ("closed", 3),
    swap_rows: ("closed", 2),
    edit_event: ("closed", 4),
    edit_execution: ("closed", 3),
    edit_spec: ("closed", 1),
    edit_message: ("closed", 1),
    damage_blob: ("closed", 3),
    put_back: ("closed", 2),
}
"""Which state of the store each damages, and how often."""


def _cut(file: Path, chance: random.Random) -> None:
    os.truncate(file, chance.randrange(file.stat().st_size))


def _flip(file: Path, chance: random.Random) -> None:
    content = bytearray(file.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    file.write_bytes(content)


def _touch(case: Case, name: str) -> str:
    case.touched = {name}
    return name


def _event(case: Case) -> tuple[str, int]:
    """A random event, of the execution that is touched already if one is."""
    name = next(iter(case.touched)) if case.touched else case.chance.choice(EXECUTIONS)
    _touch(case, name)
    ((head,),) = _sql(case, "SELECT head FROM executions WHERE id = ?", name)
    return name, case.chance.randrange(1, head + 1)


def _sql(case: Case, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(case.database)
    with contextlib.closing(connection), connection:
        return connection.execute(statement, values).fetchall()
