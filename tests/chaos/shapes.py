"""The workflows of the campaign, and what each execution must come to, computed independently."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from agentflow.errors import Json
from agentflow.runtime.journal.protocol import Status
from agentflow.spec.load import Loaded, loads
from tests.chaos.project.steps import MODULUS

PROJECT = Path(__file__).parent / "project"

GO = "go"
"""The message that listening executions wait for."""

PATIENT = """
defaults:
  timeout: 10s
  retry: {on: [WorkerLost, Timeout, ConnectionError], max_attempts: 1000, interval: 50ms, backoff: 1.5, max_interval: 1s}
do:
"""
"""No number of lost workers is a reason to fail, and a stopped worker is one to try again."""


class Outcome(NamedTuple):
    """What an execution came to: its output, or the name of its error."""

    status: Status
    value: Json


@dataclass(frozen=True)
class Shape:
    """One workflow."""

    name: str
    steps: str
    expected: Callable[[int], Outcome]
    """From the input `n`."""
    also: Callable[[int], Sequence[Outcome]] = lambda n: ()
    """Other outcomes that are right when workers die."""
    child: str = ""
    weight: int = 10
    needs_signal: bool = False
    needs_cancel: bool = False
    undone: tuple[str, ...] = ()
    """Keys of compensations that must have completed, in this order."""
    finals: tuple[str, ...] = ()
    """Keys that must have completed."""
    once: tuple[str, ...] = ()
    """Keys of at-most-once calls."""

    @property
    def text(self) -> str:
        """The workflow as it is written."""
        return f"workflow: {self.name}{PATIENT}{self.steps}"

    def load(self, root: Path) -> Loaded:
        """The workflow, for a project folder."""
        children = {"child": f"workflow: child{PATIENT}{self.child}"} if self.child else None
        return loads(self.text, path=self.name, root=root, functions=True, children=children)


def after(steps: int, x: int) -> int:
    """What so many steps make of a number."""
    for _ in range(steps):
        x = (x * 31 + 7) % MODULUS
    return x


def _succeeded(value: Callable[[int], Json]) -> Callable[[int], Outcome]:
    return lambda n: Outcome("succeeded", value(n))


CHAIN = Shape(
    "chain",
    """
  - {id: a, call: steps.step, with: {x: "${ input.n }"}}
  - {id: b, call: steps.flaky_step, with: {x: "${ a }"}}
  - {id: told, emit: {type: chained, data: "${ b }"}}
  - {id: c, call: steps.step, with: {x: "${ b }"}}
  - {id: d, call: steps.slow_step, with: {x: "${ c }", seconds: 0.1}}
  - {id: e, call: steps.step, with: {x: "${ d }"}}
output: ${ e }
""",
    _succeeded(lambda n: after(5, n)),
    weight=20,
)

MAP = Shape(
    "map",
    """
  - id: m
    map: ${ range(input.n % 14) }
    batch: 4
    call: steps.step
    with: {x: "${ item }"}
    reduce: {call: steps.total, arity: 4}
  - {id: z, call: steps.step, with: {x: "${ m }"}}
output: ${ z }
""",
    _succeeded(lambda n: after(1, sum(after(1, item) for item in range(n % 14)) % MODULUS)),
    weight=15,
)

FORK = Shape(
    "fork",
    """
  - id: f
    fork:
      left:
        do:
          - {id: a, call: steps.step, with: {x: "${ input.n }"}}
          - {id: b, call: steps.step, with: {x: "${ a }"}}
      middle:
        do:
          - {id: w, wait: 300ms}
          - {id: c, call: steps.flaky_step, with: {x: "${ input.n }"}}
      right: {do: [{id: d, call: steps.slow_step, with: {x: "${ input.n }", seconds: 0.2}}]}
  - {id: z, call: steps.step, with: {x: "${ f.left + f.middle + f.right }"}}
output: ${ z }
""",
    _succeeded(lambda n: after(1, after(2, n) + 2 * after(1, n))),
    weight=15,
)

_SAGA = """
  - id: s
    saga:
      do:
        - {id: a, call: steps.step, with: {x: "${ input.n }"}, compensate: {call: steps.step, with: {x: "${ a }"}}}
        - {id: b, call: steps.step, with: {x: "${ a }"}, compensate: {call: steps.flaky_step, with: {x: "${ b }"}}}
        - {id: c, call: steps.refuse, with: {x: "${ b }"}, compensate: {call: steps.step, with: {x: 0}}}
