"""One process runs an execution; whoever lost it writes nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agentflow.errors import Conflict, NotFound
from agentflow.runtime.journal.errors import Fenced
from agentflow.runtime.journal.owner import Owner, has_died, is_alive, owner_id
from agentflow.runtime.journal.protocol import Change
from agentflow.runtime.journal.store import Journal
from tests.journal.journal_examples import LIVE, SPEC, Store, begin, completed


def dead_owner() -> str:
    """An owner whose process has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    mine = Owner.parse(owner_id())
    return f"{mine.host}:{ended.pid}:{mine.birth}"


def test_this_process_is_alive() -> None:
    assert is_alive(owner_id())


def test_a_process_that_ended_is_dead_even_if_nobody_waited_for_it() -> None:
    script = "from agentflow.runtime.journal.owner import owner_id; print(owner_id(), flush=True)"
    ended = subprocess.Popen(
        [sys.executable, "-c", script + "; input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert ended.stdout is not None
    owner = ended.stdout.readline().strip()
    assert is_alive(owner)
    ended.kill()
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)  # it is gone, and nobody waited for it
    assert not is_alive(owner)
    ended.wait()
    ended.stdout.close()
    assert not is_alive(owner)


def test_a_pid_that_was_given_again_is_another_process() -> None:
    mine = Owner.parse(owner_id())
    assert not is_alive(f"{mine.host}:{mine.pid}:1-00000000")


@pytest.mark.parametrize(
    "owner", [None, "me", "dead"], ids=["nobody", "itself", "a process that died"]
)
def test_an_execution_is_claimed_from(journal: Journal, owner: str | None) -> None:
    begin(journal, "e", owner=dead_owner() if owner == "dead" else owner)
    assert journal.claim("e", "me") == 2
    stored = journal.execution("e")
    assert (stored.owner, stored.epoch) == ("me", 2)


def test_a_live_owner_keeps_its_execution(journal: Journal) -> None:
    begin(journal, "e", owner=owner_id())
    with pytest.raises(Conflict, match=f"run by process {Owner.parse(owner_id()).pid}") as refused:
        journal.claim("e", LIVE)
    assert "agentflow cancel e" in refused.value.help
    assert journal.execution("e").epoch == 1


def test_an_owner_on_another_machine_keeps_its_execution(journal: Journal) -> None:
    begin(journal, "e", owner=LIVE)
    with pytest.raises(Conflict, match="on machine elsewhere") as refused:
        journal.claim("e", owner_id())
    assert "continue it on elsewhere" in refused.value.help


def test_an_unknown_execution_cannot_be_claimed(journal: Journal) -> None:
    with pytest.raises(NotFound, match="no execution 'e'"):
        journal.claim("e", "me")


def test_a_released_execution_is_anybodys(journal: Journal) -> None:
    begin(journal, "e", owner=LIVE)
    journal.release("e", "somebody else")
    assert journal.execution("e").owner == LIVE
    journal.release("e", LIVE)
    assert journal.claim("e", "me") == 2


def test_an_orchestrator_that_lost_an_execution_writes_nothing_at_all(journal: Journal) -> None:
    begin(journal, "kept")
    begin(journal, "lost", owner="before")
    begin(journal, "gone", owner="before")
    journal.release("lost", "before")
    journal.release("gone", "before")
    journal.claim("lost", LIVE)
    journal.claim("gone", LIVE)
    records = [completed(name, 2) for name in ("kept", "lost", "gone")]
    epochs = {"kept": 1, "lost": 1, "gone": 1}
    with pytest.raises(Fenced, match=f"was taken over by {LIVE}") as refused:
        journal.append(records, [], epochs)
    assert set(refused.value.executions) == {"lost", "gone"}
    assert [len(journal.history(name)) for name in epochs] == [1, 1, 1]
    journal.append(records[:1], [], {"kept": 1})
    journal.append(records[1:], [], {"lost": 2, "gone": 2})


def test_an_execution_that_does_not_exist_is_fenced(journal: Journal) -> None:
    with pytest.raises(Fenced, match="ghost does not exist"):
        journal.append([], [], {"ghost": 1})


@pytest.mark.slow
def test_more_executions_than_one_query_holds_are_checked(journal: Journal) -> None:
    with journal.group():
        names = [begin(journal, f"e{number}") for number in range(2100)]
    journal.append([completed(name, 2) for name in names], [], dict.fromkeys(names, 1))
    with pytest.raises(Fenced) as refused:
        journal.append([], [], {**dict.fromkeys(names, 1), names[-1]: 2})
    assert refused.value.executions == (names[-1],)


def elsewhere(number: int = 1) -> str:
    """An engine on another machine."""
    return f"elsewhere:{number}:1-22222222-f:abcd"


def expire(store: Store, owner: str) -> None:
    """Let so much time pass that a lease has run out."""
    store.tamper(f"UPDATE owners SET expires_at = expires_at - 60 WHERE id = '{owner}'")


def test_engines_of_one_process_are_told_apart() -> None:
    one, other = owner_id(), owner_id()
    assert one != other
    assert Owner.parse(one)[:3] == Owner.parse(other)[:3]
    assert is_alive(one)
    assert is_alive(other)


@pytest.mark.parametrize(
    ("owner", "parts"),
    [
        ("h:1:2-b", ("h", 1, "2-b", "")),
        ("h:1:2-b-f:n", ("h", 1, "2-b-f", "n")),
        ("me", ("me", 0, "", "")),
        ("a:b:c:d", ("a:b:c:d", 0, "", "")),
    ],
    ids=["without a nonce", "with one", "a word", "no pid"],
)
def test_any_owner_can_be_taken_apart(owner: str, parts: tuple[str, int, str, str]) -> None:
    assert Owner.parse(owner) == parts


def test_a_process_in_a_container_of_the_same_name_is_not_taken_for_dead() -> None:
    mine = Owner.parse(owner_id())
    started, boot, _ = mine.birth.split("-")
    assert is_alive(f"{mine.host}:1:{started}-{boot}-123abc:n")
    assert not has_died(f"{mine.host}:1:{started}-{boot}-123abc:n")


def test_of_another_boot_nobody_can_be_sure(journal: Journal) -> None:
    mine = Owner.parse(owner_id())
    namespace = mine.birth.rpartition("-")[2]
    cloned = f"{mine.host}:{mine.pid}:1-00000000-{namespace}:n"
    assert not is_alive(cloned)
    assert not has_died(cloned)
    begin(journal, "e", owner=cloned)
    journal.enlist(cloned)
    with pytest.raises(Conflict):
        journal.claim("e", "me")


def test_a_lease_keeps_executions_until_it_has_run_out(journal: Journal, store: Store) -> None:
    owner = elsewhere()
    journal.enlist(owner)
    begin(journal, "e", owner=owner)
    with pytest.raises(Conflict, match="on machine elsewhere"):
        journal.claim("e", "me")
    assert journal.orphans() == []
    assert journal.is_owned(journal.execution("e"))
    assert journal.renew(owner)
    expire(store, owner)
    assert journal.orphans() == ["e"]
    assert not journal.is_owned(journal.execution("e"))
    assert journal.claim("e", "me") == 2


def test_a_lease_that_has_run_out_is_not_renewed(journal: Journal, store: Store) -> None:
    owner = elsewhere()
    journal.enlist(owner)
    begin(journal, "e", owner=owner)
    expire(store, owner)
    assert not journal.renew(owner)
    assert journal.orphans() == ["e"]
    journal.enlist(owner)
    assert journal.orphans() == []
    # Nobody took it meanwhile: it goes on under the same epoch.
    journal.append([completed("e", 2)], [], {"e": 1})


def test_an_engine_that_never_enlisted_has_nothing_to_renew(journal: Journal) -> None:
    assert not journal.renew(elsewhere())


def test_a_stopped_process_of_this_machine_loses_its_executions(
    journal: Journal, store: Store
) -> None:
    stopped = owner_id()  # alive, but not heard of
    journal.enlist(stopped)
    begin(journal, "e", owner=stopped)
    with pytest.raises(Conflict):
        journal.claim("e", "me")
    expire(store, stopped)
    assert journal.claim("e", "me") == 2
    with pytest.raises(Fenced):
        journal.append([completed("e", 2)], [], {"e": 1})


def test_a_process_that_ended_loses_its_executions_before_its_lease_ends(journal: Journal) -> None:
    ended = dead_owner()
    journal.enlist(ended)
    begin(journal, "e", owner=ended)
    assert journal.orphans() == ["e"]
    assert journal.claim_many(["e"], "me") == {"e": 2}


def test_a_clock_that_went_back_keeps_no_execution_for_ever(journal: Journal, store: Store) -> None:
    owner = elsewhere()
    journal.enlist(owner)
    begin(journal, "e", owner=owner)
    store.tamper(f"UPDATE owners SET expires_at = expires_at + 3600 WHERE id = '{owner}'")
    assert journal.orphans() == ["e"]
    assert not journal.renew(owner)


def test_an_engine_that_retires_gives_everything_up(journal: Journal) -> None:
    owner = elsewhere()
    journal.enlist(owner)
    for name in ("a", "b"):
        begin(journal, name, owner=owner)
    begin(journal, "c", owner=LIVE)
    journal.retire(owner)
    assert journal.orphans() == ["a", "b"]
    assert [journal.execution(name).owner for name in ("a", "b", "c")] == [None, None, LIVE]
    assert not journal.renew(owner)


def test_orphans_are_what_nobody_alive_owns_oldest_first(journal: Journal, store: Store) -> None:
    expired, valid = elsewhere(1), elsewhere(2)
    for engine in (expired, valid):
        journal.enlist(engine)
    expire(store, expired)
    owners = [valid, None, expired, LIVE, owner_id(), dead_owner(), None]
    for number, owner in enumerate(owners):
        begin(journal, f"e{number}", owner=owner, started_at=100.0 - number)
    journal.append([], [Change("e6", "succeeded")], {"e6": 1})
    journal.append([], [Change("e1", "waiting")], {"e1": 1})
    assert journal.orphans() == ["e5", "e2", "e1"]
    assert journal.orphans(limit=2) == ["e5", "e2"]


def test_many_are_claimed_at_once_but_for_those_that_are_not_free(journal: Journal) -> None:
    for number, owner in enumerate([None, LIVE, "me", None]):
        begin(journal, f"e{number}", owner=owner)
    journal.append([], [Change("e3", "failed")], {"e3": 1})
    names = [f"e{number}" for number in range(5)]
    assert journal.claim_many(names, "me") == {"e0": 2, "e2": 2}
    assert journal.execution("e1").epoch == 1
    assert journal.claim_many([], "me") == {}


def test_several_engines_share_the_orphans_without_meeting(store: Store) -> None:
    journal = store.open()
    journal.register(SPEC)
    with journal.group():
        names = {begin(journal, f"e{number}") for number in range(300)}
    taken: dict[str, list[str]] = {}

    def take(owner: str) -> None:
        engine = store.open()
        engine.enlist(owner)
        mine = taken.setdefault(owner, [])
        while orphans := engine.orphans(limit=20):
            mine.extend(engine.claim_many(orphans, owner))
        engine.close()

    threads = [threading.Thread(target=take, args=(elsewhere(n),)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    together = [name for mine in taken.values() for name in mine]
    assert len(together) == len(set(together)) == 300
    assert set(together) == names
    for owner, mine in taken.items():
        assert {journal.execution(name).owner for name in mine} <= {owner}
    journal.close()


def test_engines_long_gone_are_forgotten_once_they_own_nothing(
    journal: Journal, store: Store
) -> None:
    owners = [elsewhere(number) for number in range(3)]
    for owner in owners:
        journal.enlist(owner)
    begin(journal, "e", owner=owners[1])
    store.tamper(f"UPDATE owners SET expires_at = 0 WHERE id <> '{owners[2]}'")
    journal.enlist("me")
    kept = {row[0] for row in store.ask("SELECT id FROM owners")}
    assert kept == {owners[1], owners[2], "me"}
    assert journal.orphans() == ["e"]


def test_leases_in_a_file_follow_the_clock_that_was_given(tmp_path: Path) -> None:
    now = 1000.0
    journal = Journal.open(None, tmp_path, clock=lambda: now)
    journal.enlist("me", lease_seconds=5)
    now = 1004.9
    assert journal.renew("me", lease_seconds=5)
    now = 1009.8
    assert journal.renew("me", lease_seconds=5)
    now = 1014.9
    assert not journal.renew("me")
    journal.close()
