"""Running a verb as a job of a Ray cluster: submitted, followed, and reported as if it ran here.

The id of the execution is chosen before anything is sent. So a command that is repeated with the
same id follows the job that still carries it, or else submits another one, which goes on where
the last one stopped.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agentflow.cli import exits, terminal
from agentflow.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow.cli.session import Manner
    from agentflow.errors import Json
    from agentflow.runtime.executors.ray_jobs import Ended, Jobs

_SETTINGS = ("DATABASE_URL", "REDIS_URL")
_HERE = frozenset({"AGENTFLOW_EXECUTOR", "AGENTFLOW_WORKER_ROOT"})
"""Settings that are about this machine."""
_INLINE = 64 * 1024
"""Bytes of an input that fit into a command line."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the job is to do."""

    root: Path
    execution: str
    """The execution that is meant: its id, or what the user called it."""
    words: tuple[str, ...]
    """The verb and its arguments, without those about manner."""
    data: Json = ...
    """The input; `...` if the verb is given none."""


def carry(url: str, request: Request, manner: Manner, *, detach: bool = False) -> int:
    """Submit a request, or find the job that has it, and follow it; the exit code.

    Raises:
        Unavailable: the cluster cannot be reached, or lost the job.
        Conflict: a job carries the same id with another workflow or input.
    """
    from agentflow.runtime.executors.ray_jobs import Jobs

    jobs = Jobs(url)
    job = _job(jobs, request, manner)
    if detach:
        if manner.as_json:
            terminal.result_json({"id": request.execution, "job": job, "status": "running"})
        else:
            terminal.result(request.execution)
        return exits.OK
    written: list[str] = []
    try:
        ended = jobs.follow(job, written.append, terminal.note)
    except KeyboardInterrupt:
        return _interrupted(jobs, job, request, manner)
    return _report(ended, "".join(written), job, request, manner)


def _job(jobs: Jobs, request: Request, manner: Manner) -> str:
    from agentflow.runtime.executors.ray_jobs import SENT, Command

    document = None if request.data is ... else json.dumps(request.data)
    digest = hashlib.sha256(repr((request.words, document)).encode()).hexdigest()[:16]
    name = request.execution if _is_run(request) else f"{request.words[0]}-{request.execution}"
    job = jobs.open(name, digest)
    if job is not None:
        _note(manner, f"job {job} at {jobs.url} carries {request.execution} already")
        return job
    variables, files = _variables(os.environ), {}
    if variables.get("DATABASE_URL", "").startswith("sqlite"):
        _note(
            manner,
            "DATABASE_URL is a SQLite file: it will be on the cluster's node, under the path it "
            "names, and must be on lasting storage there.",
        )
    words = ["python", "-m", "agentflow.cli.job_driver", *request.words, *_manner(manner)]
    if document is not None and len(document) > _INLINE:
        file = f"{SENT}{digest}/input.json"
        files[file], document = document, f"@{file}"
    if document is not None:
        words += ["--input", document]
    line = shlex.join(words)
    job = jobs.submit(Command(line, name, digest, request.root, variables, files))
    _note(manner, f"job {job} at {jobs.url}  execution {request.execution}")
    return job


def _variables(environment: Mapping[str, str]) -> dict[str, str]:
    """The settings that hold on the cluster as they do here."""
    return {
        name: value
        for name, value in environment.items()
        if value and name not in _HERE and (name in _SETTINGS or name.startswith("AGENTFLOW_"))
    }


def _manner(manner: Manner) -> list[str]:
    words = ["--json"]  # how the result is printed is decided here
    if manner.verbose:
        words.append("--verbose")
    if manner.quiet:
        words.append("--quiet")
    return words


def _report(ended: Ended, written: str, job: str, request: Request, manner: Manner) -> int:
    """Print what the job gave as its result, and give its exit code."""
    if ended.exit_code is None or ended.exit_code not in exits.MEANINGS:
        raise Unavailable(_loss(ended, job), help=f"go on: {_again(request)}")
    if manner.as_json:
        terminal.result(written.strip())
    elif ended.exit_code == exits.OK:
        terminal.output(json.loads(written)["output"])
    return ended.exit_code


def _loss(ended: Ended, job: str) -> str:
    if ended.status == "STOPPED":
        return f"job {job} was stopped"
    if ended.exit_code is not None:
        return f"the driver of job {job} was lost (status {ended.exit_code})"
    return f"job {job} failed: {' '.join(ended.message.split())[:400] or ended.status}"


def _again(request: Request) -> str:
    """The command that goes on, in words; it is the same one."""
    return f"the same command with --id {request.execution}" if _is_run(request) else "repeat it"


def _interrupted(jobs: Jobs, job: str, request: Request, manner: Manner) -> int:
    """Say that the job goes on, and how to come back to it or stop it."""
    lines = [
        f"\nNot followed any longer; job {job} goes on.",
        f"  {_again(request)}   follow it again",
        f"  ray job stop --address {jobs.url} {job}   stop it; what is done is kept",
    ]
    terminal.note("\n".join(lines))
    if manner.as_json:
        terminal.result_json({"error": exits.error_json("AF130", "interrupted")})
    return exits.INTERRUPTED


def _is_run(request: Request) -> bool:
    return request.words[0] == "run"


def _note(manner: Manner, words: str) -> None:
    if not manner.quiet:
        terminal.note(words)


def relative(spec: str, root: Path) -> str:
    """A workflow's file as the job finds it; a stored workflow's name as it is."""
    file, colon, name = spec.rpartition(":")
    if not file.endswith(".py"):
        file, colon, name = spec, "", ""
    path = Path(file)
    return f"{path.resolve().relative_to(root)}{colon}{name}" if path.exists() else spec
