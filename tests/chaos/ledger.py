"""What happened, told by those it happened to: marks of functions, facts of orchestrators.

Each line is appended by one write to a file that outlives every process, and is never synced: only
processes are killed, not the machine.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from agentflow.errors import Json


class Mark(NamedTuple):
    """A function began or ended."""

    what: str
    """begin or end; a call that failed or was killed has no end."""
    execution: str
    step: str
    attempt: int
    pid: int
    host: int
    """The parent process: the worker's host on Ray."""
    at: float


@dataclass(frozen=True, slots=True)
class Fact:
    """Something an orchestrator did."""

    what: str
    """One of

    born      its process started
    ready     it can run executions
    hosts     `about` are the processes that have its workers: its Ray actors, or itself
    served    it started or took over the execution `about[0]`, whose event has the time `about[1]`
    dispatch  it asked for the calls `about[1]` of the execution `about[0]`
    fenced    the store refused its commit; `about` are the executions that others have
    """
    who: str
    """The orchestrator; each process has a name of its own."""
    at: float
    about: Json


class Book:
    """The facts of one orchestrator."""

    def __init__(self, file: Path, who: str) -> None:
        self.who = who
        self._descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def note(self, what: str, about: Json = None) -> None:
        """Add a fact."""
        line = json.dumps([what, self.who, time.time(), about]) + "\n"
        os.write(self._descriptor, line.encode())


def marks(file: Path) -> list[Mark]:
    """All marks in their order."""
    return [Mark(*fields) for fields in _lines(file)]


def facts(file: Path) -> list[Fact]:
    """All facts in their order."""
    return [Fact(*fields) for fields in _lines(file)]


def _lines(file: Path) -> Iterator[list[Json]]:
    with file.open("rb") as lines:
        for line in lines:
            if line.endswith(b"\n"):  # the last one may be half there while they write
                yield json.loads(line)
