"""The command line as a test uses it: in a project of its own, in this process or another."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agentflow.cli.dispatch import dispatch

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
PATIENCE = 120
"""Seconds until a test is sure that something will never happen."""


@dataclass
class Outcome:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document on stdout."""
        assert self.out.count("\n") == 1, self.out
        return json.loads(self.out)


Command = Callable[..., Outcome]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project beside this file, as the working folder."""
    root = tmp_path / "project"
    shutil.copytree(HERE / "project", root, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(root)
    for name in ("DATABASE_URL", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AGENTFLOW_EXECUTOR", "inline")
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.setenv("TZ", "UTC")
    for name in [name for name in sys.modules if name.partition(".")[0] == "functions"]:
        monkeypatch.delitem(sys.modules, name)
    return root


@pytest.fixture
def agentflow(project: Path, capfd: pytest.CaptureFixture[str]) -> Command:
    """Run a command line in this process."""
    handler = signal.getsignal(signal.SIGINT)

    def run(*arguments: object) -> Outcome:
        capfd.readouterr()
        code = dispatch([str(argument) for argument in arguments])
        signal.signal(signal.SIGINT, handler)
        return Outcome(code, *capfd.readouterr())

    return run


@pytest.fixture
def process(project: Path) -> Command:
    """Run a command line as a user's shell does."""

    def run(*arguments: object, stdin: str = "", **env: str) -> Outcome:
        done = subprocess.run(
            command(*arguments),
            input=stdin,
            capture_output=True,
            text=True,
            env={**os.environ, **env},
            timeout=PATIENCE,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def terminal(project: Path) -> Command:
    """Run a command line with a terminal as its stdin, stdout and stderr; `out` has it all."""

    def run(
        *arguments: object,
        keys: Callable[[], bytes] | None = None,
        answer: tuple[bytes, bytes] | None = None,
        **env: str,
    ) -> Outcome:
        """`keys` are pressed at once; of `answer` the second when the first is on the screen."""
        controller, line = os.openpty()
        fcntl.ioctl(line, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        started = subprocess.Popen(
            command(*arguments),
            stdin=line,
            stdout=line,
            stderr=line,
            env={**os.environ, "TERM": "xterm-256color", **env},
            preexec_fn=_own_the_terminal,  # noqa: PLW1509 - it makes two system calls only
        )
        os.close(line)
        if keys is not None:
            os.write(controller, keys())
        seen = b""
        while True:
            try:
                part = os.read(controller, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            seen += part
            if answer is not None and answer[0] in seen:
                os.write(controller, answer[1])
                answer = None
        os.close(controller)
        return Outcome(started.wait(PATIENCE), seen.decode().replace("\r\n", "\n"), "")

    return run


def _own_the_terminal() -> None:
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def command(*arguments: object) -> list[str]:
    """The command line of a process."""
    return [sys.executable, "-m", "agentflow", *map(str, arguments)]


_MASKS = (
    (re.compile(r"\b[0-9a-z]{16}\b"), "ID"),
    (re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\b"), "DAY"),
    (re.compile(r"\b\d\d:\d\d:\d\d\b"), "TIME"),
    (re.compile(r"\b\d+\.\ds\b"), "TOOK"),
    (re.compile(r" +(?=\n)"), ""),
)


def masked(text: str) -> str:
    """A text without what differs from run to run: ids, times, durations."""
    for pattern, name in _MASKS:
        text = pattern.sub(name, text)
    return text


def wait_for(path: Path, seconds: float = PATIENCE) -> None:
    """Wait until a function has made a file."""
    import time

    limit = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < limit, f"{path} was never made"
        time.sleep(0.01)
