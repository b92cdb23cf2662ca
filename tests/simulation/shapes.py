"""The workflows that are simulated: each shape the language has, and mixtures of them.

Whatever faults there are, an execution must come to the outcome it has without any. A shape whose
outcome depends on time says which others are right too.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from agentflow.errors import Json
from tests.simulation.shape import Outcome, Shape, Signal


def _items(least: int, most: int) -> Callable[[random.Random], Json]:
    def draw(rng: random.Random) -> Json:
        return {"items": [rng.randint(0, 99) for _ in range(rng.randint(least, most))]}

    return draw


def _some_two(actual: Outcome, reference: Outcome) -> bool:
    """Two of the three branches won; what a branch gives is known, which are first is not."""
    if actual.status != "succeeded":
        return False
    won, all_values = actual.output["won"], actual.output["all"]
    return len(won) == 2 and won.items() <= all_values.items()


CHAIN = Shape(
    "chain",
    """
workflow: chain
do:
  - {id: a, call: work.sure, with: {x: "${ input.n }"}}
  - {id: b, call: work.flaky, with: {x: "${ a }"}, retry: {max_attempts: 3, interval: 100ms}}
  - {id: s, set: {total: "${ a + b }"}}
  - {id: c, call: work.sure, with: {x: "${ total }"}}
  - {id: d, call: work.risky, with: {x: "${ c }"}}
output: {a: "${ a }", d: "${ d }", stamp: "${ len(uuid()) }"}
""",
)

MAP = Shape(
    "map",
    """
workflow: map
do:
  - id: m
    map: ${ input.items }
    concurrency: 3
    call: work.flaky
    with: {x: "${ item }"}
    retry: {max_attempts: 3, interval: 50ms}
output: ${ m }
""",
    _items(0, 7),
)

MAP_REDUCE = Shape(
    "map-reduce",
    """
workflow: map-reduce
do:
  - id: m
    map: ${ input.items }
    batch: auto
    call: work.flaky
    with: {x: "${ item }"}
    retry: {max_attempts: 3}
    reduce: {call: work.total, arity: 3}
output: ${ m }
""",
    _items(0, 14),
)

POISON = Shape(
    "poison",
    """
workflow: poison
do:
  - id: m
    map: ${ input.items }
    batch: 3
    tolerate: 2
    call: work.deadly
    with: {x: "${ item }"}
output: ${ m }
""",
    _items(1, 8),
)

FORK = Shape(
    "fork",
    """
workflow: fork
concurrency: 2
do:
  - id: f
    fork:
      left:
        do:
          - {id: a, call: work.sure, with: {x: "${ input.n }"}}
          - {id: b, call: work.sure, with: {x: "${ a }"}}
      right:
        do:
          - {id: c, call: work.risky, with: {x: "${ input.n }"}}
      pause:
        do:
          - {id: w, wait: 300ms}
          - {id: r, return: "${ input.n }"}
    catch: [{on: Refused, as: err, do: [{id: g, call: work.sure, with: {x: "${ err.name }"}}]}]
output: ${ f }
""",
)

RACE = Shape(
    "race",
    """
workflow: race
do:
  - id: all
    fork:
      a: {do: [{id: x, call: work.sure, with: {x: 1}}]}
      b: {do: [{id: x, call: work.sure, with: {x: 2}}]}
      c: {do: [{id: x, call: work.sure, with: {x: 3}}]}
  - id: won
    fork:
      a: {do: [{id: x, call: work.sure, with: {x: 1}}]}
      b: {do: [{id: x, call: work.sure, with: {x: 2}}]}
      c: {do: [{id: x, call: work.sure, with: {x: 3}}]}
    join: 2
output: {all: "${ all }", won: "${ won }"}
""",
    accepts=_some_two,
)

TRY = Shape(
    "try",
    """
workflow: try
do:
  - id: t
    try:
      do:
        - {id: a, call: work.risky, with: {x: "${ input.n }"}}
        - {id: b, call: work.deadly, with: {x: "${ a }"}}
      catch:
        - {on: Refused, as: err, do: [{id: c, call: work.flaky, with: {x: "${ err.message }"}, retry: {max_attempts: 3}}]}
      finally:
        - {id: z, call: work.sure, with: {x: 1}}
output: ${ t }
""",
    finals=("t.z",),
)

SAGA = Shape(
    "saga",
    """
workflow: saga
do:
  - id: s
    saga:
      do:
        - {id: a, call: work.sure, with: {x: 1}, compensate: {call: work.sure, with: {x: "${ a }"}}}
        - {id: b, call: work.sure, with: {x: "${ a }"}, compensate: {call: work.flaky, with: {x: "${ b }"}, retry: {max_attempts: 3, interval: 50ms}}}
        - {id: c, call: work.risky, with: {x: "${ b }"}, compensate: {call: work.sure, with: {x: "${ c }"}}}
        - {id: w, wait: 100ms}
        - {id: d, call: work.risky, with: {x: "${ c }"}}
        - {id: e, call: work.risky, with: {x: "${ d }"}}
output: ${ s }
""",
    undone=("s.a", "s.b", "s.c"),
)

PIPELINE = Shape(
    "pipeline",
    """
workflow: pipeline
do:
  - id: p
    pipeline:
      from: {call: work.numbers, with: {n: "${ input.n }"}}
      buffer: 2
      stages:
        - {id: a, call: work.flaky, with: {x: "${ item }"}, concurrency: 2, retry: {max_attempts: 3}}
        - {id: b, call: work.sure, with: {x: "${ item }"}}
output: ${ p }
""",
    lambda rng: {"n": rng.randint(0, 7)},
)

STREAM = Shape(
    "stream",
    """
