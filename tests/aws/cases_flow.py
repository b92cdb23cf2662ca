"""Steps that choose, repeat, and work side by side, each as a spec and its input."""

from __future__ import annotations

from agentflow.errors import Json

FLOW: dict[str, tuple[str, Json]] = {
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
}
