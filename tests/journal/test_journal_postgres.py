"""PostgreSQL: connections break, servers restart, processes meet; nothing is lost or done twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import psycopg
import pytest

from agentflow.errors import Unavailable, UsageError
from agentflow.runtime.journal import postgres as backend
from agentflow.runtime.journal import silence
from agentflow.runtime.journal.protocol import Change, Record
from agentflow.runtime.journal.store import Journal
from tests.journal.conftest import Databases
from tests.journal.journal_examples import (
    SPEC,
    Store,
    begin,
    completed,
    execution,
    message,
    started,
)
from tests.journal.wire import Moment, Wire, wire
from tests.servers import PostgresServer, postgres_server

T = TypeVar("T")


@pytest.fixture
def store(databases: Databases, tmp_path: Path) -> Iterator[Store]:
    with databases.lent() as url:
        yield Store(tmp_path, url)


@pytest.fixture
def cable(store: Store) -> Iterator[Wire]:
    assert store.url is not None
    with wire(store.url) as opened:
        yield opened


@pytest.fixture
def remote(store: Store, cable: Wire) -> Iterator[Journal]:
    """A journal behind a wire."""
    opened = Journal.open(cable.url, store.root)
    opened.register(SPEC)
    yield opened
    opened.close()


def _append(journal: Journal) -> None:
    journal.post(message("go", "m1", "e"))
    taken = Record("e", 3, "message.received", 101.0, "b", data={"message": "m1"})
    journal.append([completed("e", 2), taken], [], {"e": 1}, [("m1", "e", "b")])


def _end(journal: Journal) -> None:
    ended = Record("e", 2, "execution.ended", 103.0, data={"status": "failed"})
    journal.append([ended], [Change("e", "failed", ended_at=103.0)], {"e": 1})


def _retry(journal: Journal) -> None:
    _end(journal)
    journal.supersede("e", 2, 1, Record("e", 3, "execution.retried", 104.0))


WRITES: dict[str, Callable[[Journal], object]] = {
    "append": _append,
    "the end": _end,
    "retry": _retry,
    "create": lambda journal: journal.create(execution("new", owner="me"), started("new"))[1],
    "post": lambda journal: journal.post(message("go", "m2", "e")),
    "claim": lambda journal: journal.claim("e", "me") > 1,
    "release": lambda journal: journal.release("e", "me"),
    "register": lambda journal: journal.register(replace(SPEC, digest="d2", version="2")),
    "several": lambda journal: journal.atomically(lambda: _append(journal)),
}


@pytest.mark.parametrize("moment", ["before the commit", "after the commit"])
@pytest.mark.parametrize("name", WRITES)
def test_a_connection_lost_during_a_commit_changes_nothing_of_its_outcome(
    remote: Journal, cable: Wire, store: Store, name: str, moment: Moment
) -> None:
    begin(remote, "e")
    cable.cut_at(moment)
    answer = WRITES[name](remote)
    assert cable.cuts == 1
    twin = Store(store.root, store.url)
    assert answer in (None, True)
    undisturbed = {
        "append": [2, 3],
        "several": [2, 3],
        "the end": [2],
        "retry": [2, 3],
    }
    journal = twin.open()
    assert [record.seq for record in journal.history("e")][1:] == undisturbed.get(name, [])
    if name == "create":
        assert journal.execution("new").owner == "me"
    if name == "post":
        assert [found.id for found in journal.messages_for("e", "go")] == ["m2"]
    journal.close()


def test_a_commit_that_was_kept_may_be_repeated(journal: Journal) -> None:
    begin(journal, "e")
    for _ in range(2):
        _append_only(journal)
    assert len(journal.history("e")) == 2


def _append_only(journal: Journal) -> None:
    journal.append([completed("e", 2)], [], {"e": 1})


def test_reading_goes_on_with_a_new_connection(remote: Journal, cable: Wire) -> None:
    begin(remote, "e")
    for _ in range(3):
        assert remote.execution("e").id == "e"
        cable.cut()
        assert len(remote.history("e")) == 1


def test_a_block_cannot_be_done_again_and_says_so(remote: Journal, cable: Wire) -> None:
    begin(remote, "e")

    def write() -> None:
        with remote.group():
            remote.post(message("go", "m1", "e"))
            cable.cut()

    with pytest.raises(Unavailable, match="failed"):
        write()
    assert remote.messages_for("e", "go") == []
    assert remote.post(message("go", "m1", "e"))


def test_a_server_that_stays_away_is_reported_in_the_end(postgres: PostgresServer) -> None:
    with wire(postgres.url.replace(f":{postgres.port}/", ":1/")) as nowhere:
        with pytest.raises(Unavailable, match="connection failed") as refused:
            Journal.open(nowhere.url, Path(), wait_seconds=0.3)
        assert "check that it runs" in refused.value.help
        assert f"@127.0.0.1:{nowhere.url.rpartition(':')[2]}" in str(refused.value)


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_when_the_server_is_killed(tmp_path: Path) -> None:
    with postgres_server() as server:
        journal = Journal.open(server.url, tmp_path)
        journal.register(SPEC)
        begin(journal, "e")
        is_over = threading.Event()
        acknowledged = [1]

        def write() -> None:
            while not is_over.is_set():
                journal.append([completed("e", acknowledged[-1] + 1)], [], {"e": 1})
                acknowledged.append(acknowledged[-1] + 1)

        writing = threading.Thread(target=write)
        writing.start()
        for _ in range(3):
            so_far = len(acknowledged)
            while len(acknowledged) < so_far + 20:
                is_over.wait(0.01)
            server.restart()
        is_over.set()
        writing.join()
        assert len(journal.history("e")) == acknowledged[-1]
        journal.close()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A late answer is doubted soon."""
    monkeypatch.setattr(silence, "SILENT_SECONDS", 0.2)


