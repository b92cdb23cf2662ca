"""A store that cannot be used is one clear error that says what to do."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from multiprocessing.queues import SimpleQueue
from pathlib import Path

import pytest

from agentflow.errors import AgentFlowError, Unavailable, UsageError
from agentflow.runtime.journal import sqlite
from agentflow.runtime.journal.store import Journal
from tests.journal.journal_examples import SPEC, begin, message
from tests.namespaces import needs_namespaces, run_apart

NOBODY = 65534


def test_the_default_store_is_in_the_project(tmp_path: Path) -> None:
    Journal.open(None, tmp_path).close()
    assert (tmp_path / ".agentflow/journal.db").is_file()
    assert (tmp_path / ".agentflow/.gitignore").read_text() == "*\n"


@pytest.mark.parametrize("path", ["sub/other.db", "{}/absolute.db"], ids=["relative", "absolute"])
def test_a_store_elsewhere_is_named_by_a_url(tmp_path: Path, path: str) -> None:
    path = path.format(tmp_path)
    journal = Journal.open(f"sqlite:///{path}", tmp_path)
    journal.register(SPEC)
    journal.close()
    again = Journal.open(f"sqlite:///{path}", tmp_path)
    assert again.find_spec("hello") == SPEC
    again.close()
    assert (tmp_path / path).is_file()


def test_a_path_may_hold_any_character(tmp_path: Path) -> None:
    root = tmp_path / "a b?c#d%41é"
    Journal.open(None, root).close()
    assert (root / ".agentflow/journal.db").is_file()
    assert [found.name for found in tmp_path.iterdir()] == [root.name]


def test_closing_twice_is_harmless(tmp_path: Path) -> None:
    journal = Journal.open(None, tmp_path)
    journal.close()
    journal.close()


def test_the_log_is_gone_when_the_last_one_closed(tmp_path: Path) -> None:
    journal = Journal.open(None, tmp_path)
    journal.register(SPEC)
    assert journal.find_spec("hello") == SPEC
    journal.close()
    assert {found.name for found in (tmp_path / ".agentflow").iterdir()} == {
        ".gitignore",
        "journal.db",
        "journal.lock",
    }


def test_a_commit_survives_power_loss_and_readers_cannot_write(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with sqlite.writer(path).connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
        assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
        connection.exec_driver_sql("CREATE TABLE t (x)")
        connection.commit()
        with sqlite.reader(path).connect() as reading:
            assert reading.exec_driver_sql("PRAGMA wal_autocheckpoint").scalar() == 0
            with pytest.raises(Exception, match="readonly database"):
                reading.exec_driver_sql("INSERT INTO t VALUES (1)")


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("nonsense", "not a database's address"),
        ("sqlite://", "does not name a file"),
        ("sqlite:///:memory:", "does not name a file"),
        ("sqlite:///x.db?mode=ro", "without options"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused(tmp_path: Path, url: str, text: str) -> None:
    with pytest.raises(UsageError) as refused:
        Journal.open(url, tmp_path)
    assert text in f"{refused.value} {refused.value.help}"


def test_another_kind_of_database_is_refused_and_the_password_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="of the kind mysql, which is not supported") as refused:
        Journal.open("mysql://u:secret@db/name", tmp_path)
    assert "secret" not in str(refused.value)


def test_a_missing_driver_is_one_clear_error(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib; sys.modules['psycopg'] = None\n"
        "from agentflow.errors import Unavailable\n"
        "from agentflow.runtime.journal import Journal\n"
        "try: Journal.open('postgresql://u:secret@db/name', pathlib.Path())\n"
        "except Unavailable as error: print(error, error.help)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert "there is no driver for postgresql+psycopg://u:***@db/name" in done.stdout
    assert "pip install 'inferloop-agentflow[postgres]'" in done.stdout


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("shopping list, and enough text to be no SQLite header\n" * 20)
    before = path.read_bytes()
    with pytest.raises(Unavailable, match="is not a journal") as refused:
        Journal.open(f"sqlite:///{path}", tmp_path)
    assert "DATABASE_URL" in refused.value.help
    assert path.read_bytes() == before


def test_a_database_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    shop = sqlite3.connect(path)
    with shop:
        shop.execute("CREATE TABLE events (id)")
    shop.close()
    with pytest.raises(Unavailable, match="tables named events but is no journal"):
        Journal.open(f"sqlite:///{path}", tmp_path)


def test_a_folder_in_the_place_of_the_store(tmp_path: Path) -> None:
    (tmp_path / ".agentflow/journal.db").mkdir(parents=True)
    with pytest.raises(Unavailable, match=r"journal\.db may not be written"):
        Journal.open(None, tmp_path)


def test_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / ".agentflow").write_text("")
    with pytest.raises(Unavailable, match="Not a directory"):
        Journal.open(None, tmp_path)


def test_a_tool_that_holds_the_database_is_reported(
    file_journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_FOREIGN_LOCK_SECONDS", 0.05)
    begin(file_journal, "e")
    impatient = Journal.open(None, tmp_path)
    tool = sqlite3.connect(tmp_path / ".agentflow/journal.db", isolation_level=None)
    tool.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="locked by another program") as refused:
        impatient.post(message("go", "m1"))
    assert "fuser" in refused.value.help
    tool.close()
    assert impatient.post(message("go", "m1"))
    impatient.close()


@pytest.fixture
def public(tmp_path: Path) -> Iterator[Path]:
    """A folder that other users can reach, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def _open_as_nobody(root: Path, answer: SimpleQueue[str]) -> None:
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    try:
        Journal.open(None, root)
    except AgentFlowError as error:
        answer.put(f"{type(error).__name__}: {error.message} {error.help}")
    else:
        answer.put("no error")
    os._exit(0)  # the threads of other tests do not live here, and waiting for them would hang


@pytest.mark.skipif(os.getuid() != 0, reason="allowed: only root can become another user")
@pytest.mark.parametrize("existing", [0, 1], ids=["no store yet", "somebody's store"])
def test_a_store_without_the_right_to_write(public: Path, existing: int) -> None:
    for _ in range(existing):
        Journal.open(None, public).close()
    fork = multiprocessing.get_context("fork")
    answer: SimpleQueue[str] = fork.SimpleQueue()
    process = fork.Process(target=_open_as_nobody, args=(public, answer))
    process.start()
    text = answer.get()
    process.join()
    assert text.startswith("Unavailable: ")
    assert "may not be written: Permission denied" in text
    assert "DATABASE_URL" in text


FULL_DISK = """
import pathlib, subprocess, sys
root = pathlib.Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", root], check=True)
from agentflow.errors import Unavailable
from agentflow.runtime.journal.store import Journal
from tests.journal.journal_examples import SPEC, begin, completed
ballast = root / "ballast"
journal = Journal.open(None, root)
journal.register(SPEC)
begin(journal, "e")
ballast.write_bytes(bytes(400_000))
head = 1
try:
    while head < 1000:
        journal.append([completed("e", head + 1, value="x" * 5000)], [], {"e": 1})
        head += 1
except Unavailable as error:
    print(error.message, error.help)
assert 1 < head == len(journal.history("e"))
ballast.unlink()
journal.append([completed("e", head + 1)], [], {"e": 1})
assert len(journal.history("e")) == head + 1
journal.close()
"""


@pytest.mark.slow
@needs_namespaces
def test_a_full_disk_loses_nothing_and_writing_goes_on_when_there_is_room(tmp_path: Path) -> None:
    said = run_apart(FULL_DISK, tmp_path)
    assert "the disk that holds" in said
    assert "free some space" in said
