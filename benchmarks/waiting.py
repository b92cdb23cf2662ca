"""Many executions that wait in one engine: what each costs, and how fast all of them end.

The engine has a process of its own, so that memory is measured from the same start every time.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from agentflow import Engine
from agentflow.spec.load import loads
from benchmarks.figures import scaled

EXECUTIONS = 10_000
CLERK = """
workflow: clerk
input: {type: object}
do:
  - {id: order, set: {number: "${ input.number }", customer: "${ input.customer }"}}
  - id: paid
    listen: payment.received
    timeout: 30d
output: {number: "${ number }", paid: "${ paid }"}
"""
EMITTER = """
workflow: bank
do:
  - {id: e, emit: {type: payment.received, data: 1250}}
"""


def run(scale: float = 1.0) -> dict[str, float]:
    """Memory of each waiting execution and of all, and how many a second start and end."""
    command = [sys.executable, "-m", "benchmarks.waiting", str(scaled(EXECUTIONS, scale))]
    measured = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, float] = json.loads(measured.stdout)
    return figures


def measure(count: int) -> dict[str, float]:
    """The figures, in this process."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        root = Path(folder)
        clerk, bank = (loads(text, path="w.yaml", root=root) for text in (CLERK, EMITTER))
        with Engine(executor="inline", root=root, store=f"sqlite:///{root}/journal.db") as engine:
            engine.start(bank).result()  # everything is imported and warm
            before = resident()
            began = time.perf_counter()
            executions = [
                engine.start(clerk, {"number": n, "customer": f"c-{n}"}) for n in range(count)
            ]
            started = time.perf_counter() - began
            gc.collect()
            after = resident()
            began = time.perf_counter()
            engine.start(bank)
            for execution in executions:
                execution.result()
            ended = time.perf_counter() - began
    return {
        "each of 10,000 executions, KB": (after - before) / count / 1e3,
        "the process with all of them, MB": after / 1e6,
        "started and waiting, executions/s": count / started,
        "woken and ended, executions/s": count / ended,
    }


def resident() -> int:
    """Bytes of memory that this process occupies."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]) if len(sys.argv) > 1 else EXECUTIONS)))
