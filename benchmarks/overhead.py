"""What the engine adds to each call: functions in this process, the journal in memory.

A chain shows how long a step takes when the next one waits for it; a map and a crowd of executions,
what a call costs when there is always another one.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from agentflow import Engine, loads
from benchmarks import chain, crowd, fanout
from benchmarks.figures import Figures, NotMeasured, medians, scaled

ROOT = Path(__file__).resolve().parent.parent
MEMORY = Path("/dev/shm")
STEPS = 1_000
CALLS = 10_000
EXECUTIONS = 1_000
ROUNDS = 5


def run(scale: float = 1.0) -> Figures:
    """Microseconds for each call."""
    if not MEMORY.is_dir():
        raise NotMeasured(f"there is no {MEMORY} to keep the journal in")
    steps, calls, executions = (scaled(n, scale, 5) for n in (STEPS, CALLS, EXECUTIONS))
    with (
        tempfile.TemporaryDirectory(dir=MEMORY) as folder,
        Engine(executor="inline", root=ROOT, store=f"sqlite:///{folder}/journal.db") as engine,
    ):
        fan = loads(f"workflow: fan\ndo:\n  - {fanout.FAN}}}\n", root=ROOT)
        works = {
            "chain": partial(chain.rate, engine, loads(chain.chain_of(steps), root=ROOT), steps),
            "map": partial(fanout.rate, engine, fan, calls),
            "crowd": partial(crowd.rate, engine, loads(crowd.THREE, root=ROOT), executions),
        }
        for work in works.values():
            work()
        rates = medians(works, ROUNDS if scale == 1 else 1)
    return {
        "step of a chain, µs": 1e6 / rates["chain"],
        "call of a map, µs": 1e6 / rates["map"],
        "execution of three steps in a crowd, µs": 1e6 / rates["crowd"],
    }
