"""A run as a job of a cluster: by Ray's own command, and by `--ray job:URL`."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path

import pytest

from tests.cluster.conftest import Commands, Head, descendants, is_gone, kill, lines, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def test_a_job_whose_driver_is_killed_goes_on_when_it_is_submitted_again(
    head: Head, command: Commands, tmp_path: Path
) -> None:
    ledger, gate = tmp_path / "ledger", tmp_path / "gate"
    large = "x" * 70_000  # more than is put into a job's command line
    given = json.dumps({"ledger": str(ledger), "gate": str(gate), "large": large})
    words = ("run", "specs/held.yaml", "--id", "held-1", "--input", given)

    first = command.begin("agentflow", *words, *head.job)
    wait_for(lambda: len(lines(ledger)) == 2, first)
    held = lines(ledger)[1]["pid"]
    (driver,) = [
        pid for pid, line in descendants(head.home)
        if "agentflow.cli.job_driver" in line and not line.startswith(("sh ", "/bin/sh "))
    ]  # fmt: skip
    kill(driver)
    done = command.end(first)
    assert (done.code, done.out) == (7, "")
    assert "job agentflow-held-1 was lost" in done.err
    assert "the same command with --id held-1" in done.err
    assert f"The journal is {head.home}/.agentflow/journal.db" in done.err
    assert "Traceback" not in done.err
    wait_for(lambda: is_gone(held))

    gate.touch()
    submit = ("ray", "job", "submit", "--address", head.dashboard, "--working-dir", ".", "--")
    again = command(*submit, "agentflow", *words)
    assert again.code == 0, again.out + again.err
    assert [line["word"] for line in lines(ledger)] == ["first", "hold", "hold"]
    (printed,) = [line for line in again.out.splitlines() if line.startswith("{")]
    where = json.loads(printed)["held"]
    assert re.search(r"held +succeeded", again.out)
    assert "py_modules_files" in where["package"]
    assert where["module"] == f"{where['folder']}/functions/held.py"
    assert "working_dir_files" in where["folder"]
    journal = sqlite3.connect(head.home / ".agentflow" / "journal.db")
    ended = journal.execute("select id, status from executions").fetchall()
    journal.close()
    assert ("held-1", "succeeded") in ended


def test_what_a_job_finds_wrong_is_reported_as_if_it_had_run_here(
    head: Head, command: Commands
) -> None:
    done = command("agentflow", "run", "specs/absent.yaml", "--json", *head.job)
    assert done.code == 3
    error = json.loads(done.out)["error"]
    assert error["message"] == "package `functions` has no module `ignored`"
    assert error["file"] == "specs/absent.yaml"
    assert "Traceback" not in done.err
    assert "INFO" not in done.err
