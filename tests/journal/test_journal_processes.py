"""Several processes write to one store, and die at any moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agentflow.errors import Unavailable
from agentflow.runtime.journal.owner import owner_id
from agentflow.runtime.journal.protocol import CANCEL
from agentflow.runtime.journal.store import Journal
from tests.journal.journal_examples import SPEC, Store, begin, completed, message

PROGRAM = Path(__file__).with_name("writer_process.py")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}


def writer(store: Store, name: str, commits: int, group: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, PROGRAM, store.root, store.url or "", name, str(commits), str(group)],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_two_processes_that_write_at_once_lose_nothing(store: Store) -> None:
    commits, group = 300, 5
    writers = [writer(store, name, commits, group) for name in ("a", "b")]
    for process in writers:
        process.communicate()
        assert process.returncode == 0
    journal = store.open()
    for name in ("a", "b"):
        assert len(journal.history(name)) == 1 + commits * group
    posted = journal.inbox(0)
    assert len({found.id for _, found in posted}) == len(posted) == 2 * commits
    assert [cursor for cursor, _ in posted] == list(range(1, 2 * commits + 1))
    journal.close()


@pytest.mark.slow
@pytest.mark.parametrize("commits", [1, 7, 40, 150])
def test_what_was_acknowledged_survives_a_kill_at_any_moment(store: Store, commits: int) -> None:
    # A second process keeps the store in use, so that nobody tidies up after the killed one.
    journal = store.open()
    process = writer(store, "e", 10**6, 3)
    assert process.stdout is not None
    printed = [process.stdout.readline() for _ in range(commits)]
    process.send_signal(signal.SIGKILL)
    acknowledged = int([*printed, *process.stdout.readlines()][-1])
    process.wait()
    process.stdout.close()
    for opened in (journal, store.open()):
        history = opened.history("e")
        # The commit under way when it was killed may be there too, but whole or not at all.
        assert len(history) in (acknowledged, acknowledged + 3)
    head = len(history)
    epoch = journal.claim("e", owner_id())
    journal.append([completed("e", head + 1)], [], {"e": epoch})
    assert len(journal.history("e")) == head + 1
    opened.close()
    journal.close()


def test_a_reader_sees_commits_of_another_journal_at_once(store: Store) -> None:
    running, asking = store.open(), store.open()
    running.register(SPEC)
    begin(running, "e")
    assert asking.execution("e").status == "running"
    asking.post(message(CANCEL, "c1", "e"))
    assert [found.name for _, found in running.inbox(0)] == [CANCEL]
    asking.close()
    running.append([completed("e", 2)], [], {"e": 1})
    running.close()


def test_threads_may_write_to_one_journal(journal: Journal) -> None:
    names = [begin(journal, f"e{number}") for number in range(4)]

    def append(name: str) -> None:
        for seq in range(2, 32):
            journal.append([completed(name, seq)], [], {name: 1})

    threads = [threading.Thread(target=append, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(journal.history(name)) for name in names] == [31] * 4


def test_a_writer_that_hangs_is_reported_and_not_waited_for_for_ever(tmp_path: Path) -> None:
    hanging = Journal.open(None, tmp_path)
    hanging.register(SPEC)
    waiting = Journal.open(None, tmp_path, wait_seconds=0.05)
    with hanging.group(), pytest.raises(Unavailable, match="held by another process") as refused:
        waiting.post(message("go", "m1"))
    assert "journal.lock" in refused.value.help
    assert waiting.post(message("go", "m1"))
    waiting.close()
    hanging.close()
