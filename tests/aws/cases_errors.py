"""Errors, what is undone, and waits: each as a spec and its input."""

from __future__ import annotations

from agentflow.errors import Json

ERRORS: dict[str, tuple[str, Json]] = {
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
