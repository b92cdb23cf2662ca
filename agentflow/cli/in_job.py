"""The command line inside a Ray job: where the journal is, and what leads there from outside."""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING

from agentflow.cli import terminal
from agentflow.errors import AgentFlowError, Unavailable
from agentflow.runtime.job import job_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_DOOR = "AGENTFLOW_JOB_DOOR"
"""The variable that tells a job which `--ray` it came by."""
_COPY = "_ray_pkg_"
"""What the name of a folder begins with that Ray makes for a job."""
_COMMAND = re.compile(r"agentflow (?:show|history|logs|cancel|resume|retry) [\w.@-]*\w")
"""A command about an execution, in the help of an error."""
_CARRYING = frozenset({"run", "resume", "retry", "fork"})
"""Verbs after which it matters where the journal is."""


def settle(verb: str) -> None:
    """See to it that there is a place for the journal, and say which, unless the user chose it.

    Raises:
        Unavailable: the home of the job's user cannot be written.
    """
    folder = job_folder()
    if folder is None or os.environ.get("DATABASE_URL"):
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(
            f"the journal cannot be kept in {folder}: {error.strerror}",
            help="set DATABASE_URL to a PostgreSQL, or to a SQLite file on lasting storage",
        ) from error
    if verb in _CARRYING:
        terminal.note(
            f"The journal is {folder / 'journal.db'} on this node of the cluster. It is as lasting "
            "as that folder: mount a volume there, or set DATABASE_URL."
        )


def is_copy(root: Path) -> bool:
    """Whether a project's root is a copy that Ray made for a job."""
    return any(part.startswith(_COPY) for part in root.parts)


def came_by(door: str) -> Mapping[str, str]:
    """The environment of a job that is submitted by a `--ray`."""
    return {_DOOR: door}


def from_outside(error: AgentFlowError) -> AgentFlowError:
    """The error, with the commands of its help as they work from where the job was submitted."""
    error.help = _COMMAND.sub(lambda command: command[0] + suffix(), error.help)
    return error


def suffix() -> str:
    """What commands end with that lead to this job's journal from where it was submitted."""
    door = os.environ.get(_DOOR)
    return "" if door is None else f" --ray {shlex.quote(door)}"
