"""What the tests of agents call: agents that behave, and that do not."""

# ruff: noqa: ASYNC240  # tests meet by files

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from agentflow import Context, agent


def wait_for(path: str) -> None:
    """Wait until a file exists."""
    while not Path(path).exists():
        time.sleep(0.005)


@agent(name="counter", capabilities=["count", "add"], description="Counts.", idle_timeout="20s")
class Clicker:
    """Counts, and keeps nothing when it is lost."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, n: int = 1) -> int:
        """Add to the count."""
        self.count += n
        return self.count

    async def add_later(self, n: int = 1) -> int:
        await asyncio.sleep(0)
        return self.add(n)

    def where(self) -> list[int]:
        """The process, and the calls so far."""
        return [os.getpid(), self.add()]

    def refuse(self) -> None:
        self.count += 100
        raise ValueError("no")

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def hang(self, mark: str) -> None:
        Path(mark).write_text("here")
        while True:
            time.sleep(0.01)

    async def linger(self, mark: str) -> None:
        Path(mark).write_text("here")
        try:
            await asyncio.sleep(60)
        finally:
            self.count += 1000

    def who(self, context: Context) -> list[Any]:
        print("looking")
        return [context.execution_id, context.step, context.attempt, context.idempotency_key]

    def lock(self) -> Any:
        return threading.Lock()


@agent(name="crowd", max_concurrency=3, idle_timeout=20)
class Crowd:
    """Several calls at once."""

    def __init__(self) -> None:
        self.inside: Counter[str] = Counter()
        self.lock = threading.Lock()

    def meet(self, others: int, place: str) -> int:
        """Return when so many calls are in here."""
        with self.lock:
            self.inside[place] += 1
        while self.inside[place] < others:
            time.sleep(0.005)
        return self.inside[place]

    async def meet_async(self, others: int, place: str) -> int:
        self.inside[place] += 1
        while self.inside[place] < others:
            await asyncio.sleep(0.005)
        return self.inside[place]

    def hang(self, mark: str) -> None:
        Path(mark).write_text("here")
        while True:
            time.sleep(0.01)

    def wait(self, mark: str, path: str) -> str:
        Path(mark).write_text("here")
        wait_for(path)
        return "done"


@agent(name="notebook", idle_timeout=20)
class Notebook:
    """Keeps its state."""

    def __init__(self) -> None:
        self.notes: list[Any] = []

    def write(self, note: Any) -> int:
        self.notes.append(note)
        return len(self.notes)

    def read(self) -> list[Any]:
        return self.notes

    def spoil(self) -> None:
        self.notes.append(threading.Lock())

    def write_once(self, note: str, mark: str) -> int:
        """Die the first time, with the note half written."""
        self.notes.append(note)
        if not Path(mark).exists():
            Path(mark).write_text("died")
            os.kill(os.getpid(), signal.SIGKILL)
        return len(self.notes)

    def snapshot(self) -> list[Any]:
        return self.notes

    def restore(self, state: list[Any]) -> None:
        self.notes = list(state)


@agent(name="single", idle_timeout=20)
class Single:
    """One method, which needs no name; and an object that belongs to one thread."""

    def __init__(self) -> None:
        self.database = sqlite3.connect(":memory:")
        self.database.execute("create table seen (x)")

    def look(self, x: int) -> int:
        self.database.execute("insert into seen values (?)", (x,))
        return int(self.database.execute("select count(*) from seen").fetchone()[0])


@agent(idle_timeout=20)
class Bare:
    def run(self) -> str:
        return "ran"

    def other(self) -> str:
        return "other"


@agent(name="broken", idle_timeout=20)
class Broken:
    def __init__(self) -> None:
        raise LookupError("no key in the environment")

    def run(self) -> None: ...


@agent(name="brief", idle_timeout=0.05)
class Brief:
    """Ends soon after its last call."""

    def __init__(self) -> None:
        self.count = 0

    def run(self, mark: str) -> list[int]:
        self.count += 1
        self.mark = mark
        return [os.getpid(), self.count]

    def __del__(self) -> None:
        if hasattr(self, "mark"):
            Path(self.mark).write_text("ended")
