"""Events are kept in order, whole, and once."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentflow.errors import Fault, NotFound
from agentflow.runtime.journal import values
from agentflow.runtime.journal.errors import AlreadyRecorded, Fenced
from agentflow.runtime.journal.protocol import CANCEL, Change, Record
from agentflow.runtime.journal.store import Journal
from tests.journal.journal_examples import begin, completed, message, started

_numbers = itertools.count()

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def test_a_history_is_what_was_appended(journal: Journal) -> None:
    begin(journal, "e")
    later = [completed("e", 2, "a", {"n": 1.5}), completed("e", 3, "b", "ü")]
    journal.append(later, [], {"e": 1})
    assert journal.history("e") == [started("e"), *later]


def test_a_time_given_as_a_whole_number_keeps_its_hash(journal: Journal) -> None:
    begin(journal, "e")
    journal.append([Record("e", 2, "cancel.requested", 7, data={"reason": ""})], [], {"e": 1})
    assert journal.history("e")[1].at == 7


@settings(
    max_examples=25,
    deadline=None,
    # Each example has ids of its own.
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(data=st.data(), values=st.lists(json_values, max_size=25))
def test_any_grouping_of_appends_gives_the_same_history(
    journal: Journal, data: st.DataObject, values: Any
) -> None:
    names = [begin(journal, f"{name}{next(_numbers)}") for name in ("a", "b", "c")]
    expected: dict[str, list[Record]] = {name: [started(name)] for name in names}
    waiting: list[Record] = []
    for value in values:
        name = names[data.draw(st.integers(0, 2))]
        record = completed(name, len(expected[name]) + 1, value=value)
        expected[name].append(record)
        waiting.append(record)
        if data.draw(st.booleans()):
            journal.append(waiting, [], dict.fromkeys(names, 1))
            waiting = []
    journal.append(waiting, [], dict.fromkeys(names, 1))
    assert {name: journal.history(name) for name in names} == expected
    assert {name: journal.execution(name).head for name in names} == {
        name: len(records) for name, records in expected.items()
    }


@pytest.mark.parametrize("seqs", [[3], [1], [2, 4], [3, 2]], ids=str)
def test_events_that_do_not_follow_are_refused(journal: Journal, seqs: list[int]) -> None:
    begin(journal, "e")
    begin(journal, "other")
    records = [completed("other", 2), *(completed("e", seq) for seq in seqs)]
    with pytest.raises(Fenced) as refused:
        journal.append(records, [], {"e": 1, "other": 1})
    assert refused.value.executions == ("e",)
    assert len(journal.history("other")) == 1


@pytest.mark.parametrize(
    "type",
    ["call.completed", "batch.completed", "child.ended", "message.received", "event.emitted"],
)
@pytest.mark.parametrize("before", [0, 1], ids=["in one commit", "in two"])
def test_a_step_is_completed_once(journal: Journal, type: str, before: int) -> None:
    begin(journal, "e")
    twice = [Record("e", seq, type, 101.0, "m[3].x", 1, {}) for seq in (2, 3)]
    journal.append(twice[:before], [], {"e": 1})
    with pytest.raises(AlreadyRecorded, match=r"m\[3\]\.x"):
        journal.append(twice[before:], [], {"e": 1})
    assert len(journal.history("e")) == journal.execution("e").head == 1 + before


@pytest.mark.parametrize(
    ("type", "step"),
    [
        ("call.failed", "a"),
        ("stream.yielded", "a"),
        ("timer.fired", "a@retry"),
        ("timer.fired", "a@timeout"),
    ],
    ids=["failures", "yields", "pauses before a retry", "timeouts"],
)
def test_what_completes_nothing_may_repeat(journal: Journal, type: str, step: str) -> None:
    begin(journal, "e")
    records = [Record("e", seq, type, 101.0, step, seq, {}) for seq in (2, 3, 4)]
    journal.append(records, [], {"e": 1})
    assert len(journal.history("e")) == 4


def test_a_timer_fires_once(journal: Journal) -> None:
    begin(journal, "e")
    fired = [Record("e", seq, "timer.fired", 101.0, "pause@wait", data={}) for seq in (2, 3)]
    with pytest.raises(AlreadyRecorded):
        journal.append(fired, [], {"e": 1})


@pytest.mark.parametrize(
    ("value", "name"),
    [({1: "x"}, "InvalidOutput"), (2**53, "InvalidOutput"), (object(), "InvalidOutput")],
    ids=["keys that are not strings", "integers no engine holds", "objects"],
)
def test_a_value_that_is_not_json_is_refused(journal: Journal, value: Any, name: str) -> None:
    begin(journal, "e")
    with pytest.raises(Fault, match="'big'") as refused:
        journal.append([completed("e", 2, "big", value)], [], {"e": 1})
    assert refused.value.name == name
    assert len(journal.history("e")) == 1


def test_a_value_over_the_limit_is_refused_before_it_is_written(journal: Journal) -> None:
    begin(journal, "e")
    with pytest.raises(Fault, match="more than the 64 MB") as refused:
        journal.append([completed("e", 2, "big", "x" * values.MAX_VALUE_BYTES)], [], {"e": 1})
    assert refused.value.name == "PayloadTooLarge"
    assert len(journal.history("e")) == 1


def test_a_change_is_committed_with_its_events(journal: Journal) -> None:
    begin(journal, "e", owner="me")
    error = {"name": "Boom", "message": "it broke", "data": None, "cause": None}
    data = {"status": "failed", "output": None, "error": error, "origin": "a"}
    ended = Record("e", 2, "execution.ended", 103.0, data=data)
    change = Change("e", "failed", error=error, origin="a", ended_at=103.0)
    journal.append([ended], [change], {"e": 1})
    stored = journal.execution("e")
    assert (stored.status, stored.error, stored.origin) == ("failed", error, "a")
    assert (stored.ended_at, stored.head, stored.owner) == (103.0, 2, None)


def test_nothing_follows_the_end(journal: Journal) -> None:
    begin(journal, "e")
    journal.append([], [Change("e", "succeeded", ended_at=103.0)], {"e": 1})
    with pytest.raises(Fenced, match="is succeeded"):
        journal.append([completed("e", 2)], [], {"e": 1})


def test_a_change_needs_an_epoch(journal: Journal) -> None:
    begin(journal, "e")
    with pytest.raises(KeyError, match="without an epoch"):
        journal.append([], [Change("e", "waiting")], {})


def test_a_group_is_one_transaction(journal: Journal) -> None:
    def write_and_fail() -> None:
        with journal.group():
            begin(journal, "e")
            journal.post(message("go", "m1"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()
    with pytest.raises(NotFound):
        journal.execution("e")
    assert journal.inbox(0) == []


def test_a_write_that_fails_in_a_group_is_undone_alone(journal: Journal) -> None:
    with journal.group():
        begin(journal, "e")
        with pytest.raises(AlreadyRecorded):
            journal.append([completed("e", 2, "a"), completed("e", 3, "a")], [], {"e": 1})
        journal.append([completed("e", 2, "b")], [], {"e": 1})
    assert [record.step for record in journal.history("e")] == [None, "b"]


class TestRetry:
    """`supersede` sets the end of a history aside."""

    @staticmethod
    def fail(journal: Journal) -> None:
        begin(journal, "e")
        journal.post(message("go", "m1", "e"))
        taken = Record("e", 3, "message.received", 101.0, "b", data={"message": "m1"})
        failed = Record("e", 4, "call.failed", 102.0, "c", 1, {"error": {"name": "Boom"}})
        ended = Record("e", 5, "execution.ended", 102.0, data={"status": "failed"})
        journal.append(
            [completed("e", 2, "a"), taken, failed, ended],
            [Change("e", "failed", error={"name": "Boom"}, origin="c", ended_at=102.0)],
            {"e": 1},
            [("m1", "e", "b")],
        )

    def retry(self, journal: Journal, from_seq: int) -> None:
        record = Record("e", 6, "execution.retried", 110.0, data={"by": "me"})
        journal.supersede("e", from_seq, 1, record)

    def test_only_what_stood_before_is_replayed(self, journal: Journal) -> None:
        self.fail(journal)
        self.retry(journal, 4)
        assert [record.seq for record in journal.replay("e")] == [1, 2, 3, 6]
        assert [record.superseded for record in journal.history("e")] == [False] * 3 + [
            True,
            True,
            False,
        ]
        assert journal.history("e")[-1].data == {"by": "me", "from": 4}

    def test_the_execution_runs_again(self, journal: Journal) -> None:
        self.fail(journal)
        self.retry(journal, 4)
        stored = journal.execution("e")
        assert (stored.status, stored.head) == ("running", 6)
        assert (stored.error, stored.origin, stored.ended_at) == (None, None, None)

    def test_what_was_set_aside_may_complete_again_and_the_rest_may_not(
        self, journal: Journal
    ) -> None:
        self.fail(journal)
        self.retry(journal, 3)
        taken = Record("e", 7, "message.received", 111.0, "b", data={"message": "m1"})
        assert [found.id for found in journal.messages_for("e", "go")] == ["m1"]
        journal.append([taken], [], {"e": 1}, [("m1", "e", "b")])
        assert journal.messages_for("e", "go") == []
        with pytest.raises(AlreadyRecorded):
            journal.append([completed("e", 8, "a")], [], {"e": 1})

    def test_a_message_that_stays_taken_is_not_offered_again(self, journal: Journal) -> None:
        self.fail(journal)
        self.retry(journal, 4)
        assert journal.messages_for("e", "go") == []

    def test_a_cancellation_asked_for_before_is_dropped(self, journal: Journal) -> None:
        self.fail(journal)
        journal.post(message(CANCEL, "c1", "e"))
        self.retry(journal, 4)
        assert journal.messages_for("e", CANCEL) == []
        journal.post(message(CANCEL, "c2", "e"))
        assert [found.id for found in journal.messages_for("e", CANCEL)] == ["c2"]

    def test_a_second_retry_may_reach_back_further(self, journal: Journal) -> None:
        self.fail(journal)
        self.retry(journal, 4)
        journal.append([], [Change("e", "failed")], {"e": 1})
        journal.supersede("e", 2, 1, Record("e", 7, "execution.retried", 120.0))
        assert [record.seq for record in journal.replay("e")] == [1, 7]

    def test_an_execution_that_runs_is_not_retried(self, journal: Journal) -> None:
        begin(journal, "e")
        with pytest.raises(Fenced, match="is running"):
            journal.supersede("e", 1, 1, Record("e", 2, "execution.retried", 120.0))

    def test_an_old_epoch_is_refused(self, journal: Journal) -> None:
        self.fail(journal)
        journal.claim("e", "me")
        with pytest.raises(Fenced, match="taken over by me"):
            self.retry(journal, 4)
