"""A run from outside: what the command line shows and does, who runs it, how it is stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

import agentflow
from agentflow.errors import ExecutionCancelled, ExecutionFailed, Unavailable, UsageError
from agentflow.runtime.journal.protocol import CANCEL, Message
from agentflow.runtime.journal.store import Journal
from tests.batch import jobs
from tests.batch.conftest import ROOT, Ledger, Map, broken_off, kept


@pytest.mark.slow
def test_the_command_line_lists_and_shows_batch_runs(inline: Map, url: str, tmp_path: Path) -> None:
    run = inline(range(9), jobs.refuse_sevens, tolerate=5, chunk=3)
    run.results()

    def agentflow_cli(*words: str) -> str:
        done = typed(words, tmp_path, url)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert run.id in agentflow_cli("executions", "--workflow", "map:tests.batch.jobs.refuse_sevens")
    assert "items[3:6]" in agentflow_cli("history", run.id)
    assert "succeeded" in agentflow_cli("show", run.id)
    shown = json.loads(agentflow_cli("show", run.id, "--json"))
    assert shown["output"] == {"items": 9, "failed": 2}


def typed(words: Any, folder: Path, url: str) -> subprocess.CompletedProcess[str]:
    """What `agentflow` says to a command."""
    return subprocess.run(
        [sys.executable, "-m", "agentflow", *words],
        cwd=folder,
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_the_command_line_cancels_a_run_that_nobody_runs(
    inline: Map, url: str, tmp_path: Path, journal: Journal
) -> None:
    with pytest.raises(OSError, match="no more for now"):
        inline(broken_off(1), jobs.square, id="left").results()
    shown = typed(["show", "left"], tmp_path, url)
    assert "Interrupted" in shown.stdout
    assert "agentflow resume" not in shown.stdout
    done = typed(["cancel", "left", "--reason", "no longer"], tmp_path, url)
    assert done.returncode == 0, done.stderr
    assert "Cancelled" in done.stderr
    assert [type for type, _ in kept(journal, "left")][-2:] == [
        "cancel.requested",
        "execution.ended",
    ]
    assert typed(["cancel", "left"], tmp_path, url).returncode == 5


@pytest.mark.slow
def test_the_command_line_explains_a_run_that_failed(inline: Map, url: str, tmp_path: Path) -> None:
    with pytest.raises(ExecutionFailed):
        inline([7], jobs.refuse_sevens, id="seven").results()
    shown = typed(["show", "seven"], tmp_path, url)
    assert shown.returncode == 0, shown.stderr
    assert "7 is a multiple of seven" in shown.stdout
    assert "agentflow retry" not in shown.stdout


@pytest.mark.slow
def test_a_run_that_is_under_way_belongs_to_one_process(
    inline: Map, tmp_path: Path, url: str
) -> None:
    run = inline((x for x in iter(int, 1)), jobs.square, chunk=1, id="busy")
    values = iter(run)
    assert next(values) == 0
    program = """
        import sys, agentflow
        from tests.batch import jobs
        try:
            agentflow.map(iter([1]), jobs.square, executor="inline", id="busy",
                          root=sys.argv[1], store=sys.argv[2]).results()
        except agentflow.Conflict as error:
            print(error.message)
    """
    other = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), tmp_path, url],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    run.stop()
    assert other.stdout.startswith("execution busy is run by process")


def test_a_run_can_be_cancelled_by_a_message(inline: Map, journal: Journal) -> None:
    run = inline((x for x in iter(int, 1)), jobs.square, id="unwanted")
    values = iter(run)
    next(values)
    journal.post(Message("m", CANCEL, None, "enough", 1.0, "unwanted"))
    with pytest.raises(ExecutionCancelled):
        for _ in values:
            pass
    assert journal.execution("unwanted").status == "cancelled"
    assert journal.messages_for("unwanted", CANCEL) == []
    with pytest.raises(ExecutionCancelled):
        inline((x for x in iter(int, 1)), jobs.square, id="unwanted").results()


def test_a_run_can_be_cancelled_by_its_handle(inline: Map, journal: Journal) -> None:
    run = inline((x for x in iter(int, 1)), jobs.square)
    values = iter(run)
    next(values)
    run.cancel()
    assert journal.execution(run.id).status == "cancelled"


def calling(program: str, folder: Path, url: str, ledger: Ledger) -> subprocess.Popen[str]:
    """A process that runs a program whose function has been called."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), folder, url],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not ledger():
        assert process.poll() is None
    return process


INTERRUPTED = """
    import sys, agentflow
    from tests.batch import jobs
    place = dict(executor="inline", root=sys.argv[1], store=sys.argv[2], id="stop", chunk=1)
    items = [[sys.argv[1] + "/ledger", x] for x in range(3000)]
    agentflow.map(items, jobs.note_slowly, **place).results()
"""


@pytest.mark.slow
def test_ctrl_c_stops_a_run_and_says_how_to_go_on(
    tmp_path: Path, url: str, journal: Journal, ledger: Ledger
) -> None:
    process = calling(INTERRUPTED, tmp_path, url, ledger)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert "Ctrl-C again cancels the run" in said
    assert "Stopped · stop:" in said
    assert "the same call with id='stop' goes on" in said
    assert journal.execution("stop").status == "running"
    recorded = sum(step is not None for _, step in kept(journal, "stop"))
    assert recorded == len(ledger())


ENDLESS = """
    import sys, agentflow
    from tests.batch import jobs
    place = dict(executor="inline", root=sys.argv[1], store=sys.argv[2], id="twice", chunk=1)
    agentflow.map([[sys.argv[1] + "/ledger", x] for x in range(9)], jobs.wait_for_good, **place).results()
"""


@pytest.mark.slow
def test_ctrl_c_twice_cancels_a_run(
    tmp_path: Path, url: str, journal: Journal, ledger: Ledger
) -> None:
    process = calling(ENDLESS, tmp_path, url, ledger)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    while "Ctrl-C again cancels the run" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert "Cancelled · twice" in said
    assert journal.execution("twice").status == "cancelled"


BLOCKED = """
    import sys, threading, time, agentflow
    from tests.batch import jobs
    def items():
        time.sleep(0.2)
        yield [sys.argv[1] + "/ledger", 1]
        threading.Event().wait()
    agentflow.map(items(), jobs.note, executor="inline", root=sys.argv[1], store=sys.argv[2]).results()
"""


@pytest.mark.slow
def test_ctrl_c_ends_a_process_whose_items_never_come(
    tmp_path: Path, url: str, ledger: Ledger
) -> None:
    process = calling(BLOCKED, tmp_path, url, ledger)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert "Stopped ·" in said


def test_a_journal_that_cannot_be_opened_is_told(inline: Map, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(Unavailable):
        inline([1], jobs.square, store=f"sqlite:///{tmp_path}/folder").results()


def test_there_is_no_such_executor(inline: Map) -> None:
    with pytest.raises(UsageError, match="no executor `threads`"):
        agentflow.map([1], jobs.square, executor="threads").results()
