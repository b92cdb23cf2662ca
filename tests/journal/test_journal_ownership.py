"""One process runs an execution; whoever lost it writes nothing."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from agentflow.errors import Conflict, NotFound
from agentflow.runtime.journal.errors import Fenced
from agentflow.runtime.journal.owner import Owner, is_alive, owner_id
from agentflow.runtime.journal.store import Journal
from tests.journal.journal_examples import LIVE, begin, completed


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
    assert refused.value.help == "continue it on elsewhere"


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


def test_more_executions_than_one_query_holds_are_checked(journal: Journal) -> None:
    with journal.group():
        names = [begin(journal, f"e{number}") for number in range(2100)]
    journal.append([completed(name, 2) for name in names], [], dict.fromkeys(names, 1))
    with pytest.raises(Fenced) as refused:
        journal.append([], [], {**dict.fromkeys(names, 1), names[-1]: 2})
    assert refused.value.executions == (names[-1],)
