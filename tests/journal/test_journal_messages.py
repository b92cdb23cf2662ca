"""Messages wait for whom they concern, and are taken once."""

from __future__ import annotations

import pytest

from agentflow.errors import NotFound
from agentflow.runtime.journal.errors import AlreadyRecorded
from agentflow.runtime.journal.protocol import Message, Record
from agentflow.runtime.journal.store import Journal
from tests.journal.journal_examples import begin, message


def take(journal: Journal, name: str, seq: int, ident: str) -> None:
    record = Record(name, seq, "message.received", 103.0, f"l{seq}", data={"message": ident})
    journal.append([record], [], {name: 1}, [(ident, name, f"l{seq}")])


def waiting(journal: Journal, execution: str, name: str = "go") -> list[str]:
    return [found.id for found in journal.messages_for(execution, name)]


@pytest.mark.parametrize("name", ["go", "@go"], ids=["plain", "begins-like-a-blob"])
def test_a_message_comes_back_as_it_was_sent(journal: Journal, name: str) -> None:
    begin(journal, "e")
    sent = Message("m1", name, {"order": 7}, {"ok": [True, None]}, 102.5, "e")
    assert journal.post(sent)
    assert journal.messages_for("e", name) == [sent]
    assert journal.inbox(0) == [(1, sent)]


def test_the_same_message_is_kept_once(journal: Journal) -> None:
    begin(journal, "e")
    assert journal.post(message("go", "m1", "e"))
    assert not journal.post(message("go", "m1", "e"))
    assert len(journal.inbox(0)) == 1


def test_a_message_needs_an_addressee_that_exists(journal: Journal) -> None:
    with pytest.raises(NotFound, match="no execution 'ghost'"):
        journal.post(message("go", "m1", "ghost"))


def test_a_message_sent_before_anyone_listens_is_found(journal: Journal) -> None:
    begin(journal, "e")
    begin(journal, "other")
    for ident in ("m1", "m2"):
        journal.post(message("go", ident, "e"))
    journal.post(message("stop", "m3", "e"))
    assert waiting(journal, "e") == ["m1", "m2"]
    assert waiting(journal, "other") == []


def test_a_message_that_was_taken_is_not_found_again(journal: Journal) -> None:
    begin(journal, "e")
    journal.post(message("go", "m1", "e"))
    journal.post(message("go", "m2", "e"))
    take(journal, "e", 2, "m1")
    assert waiting(journal, "e") == ["m2"]


def test_a_message_is_taken_once(journal: Journal) -> None:
    begin(journal, "e")
    journal.post(message("go", "m1", "e"))
    take(journal, "e", 2, "m1")
    with pytest.raises(AlreadyRecorded, match="message 'm1' of 'l3'"):
        take(journal, "e", 3, "m1")
    assert len(journal.history("e")) == 2


def test_a_message_that_does_not_exist_cannot_be_taken(journal: Journal) -> None:
    begin(journal, "e")
    with pytest.raises(NotFound, match="no message 'm9'"):
        take(journal, "e", 2, "m9")


def test_a_published_event_reaches_every_execution_once(journal: Journal) -> None:
    begin(journal, "a")
    begin(journal, "b")
    journal.post(message("go", "m1"))
    assert waiting(journal, "a") == waiting(journal, "b") == ["m1"]
    take(journal, "a", 2, "m1")
    assert waiting(journal, "a") == []
    assert waiting(journal, "b") == ["m1"]


def test_an_event_published_before_an_execution_existed_is_not_for_it(journal: Journal) -> None:
    journal.post(message("go", "m1"))
    begin(journal, "e")
    journal.post(message("go", "m2"))
    assert waiting(journal, "e") == ["m2"]


def test_an_inbox_is_read_on_from_a_cursor(journal: Journal) -> None:
    assert journal.cursor() == 0
    for number in range(5):
        journal.post(message("go", f"m{number}"))
    first = journal.inbox(0, limit=2)
    rest = journal.inbox(first[-1][0])
    assert [found.id for _, found in first + rest] == ["m0", "m1", "m2", "m3", "m4"]
    assert journal.cursor() == rest[-1][0]
    assert journal.inbox(journal.cursor()) == []
