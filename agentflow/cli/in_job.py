"""The command line inside a Ray job: where it keeps the journal."""

from __future__ import annotations

import os
from pathlib import Path

from agentflow.cli import terminal
from agentflow.errors import Unavailable

_IN_JOB = "RAY_JOB_CONFIG_JSON_ENV_VAR"
"""Ray sets it for a job's command, and for nothing else."""


def settle() -> None:
    """Put the journal where it outlives the job, unless the environment says where it is.

    The project is a copy there, in a folder that Ray removes.

    Raises:
        Unavailable: the home of the job's user cannot be written.
    """
    if not os.environ.get(_IN_JOB) or os.environ.get("DATABASE_URL"):
        return
    file = Path.home() / ".agentflow" / "journal.db"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(
            f"the journal cannot be kept in {file.parent}: {error.strerror}",
            help="set DATABASE_URL to a PostgreSQL, or to a SQLite file on lasting storage",
        ) from error
    os.environ["DATABASE_URL"] = f"sqlite:///{file}"
    terminal.note(
        f"The journal is {file} on this node of the cluster. It is as lasting as that folder: "
        "mount a volume there, or set DATABASE_URL."
    )
