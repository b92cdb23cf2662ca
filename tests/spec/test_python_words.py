"""What the words that AgentFlow adds to Python become: parallel, wait, approve, listen, emit."""

from __future__ import annotations

from pathlib import Path

from tests.spec.python_flows import assert_becomes, constructs

ROWS = {
    "parallel by name": (
        "both = parallel(a=double(n), b=[double(x) for x in xs], c=double(1) + 1)\nreturn both['a']",
        """
        do:
          - id: both
            fork:
              a: {do: [{id: double, call: functions.work.double, with: {n: '${ input.n }'}}]}
              b: {do: [{id: double_2, map: '${ input.xs }', as: x, call: functions.work.double, with: {n: '${ x }'}}]}
              c:
                do:
                  - {id: double_3, call: functions.work.double, with: {n: 1}}
                  - {id: result, return: '${ double_3 + 1 }'}
        output: ${ both["a"] }
        """,
    ),
    "parallel as a list": (
        "return parallel(double(1), double(2))",
        """
        do:
          - id: parallel
            fork:
              branch_1: {do: [{id: double, call: functions.work.double, with: {n: 1}}]}
              branch_2: {do: [{id: double_2, call: functions.work.double, with: {n: 2}}]}
        output: ['${ parallel.branch_1 }', '${ parallel.branch_2 }']
        """,
    ),
    "wait": (
        "wait('1h30m')\nwait(5)\nwait(n)",
        "do: [{id: wait, wait: 1h30m}, {id: wait_2, wait: 5}, {id: wait_3, wait: '${ input.n }'}]\noutput: null",
    ),
    "approve": (
        "decision = approve(f'Pay {n}?', form={'type': 'object'}, timeout='2d')\nreturn decision",
        """
        do:
          - {id: decision, approve: {message: 'Pay ${ input.n }?', form: {type: object}}, timeout: 2d}
        output: ${ decision }
        """,
    ),
    "listen and emit": (
        "paid = listen('payment', correlation=n, timeout=n)\nemit('paid', {'n': paid}, source='here')",
        """
        do:
          - {id: paid, listen: payment, correlation: '${ input.n }', timeout: '${ input.n }'}
          - {id: emit, emit: {type: paid, source: here, data: {n: '${ paid }'}}}
        output: null
        """,
    ),
}


@constructs(ROWS)
def test_a_construct_becomes_its_steps(body: str, expected: str, tmp_path: Path) -> None:
    assert_becomes(tmp_path, body, expected)
