"""A history is read in parts while it grows."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from agentflow.errors import NotFound
from agentflow.runtime.journal.errors import Corrupt
from agentflow.runtime.journal.protocol import Record
from agentflow.runtime.journal.store import Journal
from tests.journal.journal_examples import begin, completed, started


@pytest.fixture
def long(journal: Journal) -> Journal:
    """A journal whose execution `e` has seven events."""
    begin(journal, "e")
    journal.append([completed("e", seq, f"s{seq}", seq) for seq in range(2, 8)], [], {"e": 1})
    return journal


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_put_together_are_the_history(long: Journal, limit: int) -> None:
    read: list[Record] = []
    while page := long.page("e", len(read), limit):
        assert len(page) <= limit
        read += page
    assert read == long.history("e")
    assert read[0] == started("e")


def test_of_an_unknown_execution_there_is_no_page(journal: Journal) -> None:
    with pytest.raises(NotFound):
        journal.page("nobody", 0, 10)


@pytest.mark.parametrize(
    ("damage", "after", "wrong"),
    [
        ("UPDATE events SET data = '{\"value\": 9}' WHERE seq = 4", 0, 4),
        ("UPDATE events SET data = '{\"value\": 9}' WHERE seq = 4", 3, 4),
        ("DELETE FROM events WHERE seq = 4", 0, 4),
        ("DELETE FROM events WHERE seq = 4", 3, 4),
        ("DELETE FROM events WHERE seq > 3", 4, 4),
    ],
    ids=["changed", "changed, first of its page", "missing", "missing first", "an end is missing"],
)
def test_a_damaged_page_is_noticed(
    file_journal: Journal, tmp_path: Path, damage: str, after: int, wrong: int
) -> None:
    begin(file_journal, "e")
    records = [completed("e", seq, f"s{seq}", seq) for seq in range(2, 8)]
    file_journal.append(records, [], {"e": 1})
    (file,) = tmp_path.rglob("journal.db")
    with sqlite3.connect(file) as connection:
        connection.execute(damage)
    with pytest.raises(Corrupt, match=f"event {wrong}"):
        file_journal.page("e", after, 10)
