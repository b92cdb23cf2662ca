"""Every kind of step, compiled and run on two interpreters: same outcome, same calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from agentflow.adapters.target import Options
from agentflow.errors import Fault, Json
from agentflow.spec.load import Loaded, loads
from tests.aws.worlds import Outcome, World, local, on_sfnx, on_simulator

Run = Callable[..., Outcome]


def fails(name: str, message: str = "it failed", data: Json = None) -> Any:
    """A function that raises, whatever it is given."""

    def call(**_: Json) -> Json:
        raise Fault(name, message, data=data)

    return call


def flaky(times: int, name: str = "Busy") -> Any:
    """A function that fails so many times, then gives its `x`; each world makes its own."""
    left = {"n": times}

    def call(x: Json = None) -> Json:
        if left["n"]:
            left["n"] -= 1
            raise Fault(name, "busy")
        return x

    return call


def picky(x: int) -> int:
    """Refuses odd numbers."""
    if x % 2:
        raise Fault("Odd", f"{x} is odd", data={"x": x})
    return x * 10


def functions() -> dict[str, Any]:
    """The functions that the specs below call."""
    return {
        "f.echo": lambda x=None: x,
        "f.double": lambda x: x * 2,
        "f.add": lambda a, b: a + b,
        "f.sum": lambda items: sum(items),  # noqa: PLW0108  # called by keyword
        "f.boom": fails("Boom", "it blew up", {"code": 7}),
        "f.timeout": fails("Timeout", "too slow"),
        "f.flaky": flaky(2),
        "f.broken": flaky(100),
        "f.picky": picky,
        "f.undo": lambda **x: x,
        "f.undo_fails": fails("CannotUndo", "no way back"),
        "f.next": lambda n: {"value": n, "next": n + 1 if n < 3 else None},
        "f.stream": lambda n: iter(range(n)),
        "f.floats": lambda: [0.1 + 0.2, 1 / 3, 1e21, -0.0],
        "f.lists": lambda: [[1], [], [[2, 3]], None, [None]],
    }


CASES: dict[str, tuple[str, Json]] = {
    "a call": ("- {id: a, call: f.echo, with: {x: 1}}", None),
    "results are read later": (
        (
            "- {id: a, call: f.echo, with: {x: 20}}\n"
            "- {id: b, call: f.add, with: {a: '${ a }', b: '${ a + 1 }'}}"
        ),
        None,
    ),
    "values keep their shape": (
        "- {id: a, call: f.lists}\n- {id: b, call: f.echo, with: {x: {a: '${ a }', b: ['${ a }']}}}",
        None,
    ),
    "numbers keep their digits": ("- {id: a, call: f.floats}", None),
    "a call fails": ("- {id: a, call: f.boom}", None),
    "an expression fails": ("- {id: a, call: f.echo, with: {x: '${ input.o.a }'}}", {"o": {}}),
    "a set fails": ("- {id: a, set: {x: '${ 1 / input.n }'}}", {"n": 0}),
    "a retry helps": (
        "- {id: a, call: f.flaky, with: {x: 5}, retry: {on: [Busy], max_attempts: 3, interval: 0s}}",
        None,
    ),
    "a retry does not help": (
        "- {id: a, call: f.broken, retry: {max_attempts: 3, interval: 0s}}",
        None,
    ),
    "a retry is for another error": (
        "- {id: a, call: f.broken, retry: {on: [Other], max_attempts: 3, interval: 0s}}",
        None,
    ),
    "a fault is not retried": (
        "- {id: a, call: f.echo, with: {x: '${ input.n }'}, retry: {max_attempts: 3, interval: 0s}}",
        {},
    ),
    "set and set again": (
        (
            "- {id: a, set: {x: 1, y: '${ input.n }'}}\n"
            "- {id: b, set: {x: '${ y }', y: '${ x }'}}\n"
            "- {id: c, return: ['${ x }', '${ y }']}"
        ),
        {"n": 2},
    ),
    "texts with values": (
        "- {id: a, call: f.floats}\n- {id: b, return: 'n=${ input.n } ${ a[0] } ${ true } ${ [1] }'}",
        {"n": 2},
    ),
    "a plain text that looks like a query": ("- {id: a, return: '{% 1 %}'}", None),
    "if true": ("- {id: a, if: '${ input.n > 1 }', call: f.echo, with: {x: 1}}", {"n": 2}),
    "if false": (
        "- {id: a, if: '${ input.n > 1 }', call: f.echo}\n- {id: b, return: '${ a == null }'}",
        {"n": 1},
    ),
    "switch": (
        (
            "- id: a\n  switch:\n"
            "    - when: ${ input.n == 1 }\n      do: [{id: x, call: f.echo, with: {x: one}}]\n"
            "    - when: ${ input.n == 2 }\n      do: [{id: y, call: f.echo, with: {x: two}}]\n"
            "  else: [{id: z, call: f.echo, with: {x: many}}]\n"
            "- {id: b, return: '${ a }'}"
        ),
        {"n": 2},
    ),
    "switch falls through": (
        (
            "- id: a\n  switch:\n    - when: ${ false }\n      do: [{id: x, call: f.echo}]\n"
            "- {id: b, return: '${ a == null }'}"
        ),
        None,
    ),
    "switch looks no further than needed": (
        (
            "- id: a\n  switch:\n"
            "    - when: ${ input.n == 1 }\n      do: [{id: x, return: 1}]\n"
            "    - when: ${ input.missing > 2 }\n      do: [{id: y, return: 2}]"
        ),
        {"n": 1},
    ),
    "a condition is no boolean": (
        "- id: a\n  switch:\n    - when: ${ input.n }\n      do: [{id: x, return: 1}]",
        {"n": 1},
    ),
    "fork": (
        (
            "- id: a\n  fork:\n"
            "    left: {do: [{id: x, call: f.echo, with: {x: [1]}}]}\n"
            "    right: {do: [{id: x, call: f.echo, with: {x: []}}, {id: y, return: '${ x + [2] }'}]}\n"
            "- {id: b, return: ['${ a.left }', '${ a.right }']}"
        ),
        None,
    ),
    "a branch fails": (
        (
            "- id: a\n  fork:\n"
            "    left: {do: [{id: x, call: f.boom}]}\n    right: {do: [{id: y, return: 1}]}"
        ),
        None,
    ),
    "the first branch wins": (
        (
            "- id: a\n  fork:\n"
            "    left: {do: [{id: x, call: f.boom}]}\n    right: {do: [{id: y, call: f.lists}]}\n"
            "  join: any\n- {id: b, return: '${ a }'}"
        ),
        None,
    ),
    "a winner's numbers keep their digits": (
        (
            "- id: a\n  fork:\n"
            "    left: {do: [{id: x, call: f.boom}]}\n    right: {do: [{id: y, call: f.floats}]}\n"
            "  join: any\n- {id: b, return: '${ a }'}"
        ),
        None,
    ),
    "no branch wins": (
        (
            "- id: a\n  fork:\n"
            "    left: {do: [{id: x, call: f.boom}]}\n    right: {do: [{id: y, call: f.timeout}]}\n"
            "  join: any"
        ),
        None,
    ),
    "two of three": (
        (
            "- id: a\n  fork:\n"
            "    one: {do: [{id: x, call: f.echo, with: {x: 1}}]}\n"
            "    two: {do: [{id: y, call: f.boom}]}\n"
            "    three: {do: [{id: z, call: f.echo, with: {x: 3}}]}\n"
            "  join: 2"
        ),
        None,
    ),
    "map over a call": (
        "- {id: a, map: '${ input.xs }', as: x, call: f.double, with: {x: '${ x }'}}",
        {"xs": [1, 2, 3]},
    ),
    "map over one item": (
        (
            "- {id: a, map: '${ [input.xs] }', as: x, call: f.echo, with: {x: '${ x }'}}\n"
            "- {id: b, return: '${ a }'}"
        ),
        {"xs": [1]},
    ),
    "map over nothing": ("- {id: a, map: [], call: f.echo}\n- {id: b, return: '${ a }'}", None),
    "map over no list": ("- {id: a, map: '${ input.xs }', call: f.echo}", {"xs": {"a": 1}}),
    "map with steps, index and outer names": (
        (
            "- {id: o, call: f.echo, with: {x: 100}}\n"
            "- id: a\n  map: ${ input.xs }\n  as: x\n  index: i\n  concurrency: 2\n  do:\n"
            "    - {id: d, call: f.double, with: {x: '${ x }'}}\n"
            "    - {id: s, set: {t: '${ d + i + o }'}}\n"
            "    - {id: r, if: '${ i == 1 }', return: early}\n"
            "    - {id: e, call: f.echo, with: {x: '${ t }'}}"
        ),
        {"xs": [1, 2, 3]},
    ),
    "an item fails": (
        "- {id: a, map: [2, 3, 4], as: x, call: f.picky, with: {x: '${ x }'}, concurrency: 1}",
        None,
    ),
    "failed items are tolerated": (
        (
            "- {id: a, map: [1, 2, 4], as: x, call: f.picky, with: {x: '${ x }'}, tolerate: 1}\n"
            "- {id: b, return: '${ a }'}"
        ),
        None,
    ),
    "a share is tolerated": (
        "- {id: a, map: [1, 2, 3, 4], as: x, call: f.picky, with: {x: '${ x }'}, tolerate: 50%}",
        None,
    ),
    "too many failures": (
        (
            "- {id: a, map: [2, 1, 3], as: x, call: f.picky, with: {x: '${ x }'}, tolerate: 1,"
            " concurrency: 1}"
        ),
        None,
    ),
    "tolerance of steps that return": (
        (
            "- id: a\n  map: [1, 2, 4]\n  as: x\n  tolerate: 2\n  do:\n"
            "    - {id: c, call: f.picky, with: {x: '${ x }'}}\n"
            "    - {id: r, if: '${ x == 2 }', return: [two]}\n"
            "    - {id: d, call: f.echo}"
        ),
        None,
    ),
    "reduce": (
        (
            "- {id: a, map: '${ range(1, 12) }', as: x, call: f.double, with: {x: '${ x }'},"
            " reduce: {call: f.sum, arity: 3}}\n- {id: b, return: '${ a }'}"
        ),
        None,
    ),
    "reduce of nothing": (
        "- {id: a, map: [], call: f.echo, reduce: {call: f.sum}}\n- {id: b, return: '${ a }'}",
        None,
    ),
    "reduce with what is tolerated": (
        (
            "- {id: a, map: '${ range(7) }', as: x, call: f.picky, with: {x: '${ x }'}, tolerate: 3,"
            " reduce: {call: f.sum, arity: 2}}\n- {id: b, return: '${ a }'}"
        ),
        None,
    ),
    "while": (
        (
            "- {id: s, set: {n: 0, seen: []}}\n"
            "- id: a\n  loop:\n    while: ${ n != null }\n    index: i\n    do:\n"
            "      - {id: p, call: f.next, with: {n: '${ n }'}}\n"
            "      - {id: k, set: {n: '${ p.next }', seen: '${ seen + [[p.value, i]] }'}}\n"
            "- {id: b, return: '${ seen }'}"
        ),
        None,
    ),
    "until": (
        (
            "- {id: s, set: {n: 0}}\n"
            "- id: a\n  loop:\n    until: ${ p.next == null }\n    do:\n"
            "      - {id: k, set: {n: '${ n + 1 }'}}\n"
            "      - {id: p, call: f.next, with: {n: '${ n }'}}\n"
            "- {id: b, return: ['${ n }', '${ a.value }']}"
        ),
        None,
    ),
    "for": (
        (
            "- {id: s, set: {t: ''}}\n"
            "- id: a\n  loop:\n    for: ${ input.xs }\n    as: x\n    index: i\n    do:\n"
            "      - {id: c, call: f.echo, with: {x: '${ x }'}}\n"
            "      - {id: k, set: {t: '${ t + c + str(i) }'}}\n"
            "- {id: b, return: '${ t }'}"
        ),
        {"xs": ["a", "b"]},
    ),
    "the value of a loop": (
        "- {id: a, loop: {for: [1, 2], as: x, do: [{id: c, call: f.double, with: {x: '${ x }'}}]}}",
        None,
    ),
    "a loop over nothing": (
        (
            "- {id: a, loop: {for: [], as: x, do: [{id: c, call: f.echo}]}}\n"
            "- {id: b, return: '${ a == null }'}"
        ),
        None,
    ),
    "a loop that does not end": (
        "- {id: a, loop: {while: '${ true }', max: 3, do: [{id: c, call: f.echo}]}}",
        None,
    ),
    "an until that does not come": (
        "- {id: a, loop: {until: '${ false }', max: 3, do: [{id: c, call: f.echo}]}}",
        None,
    ),
    "too many items for a loop": (
        "- {id: a, loop: {for: [1, 2, 3], as: x, max: 2, do: [{id: c, call: f.echo}]}}",
        None,
    ),
    "a return out of a loop": (
        (
            "- id: a\n  loop:\n    for: [1, 2, 3]\n    as: x\n    do:\n"
            "      - {id: c, call: f.echo, with: {x: '${ x }'}}\n"
            "      - {id: r, if: '${ x == 2 }', return: '${ [c] }'}"
        ),
        None,
    ),
    "catch by name": (
        (
            "- id: a\n  try:\n    do: [{id: c, call: f.boom}]\n    catch:\n"
            "      - {on: Other, do: [{id: x, return: 1}]}\n"
            "      - {on: [Boom], as: e, do: [{id: y, return: ['${ e.name }', '${ e.data.code }']}]}"
        ),
        None,
    ),
    "catch everything": (
        (
            "- id: a\n  try:\n    do: [{id: c, call: f.boom}]\n    catch:\n"
            "      - {as: e, do: [{id: y, call: f.echo, with: {x: '${ e.message }'}}]}\n"
            "- {id: b, return: '${ a }'}"
        ),
        None,
    ),
    "catch nothing that fits": (
        "- {id: a, call: f.boom, catch: [{on: Other, do: [{id: x, return: 1}]}]}",
        None,
    ),
    "catch a fault of an expression": (
        (
            "- id: a\n  try:\n    do:\n      - {id: s, set: {x: '${ input.n.k }'}}\n    catch:\n"
            "      - {on: MissingKey, as: e, do: [{id: y, return: '${ e.name }'}]}"
        ),
        {"n": {}},
    ),
    "catch a fault of a condition": (
        (
            "- id: a\n  try:\n    do:\n"
            "      - {id: s, if: '${ input.n > 1 }', call: f.echo}\n    catch:\n"
            "      - {on: TypeMismatch, do: [{id: y, return: caught}]}"
        ),
        {"n": "x"},
    ),
    "what was set before an error stays": (
        (
            "- {id: s, set: {x: 1}}\n"
            "- id: a\n  try:\n    do:\n      - {id: t, set: {x: 2}}\n      - {id: c, call: f.boom}\n"
            "    catch:\n      - {do: [{id: y, set: {z: 1}}]}\n"
            "- {id: b, return: '${ x }'}"
        ),
        None,
    ),
    "an error in a handler": (
        (
            "- id: a\n  try:\n    do: [{id: c, call: f.boom}]\n    catch:\n"
            "      - {do: [{id: y, call: f.timeout}]}"
        ),
        None,
    ),
    "a timeout by name": (
        (
            "- {id: a, call: f.timeout, timeout: 5s,"
            " catch: [{on: Timeout, do: [{id: x, return: late}]}]}"
        ),
        None,
    ),
    "finally after success": (
        (
            "- id: a\n  try:\n    do: [{id: c, call: f.echo, with: {x: 1}}]\n"
            "    finally: [{id: f, call: f.double, with: {x: 1}}]\n- {id: b, return: '${ a }'}"
        ),
        None,
    ),
    "finally after an error": (
        (
            "- id: a\n  try:\n    do: [{id: c, call: f.boom}]\n"
            "    finally: [{id: f, call: f.double, with: {x: 1}}]"
        ),
        None,
    ),
    "finally after a return": (
        (
            "- id: a\n  try:\n    do: [{id: c, return: [1]}]\n"
            "    finally: [{id: f, call: f.double, with: {x: 1}}]"
        ),
        None,
    ),
    "an error in finally": (
        "- id: a\n  try:\n    do: [{id: c, return: [1]}]\n    finally: [{id: f, call: f.boom}]",
        None,
    ),
    "catch and finally, nested": (
        (
            "- id: a\n  try:\n    do:\n      - id: i\n        try:\n"
            "          do: [{id: c, call: f.boom}]\n"
            "          finally: [{id: f, call: f.echo, with: {x: inner}}]\n"
            "    catch:\n      - {on: Boom, as: e, do: [{id: r, raise: {name: Worse, data: '${ e }'}}]}\n"
            "    finally: [{id: g, call: f.echo, with: {x: outer}}]"
        ),
        None,
    ),
    "raise": ("- {id: a, raise: {name: Mine, message: 'n is ${ input.n }'}}", {"n": 3}),
    "raise what is no error": ("- {id: a, raise: '${ input.n }'}", {"n": 3}),
    "raise an error again": (
        "- {id: a, call: f.boom, catch: [{as: e, do: [{id: r, raise: '${ e }'}]}]}",
        None,
    ),
    "an error out of a branch": (
        (
            "- id: a\n  try:\n    do:\n      - id: k\n        fork:\n"
            "          left: {do: [{id: x, raise: {name: Deep, data: [1]}}]}\n"
            "    catch:\n      - {on: Deep, as: e, do: [{id: y, return: '${ e.data }'}]}"
        ),
        None,
    ),
    "a step is tried again": (
        (
            "- id: a\n  retry: {on: [Busy], max_attempts: 4, interval: 0s}\n  saga:\n    do:\n"
            "      - {id: b, call: f.echo, with: {x: 1}}\n      - {id: c, call: f.flaky, with: {x: 9}}\n"
            "- {id: d, return: '${ a }'}"
        ),
        None,
    ),
    "a step is tried in vain": (
        (
            "- id: a\n  retry: {max_attempts: 2, interval: 1s}\n  saga:\n    do:\n"
            "      - {id: c, call: f.broken}"
        ),
        None,
    ),
    "a saga that works": (
        (
            "- id: a\n  saga:\n    do:\n"
            "      - {id: x, call: f.echo, with: {x: 1}, compensate: {call: f.undo, with: {v: '${ x }'}}}\n"
            "- {id: b, return: '${ a }'}"
        ),
        None,
    ),
    "a saga that fails": (
        (
            "- id: a\n  saga:\n    do:\n"
            "      - {id: x, call: f.echo, with: {x: 1}, compensate: {call: f.undo, with: {v: '${ x }'}}}\n"
            "      - {id: y, call: f.echo, with: {x: 2}, compensate: {call: f.undo, with: {w: '${ y + x }'}}}\n"
            "      - {id: z, call: f.boom, compensate: {call: f.undo, with: {never: 1}}}"
        ),
        None,
    ),
    "a saga whose compensation fails": (
        (
            "- id: a\n  try:\n    do:\n      - id: t\n        saga:\n          do:\n"
            "            - {id: x, call: f.echo, compensate: {call: f.undo, with: {v: 1}}}\n"
            "            - {id: y, call: f.echo, compensate: {call: f.undo_fails}}\n"
            "            - {id: z, call: f.boom}\n"
            "    catch:\n      - {on: Boom, as: e, do: [{id: r, return: '${ e.data }'}]}"
        ),
        None,
    ),
    "a saga with a loop": (
        (
            "- id: a\n  saga:\n    do:\n      - id: l\n        loop:\n          for: [1, 2, 3]\n"
            "          as: n\n          do:\n"
            "            - {id: x, call: f.echo, with: {x: '${ n }'},"
            " compensate: {call: f.undo, with: {v: '${ x }'}}}\n"
            "      - {id: z, call: f.boom}"
        ),
        None,
    ),
    "a saga in a saga": (
        (
            "- id: a\n  saga:\n    do:\n      - id: i\n        saga:\n          do:\n"
            "            - {id: x, call: f.echo, compensate: {call: f.undo, with: {v: 1}}}\n"
            "      - {id: y, call: f.echo, compensate: {call: f.undo, with: {v: 2}}}\n"
            "      - {id: z, call: f.boom}"
        ),
        None,
    ),
    "states": (
        (
            "- {id: s, set: {n: 0}}\n"
            "- id: a\n  start: up\n  states:\n"
            "    up:\n      do: [{id: k, set: {n: '${ n + 1 }'}}, {id: c, call: f.echo, with: {x: '${ n }'}}]\n"
            "      next: [{when: '${ c < 3 }', to: up}, {to: down}]\n"
            "    down: {do: [{id: d, call: f.double, with: {x: '${ n }'}}], end: true}\n"
            "- {id: b, return: '${ a }'}"
        ),
        None,
    ),
    "states without end": (
        (
            "- id: a\n  start: x\n  max: 5\n  states:\n"
            "    x: {do: [{id: c, call: f.echo}], next: y}\n    y: {do: [{id: d, call: f.echo}], next: x}"
        ),
        None,
    ),
    "pipeline over a list": (
        (
            "- id: a\n  pipeline:\n    from: ${ input.xs }\n    as: x\n    stages:\n"
            "      - {id: p, call: f.double, with: {x: '${ x }'}, concurrency: 2}\n"
            "      - {id: q, do: [{id: r, if: '${ x == 4 }', return: four}, {id: t, call: f.add, with: {a: '${ x }', b: 1}}]}\n"
            "- {id: b, return: '${ a }'}"
        ),
        {"xs": [1, 2, 3]},
    ),
    "pipeline over a stream": (
        (
            "- id: a\n  pipeline:\n    from: {call: f.stream, with: {n: 4}}\n    stages:\n"
            "      - {id: p, call: f.double, with: {x: '${ item }'}}"
        ),
        None,
    ),
    "wait": (
        "- {id: a, wait: 90s}\n- {id: b, wait: '${ input.n }'}\n- {id: c, return: 1}",
        {"n": "1m"},
    ),
    "a wait for no time": ("- {id: a, wait: '${ input.n }'}", {"n": []}),
    "listen": (
        "- {id: a, listen: news, correlation: '${ input.n }', timeout: 5s}\n- {id: b, return: '${ a.x }'}",
        {"n": 1},
    ),
    "nothing is heard": (
        "- {id: a, listen: silence, timeout: 5s, catch: [{on: Timeout, do: [{id: x, return: quiet}]}]}",
        None,
    ),
    "emit": (
        (
            "- {id: a, emit: {type: t.x, subject: '${ input.n }', data: {k: '${ [input.n] }'}}}\n"
            "- {id: b, return: '${ a == null }'}"
        ),
        {"n": "s"},
    ),
    "emit no type": ("- {id: a, emit: {type: '${ input.n }'}}", {"n": 3}),
    "names of functions and lambdas": (
        (
            "- {id: count, call: f.echo, with: {x: [3]}}\n- {id: s, set: {fail: 1, states: 2, map: 3, at: '${ count }'}}\n"
            "- {id: b, return: '${ [fail + states + map, len(at), count[0]] }'}"
        ),
        None,
    ),
    "the same id in several blocks": (
        (
            "- id: a\n  switch:\n    - {when: '${ true }', do: [{id: x, call: f.echo, with: {x: 1}}, {id: k, set: {y: '${ x }'}}]}\n"
            "- id: b\n  map: [5]\n  as: n\n  do: [{id: x, call: f.echo, with: {x: '${ n }'}}, {id: z, return: '${ x }'}]\n"
            "- id: c\n  switch:\n    - {when: '${ true }', do: [{id: x, call: f.echo, with: {x: 7}}, {id: k, return: ['${ x }', '${ b }']}]}"
        ),
        None,
    ),
    "a block with a time limit": (
        (
            "- {id: s, set: {n: 2}}\n"
            "- id: a\n  timeout: 5s\n  saga:\n    do:\n"
            "      - {id: x, call: f.double, with: {x: '${ n }'}}\n"
            "      - {id: y, call: f.add, with: {a: '${ x }', b: '${ input.n }'}}\n"
            "- {id: b, return: '${ [a] }'}"
        ),
        {"n": 3},
    ),
    "a block with names and a time limit": (
        (
            "- id: a\n  timeout: 5s\n  saga:\n    do:\n"
            "      - {id: k, set: {t: 1}}\n      - {id: l, set: {t: '${ t + 1 }'}}\n"
            "      - {id: y, call: f.echo, with: {x: '${ t }'}}\n"
            "- {id: b, return: '${ [a] }'}"
        ),
        None,
    ),
    "an error in a block with a time limit": (
        (
            "- id: a\n  timeout: 5s\n  saga:\n    do:\n      - {id: x, call: f.boom}\n"
            "  catch: [{on: Boom, as: e, do: [{id: c, return: '${ e.data }'}]}]"
        ),
        None,
    ),
    "helper hops, lazily": (
        (
            "- {id: f, call: f.floats}\n"
            "- id: a\n  switch:\n"
            "    - {when: '${ str(f[0]) == \"0.30000000000000004\" }', do: [{id: x, return: ['${ json_encode(f) }']}]}\n"
            "    - {when: '${ json_decode(\"oops\") == 1 }', do: [{id: y, return: 2}]}"
        ),
        None,
    ),
    "a fault in the helper": (
        (
            "- {id: a, set: {x: '${ json_decode(input.t) }'}, "
            "catch: [{on: InvalidInput, do: [{id: r, return: caught}]}]}"
        ),
        {"t": "oops"},
    ),
    "helper hops in items": (
        "- {id: a, map: [0.5, 2], as: x, call: f.echo, with: {x: '${ fixed(x, 2) }'}}",
        None,
    ),
}


def spec(text: str) -> Loaded:
    """The steps as a workflow; steps that read the input say so by its schema."""
    return loads(f"workflow: case\ndo:\n{indented(text)}\n")


def indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


DISTRIBUTED = [name for name in CASES if "item" in name or "map" in name or "toler" in name]


@pytest.mark.parametrize("run", [on_sfnx, on_simulator], ids=["sfnx", "simulator"])
@pytest.mark.parametrize("name", DISTRIBUTED)
def test_a_distributed_map_does_the_same(name: str, run: Run) -> None:
    text, given = CASES[name]
    loaded = spec(text)
    here, there = World(functions(), MESSAGES), World(functions(), MESSAGES)
    ours = local(loaded, given, here)
    theirs = run(loaded, given, there, Options({"distributed": True}))
    assert theirs.essence == ours.essence
    # The service ends no item early, so that a map that fails may have called more.
    assert there.calls >= here.calls


@pytest.mark.parametrize(
    "text",
    [
        (
            "- id: a\n  timeout: 5s\n  saga: {do: [{id: w, wait: 10s}]}\n"
            "  catch: [{on: Timeout, do: [{id: c, return: late}]}]"
        ),
        "- id: a\n  timeout: 5s\n  saga: {do: [{id: w, wait: 10s}]}",
        "- {id: a, listen: silence, timeout: 5s}",
    ],
    ids=["a block, caught", "a block", "a message"],
)
def test_time_runs_out_by_name(text: str) -> None:
    loaded = spec(text)
    ours = local(loaded, None, World({}))
    assert on_simulator(loaded, None, World({})).essence == ours.essence


def test_time_and_chance_are_the_same_in_every_attempt() -> None:
    seen: list[Json] = []

    def busy(x: Json) -> Json:
        seen.append(x)
        if len(seen) < 3:
            raise Fault("Busy", "later")
        return None

    text = (
        "- {id: a, call: f.busy, with: {x: '${ [now(), uuid()] }'},"
        " retry: {max_attempts: 3, interval: 0s}}"
    )
    assert on_sfnx(spec(text), None, World({"f.busy": busy})).status == "succeeded"
    assert seen[0] == seen[1] == seen[2]


MESSAGES: dict[str, Json] = {"news": {"x": [1, 2]}}


@pytest.mark.parametrize("run", [on_sfnx, on_simulator], ids=["sfnx", "simulator"])
@pytest.mark.parametrize("name", CASES)
def test_a_step_does_the_same_compiled(name: str, run: Run) -> None:
    text, given = CASES[name]
    loaded = spec(text)
    here, there = World(functions(), MESSAGES), World(functions(), MESSAGES)
    ours, theirs = local(loaded, given, here), run(loaded, given, there)
    assert theirs.essence == ours.essence
    assert there.calls == here.calls
    assert there.events == here.events
    if ours.error is not None and ours.error["data"] is not None:
        assert theirs.error["data"] == ours.error["data"]
