"""What `try`, `raise` and sagas in a workflow's function become."""

from __future__ import annotations

from pathlib import Path

from tests.spec.python_flows import assert_becomes, constructs

ROWS = {
    "try": (
        (
            "try:\n    k = refuse(n)\nexcept (ValueError, TooLarge) as e:\n    k = f'{e}'\nexcept Exception as e:\n"
            "    raise\nexcept:\n    raise\nfinally:\n    double(n)\nreturn k"
        ),
        """
        do:
          - {id: set_k, set: {k: null}}
          - id: try
            try:
              do:
                - {id: refuse, call: functions.work.refuse, with: {n: '${ input.n }'}}
                - {id: set_k_2, set: {k: '${ refuse }'}}
              catch:
                - on: [ValueError, UnicodeDecodeError, UnicodeEncodeError, UnicodeError, UnicodeTranslateError, TooLarge]
                  as: e
                  do: [{id: set_k_3, set: {k: '${ f"{e.message}" }'}}]
                - as: e
                  do: [{id: raise, raise: '${ e }'}]
                - as: error
                  do: [{id: raise_2, raise: '${ error }'}]
              finally: [{id: double, call: functions.work.double, with: {n: '${ input.n }'}}]
        output: ${ k }
        """,
    ),
    "a class of exceptions and those below it": (
        "try:\n    refuse(n)\nexcept Refused:\n    pass",
        """
        do:
          - id: try
            try:
              do: [{id: refuse, call: functions.work.refuse, with: {n: '${ input.n }'}}]
              catch: [{on: [Refused, TooLarge], do: [{id: nothing, set: {ignored: null}}]}]
        output: null
        """,
    ),
    "parts of an error": (
        "try:\n    refuse(n)\nexcept Refused as e:\n    emit(str(e), error(e), subject=e.name)\n    return e.data",
        """
        do:
          - id: try
            try:
              do: [{id: refuse, call: functions.work.refuse, with: {n: '${ input.n }'}}]
              catch:
                - on: [Refused, TooLarge]
                  as: e
                  do:
                    - {id: emit, emit: {type: '${ e.message }', subject: '${ e.name }', data: '${ e }'}}
                    - {id: return, return: '${ e.data }'}
        output: null
        """,
    ),
    "raise": (
        (
            "if n > 3:\n    raise TooLarge(f'{n} is too large')\nelif n > 2:\n    raise ValueError\n"
            "elif n > 1:\n    raise Fault('Odd', 'it is', data={'n': n})\nraise LookupError(n)"
        ),
        """
        do:
          - id: if_n
            switch:
              - {when: '${ input.n > 3 }', do: [{id: raise, raise: {name: TooLarge, message: '${ input.n } is too large'}}]}
              - {when: '${ input.n > 2 }', do: [{id: raise_2, raise: {name: ValueError}}]}
              - {when: '${ input.n > 1 }', do: [{id: raise_3, raise: {name: Odd, message: it is, data: {n: '${ input.n }'}}}]}
          - {id: raise_4, raise: {name: LookupError, message: '${ str(input.n) }'}}
        """,
    ),
    "raise with a cause": (
        "try:\n    refuse(n)\nexcept Refused as e:\n    raise ValueError('no') from e",
        """
        do:
          - id: try
            try:
              do: [{id: refuse, call: functions.work.refuse, with: {n: '${ input.n }'}}]
              catch:
                - on: [Refused, TooLarge]
                  as: e
                  do: [{id: raise, raise: '${ {"name": "ValueError", "message": "no", "cause": e} }'}]
        output: null
        """,
    ),
    "a saga": (
        (
            "with saga():\n    a = double(n)\n    compensate(undo, n=a)\n    step(add(1, n), timeout='5s')\n"
            "    compensate(undo, n)\n    b = double(1)\n    compensate(undo, b)\n    b += a\n"
        ),
        """
        do:
          - id: saga
            saga:
              do:
                - id: a
                  call: functions.work.double
                  with: {n: '${ input.n }'}
                  compensate: {call: functions.work.undo, with: {n: '${ a }'}}
                - id: add
                  call: functions.work.add
                  with: {a: 1, b: '${ input.n }'}
                  compensate: {call: functions.work.undo, with: {n: '${ input.n }'}}
                  timeout: 5s
                - id: double
                  call: functions.work.double
                  with: {n: 1}
                  compensate: {call: functions.work.undo, with: {n: '${ double }'}}
                - {id: set_b, set: {b: '${ double }'}}
                - {id: set_b_2, set: {b: '${ b + a }'}}
        output: null
        """,
    ),
}


@constructs(ROWS)
def test_a_construct_becomes_its_steps(body: str, expected: str, tmp_path: Path) -> None:
    assert_becomes(tmp_path, body, expected)
