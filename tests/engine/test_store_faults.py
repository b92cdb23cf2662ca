"""Stores that are damaged, too new or read-only: one clear error each, and the rest goes on."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from agentflow import Engine, Unavailable
from agentflow.runtime.journal import schema
from agentflow.runtime.journal.errors import Corrupt
from tests.engine.commands import agentflow, shell
from tests.engine.conftest import PATIENCE, Reopen, Spec, send

GATE = """
  - {id: gate, listen: go}
  - {id: r, return: 1}
"""


def tamper(project: Path, *statements: str) -> None:
    """Change the journal behind its back."""
    file = sqlite3.connect(project / ".agentflow" / "journal.db")
    with file:
        for statement in statements:
            file.execute(statement)
    file.close()


@pytest.fixture
def damaged(reopen: Reopen, spec: Spec, project: Path) -> Reopen:
    """A store with two executions that wait, `bad` with a changed event."""
    engine = reopen()
    for name in ("bad", "good"):
        execution = engine.start(spec(GATE), id=name)
        send(engine, execution.id, "early", name)
    engine.close()
    tamper(project, "UPDATE events SET at = at - 1 WHERE execution_id = 'bad'")
    return reopen


def test_an_execution_with_a_corrupt_event_is_refused_and_others_go_on(damaged: Reopen) -> None:
    engine = damaged()
    with pytest.raises(Corrupt, match="execution bad"):
        engine.resume("bad")
    again = engine.resume("good")
    send(engine, again.id, "go")
    assert again.result(PATIENCE) == 1
    with pytest.raises(Corrupt, match="execution bad"):
        engine.execution("bad").events()
    assert engine.execution("bad").record().owner is None


@pytest.mark.parametrize("verb", ["resume", "history", "cancel"])
@pytest.mark.slow
def test_a_corrupt_event_is_one_clear_error_on_the_command_line(damaged: Reopen, verb: str) -> None:
    code, told, said = agentflow(verb, "bad")
    assert (code, told["error"]["code"]) == (7, "AF012")
    assert said.count("error[") == 1
    assert "backup" in told["error"]["help"]


@pytest.mark.slow
def test_an_engine_that_adopts_leaves_what_is_corrupt_and_takes_the_rest(
    damaged: Reopen, project: Path
) -> None:
    with Engine(executor="inline", root=project, adopt=True) as engine:
        good = engine.execution("good")
        send(engine, good.id, "go")
        assert good.result(PATIENCE) == 1
        assert engine.execution("bad").status not in {"succeeded", "failed"}


@pytest.mark.slow
def test_a_journal_of_a_newer_version_is_refused_and_left_alone(
    reopen: Reopen, spec: Spec, project: Path
) -> None:
    reopen().start(spec("  - {id: a, return: 5}"), id="e").result()
    engine = reopen()
    engine.close()
    file = project / ".agentflow" / "journal.db"
    tamper(
        project,
        f"UPDATE {schema.VERSION_TABLE} SET version_num = '9999'",
        "UPDATE agentflow_store SET compatible_from = '9000'",
    )
    before = file.read_bytes()
    with pytest.raises(Unavailable, match="newer"):
        Engine(executor="inline", root=project)
    for arguments in (["run", "flow.yaml"], ["show", "e"], ["executions"]):
        code, told, said = agentflow(*arguments)
        assert (code, told["error"]["code"]) == (7, "AF007")
        assert said.count("error[") == 1
    assert file.read_bytes() == before


READ_ONLY = 'mount --bind . . && mount -o remount,bind,ro . && cd "$PWD" && exec "$@"'
"""Runs a command with its folder on a read-only file system, which stops root, too."""

MAY_MOUNT = (
    shutil.which("unshare") is not None
    and subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode
    == 0
)


@pytest.mark.slow
@pytest.mark.skipif(not MAY_MOUNT, reason="allowed: only who may mount can make a folder read-only")
@pytest.mark.parametrize("existing", [False, True], ids=["no store yet", "a store"])
def test_a_read_only_folder_is_one_clear_error(
    reopen: Reopen, spec: Spec, project: Path, *, existing: bool
) -> None:
    loaded = spec("  - {id: a, return: 5}")
    if existing:
        engine = reopen()
        engine.start(loaded, id="e").result()
        engine.close()
    command = ["unshare", "--mount", "sh", "-c", READ_ONLY, "sh", sys.executable, "-m", "agentflow"]
    code, told, said = shell(*command, "run", "flow.yaml", "--json")
    assert (code, told["error"]["code"]) == (7, "AF007")
    assert "Read-only file system" in told["error"]["message"]
    assert said.count("error[") == 1
    assert "DATABASE_URL" in told["error"]["help"]
