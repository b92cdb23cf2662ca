"""A run as a job of a cluster: by Ray's own command, and by `--ray job:URL`."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import pytest

from tests.cluster.conftest import (
    Commands,
    Head,
    descendants,
    is_gone,
    kill,
    lines,
    status,
    wait_for,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


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
    assert status(head, "held-1") == "succeeded"


def test_an_execution_of_a_job_is_reached_from_where_it_was_submitted(
    head: Head, command: Commands, tmp_path: Path
) -> None:
    ledger, door = tmp_path / "ledger", head.job
    given = json.dumps({"ledger": str(ledger)})
    words = ("run", "specs/talk.yaml", "--id", "talk-1", "--input", given)
    begun = command("agentflow", *words, "--detach", *door)
    assert (begun.code, begun.out) == (0, "talk-1\n"), begun.err
    wait_for(lambda: status(head, "talk-1") is not None)

    signal_ = command.begin("agentflow", "signal", "talk-1", "go", "--data", '"it"', *door)
    review = ("talk-1", "talk.review", "--data", '{"sure": true}')
    approve = command.begin("agentflow", "approve", *review, "--json", *door)
    sent, answered = command.end(signal_), command.end(approve)
    assert sent.code == 0, sent.err
    assert "Sent `go` to talk-1" in sent.err
    assert json.loads(answered.out)["name"] == "talk.review"
    wait_for(lambda: status(head, "talk-1") == "failed")

    show = command.begin("agentflow", "show", "talk-1", *door)
    logs = command.begin("agentflow", "logs", "talk-1", "talk.begun", "--json", *door)
    shown, printed = command.end(show), command.end(logs)
    assert shown.out.startswith("talk 1.0.0 · talk-1 · failed\n"), shown.err
    assert f"  agentflow retry talk-1 {' '.join(door)}  " in shown.out
    assert [line["line"] for line in json.loads(printed.out)["lines"]] == ["saying begun"]

    functions = command.project / "functions" / "held.py"
    functions.write_text(
        functions.read_text().replace('raise ValueError("not yet")', "return word")
    )
    again = command("agentflow", "retry", "talk-1", *door)
    assert (again.code, again.out) == (0, '"it"\n'), again.err
    said = [line["word"] for line in lines(ledger)]
    assert (said.count("begun"), said.count("it")) == (1, 2)


def test_ctrl_c_leaves_a_job_to_itself_and_once_more_cancels_it(
    head: Head, command: Commands, tmp_path: Path
) -> None:
    ledger, about = tmp_path / "ledger", f"held-2 {' '.join(head.job)}"
    given = json.dumps({"ledger": str(ledger), "gate": str(tmp_path / "gate")})
    words = ("run", "specs/held.yaml", "--id", "held-2", "--input", given)

    first = command.begin("agentflow", *words, *head.job)
    wait_for(lambda: len(lines(ledger)) == 2, first)
    first.send_signal(signal.SIGINT)
    left = command.end(first)
    assert (left.code, left.out) == (130, "")
    assert "Not followed any longer; job agentflow-held-2 goes on." in left.err
    assert f"  agentflow resume {about}   follow it\n" in left.err
    assert f"  agentflow cancel {about}   stop it\n" in left.err

    again = command.begin("agentflow", "resume", "held-2", "--json", *head.job)
    command.read(again, "carries held-2 already")
    again.send_signal(signal.SIGINT)
    command.read(again, "Ctrl-C again within 3 s cancels held-2.")
    again.send_signal(signal.SIGINT)
    cancelled = command.end(again)
    assert cancelled.code == 130, cancelled.err
    assert json.loads(cancelled.out)["status"] == "cancelled"
    assert status(head, "held-2") == "cancelled"
    assert [line["word"] for line in lines(ledger)] == ["first", "hold"]
    assert "Traceback" not in left.err + cancelled.err


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
