"""Given events, then commands: every kind of step, the ways it ends, the ways it is stopped."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.machine.script import play


@dataclass(frozen=True)
class Row:
    spec: str
    script: str
    options: dict[str, Any] = field(default_factory=dict)


ROWS = {
    "a chain passes results on": Row(
        """
  - {id: a, call: f.a, with: {x: "${ input.n }"}}
  - {id: b, call: f.b, with: {x: "${ a + 1 }"}}
""",
        """
start
-> invoke a {"x": 7}
a = 10
-> invoke b {"x": 11}
b = 20
-> done 20
""",
        {"input": {"n": 7}},
    ),
    "output is computed from all results": Row(
        """workflow: t
do:
  - {id: a, call: f.a}
  - {id: b, call: f.b}
output: {sum: "${ a + b }"}
""",
        """
start
-> invoke a {}
a = 1
-> invoke b {}
b = 2
-> done {"sum": 3}
""",
    ),
    "a workflow without calls ends at once": Row(
        '  - {id: a, return: "${ 1 + 1 }"}\n', "start\n-> done 2"
    ),
    "an error in an expression fails the step": Row(
        '  - {id: a, return: "${ input.missing }"}\n',
        "start\n-> failed MissingKey at a",
        {"input": {}},
    ),
    "a failed call fails the workflow": Row(
        "  - {id: a, call: f.a}\n", "start\n-> invoke a {}\na ! Boom\n-> failed Boom at a"
    ),
    "if false skips and gives null": Row(
        """
  - {id: a, if: "${ input }", call: f.a}
  - {id: b, return: "${ a == null }"}
""",
        "start\n-> done true",
        {"input": False},
    ),
    "if must be a boolean": Row(
        '  - {id: a, if: "${ input }", call: f.a}\n',
        "start\n-> failed TypeMismatch at a",
        {"input": 1},
    ),
    "set binds after all values are computed": Row(
        """
  - {id: a, set: {x: 1, y: 2}}
  - {id: b, set: {x: "${ y }", y: "${ x }"}}
  - {id: c, return: ["${ x }", "${ y }"]}
""",
        "start\n-> done [2, 1]",
    ),
    "set in an inner block assigns the outer name": Row(
        """
  - {id: a, set: {x: 1}}
  - {id: b, switch: [{when: "${ true }", do: [{id: s, set: {x: 2}}]}]}
  - {id: c, return: "${ x }"}
""",
        "start\n-> done 2",
    ),
    "switch takes the first case that holds": Row(
        """
  - id: s
    switch:
      - {when: "${ input > 10 }", do: [{id: big, call: f.big}]}
      - {when: "${ input > 5 }", do: [{id: mid, call: f.mid}]}
    else: [{id: small, call: f.small}]
""",
        'start\n-> invoke s.mid {}\ns.mid = "m"\n-> done "m"',
        {"input": 7},
    ),
    "switch falls through without a case": Row(
        '  - {id: s, switch: [{when: "${ false }", do: [{id: x, call: f.x}]}]}\n',
        "start\n-> done null",
    ),
    "raise fails with its name": Row(
        '  - {id: a, raise: {name: Nope, message: "no", data: {x: 1}}}\n',
        "start\n-> failed Nope at a",
    ),
    "return ends the workflow from inside": Row(
        """
  - {id: s, switch: [{when: "${ true }", do: [{id: r, return: 5}]}]}
  - {id: a, call: f.a}
""",
        "start\n-> done 5",
    ),
    # --- retry, timeout, catch, finally
    "a call is retried with growing pauses": Row(
        "  - {id: a, call: f.a, retry: {max_attempts: 3, interval: 2s, backoff: 3}}\n",
        """
start
-> invoke a {}
a ! Boom
-> timer a@retry +2
fire a@retry
-> invoke a {} #2
a ! Boom
-> timer a@retry +6
fire a@retry
-> invoke a {} #3
a ! Boom
-> failed Boom at a
""",
    ),
    "retry only on the named errors": Row(
        "  - {id: a, call: f.a, retry: {on: [Busy], interval: 0s}}\n",
        """
