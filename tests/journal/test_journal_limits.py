"""A history has a length; what is refused is told clearly, and the end is always recorded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agentflow.runtime.journal.errors import AlreadyRecorded, Fenced, HistoryFull
from agentflow.runtime.journal.protocol import REFUSED, Change, HistorySize, Record
from agentflow.runtime.journal.store import Journal
from agentflow.runtime.settings import Settings
from tests.journal.journal_examples import SPEC, begin, completed, started


@pytest.fixture
def narrow(tmp_path: Path) -> Iterator[Journal]:
    """A journal whose histories hold 5 events or 1 KB."""
    settings = Settings(history_events=5, history_bytes=1000)
    journal = Journal.open(None, tmp_path, settings=settings)
    journal.register(SPEC)
    yield journal
    journal.close()


def test_a_history_tells_how_long_it_is(journal: Journal) -> None:
    begin(journal, "e")
    first = len('{"input":{"name":"World"}}')
    assert journal.history_size("e") == HistorySize(1, first)
    journal.append([completed("e", 2, value="ü"), completed("e", 3)], [], {"e": 1})
    assert journal.history_size("e") == HistorySize(3, first + 14 + 14)


def test_a_history_takes_no_more_events_than_it_may_hold(narrow: Journal) -> None:
    begin(narrow, "e")
    begin(narrow, "short")
    narrow.append([completed("e", seq) for seq in (2, 3, 4, 5)], [], {"e": 1})
    records = [completed("e", 6), completed("short", 2)]
    with pytest.raises(HistoryFull, match="more than 5 events") as refused:
        narrow.append(records, [], {"e": 1, "short": 1})
    assert refused.value.executions == ("e",)
    assert "AGENTFLOW_HISTORY_EVENTS" in refused.value.help
    assert len(narrow.history("short")) == 1
    narrow.append(records[1:], [], {"short": 1})


def test_a_history_takes_no_more_bytes_than_it_may_hold(narrow: Journal) -> None:
    begin(narrow, "e")
    with pytest.raises(HistoryFull, match="MB of values"):
        narrow.append([completed("e", 2, value="x" * 1000)], [], {"e": 1})
    # What is in a blob takes no room in the history.
    narrow.append([completed("e", 2, value="x" * 100_000)], [], {"e": 1})


def test_the_end_of_a_full_history_is_recorded_all_the_same(narrow: Journal) -> None:
    begin(narrow, "e")
    narrow.append([completed("e", seq) for seq in (2, 3, 4, 5)], [], {"e": 1})
    ended = Record("e", 6, "execution.ended", 103.0, data={"status": "failed"})
    narrow.append([ended], [Change("e", "failed", ended_at=103.0)], {"e": 1})
    assert len(narrow.history("e")) == 6


def refused(seq: int) -> Record:
    data = {"type": "call.completed", "attempt": 1, "reason": "attempt 2 is under way"}
    return Record("e", seq, REFUSED, 104.0, "a", 1, data)


def test_results_that_came_too_late_are_recorded_and_complete_nothing(journal: Journal) -> None:
    begin(journal, "e")
    journal.append([refused(2), completed("e", 3, "a"), refused(4), refused(5)], [], {"e": 1})
    assert [record.type for record in journal.history("e")] == [
        started("e").type,
        REFUSED,
        "call.completed",
        REFUSED,
        REFUSED,
    ]
    with pytest.raises(AlreadyRecorded):
        journal.append([completed("e", 6, "a")], [], {"e": 1})


def test_a_result_that_comes_after_the_end_goes_nowhere(journal: Journal) -> None:
    begin(journal, "e")
    ended = Record("e", 2, "execution.ended", 103.0, data={"status": "failed"})
    journal.append([ended], [Change("e", "failed", ended_at=103.0)], {"e": 1})
    with pytest.raises(Fenced, match="is failed"):
        journal.append([refused(3)], [], {"e": 1})
