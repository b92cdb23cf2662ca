"""What comprehensions in a workflow's function become: maps where they call, else expressions."""

from __future__ import annotations

from pathlib import Path

from tests.spec.python_flows import assert_becomes, constructs

ROWS = {
    "a map": (
        "return [double(x) for x in xs]",
        """
        do: [{id: double, map: '${ input.xs }', as: x, call: functions.work.double, with: {n: '${ x }'}}]
        output: ${ double }
        """,
    ),
    "a map with a condition": (
        "ys = [double(x) for x in xs if x > n if x != 7]\nreturn ys",
        """
        do:
          - id: ys
            map: ${ [x for x in input.xs if x > input.n if x != 7] }
            as: x
            call: functions.work.double
            with: {n: '${ x }'}
        output: ${ ys }
        """,
    ),
    "a map of an expression with calls": (
        "return [add(double(x), n) - 1 for x in xs]",
        """
        do:
          - id: each_x
            map: ${ input.xs }
            as: x
            do:
              - {id: double, call: functions.work.double, with: {n: '${ x }'}}
              - {id: add, call: functions.work.add, with: {a: '${ double }', b: '${ input.n }'}}
              - {id: item, return: '${ add - 1 }'}
        output: ${ each_x }
        """,
    ),
    "a map in a map": (
        "return [[double(x) for x in row] for row in [xs, [n]]]",
        """
        do:
          - id: each_row
            map: ['${ input.xs }', ['${ input.n }']]
            as: row
            do: [{id: double, map: '${ row }', as: x, call: functions.work.double, with: {n: '${ x }'}}]
        output: ${ each_row }
        """,
    ),
    "a map whose item has the name of a variable": (
        "x = 1\nx = x + 1\nreturn [add(x) for x in xs]",
        """
        do:
          - {id: set_x, set: {x: 1}}
          - {id: set_x_2, set: {x: '${ x + 1 }'}}
          - {id: add, map: '${ input.xs }', as: x_item, call: functions.work.add, with: {a: '${ x_item }'}}
        output: ${ add }
        """,
    ),
    "a map in an expression": (
        "return sum(double(x) for x in xs)",
        """
        do: [{id: double, map: '${ input.xs }', as: x, call: functions.work.double, with: {n: '${ x }'}}]
        output: ${ sum(double) }
        """,
    ),
    "all there is about a map": (
        (
            "return gather([double(x) for x in xs], concurrency=4, batch='auto', tolerate='5%', "
            "retry={'max_attempts': 2}, timeout=n, reduce=total, arity=8, id='twice')"
        ),
        """
        do:
          - id: twice
            map: ${ input.xs }
            as: x
            call: functions.work.double
            with: {n: '${ x }'}
            concurrency: 4
            batch: auto
            tolerate: 5%
            reduce: {call: functions.work.total, arity: 8}
            timeout: ${ input.n }
            retry: {max_attempts: 2}
        output: ${ twice }
        """,
    ),
    "the options of a step in a map are the map's": (
        "return [step(double(x), retry={'max_attempts': 2}) for x in xs]",
        """
        do:
          - id: double
            map: ${ input.xs }
            as: x
            call: functions.work.double
            with: {n: '${ x }'}
            retry: {max_attempts: 2}
        output: ${ double }
        """,
    ),
    "a comprehension without calls is an expression": (
        "return {k: v for k, v in zip(NAMES, [x + 1 for x in xs])}",
        """
        do: [{id: return, return: '${ {k: v for k, v in zip(["a", "b"], [x + 1 for x in input.xs])} }'}]
        """,
    ),
}


@constructs(ROWS)
def test_a_construct_becomes_its_steps(body: str, expected: str, tmp_path: Path) -> None:
    assert_becomes(tmp_path, body, expected)