@pytest.mark.slow
def test_a_server_that_is_frozen_counts_as_one_that_is_away(
    store: Store, postgres: PostgresServer, hasty: None
) -> None:
    journal = store.open(wait_seconds=1)
    journal.register(SPEC)
    begin(journal, "e")
    assert journal.execution("e").head == 1
    postgres.freeze()
    try:
        with pytest.raises(Unavailable, match=r"does not answer|timeout"):
            _append_only(journal)
        with pytest.raises(Unavailable, match=r"does not answer|timeout"):
            journal.history("e")
    finally:
        postgres.thaw()
    _append_only(journal)
    assert [record.seq for record in journal.history("e")] == [1, 2]
    journal.close()


@pytest.mark.slow
def test_what_a_frozen_server_was_asked_is_done_once_when_it_goes_on(
    store: Store, postgres: PostgresServer, hasty: None
) -> None:
    journal = store.open()
    journal.register(SPEC)
    begin(journal, "e")
    postgres.freeze()
    try:
        with ThreadPoolExecutor(1) as pool:
            written = pool.submit(_append_only, journal)
            with pytest.raises(TimeoutError):
                written.result(silence.PROBE_SECONDS + 1)  # by then its connection was given up
            postgres.thaw()
            written.result(60)
    finally:
        postgres.thaw()
    assert [record.seq for record in journal.history("e")] == [1, 2]
    journal.close()


def test_a_statement_that_takes_long_is_waited_for(store: Store, hasty: None) -> None:
    assert store.url is not None
    with silence.Watched.open(store.url) as connection:
        assert connection.execute("SELECT 1 FROM pg_sleep(0.7)").fetchall() == [(1,)]


@pytest.mark.slow
def test_a_stopped_process_keeps_no_rows_from_others(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "_STOPPED_SECONDS", 0.5)
    stopped, other = store.open(), store.open()
    stopped.register(SPEC)
    begin(stopped, "e")

    def write() -> None:
        with stopped.group():
            stopped.append([completed("e", 2)], [], {"e": 1})
            # It waits for the row until the server ends the idle transaction.
            assert other.claim("e", "me") == 2

    with pytest.raises(Unavailable):
        write()
    assert len(other.history("e")) == 1
    stopped.close()
    other.close()


def together(store: Store, count: int, work: Callable[[Journal], T]) -> list[T]:
    """What several journals, opened and used at the same instant, answer."""
    barrier = threading.Barrier(count)

    def one() -> T:
        barrier.wait()
        journal = store.open()
        barrier.wait()
        try:
            return work(journal)
        finally:
            journal.close()

    with ThreadPoolExecutor(count) as pool:
        return [answer.result() for answer in [pool.submit(one) for _ in range(count)]]


