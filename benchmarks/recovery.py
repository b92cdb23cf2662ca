"""From a history in the journal back to the state of its execution: verify, decode, replay."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from agentflow.runtime.journal.protocol import Record, StoredExecution, StoredSpec
from agentflow.runtime.journal.store import Journal
from agentflow.runtime.machine import Machine, Program, compile_workflow
from agentflow.runtime.machine.protocol import (
    TYPE_OF,
    CallCompleted,
    Event,
    Invoke,
    Started,
    payload,
)
from agentflow.runtime.recovery import rebuild
from agentflow.spec.load import loads
from benchmarks.figures import scaled

STEPS = 10_000
ROUNDS = 3

LOOP = """
workflow: poll
do:
  - {id: begin, set: {n: 0}}
  - id: poll
    loop:
      while: ${ n < input }
      max: 1000000
      do:
        - {id: look, call: f.look, with: {n: "${ n }"}}
        - {id: next, set: {n: "${ n + 1 }"}}
"""
MAP = """
workflow: fan
do:
  - {id: m, map: "${ range(input) }", as: x, call: f.m, with: {x: "${ x }"}}
"""


def run(scale: float = 1.0) -> dict[str, float]:
    """Seconds from the journal's file to a machine that could go on, for each shape."""
    steps = scaled(STEPS, scale, 3)
    return {
        "loop of 10,000 steps, s": fastest(LOOP, steps),
        "map of 10,000 steps, s": fastest(MAP, steps),
    }


def fastest(text: str, steps: int) -> float:
    """The best of some rounds, all but the last step done."""
    program = compile_workflow(loads(text, functions=False).workflow)
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        journal = Journal.open(None, Path(folder))
        fill(journal, Path(folder), list(history(program, steps)))
        times = []
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            machine = rebuild(program, journal.history("e"))
            times.append(time.perf_counter() - begun)
            assert len(machine.outstanding()) == 1
        journal.close()
    return min(times)


def history(program: Program, steps: int) -> Iterator[Record]:
    """The events of an execution whose calls were answered one after another, but for the last."""
    machine = Machine(program)
    event: Event = Started(0.0, "e", steps, 2)
    asked: list[Invoke] = []
    for seq in range(1, steps + 1):
        key, attempt = getattr(event, "key", None), getattr(event, "attempt", None)
        yield Record("e", seq, TYPE_OF[type(event)], event.at, key, attempt, payload(event))
        asked += [c for c in machine.advance(event) if isinstance(c, Invoke)]
        call = asked.pop(0)
        event = CallCompleted(float(seq), call.key, call.attempt, 1)


def fill(journal: Journal, root: Path, records: list[Record]) -> None:
    """Keep the records as an execution's history."""
    journal.register(StoredSpec("d", "bench", "1", "workflow: bench", "bench.yaml"))
    execution = StoredExecution(
        id="e",
        workflow="bench",
        version="1",
        digest="d",
        root=str(root),
        status="running",
        input=records[0].data["input"],
        started_at=0.0,
        epoch=1,
    )
    journal.create(execution, records[0])
    journal.append(records[1:], [], {"e": 1})


if __name__ == "__main__":
    for name, value in run().items():
        print(f"{name:40} {value:12,.3f}")
