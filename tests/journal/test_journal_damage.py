"""No change of a stored history goes unnoticed."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentflow.errors import AgentFlowError
from agentflow.runtime.journal.errors import Corrupt
from agentflow.runtime.journal.protocol import Change, Record
from agentflow.runtime.journal.store import Journal
from tests.journal.journal_examples import SPEC, Store, begin, completed

EVENT = "events WHERE execution_id = 'e' AND seq"
SWAP = tuple(
    f"UPDATE events SET seq = {new} WHERE execution_id = 'e' AND seq = {old}"
    for old, new in ((3, 99), (4, 3), (99, 4))
)


def edit(assignment: str, seq: int = 4) -> tuple[str]:
    return (f"UPDATE events SET {assignment} WHERE execution_id = 'e' AND seq = {seq}",)


# Event 7 is a retry that set 5 and 6 aside; 8 came after.
DAMAGES: list[tuple[str, tuple[str, ...], int]] = [
    ("data edited", edit("""data = '{"value":1}'"""), 4),
    ("data of the first edited", edit("data = '{}'", 1), 1),
    ("data of the last edited", edit("data = '{}'", 8), 8),
    ("type edited", edit("type = 'call.failed'"), 4),
    ("step edited", edit("step = 'other', completes = 'other'"), 4),
    ("attempt edited", edit("attempt = 2"), 4),
    ("time edited", edit("at = 101.25"), 4),
    ("hash edited", edit(f"hash = (SELECT hash FROM {EVENT} = 5)"), 4),
    ("set aside", edit("superseded = true"), 4),
    ("no longer set aside", edit("superseded = false", 6), 6),
    ("first removed", (f"DELETE FROM {EVENT} = 1",), 1),
    ("middle removed", (f"DELETE FROM {EVENT} = 4",), 4),
    ("last removed", (f"DELETE FROM {EVENT} = 8",), 8),
    ("end removed", (f"DELETE FROM {EVENT} > 5",), 6),
    ("all removed", (f"DELETE FROM {EVENT} > 0",), 1),
    ("two swapped", SWAP, 3),
    (
        "one added at the end",
        (
            f"INSERT INTO events SELECT 'e', 9, type, 'new', 1, at, data, hash, NULL, false FROM {EVENT} = 8",
        ),
        9,
    ),
    (
        "one taken from another execution",
        (
            f"DELETE FROM {EVENT} = 4",
            "UPDATE events SET execution_id = 'e' WHERE execution_id = 'twin' AND seq = 4",
        ),
        4,
    ),
    (
        "the end removed and the head moved back",
        (f"DELETE FROM {EVENT} > 6", "UPDATE executions SET head = 6 WHERE id = 'e'"),
        6,
    ),
]


def write(journal: Journal) -> None:
    for name in ("e", "twin"):
        begin(journal, name)
        journal.append([completed(name, seq) for seq in range(2, 7)], [], {name: 1})
        journal.append([], [Change(name, "failed")], {name: 1})
        journal.supersede(name, 5, 1, Record(name, 7, "execution.retried", 103.0))
        journal.append([completed(name, 8, "s5")], [], {name: 1})


@pytest.mark.parametrize(
    ("statements", "seq"), [row[1:] for row in DAMAGES], ids=[row[0] for row in DAMAGES]
)
def test_damage_is_found_and_the_first_wrong_event_named(
    journal: Journal, store: Store, statements: tuple[str, ...], seq: int
) -> None:
    write(journal)
    store.tamper(*statements)
    with pytest.raises(Corrupt) as found:
        journal.history("e")
    assert found.value.seq == seq
    assert f"event {seq} " in str(found.value)


@pytest.mark.parametrize(
    "assignment",
    ["data = x'00ff'", "data = CAST(x'22ff22' AS TEXT)", "at = 'noon'", "hash = 'none'"],
)
def test_a_value_of_another_type_is_found(
    file_journal: Journal, tmp_path: Path, assignment: str
) -> None:
    write(file_journal)
    Store(tmp_path, None).tamper(*edit(assignment))
    with pytest.raises(Corrupt):
        file_journal.history("e")


def test_a_damaged_execution_does_not_stop_its_neighbours(journal: Journal, store: Store) -> None:
    write(journal)
    store.tamper(*edit("data = '{}'"))
    with pytest.raises(Corrupt):
        journal.replay("e")
    assert len(journal.replay("twin")) == 6


def test_an_event_slipped_in_after_the_end_stops_the_next_commit(
    journal: Journal, store: Store
) -> None:
    begin(journal, "e")
    store.tamper(
        f"INSERT INTO events SELECT 'e', 2, type, 'new', 1, at, data, hash, NULL, false FROM {EVENT} = 1",
    )
    with pytest.raises(Corrupt, match="beyond the end"):
        journal.append([completed("e", 2)], [], {"e": 1})


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sound")
    journal = Journal.open(None, root)
    journal.register(SPEC)
    write(journal)
    journal.close()
    return root


@settings(max_examples=100, deadline=None)
@given(position=st.integers(0, 10**9), bit=st.integers(0, 7))
def test_a_flipped_bit_never_changes_a_history_unnoticed(
    sound: Path, position: int, bit: int
) -> None:
    """Of such flips, SQLite's own check lets 94 in 100 pass."""
    content = bytearray((sound / ".agentflow/journal.db").read_bytes())
    content[position % len(content)] ^= 1 << bit
    with tempfile.TemporaryDirectory() as folder:
        damaged = Path(folder, ".agentflow/journal.db")
        damaged.parent.mkdir()
        damaged.write_bytes(content)
        try:
            history = _history(Path(folder))
        except AgentFlowError:
            return
    assert history == _history(sound)


def _history(root: Path) -> list[Record]:
    journal = Journal.open(None, root)
    try:
        return journal.history("e")
    finally:
        journal.close()


def test_the_head_of_a_row_is_not_json(journal: Journal, store: Store) -> None:
    begin(journal, "e")
    store.tamper("UPDATE executions SET input = '{' WHERE id = 'e'")
    with pytest.raises(Corrupt, match="is not JSON"):
        journal.execution("e")


def test_a_page_of_rubbish_is_one_clear_error(tmp_path: Path) -> None:
    journal = Journal.open(None, tmp_path)
    journal.register(SPEC)
    write(journal)
    journal.close()
    path = tmp_path / ".agentflow/journal.db"
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(Corrupt, match=r"journal\.db is damaged"):
        Journal.open(None, tmp_path)
    with pytest.raises(sqlite3.DatabaseError):
        Store(tmp_path, None).ask("SELECT * FROM events")
