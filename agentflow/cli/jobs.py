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
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agentflow.cli import exits, in_job, outcome, terminal
from agentflow.cli.session import GRACE
from agentflow.errors import Conflict, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
    """What `option` gives; `...` if the verb is given none."""
    option: str = "--input"

    @property
    def verb(self) -> str:
        """What is done."""
        return self.words[0]

    @property
    def name(self) -> str:
        """What the job goes by; a run goes by its execution alone."""
        words = (self.verb, self.execution)
        return self.execution if self.verb == "run" else "-".join(filter(None, words))

    @property
    def document(self) -> str | None:
        """The data as JSON."""
        return None if self.data is ... else json.dumps(self.data)

    @property
    def digest(self) -> str:
        """Of all that is asked for."""
        return hashlib.sha256(repr((self.words, self.document)).encode()).hexdigest()[:16]

    @property
    def is_known(self) -> bool:
        """Whether the execution that is carried is known by name, before the job has told it."""
        return self.verb in {"run", "resume", "retry"} and not self.execution.startswith("@")

    @property
    def again(self) -> str:
        """The command that goes on, in words; it is the same one."""
        return f"the same command with --id {self.execution}" if self.verb == "run" else "repeat it"


def carry(url: str, request: Request, manner: Manner, *, detach: bool = False) -> int:
    """Submit a request, or find the job that has it, and follow it; the exit code.

    Raises:
        Unavailable: the cluster cannot be reached, or lost the job.
        Conflict: a job carries the same id with another workflow or input.
    """
    from agentflow.runtime.executors.ray_jobs import Jobs

    jobs = Jobs(url)
    job: str | None = None
    written: list[str] = []
    try:
        job = _carrying(jobs, request)
        if job is not None:
            _note(manner, f"job {job} at {url} carries {request.execution} already")
        else:
            job = _submit(jobs, request, _flags(manner))
            what = "fork of" if request.verb == "fork" else "execution"
            _note(manner, f"job {job} at {url}  {what} {request.execution}")
            _warn_of_file(manner)
        if detach:
            return _detached(job, request, manner)
        ended = jobs.follow(job, written.append, terminal.note)
    except KeyboardInterrupt:
        return _leave(jobs, job, request, manner)
    except Unavailable as error:
        if job is not None:
            error.help = f"job {job} may go on; {request.again}: it finds the job, or goes on"
        raise
    return _report(ended, "".join(written), job, request, manner)


def ask(url: str, request: Request, *, as_json: bool) -> int:
    """Have a verb look into a cluster's journal, and print what it prints; the exit code.

    Raises:
        Unavailable: the cluster cannot be reached, or lost the job.
    """
    from agentflow.runtime.executors.ray_jobs import Jobs

    jobs = Jobs(url)
    job = _submit(jobs, request, ("--json",) if as_json else ())
    terminal.note(f"job {job} at {url}")
    written: list[str] = []
    ended = jobs.follow(job, written.append, terminal.note)
    code = _code(ended, job, request)
    if written:
        terminal.result("".join(written).removesuffix("\n"))
    if code == exits.MISSING:
        for coming in jobs.open(request.execution):
            terminal.note(f"job {coming.id} carries {request.execution}; it has yet to begin it")
    return code


def _carrying(jobs: Jobs, request: Request) -> str | None:
    """The job that does already what is asked for."""
    match request.verb:
        case "run":
            for job in jobs.open(request.name):
                if job.digest != request.digest:
                    raise Conflict(
                        f"job {job.id} carries {request.name} with another workflow or input",
                        help="choose another id",
                    )
                return job.id
        case "resume":  # whoever carries it: to resume it is to see it through
            id = request.execution
            for job in jobs.open(id, f"resume-{id}", f"retry-{id}"):
                return job.id
        case _:
            for job in jobs.open(request.name):
                if job.digest == request.digest:
                    return job.id
    return None


def _submit(jobs: Jobs, request: Request, flags: Sequence[str]) -> str:
    """Submit a request as a job of its own; gives the job's id."""
    from agentflow.runtime.executors.ray_jobs import SENT, Command

    words = ["python", "-m", "agentflow.cli.job_driver", *request.words, *flags]
    document, files = request.document, {}
    if document is not None and len(document) > _INLINE:
        file = f"{SENT}{request.digest}/input.json"
        files[file], document = document, f"@{file}"
    if document is not None:
        words += [request.option, document]
    variables = {**_variables(os.environ), **in_job.came_by(f"job:{jobs.url}")}
    line = shlex.join(words)
    return jobs.submit(Command(line, request.name, request.digest, request.root, variables, files))