start
-> invoke a {}
a ! Busy
-> invoke a {} #2
a ! Boom
-> failed Boom at a
""",
    ),
    "defaults.retry applies to calls": Row(
        """workflow: t
defaults: {retry: {max_attempts: 2, interval: 0s}}
do: [{id: a, call: f.a}]
""",
        """
start
-> invoke a {}
a ! Boom
-> invoke a {} #2
a = 1
-> done 1
""",
    ),
    "a lost worker is no failure of the call, three times": Row(
        "  - {id: a, call: f.a}\n",
        """
start
-> invoke a {}
a ! WorkerLost
-> invoke a {} #2
a ! WorkerLost
-> invoke a {} #3
a ! WorkerLost
-> failed WorkerLost at a
""",
    ),
    "catch handles the error and gives its value": Row(
        """
  - id: a
    call: f.a
    catch: [{on: [Boom], as: e, do: [{id: h, call: f.h, with: {why: "${ e.name }"}}]}]
  - {id: b, return: "${ a }"}
""",
        """
start
-> invoke a {}
a ! Boom
-> invoke a.h {"why": "Boom"}
a.h = 9
-> done 9
""",
    ),
    "catch passes other errors on": Row(
        "  - {id: a, call: f.a, catch: [{on: [Boom], do: [{id: h, call: f.h}]}]}\n",
        "start\n-> invoke a {}\na ! Bang\n-> failed Bang at a",
    ),
    "catch comes after the retries": Row(
        """
  - id: a
    call: f.a
    retry: {max_attempts: 2, interval: 0s}
    catch: [{do: [{id: h, return: 3}]}]
""",
        """
start
-> invoke a {}
a ! Boom
-> invoke a {} #2
a ! Boom
-> done 3
""",
    ),
    "finally runs after success and after failure": Row(
        """
  - id: t
    try:
      do: [{id: a, call: f.a}]
      catch: [{on: Boom, do: [{id: h, call: f.h}]}]
      finally: [{id: z, call: f.z}]
""",
        """
start
-> invoke t.a {}
t.a ! Boom
-> invoke t.h {}
t.h ! Bang
-> invoke t.z {}
t.z = 0
-> failed Bang at t.h
""",
    ),
    "an error in finally replaces the outcome": Row(
        """
  - id: t
    try:
      do: [{id: a, call: f.a}]
      finally: [{id: z, call: f.z}]
""",
        """
start
-> invoke t.a {}
t.a = 1
-> invoke t.z {}
t.z ! Bang
-> failed Bang at t.z
""",
    ),
    "finally runs when cancelled, and is not interrupted": Row(
        """
  - id: t
    try:
      do: [{id: a, call: f.a}]
      catch: [{do: [{id: h, call: f.h}]}]
      finally: [{id: z, call: f.z}]
""",
        """
start
-> invoke t.a {}
cancel
-> withdraw t.a
-> invoke t.z {}
cancel
t.z = 0
-> cancelled
""",
    ),
    "a step's timeout stops what is in it": Row(
        """
  - id: s
    timeout: 10s
    saga: {do: [{id: a, call: f.a}]}
  - {id: b, call: f.b}
""",
        """
start
-> invoke s.a {}
-> timer s@timeout +10
fire s@timeout
-> withdraw s.a
-> failed Timeout at s
""",
    ),
    "the timer of a step that ended in time is withdrawn": Row(
        "  - {id: s, timeout: 10s, fork: {x: {do: [{id: a, call: f.a}]}}}\n",
        """
start
-> invoke s.x.a {}
-> timer s@timeout +10
s.x.a = 1
-> withdraw s@timeout
-> done {"x": 1}
""",
    ),
    "a composite step is retried as a whole, under new keys": Row(
        "  - {id: s, retry: {interval: 0s}, saga: {do: [{id: a, call: f.a}, {id: b, call: f.b}]}}\n",
        """
