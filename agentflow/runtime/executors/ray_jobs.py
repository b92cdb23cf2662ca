"""Ray's job API, as much of it as is needed: submit a command, follow its log, see how it ended.

A job is a command that a cluster runs on one of its nodes, in a copy of the project. What it
prints is one log; lines that begin with the job's `mark` are what it wrote to stdout.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import signal
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from agentflow.errors import AgentFlowError, Json, Unavailable
from agentflow.runtime.executors.ray_attach import said_by_ray
from agentflow.runtime.executors.ray_shipment import project
from agentflow.runtime.executors.ray_start import environment
from agentflow.runtime.executors.ray_wheel import wheel

OVERRIDES = ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS")
"""Variables of Ray's that would go before the address that was asked for."""
MARK = "AGENTFLOW_JOB_MARK"
"""The variable that tells a job how to mark its stdout."""
SENT = "agentflow_input_"
"""What the name of a folder begins with that comes with a job, for what no command line takes."""
_OTHER_PYTHON = re.compile(r"requires a different Python: (\S+) not in '(\S+)'")
"""What pip says of a wheel that is not for its Python."""
_KEY, _DIGEST = "agentflow", "agentflow_request"
"""Entries of a job's metadata: its name, and what exactly was asked for."""
_LOGGERS = ("ray", "ray.dashboard.modules.dashboard_sdk", "ray.dashboard.modules.job.sdk")
_RECONNECTS = 5
"""Times in a row that a connection may break, until the cluster counts as lost."""
_POLL = 0.5
_NOT_READY = "No available agent"
"""What a dashboard says whose agents have not reported yet."""
_TAKEN = "already exists"
"""What it says of an id that another job has."""
_STARTS = 60.0
"""Seconds a head may take until it can start jobs."""
_SETTLE = 30.0
"""Seconds that a job's status may take to be known after its log has ended."""


@dataclass(frozen=True, slots=True)
class Command:
    """What a job runs."""

    line: str
    """As a shell reads it."""
    name: str
    """What it is about, such as an execution's id."""
    digest: str
    """Of what was asked for."""
    root: Path
    """The project that is copied to the cluster, where the command begins."""
    variables: Mapping[str, str]
    """Added to its environment."""
    files: Mapping[str, str]
    """Further files, by `FOLDER/NAME`; the folders are on the command's `sys.path`."""


@dataclass(frozen=True, slots=True)
class Open:
    """A job that has not ended."""

    id: str
    digest: str
    """Of what was asked for."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a job ended."""

    status: str
    exit_code: int | None
    """Of its command; `None` if that never ran, or nobody saw its end."""
    message: str
    """What Ray says about it; may hold tracebacks of its own."""

    @property
    def other_python(self) -> tuple[str, str] | None:
        """The cluster's Python and what it has to be, if that is why the command never ran."""
        found = _OTHER_PYTHON.search(self.message)
        return None if found is None else (found[1], found[2])

    @property
    def reason(self) -> str:
        """Why the command never ran, on one line: a traceback tells it last."""
        lines = [line for line in self.message.splitlines() if line.strip()] or [self.status]
        told = lines[-1:] if any(line.startswith("Traceback") for line in lines) else lines
        return " ".join(" ".join(told).split())[:400]