workflow: stream
do:
  - id: p
    pipeline:
      from: {call: work.numbers, with: {n: "${ input.n }"}}
      buffer: 5
      stages:
        - {id: a, call: work.sure, with: {x: "${ item }"}}
        - {id: b, call: work.flaky, with: {x: "${ item }"}, concurrency: 2, retry: {max_attempts: 3}}
      reduce: {call: work.total, arity: 3}
output: ${ p }
""",
    lambda rng: {"n": rng.randint(0, 16)},
)

STATES = Shape(
    "states",
    """
workflow: states
do:
  - {id: i, set: {left: "${ input.n }", seen: []}}
  - id: m
    start: look
    states:
      look:
        do:
          - {id: a, call: work.flaky, with: {x: "${ left }"}, retry: {max_attempts: 3}}
          - {id: k, set: {seen: "${ seen + [a] }", left: "${ left - 1 }"}}
        next:
          - {when: "${ left <= 0 }", to: over}
          - {to: rest}
      rest: {do: [{id: w, wait: 50ms}], next: look}
      over: {do: [{id: r, call: work.sure, with: {x: "${ left }"}}], end: true}
output: ${ seen }
""",
    lambda rng: {"n": rng.randint(1, 3)},
)

LOOP = Shape(
    "loop",
    """
workflow: loop
do:
  - {id: i, set: {total: 0, rounds: 0}}
  - id: l
    loop:
      while: ${ rounds < input.n }
      do:
        - {id: a, call: work.sure, with: {x: "${ rounds }"}}
        - {id: k, set: {total: "${ total + a }", rounds: "${ rounds + 1 }"}}
  - id: e
    loop:
      for: ${ range(input.n) }
      as: x
      do:
        - {id: b, call: work.flaky, with: {x: "${ x }"}, retry: {max_attempts: 3, interval: 20ms}}
output: {total: "${ total }", last: "${ e }"}
""",
    lambda rng: {"n": rng.randint(0, 3)},
)

TIMES = Shape(
    "times",
    """
workflow: times
do:
  - {id: w, wait: 200ms}
  - id: late
    call: work.slow
    with: {x: 1}
    timeout: 300ms
    catch: [{on: Timeout, do: [{id: c, call: work.sure, with: {x: 2}}]}]
  - id: deaf
    listen: never
    timeout: 400ms
    catch: [{on: Timeout, do: [{id: d, return: "${ [late, input.n] }"}]}]
""",
)

MAIL = Shape(
    "mail",
    """
workflow: mail
do:
  - {id: l, listen: paid}
  - {id: a, call: work.sure, with: {x: "${ l }"}}
  - {id: m, listen: paid}
  - id: ok
    approve: {message: "sure?", form: {type: object, required: [yes]}}
output: ["${ l }", "${ a }", "${ m }", "${ ok }"]
""",
    signals=(
        Signal("paid", 11),
        Signal("paid", 11),
        Signal("ok", {"no": 1}),
        Signal("ok", {"yes": 1}),
        Signal("unheard", "kept"),
    ),
)

EVENTS = Shape(
    "events",
    """
workflow: events
do:
  - id: f
    fork:
      hear:
        do:
          - {id: l, listen: done, correlation: "${ execution.id }"}
          - {id: a, call: work.sure, with: {x: "${ l }"}}
      say:
        do:
          - {id: b, call: work.sure, with: {x: "${ input.n }"}}
          - {id: e, emit: {type: done, subject: "${ execution.id }", data: "${ b }"}}
output: ${ f }
""",
)

FAMILY = Shape(
    "family",
    """
workflow: family
do:
  - {id: a, call: work.sure, with: {x: "${ input.n }"}}
  - id: m
    map: [1, 2]
    do:
      - {id: c, run: child, with: {n: "${ a + item }"}, catch: [{on: "*", as: err, do: [{id: r, return: "${ err.name }"}]}]}
output: ${ m }
""",
    child="""
workflow: child
do:
  - {id: w, wait: 50ms}
  - {id: d, call: work.risky, with: {x: "${ input.n }"}}
output: ${ d }
""",
)

AGAIN = Shape(
    "again",
    """
workflow: again
do:
  - id: t
    retry: {max_attempts: 3, interval: 100ms, backoff: 2}
    timeout: 1h
    try:
      do:
        - {id: a, call: work.risky, with: {x: "${ input.n }"}}
        - {id: b, call: work.risky, with: {x: "${ a }"}}
      finally:
        - {id: z, call: work.sure, with: {x: 1}}
output: ${ t }
""",
)

NESTED = Shape(
    "nested",
    """
workflow: nested
concurrency: 3
do:
  - id: m
    map: ${ input.items }
    concurrency: 2
    tolerate: 100%
    do:
      - id: s
        saga:
          do:
            - {id: a, call: work.flaky, with: {x: "${ item }"}, retry: {max_attempts: 3}, compensate: {call: work.sure, with: {x: "${ a }"}}}
            - id: f
              fork:
                l: {do: [{id: b, call: work.sure, with: {x: "${ a }"}, compensate: {call: work.sure, with: {x: "${ b }"}}}]}
                r: {do: [{id: w, wait: 100ms}, {id: c, call: work.risky, with: {x: "${ a }"}}]}
output: ${ m }
""",
    _items(1, 3),
)

SHAPES = (
    CHAIN, MAP, MAP_REDUCE, POISON, FORK, RACE, TRY, SAGA, PIPELINE, STREAM, STATES, LOOP, TIMES, MAIL,
    EVENTS, FAMILY, AGAIN, NESTED,
)  # fmt: skip
BY_NAME = {shape.name: shape for shape in SHAPES}