start
-> invoke s.a {}
s.a = 1
-> invoke s.b {}
s.b ! Boom
-> invoke s~2.a {}
s~2.a = 1
-> invoke s~2.b {}
s~2.b = 2
-> done 2
""",
    ),
    "the workflow's timeout": Row(
        "workflow: t\ntimeout: 1m\ndo: [{id: a, call: f.a}]\n",
        """
start
-> timer @timeout +60
-> invoke a {}
fire @timeout
-> withdraw a
-> failed Timeout at top
""",
    ),
    # --- fork
    "fork all gives an object by branch": Row(
        """
  - id: f
    fork: {left: {do: [{id: a, call: f.a}]}, right: {do: [{id: b, call: f.b}]}}
""",
        """
start
-> invoke f.left.a {}
-> invoke f.right.b {}
f.right.b = 2
f.left.a = 1
-> done {"left": 1, "right": 2}
""",
    ),
    "fork all fails with the first failure and stops the others": Row(
        """
  - id: f
    fork: {left: {do: [{id: a, call: f.a}]}, right: {do: [{id: b, call: f.b}]}}
""",
        """
start
-> invoke f.left.a {}
-> invoke f.right.b {}
f.right.b ! Boom
-> withdraw f.left.a
-> failed Boom at f.right.b
""",
    ),
    "fork any takes the first success": Row(
        """
  - id: f
    fork: {x: {do: [{id: a, call: f.a}]}, y: {do: [{id: b, call: f.b}]}}
    join: any
""",
        """
start
-> invoke f.x.a {}
-> invoke f.y.b {}
f.x.a ! Boom
f.y.b = 2
-> done {"y": 2}
""",
    ),
    "fork any fails with the last failure": Row(
        """
  - id: f
    fork: {x: {do: [{id: a, call: f.a}]}, y: {do: [{id: b, call: f.b}]}}
    join: any
""",
        """
start
-> invoke f.x.a {}
-> invoke f.y.b {}
f.x.a ! Boom
f.y.b ! Bang
-> failed Bang at f.y.b
""",
    ),
    "fork 2 of 3": Row(
        """
  - id: f
    fork: {x: {do: [{id: a, call: f.a}]}, y: {do: [{id: b, call: f.b}]}, z: {do: [{id: c, call: f.c}]}}
    join: 2
""",
        """
start
-> invoke f.x.a {}
-> invoke f.y.b {}
-> invoke f.z.c {}
f.z.c = 3
f.x.a = 1
-> withdraw f.y.b
-> done {"x": 1, "z": 3}
""",
    ),
    "fork waits for the clean-up of the branch it stops": Row(
        """
  - id: f
    fork:
      x: {do: [{id: t, try: {do: [{id: a, call: f.a}], finally: [{id: z, call: f.z}]}}]}
      y: {do: [{id: b, call: f.b}]}
""",
        """
start
-> invoke f.x.t.a {}
-> invoke f.y.b {}
f.y.b ! Boom
-> withdraw f.x.t.a
-> invoke f.x.t.z {}
f.x.t.z = 0
-> failed Boom at f.y.b
""",
    ),
    "return ends a branch only": Row(
        """
  - id: f
    fork: {x: {do: [{id: r, return: 1}]}, y: {do: [{id: b, call: f.b}]}}
  - {id: o, return: "${ f.x + f.y }"}
""",
        "start\n-> invoke f.y.b {}\nf.y.b = 2\n-> done 3",
    ),
    # --- loops
    "while": Row(
        """
  - {id: s, set: {n: 0}}
  - id: l
    loop: {while: "${ n < 2 }", do: [{id: a, call: f.a}, {id: i, set: {n: "${ n + a }"}}]}
  - {id: r, return: "${ n }"}
""",
        "start\n-> invoke l[0].a {}\nl[0].a = 1\n-> invoke l[1].a {}\nl[1].a = 1\n-> done 2",
    ),
    "until reads the names of the round": Row(
        """
  - id: l
    loop: {until: "${ a.ready }", do: [{id: a, call: f.a}]}
  - {id: r, return: "${ l.n }"}
