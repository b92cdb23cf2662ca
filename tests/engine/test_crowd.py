"""A process that is killed while a thousand executions are under way."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from agentflow import Engine
from agentflow.runtime.journal.protocol import Message
from tests.engine.conftest import Ledger, Spec

CROWD = 1000

FLOW = """
  - {id: a, call: work.mark, with: {name: "a${ input }", value: "${ input }"}}
  - {id: gate, listen: go}
  - {id: b, call: work.mark, with: {name: "b${ input }", value: "${ a + 1 }"}}
  - {id: held, if: "${ input % 2 == 1 }", listen: end}
  - {id: c, call: work.mark, with: {name: "c${ input }", value: "${ b + 1 }"}}
  - {id: r, return: "${ c }"}
"""

CARRIER = """
import sys
from agentflow import Engine
from agentflow.runtime.journal.protocol import Message
from agentflow.spec.load import load

with Engine(executor="inline") as engine:
    flow = load("flow.yaml")
    crowd = [engine.start(flow, n, id=f"e{n}") for n in range(int(sys.argv[1]))]
    engine.journal.post(Message("go", "go", None, None, 0.0))
    for execution in crowd:
        execution.result()
"""


@contextmanager
def carrying(project: Path, count: int) -> Iterator[subprocess.Popen[bytes]]:
    """A process that starts so many executions and carries them, until it is killed."""
    command = [sys.executable, "-c", CARRIER, str(count)]
    process = subprocess.Popen(command, cwd=project, env={**os.environ})
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def completed(project: Path) -> set[str]:
    """Which calls the journal has as completed, named as in the ledger: `b17`."""
    file = project / ".agentflow" / "journal.db"
    if not file.exists():
        return set()
    query = "SELECT step || substr(execution_id, 2) FROM events WHERE type = 'call.completed'"
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as store:
            return {name for (name,) in store.execute(query)}
    except sqlite3.OperationalError:  # its tables are being made
        return set()


@pytest.mark.slow
def test_after_a_crash_a_thousand_executions_end_and_nothing_completed_is_called_again(
    project: Path, spec: Spec, ledger: Ledger
) -> None:
    spec(FLOW)
    with carrying(project, CROWD) as process:
        while len(completed(project)) < 1.7 * CROWD:
            assert process.poll() is None
            threading.Event().wait(0.02)
    before = completed(project)
    called = Counter(ledger())
    assert 1.7 * CROWD <= len(before) <= 2.5 * CROWD  # every other one was held
    assert before <= called.keys()
    with Engine(executor="inline", root=project, adopt=True) as engine:
        engine.journal.post(Message("end", "end", None, None, 0.0))
        crowd = [engine.execution(f"e{n}") for n in range(CROWD)]
        assert [execution.result(60) for execution in crowd] == [n + 2 for n in range(CROWD)]
    again = Counter(ledger())
    assert {name for name in before if again[name] != called[name]} == set()
    assert again.keys() == {f"{step}{n}" for step in "abc" for n in range(CROWD)}
    assert max(again.values()) <= 2