class Jobs:
    """The jobs of one cluster, at its dashboard's URL.

    Raises:
        Unavailable: it is not there, refuses the token, or is not of this kind.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        with self._clear():
            from ray.job_submission import JobSubmissionClient

            for name in _LOGGERS:
                logging.getLogger(name).setLevel(logging.ERROR)
            self._client: Any = JobSubmissionClient(url)

    def open(self, *names: str) -> list[Open]:
        """The jobs of these names that have not ended."""
        with self._clear():
            every = [job for job in self._client.list_jobs() if not job.status.is_terminal()]
        about = [(str(job.submission_id), job.metadata or {}) for job in every]
        return [Open(id, data.get(_DIGEST, "")) for id, data in about if data.get(_KEY) in names]

    def stop(self, job: str) -> None:
        """Have a job's command told to end; what it has recorded is kept."""
        with self._clear():
            self._client.stop_job(job)

    def submit(self, command: Command) -> str:
        """Submit a command; gives the job's id.

        Raises:
            Unavailable: the cluster cannot be reached, or the project is too large for it.
        """
        with self._clear(), tempfile.TemporaryDirectory() as folder:
            taken = {job.submission_id for job in self._client.list_jobs()}
            packages = {
                **project(command.root),
                "py_modules": [str(wheel()), *_written(command.files, Path(folder))],
            }

            def submitted(id: str) -> bool:
                return self._submitted(
                    entrypoint=command.line,
                    submission_id=id,
                    metadata={_KEY: command.name, _DIGEST: command.digest},
                    runtime_env={
                        **packages,
                        "env_vars": {**command.variables, MARK: mark(id)},
                    },
                )

            return next(id for id in _ids(command.name) if id not in taken and submitted(id))

    def _submitted(self, **job: Any) -> bool:
        """Submit a job; false if somebody else was faster to use its id.

        A head that has just started cannot take one for some seconds.
        """
        retrying = Retrying(
            retry=retry_if_exception(lambda error: _NOT_READY in str(error)),
            stop=stop_after_delay(_STARTS),
            wait=wait_fixed(_POLL),
            reraise=True,
        )
        try:
            retrying(self._client.submit_job, **job)
        except RuntimeError as error:
            if _TAKEN not in str(error):
                raise
            return False
        return True

    def follow(self, job: str, out: Callable[[str], None], note: Callable[[str], None]) -> Ended:
        """Pass on what a job prints until it ends: its stdout to `out`, everything else to `note`.

        Raises:
            Unavailable: the cluster is lost; the job may go on.
        """
        with self._clear():
            lines = _Lines(mark(job), out, note)
            _interruptibly(lambda: self._tail(job, lines))
            until = time.monotonic() + _SETTLE
            while not (info := self._client.get_job_info(job)).status.is_terminal():
                if time.monotonic() > until:
                    raise Unavailable(
                        f"job {job} at {self.url} has ended, but the cluster does not say how",
                        help=f"ray job status --address {self.url} {job}",
                    )
                time.sleep(_POLL)
        return Ended(str(info.status.value), info.driver_exit_code, info.message or "")

    async def _tail(self, job: str, lines: _Lines) -> None:
        """Read the log; where the connection breaks, go on from where it was."""
        failures = 0
        while True:
            seen = 0
            try:
                async for piece in self._client.tail_job_logs(job):
                    seen += len(piece)
                    if seen > lines.taken:
                        lines.take(piece[-(seen - lines.taken) :])
                        failures = 0
            except Exception:
                failures += 1
                if failures > _RECONNECTS:
                    raise
                await asyncio.sleep(_POLL * failures)
            else:
                lines.end()
                return

    @contextmanager
    def _clear(self) -> Iterator[None]:
        """Say in our words what goes wrong, and keep Ray to the address that was asked for."""
        with environment(dict.fromkeys(OVERRIDES)):
            try:
                yield
            except AgentFlowError:
                raise
            except Exception as error:  # Ray raises whatever its parts raise
                raise self._failure(error) from error

    def _failure(self, error: Exception) -> Unavailable:
        known = said_by_ray(error)
        if known is not None:
            return known
        if isinstance(error, ImportError) or "ray[default]" in str(error):
            return Unavailable(
                "Ray's job client is not installed",
                help="pip install 'inferloop-agentflow[ray]'",
            )
        words = " ".join(str(error).split())[:300] or type(error).__name__
        return Unavailable(
            f"the Ray cluster at {self.url} cannot be reached: {words}",
            help="the URL is that of its dashboard, usually job:http://HEAD:8265",
        )


def _interruptibly(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine that Ctrl-C cancels, at whatever moment it comes.

    `asyncio.run` alone leaves gaps: a loop that is interrupted while it is made, or a coroutine
    before it has begun, complains on stderr.

    Raises:
        KeyboardInterrupt: Ctrl-C came.
    """
    interrupts: list[int] = []
    cancel: list[Callable[[], object]] = []

    def interrupt(number: int, _frame: FrameType | None) -> None:
        interrupts.append(number)
        for each in cancel:
            each()

    async def begin() -> None:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        cancel.append(lambda: loop.call_soon_threadsafe(task.cancel))
        if not interrupts:
            await work()
        cancel.clear()

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        with suppress(asyncio.CancelledError):
            asyncio.run(begin())
    finally:
        signal.signal(signal.SIGINT, before)
    if interrupts:
        raise KeyboardInterrupt


def _written(files: Mapping[str, str], folder: Path) -> Iterator[str]:
    """Write files that come with a job; gives their folders."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True)
        path.write_text(content, encoding="utf-8")
        yield str(path.parent)


def mark(job: str) -> str:
    """What the lines begin with that a job writes to stdout."""
    return f"\x1e{job}\x1e"


def marked(mark: str, text: str, size: int = 8000) -> Iterator[str]:
    """A text as lines of a log: marked, escaped, and no longer than a log's pieces may be."""
    for start in range(0, len(text), size):
        yield f"{mark}{json.dumps(text[start : start + size])}\n"


class _Lines:
    """Puts a log's pieces together to lines, and sorts them."""

    def __init__(self, mark: str, out: Callable[[str], None], note: Callable[[str], None]) -> None:
        self.taken = 0
        self._mark = mark
        self._out = out
        self._note = note
        self._rest = ""
        self._has_begun = False

    def take(self, piece: str) -> None:
        self.taken += len(piece)
        *lines, self._rest = (self._rest + piece).split("\n")
        for line in lines:
            self._sort(line)

    def end(self) -> None:
        if self._rest:
            self._sort(self._rest)

    def _sort(self, line: str) -> None:
        """Ray's own lines stand before the command's first, which is an empty mark."""
        before, is_marked, text = line.partition(self._mark)
        if not is_marked:
            if self._has_begun:
                self._note(line)
            return
        if before and self._has_begun:
            self._note(before)
        self._has_begun = True
        with suppress(ValueError):
            piece: Json = json.loads(text)
            self._out(str(piece))


def _ids(name: str) -> Iterator[str]:
    """Ids that a job of this name may have; Ray uses none twice."""
    first = "agentflow-" + re.sub(r"[^\w.-]", "", name)
    yield first
    for number in count(2):
        yield f"{first}-{number}"