""",
        """
start
-> invoke l[0].a {}
l[0].a = {"ready": false, "n": 1}
-> invoke l[1].a {}
l[1].a = {"ready": true, "n": 2}
-> done 2
""",
    ),
    "for goes through items in turn": Row(
        """
  - id: l
    loop: {for: "${ input }", as: x, index: i, do: [{id: a, call: f.a, with: {x: "${ x }", i: "${ i }"}}]}
""",
        """
start
-> invoke l[0].a {"x": "p", "i": 0}
l[0].a = 1
-> invoke l[1].a {"x": "q", "i": 1}
l[1].a = 2
-> done 2
""",
        {"input": ["p", "q"]},
    ),
    "a loop over its max fails": Row(
        '  - {id: l, loop: {while: "${ true }", max: 1, do: [{id: a, call: f.a}]}}\n',
        "start\n-> invoke l[0].a {}\nl[0].a = 1\n-> failed LoopLimit at l",
    ),
    "an endless loop without calls is stopped": Row(
        '  - {id: l, loop: {while: "${ true }", max: 100000000, do: [{id: a, set: {x: 1}}]}}\n',
        "start\n-> failed LimitExceeded at l[999999].a",
    ),
    # --- map
    "map gives results in item order": Row(
        '  - {id: m, map: "${ input }", as: x, call: f.a, with: {x: "${ x }"}}\n',
        """
start
-> opened m 2
-> invoke m[0] {"x": 5}
-> invoke m[1] {"x": 6}
m[1] = 60
m[0] = 50
-> done [50, 60]
""",
        {"input": [5, 6]},
    ),
    "map of nothing": Row(
        '  - {id: m, map: "${ input }", call: f.a}\n', "start\n-> done []", {"input": []}
    ),
    "map of no list": Row(
        '  - {id: m, map: "${ input }", call: f.a}\n',
        "start\n-> failed TypeMismatch at m",
        {"input": "abc"},
    ),
    "map with concurrency": Row(
        '  - {id: m, map: "${ input }", concurrency: 1, call: f.a, with: {x: "${ item }"}}\n',
        """
start
-> invoke m[0] {"x": 1}
m[0] = 1
-> invoke m[1] {"x": 2}
m[1] = 2
-> done [1, 2]
""",
        {"input": [1, 2]},
    ),
    "map with steps": Row(
        """
  - id: m
    map: ${ input }
    as: x
    index: i
    do:
      - {id: a, call: f.a, with: {x: "${ x }"}}
      - {id: b, return: ["${ i }", "${ a }"]}
""",
        """
start
-> invoke m[0].a {"x": 1}
-> invoke m[1].a {"x": 2}
m[1].a = 8
m[0].a = 7
-> done [[0, 7], [1, 8]]
""",
        {"input": [1, 2]},
    ),
    "a failing item stops the others": Row(
        '  - {id: m, map: "${ input }", call: f.a}\n',
        """
start
-> invoke m[0] {}
-> invoke m[1] {}
m[1] ! Boom
-> withdraw m[0]
-> failed Boom at m[1]
""",
        {"input": [1, 2]},
    ),
    "tolerated failures are null": Row(
        '  - {id: m, map: "${ input }", tolerate: 1, call: f.a}\n',
        """
start
-> invoke m[0] {}
-> invoke m[1] {}
m[0] ! Boom
m[1] = 2
-> done [null, 2]
""",
        {"input": [1, 2]},
    ),
    "more failures than tolerated": Row(
        '  - {id: m, map: "${ input }", tolerate: "50%", call: f.a}\n',
        """
start
-> invoke m[0] {}
-> invoke m[1] {}
m[0] ! Boom
m[1] ! Boom
-> failed TooManyFailures at m[0]
""",
        {"input": [1, 2]},
    ),
    "retry on a map with a call is per item": Row(
        '  - {id: m, map: "${ input }", retry: {interval: 0s}, call: f.a}\n',
        """
