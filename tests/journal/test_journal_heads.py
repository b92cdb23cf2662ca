"""A store that was put back to an older state is noticed, though it is in order in itself."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from pathlib import Path

import pytest

from agentflow.errors import NotFound
from agentflow.runtime.journal import heads
from agentflow.runtime.journal.errors import Corrupt
from agentflow.runtime.journal.heads import Head, Heads, Noted
from agentflow.runtime.journal.store import Journal
from tests.journal.journal_examples import (
    SPEC,
    Store,
    begin,
    completed,
    execution,
    started,
)


def log_of(root: Path) -> Path:
    (found,) = (root / ".agentflow").glob("journal-heads-*.log")
    return found


def copy_store(root: Path, to: Path) -> None:
    source = sqlite3.connect(root / ".agentflow/journal.db")
    target = sqlite3.connect(to)
    source.backup(target)
    source.close()
    target.close()


@pytest.fixture
def restored(tmp_path: Path) -> Path:
    """A store of which an older file was put back: `e` has lost an event, `new` everything."""
    journal = Journal.open(None, tmp_path)
    journal.register(SPEC)
    begin(journal, "e")
    begin(journal, "sound")
    journal.append([completed("e", 2)], [], {"e": 1})
    copy_store(tmp_path, tmp_path / "older.db")
    journal.append([completed("e", 3)], [], {"e": 1})
    begin(journal, "new")
    journal.close()
    shutil.move(tmp_path / "older.db", tmp_path / ".agentflow/journal.db")
    return tmp_path


def test_an_execution_that_lost_its_end_is_refused(restored: Path) -> None:
    journal = Journal.open(None, restored)
    with pytest.raises(Corrupt, match=r"store is older.*execution e had event 3") as found:
        journal.history("e")
    assert str(log_of(restored)) in found.value.help
    journal.close()


def test_an_execution_that_was_lost_is_not_started_anew(restored: Path) -> None:
    journal = Journal.open(None, restored)
    with pytest.raises(Corrupt, match="execution new had event 1"):
        journal.create(execution("new"), started("new"))
    with pytest.raises(Corrupt, match="execution new had event 1"):
        journal.execution("new")
    journal.close()


def test_others_go_on_and_the_store_says_that_it_is_behind(restored: Path) -> None:
    journal = Journal.open(None, restored)
    assert "older than what was acknowledged" in journal.behind
    journal.append([completed("sound", 2)], [], {"sound": 1})
    assert len(journal.history("sound")) == 2
    begin(journal, "another")
    journal.close()


def test_an_older_store_is_accepted_by_deleting_the_log(restored: Path) -> None:
    log_of(restored).unlink()
    journal = Journal.open(None, restored)
    assert journal.behind == ""
    assert len(journal.history("e")) == 2
    begin(journal, "new")
    journal.close()


def test_a_store_in_order_is_not_behind(journal: Journal, store: Store) -> None:
    begin(journal, "e")
    journal.append([completed("e", seq) for seq in (2, 3)], [], {"e": 1})
    journal.close()
    again = store.open()
    assert again.behind == ""
    assert len(again.history("e")) == 3
    again.close()


def test_commits_that_a_server_lost_are_noticed(journal: Journal, store: Store) -> None:
    begin(journal, "e")
    journal.append([completed("e", seq) for seq in (2, 3)], [], {"e": 1})
    journal.close()
    # As a standby would have it that lagged behind: whole, and shorter.
    store.tamper(
        "UPDATE executions SET head = 2, head_hash = "
        "(SELECT hash FROM events WHERE execution_id = 'e' AND seq = 2)",
        "DELETE FROM events WHERE seq = 3",
    )
    again = store.open()
    assert "execution e had event 3" in again.behind
    with pytest.raises(Corrupt, match="older than what was acknowledged"):
        again.history("e")
    again.close()


def test_another_store_in_the_same_place_is_not_behind(tmp_path: Path) -> None:
    for _ in range(2):
        journal = Journal.open(None, tmp_path)
        journal.register(SPEC)
        begin(journal, "e")
        with pytest.raises(NotFound):
            journal.execution("other")
        journal.close()
        (tmp_path / ".agentflow/journal.db").unlink()


def test_a_new_store_in_the_place_of_another_says_so_once(tmp_path: Path) -> None:
    for _ in range(2):
        journal = Journal.open(None, tmp_path)
        journal.register(SPEC)
        begin(journal, "e")
        journal.close()
    log = log_of(tmp_path)
    (tmp_path / ".agentflow/journal.db").unlink()
    journal = Journal.open(None, tmp_path)
    assert f"{log} tells of another store" in journal.behind
    journal.register(SPEC)
    begin(journal, "e")
    journal.close()
    again = Journal.open(None, tmp_path)
    assert again.behind == ""
    again.close()


def test_what_was_undone_is_not_noted(tmp_path: Path) -> None:
    journal = Journal.open(None, tmp_path)
    journal.register(SPEC)
    begin(journal, "e")

    def fail() -> None:
        journal.append([completed("e", 2)], [], {"e": 1})
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        journal.atomically(fail)
    journal.close()
    again = Journal.open(None, tmp_path)
    assert (again.behind, len(again.history("e"))) == ("", 1)
    again.close()


def hashed(number: int) -> bytes:
    return number.to_bytes(32, "little")


def test_heads_are_written_at_most_once_in_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "EVERY_SECONDS", 60)  # no machine is too slow for that
    log = Heads(tmp_path / "heads.log")
    written: list[int] = []
    write = os.write

    def noting(file: int, data: bytes) -> int:
        if os.path.samestat(os.fstat(file), log.path.stat()):  # not those of other logs
            written.append(file)
        return write(file, data)

    monkeypatch.setattr(os, "write", noting)
    for number in range(1000):
        log.note([Noted("e", number, hashed(number), 1.0)])
    log.flush()
    log.flush()
    assert len(written) == 2
    assert Heads(log.path).known("e") == Head("e", 999, hashed(999).hex()[:32], 1.0)


def test_what_is_noted_last_is_written_without_anybody_asking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "EVERY_SECONDS", 0.01)
    log = Heads(tmp_path / "heads.log")
    for number in range(3):
        log.note([Noted("e", number, hashed(number), 1.0)])
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.join()
    head = Heads(log.path).known("e")
    assert head is not None
    assert head.seq == 2


def test_lines_that_were_cut_or_damaged_are_no_evidence(tmp_path: Path) -> None:
    log = Heads(tmp_path / "heads.log")
    for number, name in enumerate(["a", "b with spaces", "ü"]):
        log.note([Noted(name, number, hashed(number), 1.5)])
    log.flush()
    content = log.path.read_bytes()
    for end in range(len(content)):
        log.path.write_bytes(content[:end])
        assert set(Heads(log.path).latest()) <= set(_all(content, tmp_path))
    for place in range(len(content)):
        log.path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert set(Heads(log.path).latest()) <= set(_all(content, tmp_path))


def _all(content: bytes, folder: Path) -> list[Head]:
    whole = folder / "whole.log"
    whole.write_bytes(content)
    return Heads(whole).latest()


def test_a_log_that_has_grown_is_cut_back_to_the_newest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "_MAX_BYTES", 10_000)
    monkeypatch.setattr(heads, "_KEPT", 20)
    log = Heads(tmp_path / "heads.log")
    for number in range(300):
        log.note([Noted(f"e{number}", 1, hashed(number), float(number))])
        log.flush()
    assert log.path.stat().st_size < 12_000
    again = Heads(log.path)
    assert again.known("e0") is None
    assert all(again.known(f"e{number}") for number in range(285, 300))


def test_processes_may_write_one_log_while_it_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "_MAX_BYTES", 2000)

    def write(name: str) -> None:
        log = Heads(tmp_path / "heads.log")
        for number in range(200):
            log.note([Noted(name, number, hashed(number), 1.0)])
            log.flush()

    threads = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log = Heads(tmp_path / "heads.log")
    assert [log.known(name) and log.known(name).seq for name in "abc"] == [199] * 3  # type: ignore[union-attr]  # asked before


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    journal = Journal.open(None, tmp_path)
    journal.register(SPEC)
    begin(journal, "e")
    log = log_of(tmp_path)
    log.unlink()
    log.mkdir()
    journal.append([completed("e", 2)], [], {"e": 1})
    journal.close()
    again = Journal.open(None, tmp_path)
    assert len(again.history("e")) == 2
    again.close()