def test_several_first_opens_make_one_schema(store: Store) -> None:
    together(store, 4, lambda journal: journal.register(SPEC))
    assert store.ask("SELECT count(*) FROM specs") == [(1,)]


def test_of_two_starts_with_one_id_one_is_first(store: Store) -> None:
    journal = store.open()
    journal.register(SPEC)
    for number in range(10):
        name = f"e{number}"
        create = partial(Journal.create, execution=execution(name), first=started(name))
        answers = together(store, 3, create)
        assert sorted(created for _, created in answers) == [False, False, True]
        assert len(journal.history(name)) == 1
    journal.close()


def test_a_message_that_commits_later_is_not_missed(store: Store) -> None:
    slow, quick = store.open(), store.open()
    has_posted, may_commit = threading.Event(), threading.Event()

    def post_slowly() -> None:
        with slow.group():
            slow.post(message("go", "first"))
            has_posted.set()
            may_commit.wait()

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(post_slowly)
        has_posted.wait()
        second = pool.submit(quick.post, message("go", "second"))
        # Were the second one visible by now, a reader would move past the first.
        assert quick.inbox(0) == []
        may_commit.set()
        first.result()
        second.result()
    assert [found.id for _, found in quick.inbox(0)] == ["first", "second"]
    slow.close()
    quick.close()


def test_groups_that_meet_in_another_order_all_commit(store: Store) -> None:
    journal = store.open()
    journal.register(SPEC)
    names = [begin(journal, f"e{number}") for number in range(8)]
    orders = iter([names[:5], names[3:][::-1]])
    taken: dict[str, int] = {}

    def claim_in_order(claiming: Journal) -> None:
        order = next(orders)
        taken.update(claiming.atomically(lambda: {n: claiming.claim(n, "me") for n in order}))

    together(store, 2, claim_in_order)
    assert set(taken) == set(names)
    journal.close()


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("postgresql://agentflow@127.0.0.1:{port}/nowhere", 'database "nowhere" does not exist'),
        ("postgres://nobody:hunter2@127.0.0.1:{port}/agentflow", 'role "nobody" does not exist'),
    ],
    ids=["an unknown database", "an unknown user"],
)
def test_a_refusal_by_the_server_is_reported_at_once(
    postgres: PostgresServer, tmp_path: Path, url: str, text: str
) -> None:
    with pytest.raises(Unavailable, match=text) as refused:
        Journal.open(url.format(port=postgres.port), tmp_path)
    assert "hunter2" not in str(refused.value)


def test_a_database_that_may_only_be_read_is_reported(store: Store) -> None:
    store.open().close()
    assert store.url is not None
    name = store.url.rpartition("/")[2]
    store.tamper(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    journal = store.open()
    with pytest.raises(Unavailable, match="may only be read") as refused:
        journal.post(message("go", "m1"))
    assert "primary" in refused.value.help
    journal.close()


def test_a_user_without_rights_is_told_what_is_missing(
    store: Store, postgres: PostgresServer
) -> None:
    store.open().close()
    store.tamper("DROP ROLE IF EXISTS guest", "CREATE ROLE guest LOGIN")
    assert store.url is not None
    with pytest.raises(Unavailable, match=r"refuses this user: .*permission denied") as refused:
        Journal.open(store.url.replace("agentflow@", "guest@"), store.root)
    assert "grant" in refused.value.help


def test_a_lock_of_somebody_elses_session_is_not_waited_for_for_ever(store: Store) -> None:
    journal = store.open(wait_seconds=0.2)
    assert store.url is not None
    with psycopg.connect(store.url) as session:
        session.execute("LOCK TABLE messages")
        with pytest.raises(Unavailable, match="locked by another session") as refused:
            journal.post(message("go", "m1"))
    assert "pg_stat_activity" in refused.value.help
    assert journal.post(message("go", "m1"))
    journal.close()


def test_a_character_that_postgresql_cannot_hold_is_the_callers_mistake(store: Store) -> None:
    journal = store.open()
    with pytest.raises(UsageError, match=r"cannot hold a value: .*NUL"):
        journal.post(message("g\0o", "m1"))
    with pytest.raises(UsageError, match=r"cannot hold a value: .*NUL"):
        journal.execution("g\0o")
    journal.close()
