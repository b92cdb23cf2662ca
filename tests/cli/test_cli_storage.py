"""`prune` and `backup`, and what `doctor` says of a journal."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from agentflow.cli import text

from .conftest import Command

REVIEWS = ("run", "specs/reviews.yaml", "--quiet", "--input")


@pytest.fixture
def used(agentflow: Command) -> Command:
    """A journal with one execution that succeeded and one that failed."""
    agentflow(*REVIEWS, '{"n": 2}', "--id", "good")
    agentflow(*REVIEWS, '{"n": 20, "bad": [17]}', "--id", "bad")
    return agentflow


def ids(agentflow: Command) -> set[str]:
    return {found["id"] for found in agentflow("executions", "--json").json["executions"]}


def test_what_ended_long_ago_is_removed(used):
    assert used("prune", "--older-than", "1h", "--json").json["executions"] == 0
    planned = used("prune", "--older-than", "0s", "--dry-run")
    assert (planned.code, planned.err) == (0, "")
    assert planned.out.startswith("Would remove 2 executions, ")
    assert ids(used) == {"good", "bad"}
    done = used("prune", "--older-than", "0s", "--status", "failed", "--json")
    assert done.json == {"dry_run": False, **done.json, "executions": 1, "blobs": 0}
    assert list(done.json) == ["dry_run", "executions", "events", "blobs", "bytes"]
    assert ids(used) == {"good"}
    both = used("prune", "--older-than", "0s", "--status", "failed", "--status", "succeeded")
    assert both.out.startswith("Removed 1 execution, ")
    assert ids(used) == set()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--older-than"),
        (("--older-than", "soon"), "--older-than soon is not a duration"),
        (("--older-than", "30"), "--older-than 30 is not a duration"),
        (("--older-than", "1d", "--status", "running"), "running"),
    ],
    ids=["how old is not said", "no duration", "no unit", "what has not ended"],
)
def test_what_cannot_be_pruned_is_one_clear_error(agentflow, arguments, message):
    done = agentflow("prune", *arguments)
    assert (done.code, done.out) == (2, "")
    assert message in done.err


def test_a_backup_is_the_journal_in_another_place(used, project):
    done = used("backup", "copies/monday")
    assert (done.code, done.out, done.err) == (0, "Copied the journal to copies/monday.\n", "")
    shutil.rmtree(project / ".agentflow")
    shutil.copytree(project / "copies/monday", project / ".agentflow")
    assert ids(used) == {"good", "bad"}
    assert used("backup", "copies/tuesday", "--json").json == {"folder": "copies/tuesday"}


def test_a_backup_overwrites_nothing(used, project):
    done = used("backup", "specs", "--json")
    assert (done.code, done.json["error"]["code"]) == (5, "AF006")
    assert (project / "specs/reviews.yaml").exists()


# --- doctor ----------------------------------------------------------------------------------


def tamper(project: Path, statement: str) -> None:
    file = sqlite3.connect(project / ".agentflow/journal.db")
    with file:
        file.execute(statement)
    file.close()


def test_doctor_says_what_a_store_has_lost_and_what_to_do(used, project):
    tamper(project, "DELETE FROM events WHERE execution_id = 'bad' AND seq > 3")
    done = used("doctor")
    assert done.code == 0
    assert "warn  store      the store is older than what was acknowledged" in done.out
    assert "fix: put the newer store back" in done.out


@pytest.mark.parametrize("damage", ["at = at - 1", "hash = x'00'"])
def test_doctor_and_show_say_that_nobody_can_go_on_with_an_execution(agentflow, project, damage):
    for id in ("w1", "w2"):
        create(project, id)
    tamper(project, f"UPDATE events SET {damage} WHERE execution_id = 'w1'")
    done = agentflow("doctor")
    assert done.code == 0
    assert "warn  execution   " in done.out
    assert "execution w1" in done.out
    assert "fix: restore the store from a backup" in done.out or "fix: put the newer" in done.out
    assert "ok    executions  nobody runs 1 open execution; `agentflow resume ID`" in done.out
    shown = agentflow("show", "w1")
    assert (shown.code, "AF012" in shown.err) == (7, True)


def create(project: Path, id: str) -> None:
    """An execution that nobody runs."""
    from agentflow import Engine

    with Engine(executor="inline", root=project) as engine:
        engine.create(project / "specs/waiting.yaml", id=id)


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1 KB"),
        (64_499, "64 KB"),
        (999_499, "999 KB"),
        (999_500, "1.0 MB"),
        (1_250_000, "1.2 MB"),
        (999_949_999, "999.9 MB"),
        (3_000_000_000, "3.0 GB"),
    ],
)
def test_a_size_is_told_at_the_precision_that_matters(count, words):
    assert text.size(count) == words