"""
_UNDONE = ("s.b.compensate", "s.a.compensate")

SAGA = Shape(
    "saga",
    _SAGA
    + """
    catch: [{on: ValueError, as: err, do: [{id: r, call: steps.step, with: {x: "${ input.n }"}}]}]
output: ${ s }
""",
    _succeeded(lambda n: after(1, n)),
    undone=_UNDONE,
)

FAILING = Shape("failing", _SAGA, lambda n: Outcome("failed", "ValueError"), undone=_UNDONE)

LISTEN = Shape(
    "listen",
    f"""
  - {{id: a, call: steps.step, with: {{x: "${{ input.n }}"}}}}
  - {{id: w, wait: 200ms}}
  - {{id: l, listen: {GO}, correlation: "${{ execution.id }}"}}
  - {{id: b, call: steps.step, with: {{x: "${{ a + l.x }}"}}}}
output: ${{ b }}
""",
    _succeeded(lambda n: after(1, after(1, n) + n)),
    needs_signal=True,
)

LOOP = Shape(
    "loop",
    """
  - {id: i, set: {x: "${ input.n }"}}
  - id: l
    loop:
      for: ${ range(6) }
      as: r
      do:
        - {id: a, call: steps.step, with: {x: "${ x }"}}
        - {id: k, set: {x: "${ a }"}}
output: ${ x }
""",
    _succeeded(lambda n: after(6, n)),
)

FAMILY = Shape(
    "family",
    """
  - {id: a, call: steps.step, with: {x: "${ input.n }"}}
  - {id: c, run: child, with: {n: "${ a }"}}
  - {id: z, call: steps.step, with: {x: "${ c }"}}
output: ${ z }
""",
    _succeeded(lambda n: after(4, n)),
    child="""
  - {id: d, call: steps.step, with: {x: "${ input.n }"}}
  - {id: e, call: steps.step, with: {x: "${ d }"}}
output: ${ e }
""",
)

PIPELINE = Shape(
    "pipeline",
    """
  - id: p
    pipeline:
      from: {call: steps.numbers, with: {n: "${ input.n % 6 }"}}
      stages:
        - {id: a, call: steps.step, with: {x: "${ item }"}, concurrency: 2}
        - {id: b, call: steps.step, with: {x: "${ item }"}}
output: ${ p }
""",
    _succeeded(lambda n: [after(2, item) for item in range(n % 6)]),
    weight=5,
)

CANCELLED = Shape(
    "cancelled",
    """
  - id: t
    try:
      do:
        - {id: a, call: steps.step, with: {x: "${ input.n }"}}
        - {id: l, listen: never}
      finally:
        - {id: z, call: steps.flaky_step, with: {x: 0}}
""",
    lambda n: Outcome("cancelled", None),
    needs_cancel=True,
    finals=("t.z",),
)

ONCE = Shape(
    "once",
    """
  - id: a
    call: steps.slow_step
    execution: at_most_once
    with: {x: "${ input.n }", seconds: 0.1}
    catch: [{on: Interrupted, do: [{id: i, return: interrupted}]}]
  - {id: b, call: steps.step, with: {x: "${ a }"}}
output: ${ b }
""",
    _succeeded(lambda n: after(2, n)),
    also=lambda n: (Outcome("succeeded", "interrupted"),),
    once=("a",),
)

HEAVY = Shape(
    "heavy",
    """
  - {id: a, call: steps.step, with: {x: "${ input.n }"}, resources: {num_cpus: 0.1}}
  - {id: b, call: steps.step, with: {x: "${ a }"}}
output: ${ b }
""",
    _succeeded(lambda n: after(2, n)),
    weight=1,
)

HELLO = Shape("hello", "  - {id: s, set: {x: 1}}\n", lambda n: Outcome("succeeded", None), weight=0)
"""What an orchestrator runs first, to be ready."""

SHAPES = (
    CHAIN, MAP, FORK, SAGA, FAILING, LISTEN, LOOP, FAMILY, PIPELINE, CANCELLED, ONCE, HEAVY, HELLO,
)  # fmt: skip
BY_NAME = {shape.name: shape for shape in SHAPES}


def draw(chance: random.Random) -> Shape:
    """A shape, by weight."""
    return chance.choices(SHAPES, [shape.weight for shape in SHAPES])[0]
