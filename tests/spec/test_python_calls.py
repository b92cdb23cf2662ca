"""What calls in a workflow's function become."""

from __future__ import annotations

from pathlib import Path

from tests.spec.python_flows import assert_becomes, constructs

ROWS = {
    "a call": (
        "x = double(n)\nreturn x",
        "do: [{id: x, call: functions.work.double, with: {n: '${ input.n }'}}]\noutput: ${ x }",
    ),
    "a call whose result nobody reads": (
        "double(n=n)",
        "do: [{id: double, call: functions.work.double, with: {n: '${ input.n }'}}]\noutput: null",
    ),
    "a call through its module": (
        "return work.double(2)",
        "do: [{id: double, call: functions.work.double, with: {n: 2}}]\noutput: ${ double }",
    ),
    "a function of the same file": (
        "return own(n)",
        "do: [{id: own, call: flows.own, with: {n: '${ input.n }'}}]\noutput: ${ own }",
    ),
    "the context is no argument": (
        "return add(1, 2)",
        "do: [{id: add, call: functions.work.add, with: {a: 1, b: 2}}]\noutput: ${ add }",
    ),
    "calls in an expression": (
        "return double(double(n)) + 1",
        """
        do:
          - {id: double, call: functions.work.double, with: {n: '${ input.n }'}}
          - {id: double_2, call: functions.work.double, with: {n: '${ double }'}}
        output: ${ double_2 + 1 }
        """,
    ),
    "arguments are templates": (
        'return total(items=[n, {"k": f"{n} of {LIMIT}"}, -1, [], None])',
        """
        do:
          - id: total
            call: functions.work.total
            with: {items: ['${ input.n }', {k: '${ input.n } of ${ 10 }'}, -1, [], null]}
        output: ${ total }
        """,
    ),
    "another workflow": (
        "return inner(n)",
        "do: [{id: inner, run: inner-flow, with: {n: '${ input.n }'}}]\noutput: ${ inner }",
    ),
    "more about a step": (
        (
            'x = step(double(n), retry={"on": ["Refused"], "max_attempts": 5}, timeout="90s", '
            'resources={"num_cpus": 2}, execution="at_most_once", description="Once.")\nreturn x'
        ),
        """
        do:
          - id: x
            description: Once.
            call: functions.work.double
            with: {n: '${ input.n }'}
            resources: {num_cpus: 2}
            execution: at_most_once
            timeout: 1m30s
            retry: {on: [Refused], max_attempts: 5}
        output: ${ x }
        """,
    ),
    "an id of its own": (
        'x = step(double(n), id="twice")\nreturn x',
        """
        do:
          - {id: twice, call: functions.work.double, with: {n: '${ input.n }'}}
          - {id: set_x, set: {x: '${ twice }'}}
        output: ${ x }
        """,
    ),
}


@constructs(ROWS)
def test_a_construct_becomes_its_steps(body: str, expected: str, tmp_path: Path) -> None:
    assert_becomes(tmp_path, body, expected)
