"""Executions that go on without the terminal they were started from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from agentflow.cli import exits, outcome, session, stores, terminal
from agentflow.errors import UsageError
from agentflow.runtime.job import job_folder
from agentflow.runtime.journal.protocol import ENDED
from agentflow.runtime.settings import load_settings
from agentflow.spec.signatures import find_root

if TYPE_CHECKING:
    from agentflow.cli.session import Manner
    from agentflow.errors import Json
    from agentflow.runtime.journal.protocol import StoredExecution
    from agentflow.spec.load import Loaded


def start(loaded: Loaded, data: Json, execution: str, manner: Manner) -> int:
    """Record an execution, let a process of its own carry it, and print its id.

    Raises:
        UsageError: this is a Ray job.
    """
    from agentflow.runtime.engine import Engine

    if job_folder() is not None:
        raise UsageError(
            "--detach has no meaning in a Ray job: all of it ends with its command",
            help="detach from the job: ray job submit --no-wait, or agentflow run … --ray job:URL "
            "--detach",
        )
    store = load_settings().database_url
    with Engine(executor="inline", root=loaded.root, store=store) as engine:
        record = engine.create(loaded, data, id=execution).record()
    if record.status not in ENDED and not outcome.is_alive(record):
        _spawn(record, manner)
    if manner.as_json:
        terminal.result_json(stores.as_json(record))
    else:
        terminal.result(record.id)
    return exits.OK


def _spawn(record: StoredExecution, manner: Manner) -> None:
    root = Path(record.root)
    log = root / ".agentflow" / "logs" / f"{record.id}.out"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "agentflow", "resume", record.id]
    if manner.ray is not None:
        command += ["--ray", manner.ray]
    with log.open("ab") as file:
        process = subprocess.Popen(  # noqa: S603 - our own command line, no shell
            [*command, "--executor", session.executor_of(manner)],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
            # Where the user stands is where functions look for files, unless that is not in the
            # project: then the new process would not find the journal.
            cwd=None if find_root(Path.cwd()) == root else root,
        )
    if not manner.quiet:
        terminal.note(f"Process {process.pid} carries it; what it says goes to {log}")
        terminal.note(f"  {outcome.command('show', record)}")
