"""What `if`, `for` and `while` in a workflow's function become."""

from __future__ import annotations

from pathlib import Path

from tests.spec.python_flows import assert_becomes, constructs

ROWS = {
    "if": (
        "if n > 1:\n    double(n)\nelif n < 0:\n    double(1)\nelse:\n    double(0)",
        """
        do:
          - id: if_n
            switch:
              - {when: '${ input.n > 1 }', do: [{id: double, call: functions.work.double, with: {n: '${ input.n }'}}]}
              - {when: '${ input.n < 0 }', do: [{id: double_2, call: functions.work.double, with: {n: 1}}]}
            else: [{id: double_3, call: functions.work.double, with: {n: 0}}]
        output: null
        """,
    ),
    "both ways return": (
        "if n > 1:\n    return 1\nelse:\n    return 2",
        """
        do:
          - id: if_n
            switch: [{when: '${ input.n > 1 }', do: [{id: return, return: 1}]}]
            else: [{id: return_2, return: 2}]
        """,
    ),
    "an elif that calls": (
        "if n > 1:\n    pass\nelif double(n) > 1:\n    pass",
        """
        do:
          - id: if_n
            switch: [{when: '${ input.n > 1 }', do: [{id: nothing, set: {ignored: null}}]}]
            else:
              - {id: double, call: functions.work.double, with: {n: '${ input.n }'}}
              - {id: if_n_2, switch: [{when: '${ double > 1 }', do: [{id: nothing_2, set: {ignored_2: null}}]}]}
        output: null
        """,
    ),
    "a name bound on both ways": (
        "if n > 1:\n    k = 1\nelse:\n    k = double(n)\nreturn k",
        """
        do:
          - {id: set_k, set: {k: null}}
          - id: if_n
            switch: [{when: '${ input.n > 1 }', do: [{id: set_k_2, set: {k: 1}}]}]
            else:
              - {id: double, call: functions.work.double, with: {n: '${ input.n }'}}
              - {id: set_k_3, set: {k: '${ double }'}}
        output: ${ k }
        """,
    ),
    "for": (
        "for x in xs:\n    double(x)\nfor x in xs:\n    y = double(x)\n    double(y)",
        """
        do:
          - id: for_x
            loop:
              for: ${ input.xs }
              as: x
              max: 1000000
              do: [{id: double, call: functions.work.double, with: {n: '${ x }'}}]
          - id: for_x_2
            loop:
              for: ${ input.xs }
              as: x
              max: 1000000
              do:
                - {id: y, call: functions.work.double, with: {n: '${ x }'}}
                - {id: double_2, call: functions.work.double, with: {n: '${ y }'}}
        output: null
        """,
    ),
    "for with a name that lasts": (
        "x = 0\nfor x in xs:\n    pass\nreturn x",
        """
        do:
          - {id: set_x, set: {x: 0}}
          - id: for_x
            loop:
              for: ${ input.xs }
              as: x_item
              max: 1000000
              do: [{id: set_x_2, set: {x: '${ x_item }'}}]
        output: ${ x }
        """,
    ),
    "for with pairs": (
        "for i, x in enumerate(xs):\n    add(i, x)",
        """
        do:
          - id: for_i_x
            loop:
              for: ${ enumerate(input.xs) }
              as: i_x
              max: 1000000
              do:
                - {id: set_i_x, set: {i: '${ i_x[0] }', x: '${ i_x[1] }'}}
                - {id: add, call: functions.work.add, with: {a: '${ i }', b: '${ x }'}}
        output: null
        """,
    ),
    "while": (
        "k = n\nwhile k > 3:\n    k = k // 2\nreturn k",
        """
        do:
          - {id: set_k, set: {k: '${ input.n }'}}
          - id: while_k
            loop: {while: '${ k > 3 }', do: [{id: set_k_2, set: {k: '${ k // 2 }'}}]}
        output: ${ k }
        """,
    ),
}


@constructs(ROWS)
def test_a_construct_becomes_its_steps(body: str, expected: str, tmp_path: Path) -> None:
    assert_becomes(tmp_path, body, expected)
