"""The machine alone: events a second on a chain and on maps, and how the cost grows."""

from __future__ import annotations

import time
from typing import Any

from agentflow.runtime.machine import Machine, compile_workflow
from agentflow.runtime.machine.protocol import CallCompleted, Invoke, Started
from agentflow.spec.load import loads
from benchmarks.figures import scaled

MAP = """
workflow: m
do:
  - {id: m, map: "${ input }", as: x, call: f.m, with: {x: "${ x }"}}
"""


def chain(steps: int) -> str:
    """A workflow of calls, each with the result of the one before."""
    lines = ["workflow: c", "do:", "  - {id: s0, call: f.a, with: {x: 0}}"]
    lines += [
        f'  - {{id: s{i}, call: f.a, with: {{x: "${{ s{i - 1} + 1 }}"}}}}' for i in range(1, steps)
    ]
    return "\n".join(lines) + "\n"


def rate(spec: str, input: Any = None) -> float:
    """Events a second until the execution ends; every call is answered at once, in order."""
    program = compile_workflow(loads(spec, functions=False).workflow)
    machine = Machine(program)
    begun, events = time.perf_counter(), 1
    queue = machine.advance(Started(0.0, "e", input, 2))
    while machine.finished is None:
        answers = [c for c in queue if isinstance(c, Invoke)]
        queue = []
        for command in answers:
            queue += machine.advance(CallCompleted(1.0, command.key, command.attempt, 1))
            events += 1
    return events / (time.perf_counter() - begun)


def run(scale: float = 1.0) -> dict[str, float]:
    """Rates, and the cost of an event in a large map against a small one."""
    links, few, many, most = (scaled(n, scale) for n in (1_000, 1_000, 10_000, 100_000))
    small = max(rate(MAP, list(range(few))) for _ in range(5))
    large = max(rate(MAP, list(range(most))) for _ in range(3))
    return {
        "chain of 1,000, events/s": max(rate(chain(links)) for _ in range(5)),
        "map of 10,000, events/s": max(rate(MAP, list(range(many))) for _ in range(3)),
        "cost per event, map of 100,000 / map of 1,000": small / large,
    }


if __name__ == "__main__":
    for name, value in run().items():
        print(f"{name:50} {value:12,.2f}")