start
-> invoke m[0] {}
-> invoke m[1] {}
m[1] ! Boom
-> invoke m[1] {} #2
m[0] = 1
m[1] = 2
-> done [1, 2]
""",
        {"input": [1, 2]},
    ),
    "batches of a given size": Row(
        '  - {id: m, map: "${ input }", batch: 2, call: f.a, with: {x: "${ item }"}}\n',
        """
start
-> batch m[0:2] [{"x": 1}, {"x": 2}]
-> batch m[2:3] [{"x": 3}]
m[2:3] : [30]
m[0:2] : [10, 20]
-> done [10, 20, 30]
""",
        {"input": [1, 2, 3]},
    ),
    "an item that fails in a batch is retried alone": Row(
        '  - {id: m, map: "${ input }", batch: 2, retry: {interval: 0s}, call: f.a, with: {x: "${ item }"}}\n',
        """
start
-> batch m[0:2] [{"x": 1}, {"x": 2}]
m[0:2] : [10, "!Boom"]
-> invoke m[1] {"x": 2} #2
m[1] = 20
-> done [10, 20]
""",
        {"input": [1, 2]},
    ),
    "a lost batch is tried item by item": Row(
        '  - {id: m, map: "${ input }", batch: 2, call: f.a, with: {x: "${ item }"}}\n',
        """
start
-> batch m[0:2] [{"x": 1}, {"x": 2}]
m[0:2] ! WorkerLost
-> invoke m[0] {"x": 1}
-> invoke m[1] {"x": 2}
m[0] = 1
m[1] = 2
-> done [1, 2]
""",
        {"input": [1, 2]},
    ),
    "reduce combines neighbours as soon as they are complete": Row(
        '  - {id: m, map: "${ input }", call: f.a, reduce: {call: f.r, arity: 2}}\n',
        """
start
-> invoke m[0] {}
-> invoke m[1] {}
-> invoke m[2] {}
m[1] = 1
m[0] = 0
-> invoke m.reduce[0][0] {"items": [0, 1]}
m.reduce[0][0] = "a"
m[2] = 2
-> invoke m.reduce[0][1] {"items": [2]}
m.reduce[0][1] = "b"
-> invoke m.reduce[1][0] {"items": ["a", "b"]}
m.reduce[1][0] = "ab"
-> done "ab"
""",
        {"input": [0, 0, 0]},
    ),
    "reduce of nothing is called once": Row(
        '  - {id: m, map: "${ input }", call: f.a, reduce: {call: f.r}}\n',
        'start\n-> invoke m.reduce[0][0] {"items": []}\nm.reduce[0][0] = 0\n-> done 0',
        {"input": []},
    ),
    "reduce leaves tolerated failures out": Row(
        '  - {id: m, map: "${ input }", tolerate: 1, call: f.a, reduce: {call: f.r}}\n',
        """
start
-> invoke m[0] {}
-> invoke m[1] {}
m[0] ! Boom
m[1] = 1
-> invoke m.reduce[0][0] {"items": [1]}
m.reduce[0][0] = 1
-> done 1
""",
        {"input": [0, 0]},
    ),
    "a reduce that fails is not tolerated": Row(
        '  - {id: m, map: "${ input }", tolerate: 1, call: f.a, reduce: {call: f.r}}\n',
        """
start
-> invoke m[0] {}
m[0] = 1
-> invoke m.reduce[0][0] {"items": [1]}
m.reduce[0][0] ! Boom
-> failed Boom at m.reduce[0][0]
""",
        {"input": [0]},
    ),
    "the workflow's concurrency bounds calls in flight": Row(
        """workflow: t
concurrency: 1
do: [{id: m, map: "${ input }", call: f.a}]
""",
        """
start
-> invoke m[0] {}
m[0] = 0
-> invoke m[1] {}
m[1] = 1
-> done [0, 1]
""",
        {"input": [0, 0]},
    ),
    # --- saga
    "a saga undoes in reverse order": Row(
        """
  - id: s
    saga:
      do:
        - {id: a, call: f.a, compensate: {call: f.undo, with: {id: "${ a.id }"}}}
        - {id: b, call: f.b, compensate: {call: f.undo, with: {id: "${ b.id }"}}}
        - {id: c, call: f.c}
