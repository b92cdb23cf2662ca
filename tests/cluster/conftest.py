"""A Ray cluster as somebody else started it: `ray start --head`, with a token, on loopback."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.servers import free_port

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
BIN = Path(sys.executable).parent
PATIENCE = 300.0

PIP = """#!{python}
import runpy, sys
from ensurepip import _bundled
from pathlib import Path
sys.path[:0] = [str(path) for path in Path(_bundled.__path__[0]).glob("pip-*.whl")]
runpy.run_module("pip", run_name="__main__")
"""
"""A pip for machines where none is on the path; Ray installs wheels with one."""


@dataclass(frozen=True)
class Head:
    """A head, and what leads to it."""

    address: str
    dashboard: str
    token: Path
    home: Path

    @property
    def job(self) -> tuple[str, str]:
        """The option that submits to it."""
        return "--ray", f"job:{self.dashboard}"

    @property
    def join(self) -> tuple[str, str]:
        """The option that joins it."""
        return "--ray", self.address

    def change(self, **about: str) -> dict[str, str]:
        """Have the head say something else of its versions; gives what it said before."""
        code = (
            "import json, sys; from ray._raylet import GcsClient; "
            "gcs = GcsClient(address=sys.argv[1]); "
            "old = json.loads(gcs.internal_kv_get(b'CLUSTER_METADATA', b'cluster')); "
            "new = json.dumps({**old, **json.loads(sys.argv[2])}).encode(); "
            "gcs.internal_kv_put(b'CLUSTER_METADATA', new, True, b'cluster'); "
            "print(json.dumps(old))"
        )
        words = [sys.executable, "-c", code, self.address, json.dumps(about)]
        done = subprocess.run(words, env=self.environment, capture_output=True, check=True)
        before: dict[str, str] = json.loads(done.stdout)
        return before

    @property
    def environment(self) -> dict[str, str]:
        """That of somebody who has the token, and no agentflow in his way."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("RAY_", "AGENTFLOW_")) and name != "DATABASE_URL"
        }
        return {
            **kept,
            "PATH": f"{self.home / 'bin'}:{BIN}:{kept['PATH']}",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(self.token),
        }


@pytest.fixture(scope="package")
def head() -> Iterator[Head]:
    """A head with two CPUs, for all tests."""
    folder = Path(tempfile.mkdtemp(prefix="af-head-"))  # Ray bounds the length of such paths
    (folder / "home" / "bin").mkdir(parents=True)
    token = folder / "token"
    token.touch(0o600)
    token.write_text(secrets.token_hex(32))
    if shutil.which("pip") is None:
        shim = folder / "home" / "bin" / "pip"
        shim.write_text(PIP.format(python=sys.executable))
        shim.chmod(0o755)
    port, client, agent = free_port(), free_port(), free_port()
    found = Head("", f"http://127.0.0.1:{port}", token, folder / "home")
    log = (folder / "head.log").open("wb")
    process = subprocess.Popen(
        [
            str(BIN / "ray"), "start", "--head", "--block", "--node-ip-address=127.0.0.1",
            "--port=0", "--dashboard-host=127.0.0.1", f"--dashboard-port={port}",
            f"--ray-client-server-port={client}", f"--dashboard-agent-listen-port={agent}",
            "--num-cpus=2", f"--temp-dir={folder / 'ray'}",
            "--object-store-memory=100000000", "--disable-usage-stats",
            "--include-log-monitor=false",
        ],
        env={
            **found.environment,
            "HOME": str(found.home),
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # binds to loopback alone
            "RAY_memory_monitor_refresh_ms": "0",
        },
        stdin=subprocess.DEVNULL, stdout=log, stderr=log,
    )  # fmt: skip
    try:
        where = folder / "ray" / "ray_current_cluster"
        wait_for(where.exists, process, folder / "head.log")
        wait_for(lambda: _answers(found.dashboard), process, folder / "head.log")
        address = where.read_text().strip()
        yield Head(address, found.dashboard, token, found.home)
    finally:
        process.kill()
        process.wait()
        wait_for(lambda: not _end_all(folder))
        log.close()
        shutil.rmtree(folder, ignore_errors=True)


