"""A small project with functions that leave marks, and engines on its own store."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentflow import Engine
from agentflow.runtime.journal.protocol import Message
from agentflow.spec.load import Loaded, load
from tests.servers import RedisServer, redis_server

Spec = Callable[..., Loaded]
Ledger = Callable[[], list[str]]
Reopen = Callable[[], Engine]

PATIENCE = 120
"""Seconds until a test is sure that something will never happen."""

FUNCTIONS = '''
import os, time
from pathlib import Path

def mark(name, value=None):
    """Leave a line in the ledger and give the value back."""
    with open(os.environ["LEDGER"], "a") as file:
        file.write(name + "\\n")
    return value

def double(x: int) -> int:
    return 2 * x

def add_all(items: list[int]) -> int:
    return sum(items)

def fail_once(name, value=None):
    """Fail unless a file says that it failed before."""
    mark(name)
    file = Path(os.environ["LEDGER"] + "." + name)
    if not file.exists():
        file.write_text("")
        raise ConnectionError("try again")
    return value

def wait_for(path):
    """Return once a file exists."""
    while not os.path.exists(path):
        time.sleep(0.005)
    return "there"

def numbers(n: int):
    yield from range(n)

def boom(message: str = "boom"):
    raise ValueError(message)
'''


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project folder; its module is importable as `work` and forgotten afterwards."""
    (tmp_path / "agentflow.toml").write_text("")
    (tmp_path / "work.py").write_text(FUNCTIONS)
    monkeypatch.setenv("LEDGER", str(tmp_path / "ledger"))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("work", None)
    if str(tmp_path) in sys.path:
        sys.path.remove(str(tmp_path))


@pytest.fixture
def spec(project: Path) -> Spec:
    """Loads the steps in a text, or a whole workflow."""

    def write(text: str, name: str = "flow") -> Loaded:
        file = project / f"{name}.yaml"
        whole = text if text.lstrip().startswith("workflow:") else f"workflow: {name}\ndo:\n{text}"
        file.write_text(whole)
        return load(file)

    return write


@pytest.fixture
def engine(project: Path) -> Iterator[Engine]:
    with Engine(executor="inline", root=project) as engine:
        yield engine


@pytest.fixture
def ledger(project: Path) -> Ledger:
    """The marks that functions left, in order."""

    def read() -> list[str]:
        file = project / "ledger"
        return file.read_text().split() if file.exists() else []

    return read


@pytest.fixture
def reopen(project: Path) -> Iterator[Reopen]:
    """Gives an engine on the project's store, and closes the one that it gave before."""
    engines: list[Engine] = []

    def another() -> Engine:
        for engine in engines:
            engine.close()
        engines.append(Engine(executor="inline", root=project))
        return engines[-1]

    yield another
    for engine in engines:
        engine.close()


def until(holds: Callable[[], object]) -> None:
    """Wait for something that no event tells."""
    limit, pause = time.monotonic() + PATIENCE, threading.Event()
    while not holds():
        assert time.monotonic() < limit
        pause.wait(0.01)


def send(engine: Engine, execution: str, name: str, data: Any = None, id: str = "") -> bool:
    """Post a message to an execution; whether it is a new one."""
    message = Message(id or f"{execution}/{name}", name, None, data, 0.0, execution)
    return engine.journal.post(message)


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """A Redis; each test that names `redis` finds it as it was."""
    with redis_server() as server:
        yield server


@pytest.fixture
def redis(server: RedisServer) -> Iterator[RedisServer]:
    """The server, as it was; whatever a test does to it is undone."""
    yield server
    server.thaw()
    if not server.answers():
        server.restart()