""",
        """
start
-> invoke s.a {}
s.a = {"id": 1}
-> invoke s.b {}
s.b = {"id": 2}
-> invoke s.c {}
s.c ! Boom
-> invoke s.b.compensate {"id": 2}
s.b.compensate = null
-> invoke s.a.compensate {"id": 1}
s.a.compensate = null
-> failed Boom at s.c
""",
    ),
    "what a compensation is called with is decided when the call completes": Row(
        """
  - id: first
    set: {n: 1}
  - id: s
    saga:
      do:
        - {id: a, call: f.a, compensate: {call: f.undo, with: {n: "${ n }"}}}
        - {id: b, call: f.b, compensate: {call: f.undo, with: {n: "${ b.n }"}}}
        - {id: later, set: {n: 2}}
        - {id: c, call: f.c}
""",
        """
start
-> invoke s.a {}
s.a = null
-> invoke s.b {}
s.b = {}
-> invoke s.c {}
s.c ! Boom
-> invoke s.a.compensate {"n": 1}
s.a.compensate = null
-> failed Boom at s.c
""",
    ),
    "a compensation that fails does not stop the others": Row(
        """
  - id: s
    saga:
      do:
        - {id: a, call: f.a, compensate: {call: f.undo}}
        - {id: b, call: f.b, compensate: {call: f.undo, retry: {max_attempts: 2, interval: 0s}}}
        - {id: c, raise: {name: Boom, message: x}}
    catch: [{as: e, do: [{id: r, return: "${ e.data.compensation_failures[0].step }"}]}]
""",
        """
start
-> invoke s.a {}
s.a = 1
-> invoke s.b {}
s.b = 2
-> invoke s.b.compensate {}
s.b.compensate ! Stuck
-> invoke s.b.compensate {} #2
s.b.compensate ! Stuck
-> invoke s.a.compensate {}
s.a.compensate = null
-> done "s.b.compensate"
""",
    ),
    "a saga is undone when cancelled": Row(
        """
  - id: s
    saga:
      do:
        - {id: a, call: f.a, compensate: {call: f.undo}}
        - {id: b, call: f.b}
""",
        """
start
-> invoke s.a {}
s.a = 1
-> invoke s.b {}
cancel
-> withdraw s.b
-> invoke s.a.compensate {}
s.a.compensate = null
-> cancelled
""",
    ),
    "branches of a saga count in the order of the spec": Row(
        """
  - id: s
    saga:
      do:
        - id: f
          fork:
            x: {do: [{id: a, call: f.a, compensate: {call: f.undo, with: {k: a}}}]}
            y: {do: [{id: b, call: f.b, compensate: {call: f.undo, with: {k: b}}}]}
        - {id: c, raise: {name: Boom}}
""",
        """
start
-> invoke s.f.x.a {}
-> invoke s.f.y.b {}
s.f.y.b = 2
s.f.x.a = 1
-> invoke s.f.y.b.compensate {"k": "b"}
s.f.y.b.compensate = 0
-> invoke s.f.x.a.compensate {"k": "a"}
s.f.x.a.compensate = 0
-> failed Boom at s.c
""",
    ),
    "an inner saga is undone with the outer one": Row(
        """
  - id: o
    saga:
      do:
        - {id: i, saga: {do: [{id: a, call: f.a, compensate: {call: f.undo}}]}}
        - {id: c, raise: {name: Boom}}
""",
        """
start
-> invoke o.i.a {}
o.i.a = 1
-> invoke o.i.a.compensate {}
o.i.a.compensate = 0
-> failed Boom at o.c
""",
    ),
    # --- pipeline
    "items of a pipeline move on independently": Row(
        """
  - id: p
    pipeline:
      from: ${ input }
      stages:
        - {id: a, call: f.a, with: {x: "${ item }"}}
        - {id: b, call: f.b, with: {x: "${ item }"}}
""",
        """