def _end_all(folder: Path) -> bool:
    """End what the head has started; whether there was anything left."""
    left = [pid for pid, _ in descendants(folder / "home") if not is_gone(pid)]
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            kill(pid)
    return bool(left)


def _answers(dashboard: str) -> bool:
    """Whether the dashboard is there; without a token it says no more than that."""
    try:
        urllib.request.urlopen(f"{dashboard}/api/version", timeout=2)
    except urllib.error.HTTPError as error:
        return error.code == 401
    except OSError:
        return False
    raise AssertionError("the head answers whoever has no token")


def wait_for(
    holds: Callable[[], bool],
    process: subprocess.Popen[Any] | None = None,
    log: Path | None = None,
) -> None:
    """Wait until something holds, as long as the process that leads there runs."""
    until = time.monotonic() + PATIENCE
    while not holds():
        if process is not None and process.poll() is not None:
            said = process.communicate() if log is None else log.read_text(errors="replace")
            raise AssertionError(f"it has ended with {process.returncode}: {said}")
        assert time.monotonic() < until, "it takes too long"
        time.sleep(0.05)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project beside this file."""
    root = tmp_path / "project"
    shutil.copytree(HERE / "project", root, ignore=shutil.ignore_patterns("__pycache__"))
    (root / ".gitignore").write_text("functions/ignored.py\n")
    return root


@dataclass
class Done:
    """What a command did."""

    code: int
    out: str
    err: str


Run = Callable[..., Done]


class Commands:
    """Commands of somebody in the project, in processes of their own."""

    def __init__(self, head: Head, project: Path) -> None:
        self.head = head
        self.project = project
        self._open: list[subprocess.Popen[str]] = []

    def begin(self, *words: str, **variables: str) -> subprocess.Popen[str]:
        """Begin a command; it is killed at the end of the test, if it has not ended."""
        program = str(BIN / words[0])
        process = subprocess.Popen(
            [program, *words[1:]],
            cwd=self.project,
            env={**self.head.environment, **variables},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._open.append(process)
        return process

    def __call__(self, *words: str, **variables: str) -> Done:
        """Run a command to its end."""
        return self.end(self.begin(*words, **variables))

    def read(self, process: subprocess.Popen[str], words: str) -> None:
        """Wait until a command has said something on stderr."""
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if words in line:
                return
        raise AssertionError(f"it has ended, and said: {''.join(said)}")

    def end(self, process: subprocess.Popen[str]) -> Done:
        out, err = process.communicate(timeout=PATIENCE)
        return Done(process.returncode, out, err)

    def close(self) -> None:
        for process in self._open:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()


@pytest.fixture
def command(head: Head, project: Path) -> Iterator[Commands]:
    """Runs commands in the project, with the head's token."""
    commands = Commands(head, project)
    yield commands
    commands.close()


def status(head: Head, execution: str) -> str | None:
    """How an execution stands in the journal that jobs have on the head; `None`: it is not there."""
    file = head.home / ".agentflow" / "journal.db"
    if not file.exists():
        return None
    with contextlib.closing(sqlite3.connect(file)) as journal, contextlib.suppress(sqlite3.Error):
        row = journal.execute("select status from executions where id = ?", (execution,)).fetchone()
        return None if row is None else str(row[0])
    return None  # its tables are about to be made


def descendants(of: Path) -> Iterator[tuple[int, str]]:
    """Processes whose environment names a folder, with their command lines."""
    mark = str(of).encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if mark in (entry / "environ").read_bytes():
                    command = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                    yield int(entry.name), command.decode(errors="replace")


def kill(pid: int) -> None:
    """End a process at once."""
    os.kill(pid, signal.SIGKILL)


def is_gone(pid: int) -> bool:
    """Whether a process has ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1]
    except OSError:
        return True
    return state == "Z"


def lines(ledger: Path) -> list[Mapping[str, Any]]:
    """What the functions of these tests left behind."""
    if not ledger.exists():
        return []
    pairs = [line.split() for line in ledger.read_text().splitlines()]
    return [{"word": word, "pid": int(pid)} for word, pid in pairs]
