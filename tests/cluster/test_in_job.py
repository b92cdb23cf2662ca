"""What a Ray job keeps, and what it tells: without Ray, which only sets a variable."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import agentflow
from agentflow.cli.dispatch import dispatch
from tests.cluster.conftest import HERE

DOOR = "job:http://head:8265"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The home of a job's user; the working folder is a copy of the project, as Ray names it."""
    copy = tmp_path / "working_dir_files" / "_ray_pkg_0123456789abcdef"
    shutil.copytree(HERE / "project", copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(copy)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", "{}")
    monkeypatch.setenv("AGENTFLOW_EXECUTOR", "inline")
    monkeypatch.delenv("DATABASE_URL", raising=False)
    for name in [name for name in sys.modules if name.partition(".")[0] == "functions"]:
        monkeypatch.delitem(sys.modules, name)
    yield tmp_path / "home"
    monkeypatch.undo()


def run(home: Path) -> int:
    """A run that fails after it has printed something."""
    given = json.dumps({"ledger": str(home / "ledger")})
    return dispatch(["run", "specs/refused.yaml", "--id", "r1", "--input", given])


def test_journal_and_logs_of_a_job_outlive_its_copy_of_the_project(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(home) == 1
    assert f"The journal is {home}/.agentflow/journal.db" in capsys.readouterr().err
    assert "begun saying begun" in (home / ".agentflow" / "logs" / "r1.log").read_text()
    assert not Path(".agentflow").exists()
    assert dispatch(["logs", "r1"]) == 0
    told = capsys.readouterr()
    assert "begun │ saying begun" in told.out
    assert told.err == ""


def test_commands_lead_back_the_way_by_which_the_job_came(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTFLOW_JOB_DOOR", DOOR)
    run(home)
    told = capsys.readouterr().err
    assert f"\n  agentflow retry r1 --ray {DOOR}  " in told
    assert "cd " not in told


@pytest.mark.parametrize("json", [False, True], ids=["words", "json"])
def test_the_help_of_an_error_leads_back_as_well(
    home: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    json: bool,
) -> None:
    monkeypatch.setenv("AGENTFLOW_JOB_DOOR", DOOR)
    run(home)
    capsys.readouterr()
    assert dispatch(["cancel", "r1", *(["--json"] if json else [])]) == 5
    told = capsys.readouterr()
    assert f"agentflow show r1 --ray {DOOR}" in (told.out if json else told.err)


def test_logs_that_are_on_a_cluster_are_not_taken_for_none(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(home)
    monkeypatch.delenv("RAY_JOB_CONFIG_JSON_ENV_VAR")
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{home}/.agentflow/journal.db")
    capsys.readouterr()
    assert dispatch(["logs", "r1"]) == 0
    assert "agentflow logs ID --ray job:URL" in capsys.readouterr().err


def test_a_job_does_not_detach_from_itself(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["run", "specs/refused.yaml", "--detach", "--input", "{}"]) == 2
    assert "ray job submit --no-wait" in capsys.readouterr().err


def test_a_batch_run_in_a_job_keeps_its_journal_there_as_well(home: Path) -> None:
    assert agentflow.map([1, 2, 3], len_of, id="b1", executor="inline").results() == [1, 1, 1]
    assert dispatch(["show", "b1"]) == 0
    assert (home / ".agentflow" / "journal.db").is_file()


def len_of(item: int) -> int:
    """How many digits it has."""
    return len(str(item))