def _variables(environment: Mapping[str, str]) -> dict[str, str]:
    """The settings that hold on the cluster as they do here."""
    return {
        name: value
        for name, value in environment.items()
        if value and name not in _HERE and (name in _SETTINGS or name.startswith("AGENTFLOW_"))
    }


def _warn_of_file(manner: Manner) -> None:
    if os.environ.get("DATABASE_URL", "").startswith("sqlite"):
        _note(
            manner,
            "DATABASE_URL is a SQLite file: it will be on the cluster's node, under the path it "
            "names, and must be on lasting storage there.",
        )


def _flags(manner: Manner) -> list[str]:
    words = ["--json"]  # how the result is printed is decided here
    if manner.verbose:
        words.append("--verbose")
    if manner.quiet:
        words.append("--quiet")
    return words


def _detached(job: str, request: Request, manner: Manner) -> int:
    if manner.as_json:
        terminal.result_json({"id": request.execution, "job": job, "status": "running"})
    else:
        terminal.result(request.execution)
    return exits.OK


def _report(ended: Ended, written: str, job: str, request: Request, manner: Manner) -> int:
    """Print what the job gave as its result, and give its exit code."""
    code = _code(ended, job, request)
    if manner.as_json:
        terminal.result(written.strip())
    elif code == exits.OK and (record := json.loads(written))["status"] == "succeeded":
        terminal.output(record["output"])
    return code


def _code(ended: Ended, job: str, request: Request) -> int:
    if ended.exit_code is None or ended.exit_code not in exits.MEANINGS:
        raise _loss(ended, job, request)
    return ended.exit_code


def _loss(ended: Ended, job: str, request: Request) -> Unavailable:
    again = f"go on: {request.again}"
    if ended.status == "STOPPED":
        return Unavailable(f"job {job} was stopped", help=again)
    if ended.exit_code is not None:
        lost = f"the driver of job {job} was lost (status {ended.exit_code})"
        return Unavailable(lost, help=again)
    python = ended.other_python
    if python is not None:
        return Unavailable(
            f"the cluster has Python {python[0]}, and AgentFlow needs {python[1]}",
            help="start the cluster with an image that has one",
        )
    return Unavailable(f"job {job} failed: {ended.reason}", help=again)


# --- Ctrl-C ---------------------------------------------------------------------------------------


def _leave(jobs: Jobs, job: str | None, request: Request, manner: Manner) -> int:
    """Leave a job to itself, and say how to come back to it; cancel it after another Ctrl-C."""
    interrupted: Json = {"error": exits.error_json("AF130", "interrupted")}
    try:
        if job is None:
            terminal.note(
                f"\nInterrupted while the job was submitted; {request.again} finds out "
                "whether it was."
            )
        elif not request.is_known:
            terminal.note(f"\nNot followed any longer; job {job} goes on.")
            terminal.note(f"  {request.again} to follow it again")
        else:
            _say_how_to_return(jobs, job, request)
            time.sleep(GRACE)
    except KeyboardInterrupt:
        interrupted = _cancelled(jobs, job, request, manner) or interrupted
    if manner.as_json:
        terminal.result_json(interrupted)
    return exits.INTERRUPTED


def _say_how_to_return(jobs: Jobs, job: str, request: Request) -> None:
    about = f"{request.execution} --ray job:{jobs.url}"
    lines = [(f"agentflow resume {about}", "follow it"), (f"agentflow cancel {about}", "stop it")]
    terminal.note(
        f"\nNot followed any longer; job {job} goes on. "
        f"Ctrl-C again within {GRACE:.0f} s cancels {request.execution}."
    )
    terminal.note("\n".join(outcome.commands(lines)))


def _cancelled(jobs: Jobs, job: str | None, request: Request, manner: Manner) -> Json:
    """Have an execution cancelled; gives how it ended, or `None` if that is not known."""
    if job is None or not request.is_known:
        return None
    execution = request.execution
    words = ("cancel", execution, "--reason", "Ctrl-C")
    written: list[str] = []
    terminal.note(f"Cancelling {execution}; Ctrl-C leaves that to the cluster.")
    try:
        other = _submit(jobs, Request(request.root, execution, words), _flags(manner))
        code = jobs.follow(other, written.append, terminal.note).exit_code
        if code == exits.MISSING:  # it has not begun, or ended just now
            jobs.stop(job)
        return json.loads("".join(written)) if code == exits.OK else None
    except KeyboardInterrupt:
        return None


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
