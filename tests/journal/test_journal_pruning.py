"""What ended long ago is removed with all that only it used; a copy is as good as the journal."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentflow.errors import Conflict, NotFound, UsageError
from agentflow.runtime.journal import pruning
from agentflow.runtime.journal.protocol import ENDED, Change, Pruned, Record, Status
from agentflow.runtime.journal.store import Journal
from agentflow.runtime.settings import Settings
from tests.journal.journal_examples import (
    SPEC,
    Store,
    begin,
    completed,
    execution,
    message,
    started,
)

LARGE = "x" * 100_000
DAY = 86_400.0


def run(
    journal: Journal, name: str, *, days: float, status: Status = "succeeded", **fields: Any
) -> str:
    """An execution of three events that ended so many days ago."""
    ended_at = time.time() - days * DAY
    fields = {"started_at": ended_at - 5, **fields}
    journal.create(execution(name, **fields), started(name))
    end = Record(name, 3, "execution.ended", ended_at, data={"status": status})
    change = Change(name, status, ended_at=ended_at)
    journal.append([completed(name, 2, value=fields.get("input")), end], [change], {name: 1})
    return name


def names(journal: Journal) -> set[str]:
    return {found.id for found in journal.executions(limit=1000)}


def age(store: Store, days: float) -> None:
    """Let all blobs be as old as this."""
    written_at = time.time() - days * DAY
    for file in (store.root / ".agentflow/blobs").glob("*/*"):
        os.utime(file, (written_at, written_at))


def blobs(store: Store) -> int:
    return len(list((store.root / ".agentflow/blobs").glob("*/*")))


def test_executions_that_ended_long_ago_are_removed_with_their_events(journal: Journal) -> None:
    for days in (1, 10, 20):
        run(journal, f"d{days}", days=days)
    begin(journal, "open", started_at=0.0)
    planned = journal.prune(7 * DAY, dry_run=True)
    assert names(journal) == {"d1", "d10", "d20", "open"}
    assert journal.prune(7 * DAY) == planned
    assert (planned.executions, planned.events) == (2, 6)
    assert planned.bytes > 0
    assert names(journal) == {"d1", "open"}
    with pytest.raises(NotFound):
        journal.history("d10")
    assert len(journal.history("d1")) == 3
    assert journal.prune(7 * DAY) == Pruned()


def test_only_the_statuses_that_were_asked_for_are_removed(journal: Journal) -> None:
    for status in sorted(ENDED):
        run(journal, status, days=10, status=status)
    assert journal.prune(DAY, statuses={"succeeded"}).executions == 1
    assert names(journal) == {"failed", "cancelled"}
    with pytest.raises(UsageError, match="not running"):
        journal.prune(DAY, statuses={"running"})


def test_a_tree_of_executions_goes_as_a_whole(journal: Journal) -> None:
    for root in ("old", "mixed"):
        run(journal, root, days=10)
        run(journal, f"{root}-child", days=10, parent=root, parent_key="c")
        run(journal, f"{root}-grandchild", days=10, parent=f"{root}-child", parent_key="c")
    run(journal, "mixed-young", days=1, parent="mixed-child", parent_key="d")
    begin(journal, "open")
    run(journal, "of-open", days=10, parent="open", parent_key="c")
    assert journal.prune(7 * DAY).executions == 3
    assert names(journal) == {
        "mixed",
        "mixed-child",
        "mixed-grandchild",
        "mixed-young",
        "open",
        "of-open",
    }


def test_messages_go_with_their_execution(journal: Journal, store: Store) -> None:
    run(journal, "old", days=10)
    begin(journal, "open")
    for number, name in enumerate(["old", "open", "old"]):
        journal.post(message("go", f"m{number}", name))
    taken = Record("open", 2, "message.received", 103.0, "l", data={"message": "m1"})
    journal.append([taken], [], {"open": 1}, [("m1", "open", "l")])
    journal.prune(DAY)
    assert [found.id for _, found in journal.inbox(0)] == ["m1"]
    assert store.ask("SELECT message_id FROM deliveries") == [("m1",)]


def test_a_published_event_stays_while_an_execution_might_take_it(journal: Journal) -> None:
    journal.post(message("news", "before"))
    begin(journal, "open")
    journal.post(message("news", "after"))
    journal.prune(0)
    assert [found.id for _, found in journal.inbox(0)] == ["after"]
    assert journal.post(message("news", "last"))
    assert [found.id for found in journal.messages_for("open", "news")] == ["after", "last"]


def test_versions_that_nothing_uses_are_removed(journal: Journal) -> None:
    child = replace(SPEC, digest="c1", name="child")
    parent = replace(SPEC, digest="p1", name="parent", children={"child.yaml": "c1"})
    for spec in (child, parent, replace(child, digest="c2"), replace(SPEC, digest="d2")):
        journal.register(spec)
    for number in (3, 4):
        journal.register(replace(SPEC, digest=f"d{number}"))
    run(journal, "old", days=10)
    begin(journal, "open", digest="d2")
    journal.prune(DAY)
    for digest in ("d2", "d4", "p1", "c1", "c2"):
        assert journal.spec(digest).digest == digest
    for digest in ("d1", "d3"):
        with pytest.raises(NotFound):
            journal.spec(digest)


def test_blobs_that_nothing_refers_to_are_removed_once_they_are_old(
    journal: Journal, store: Store
) -> None:
    run(journal, "old", days=10, input=LARGE)
    run(journal, "young", days=1, input=[LARGE])
    journal.post(message("go", "m1", "young", data={"m": LARGE}))
    assert blobs(store) == 5
    age(store, days=0.5)
    assert journal.prune(7 * DAY, dry_run=True).blobs == 0
    assert journal.prune(7 * DAY).blobs == 0
    age(store, days=2)
    planned = journal.prune(7 * DAY, dry_run=True)
    assert journal.prune(7 * DAY) == planned
    assert planned.blobs == 2
    assert planned.bytes >= 2 * len(LARGE)
    assert blobs(store) == 3
    assert journal.execution("young").input == [LARGE]
    assert len(journal.history("young")) == 3
    assert journal.inbox(0)[0][1].data == {"m": LARGE}


def test_a_plan_counts_the_blobs_of_what_would_be_removed(journal: Journal, store: Store) -> None:
    run(journal, "old", days=10, input=LARGE)
    run(journal, "shares", days=1, input=LARGE)
    age(store, days=2)
    assert journal.prune(7 * DAY, dry_run=True).blobs == 0
    assert journal.prune(0, dry_run=True).blobs == 2
    assert journal.prune(0).blobs == 2


def test_what_an_interrupted_write_left_is_removed(journal: Journal, store: Store) -> None:
    begin(journal, "e")
    journal.post(message("go", "m1", "e", data=LARGE))
    (file,) = (store.root / ".agentflow/blobs").glob("*/*")
    file.with_name(f"{file.name}.0123abcd.partial").write_bytes(b"x")
    other = file.with_name("notes.txt")
    other.write_text("not ours")
    age(store, days=2)
    journal.prune(DAY)
    assert {found.name for found in file.parent.iterdir()} == {file.name, "notes.txt"}


def test_an_execution_that_is_retried_meanwhile_stays(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(journal, "e", days=10, status="failed")
    portions = pruning._portions

    def retried(trees: Any) -> Any:
        found = list(portions(trees))
        journal.supersede("e", 2, 1, Record("e", 4, "execution.retried", 1.0))
        return found

    monkeypatch.setattr(pruning, "_portions", retried)
    assert journal.prune(DAY).executions == 0
    assert journal.execution("e").status == "running"


def test_many_are_removed_a_few_at_a_time(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "_TREES", 3)
    monkeypatch.setattr(pruning, "_EVENTS", 5)
    with journal.group():
        for number in range(10):
            run(journal, f"e{number}", days=10)
    assert journal.prune(DAY).executions == 10
    assert names(journal) == set()


def test_what_was_pruned_does_not_count_as_lost(journal: Journal, store: Store) -> None:
    run(journal, "old", days=10)
    journal.prune(DAY)
    journal.close()
    again = store.open()
    assert again.behind == ""
    with pytest.raises(NotFound):
        again.execution("old")
    assert again.create(execution("old"), started("old"))[1]
    again.close()


class TestBackup:
    """A copy is a folder like the one that holds the journal."""

    def test_a_copy_is_one_moment_of_the_journal(self, tmp_path: Path) -> None:
        settings = Settings()
        journal = Journal.open(None, tmp_path, settings=settings)
        journal.register(SPEC)
        begin(journal, "e", input=LARGE)
        target = tmp_path / "copies/first/.agentflow"
        journal.backup(target)
        begin(journal, "later")
        journal.append([completed("e", 2, value=[LARGE])], [], {"e": 1})
        journal.close()
        restored = Journal.open(None, target.parent)
        assert names(restored) == {"e"}
        assert restored.execution("e").input == LARGE
        assert restored.behind == ""
        restored.append([completed("e", 2)], [], {"e": 1})
        assert len(restored.history("e")) == 2
        restored.close()
        assert [found.name for found in target.parent.iterdir()] == [".agentflow"]

    def test_a_copy_may_be_named_from_where_one_stands(
        self, file_journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        file_journal.backup(Path("copies/monday"))
        assert (tmp_path / "copies/monday/journal.db").is_file()

    def test_a_copy_overwrites_nothing(self, file_journal: Journal, tmp_path: Path) -> None:
        with pytest.raises(Conflict, match="exists already"):
            file_journal.backup(tmp_path)

    def test_a_blob_that_is_missing_is_told(self, file_journal: Journal, tmp_path: Path) -> None:
        begin(file_journal, "e", input=LARGE)
        for file in (tmp_path / ".agentflow/blobs").glob("*/*"):
            file.unlink()
        with pytest.raises(Exception, match="blobs were removed while they were copied"):
            file_journal.backup(tmp_path / "copy")
        assert {found.name for found in tmp_path.iterdir()} == {".agentflow"}

    def test_a_server_has_tools_of_its_own(self, journal: Journal, store: Store) -> None:
        if store.url is None:
            journal.backup(store.root / "copy")
            return
        with pytest.raises(UsageError, match="the server's own tools") as refused:
            journal.backup(store.root / "copy")
        assert "pg_dump" in refused.value.help