start
-> invoke p[0].a {"x": 1}
p[0].a = 10
-> invoke p[0].b {"x": 10}
-> invoke p[1].a {"x": 2}
p[1].a = 20
p[0].b = 100
-> invoke p[1].b {"x": 20}
p[1].b = 200
-> done [100, 200]
""",
        {"input": [1, 2]},
    ),
    "a slow stage holds back the ones before it": Row(
        """
  - id: p
    pipeline:
      from: ${ input }
      buffer: 1
      stages: [{id: a, call: f.a}, {id: b, call: f.b}]
""",
        """
start
-> invoke p[0].a {}
p[0].a = 0
-> invoke p[0].b {}
-> invoke p[1].a {}
p[1].a = 0
-> invoke p[2].a {}
p[2].a = 0
p[0].b = 0
-> invoke p[1].b {}
-> invoke p[3].a {}
""",
        {"input": [1, 2, 3, 4]},
    ),
    "a stream gives values on demand": Row(
        """
  - id: p
    pipeline:
      from: {call: f.source}
      buffer: 2
      stages: [{id: a, call: f.a, with: {x: "${ item }"}}]
""",
        """
start
-> stream p.from demand 2 skip 0
p.from < [1, 2]
-> demand p.from 2
-> invoke p[0].a {"x": 1}
p.from < [3]
-> demand p.from 1
p[0].a = 10
-> invoke p[1].a {"x": 2}
p.from = null
p[1].a = 20
-> invoke p[2].a {"x": 3}
p[2].a = 30
-> done [10, 20, 30]
""",
    ),
    "a stream whose worker was lost is opened behind what it gave": Row(
        """
  - id: p
    pipeline: {from: {call: f.source}, buffer: 2, stages: [{id: a, call: f.a}]}
""",
        """
start
-> stream p.from demand 2 skip 0
p.from < [1]
-> demand p.from 1
-> invoke p[0].a {}
p.from ! WorkerLost
-> stream p.from demand 2 skip 1
""",
    ),
    "values of a stream that was given up are not taken": Row(
        """
  - id: p
    pipeline:
      from: {call: f.source}
      buffer: 2
      stages: [{id: a, call: f.a, with: {x: "${ item }"}}]
""",
        """
start
-> stream p.from demand 2 skip 0
p.from < [1]
-> demand p.from 1
-> invoke p[0].a {"x": 1}
p.from ! WorkerLost
-> stream p.from demand 2 skip 1
p.from #1 < [2]
p.from < [2]
-> demand p.from 1
p.from = null
p[0].a = 10
-> invoke p[1].a {"x": 2}
p[1].a = 20
-> done [10, 20]
""",
    ),
    "an item that fails stops the pipeline": Row(
        """
  - id: p
    pipeline: {from: {call: f.source}, buffer: 2, stages: [{id: a, call: f.a}]}
""",
        """
start
-> stream p.from demand 2 skip 0
p.from < [1]
-> demand p.from 1
-> invoke p[0].a {}
p[0].a ! Boom
-> withdraw p.from
-> failed Boom at p[0].a
""",
    ),
    "return in a stage ends its item": Row(
        """
  - id: p
    pipeline:
      from: ${ input }
      stages:
        - {id: a, do: [{id: s, switch: [{when: "${ item < 0 }", do: [{id: r, return: skipped}]}]}, {id: v, return: "${ item }"}]}
        - {id: b, call: f.b}
""",
        'start\n-> done ["skipped", 5]',
        {"input": [-1, 5]},
    ),
    # --- states
    "a state machine goes where its conditions say": Row(
        """
  - {id: v, set: {n: 0}}
  - id: s
    start: draft
    states:
      draft:
        do: [{id: a, call: f.a}]
        next: [{when: "${ a.ok }", to: done}, {to: fix}]
      fix: {do: [{id: i, set: {n: "${ n + 1 }"}}], next: draft}
      done: {do: [{id: z, return: "${ n }"}], end: true}
""",
        """
start
-> invoke s[0].draft.a {}
s[0].draft.a = {"ok": false}
-> invoke s[2].draft.a {}
s[2].draft.a = {"ok": true}
-> done 1
""",
    ),
    "a state machine that does not end": Row(
        """
  - id: s
    start: x
    max: 3
    states: {x: {do: [{id: n, set: {a: 1}}], next: y}, y: {do: [{id: m, set: {b: 1}}], next: [{when: "${ false }", to: z}, {to: x}]}, z: {do: [{id: q, set: {c: 1}}], end: true}}
""",
        "start\n-> failed LoopLimit at s",
    ),
    # --- the world
    "wait for a duration": Row(
        "  - {id: w, wait: 90s}\n", "start\n-> timer w@wait +90\nfire w@wait\n-> done null"
    ),
    "wait for a time in the past": Row(
        '  - {id: w, wait: "2001-01-01T00:00:00Z"}\n', "start\n-> done null"
    ),
    "listen with correlation": Row(
        '  - {id: l, listen: paid, correlation: "${ input.order }"}\n',
        'start\n-> await l paid "o-1"\nl > {"sum": 5}\n-> done {"sum": 5}',
        {"input": {"order": "o-1"}},
    ),
    "approve is addressed by its path": Row(
        "  - {id: a, approve: {message: ok?, form: {type: object}}}\n",
        'start\n-> await a a null\na > {"yes": true}\n-> done {"yes": true}',
    ),
    "listen gives up after its timeout": Row(
        "  - {id: l, listen: paid, timeout: 5s}\n",
        """
start
-> await l paid null
-> timer l@timeout +5
fire l@timeout
-> withdraw l
-> failed Timeout at l
""",
    ),
    "emit waits until the event is out": Row(
        '  - {id: e, emit: {type: order.paid, data: "${ input }"}}\n',
        "start\n-> emit e order.paid 5\ne emitted\n-> done null",
        {"input": 5},
    ),
    # --- at most once
    "an at-most-once call is recorded before it is made": Row(
        "  - {id: a, call: f.a, execution: at_most_once}\n",
        """
start
-> record a #1
a = 1
a started
-> invoke a {}
a started
a = 2
-> done 2
""",
    ),
    "an at-most-once call that was under way is interrupted, not repeated": Row(
        """
  - {id: a, call: f.a, execution: at_most_once, retry: {interval: 0s}}
""",
        """
start
-> record a #1
resume
-> record a #1
a started
-> invoke a {}
resume
-> failed Interrupted at a
""",
    ),
    "a lost worker interrupts an at-most-once call": Row(
        "  - {id: a, call: f.a, execution: at_most_once}\n",
        """
start
-> record a #1
a started
-> invoke a {}
a ! WorkerLost
-> failed Interrupted at a
""",
    ),
    "an interrupted call is made again only where the retry says so": Row(
        "  - {id: a, call: f.a, execution: at_most_once, retry: {on: [Interrupted], interval: 0s}}\n",
        """
start
-> record a #1
a started
-> invoke a {}
resume
-> record a #2
a started
-> invoke a {} #2
a = 1
-> done 1
""",
    ),
    # --- late and double
    "late, double and unknown events change nothing": Row(
        """
  - {id: a, call: f.a, retry: {interval: 0s}}
  - {id: b, call: f.b}
""",
        """
start
-> invoke a {}
start
zzz = 1
a = 1
-> invoke b {}
a = 2
a ! Boom
fire a@retry
b = 3
-> done 3
b = 4
cancel
""",
    ),
    "resume asks again for what is outstanding": Row(
        """
  - {id: w, wait: 5s}
  - id: f
    fork: {x: {do: [{id: a, call: f.a}]}, y: {do: [{id: l, listen: go}]}}
""",
        """
start
-> timer w@wait +5
resume
-> timer w@wait +4
fire w@wait
-> invoke f.x.a {}
-> await f.y.l go null
f.x.a = 1
resume
-> await f.y.l go null
""",
    ),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_given_events_then_commands(row: Row) -> None:
    play(row.spec, row.script, **row.options)
