"""What each construct of a workflow's function becomes."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from agentflow.errors import Json
from agentflow.spec import loads
from agentflow.spec.read import read
from agentflow.spec.source import plain
from agentflow.spec.write import to_data, to_yaml
from tests.spec.models import placeless
from tests.spec.python_flows import compiled

CALLS = {
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

MAPS = {
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

VALUES = {
    "a value": (
        "total_ = n // 2\nreturn total_",
        "do: [{id: set_total_, set: {total_: '${ input.n // 2 }'}}]\noutput: ${ total_ }",
    ),
    "a value by itself": ("return n + 1", "do: [{id: return, return: '${ input.n + 1 }'}]"),
    "nothing": ("pass", "do: [{id: return, return: null}]"),
    "augmented": (
        "k = [1]\nk += [double(n)]\nreturn k",
        """
        do:
          - {id: set_k, set: {k: [1]}}
          - {id: double, call: functions.work.double, with: {n: '${ input.n }'}}
          - {id: set_k_2, set: {k: '${ k + [double] }'}}
        output: ${ k }
        """,
    ),
    "annotated": (
        "k: list[int] = []\nj: int\nreturn k",
        "do: [{id: set_k, set: {k: []}}]\noutput: ${ k }",
    ),
    "a parameter that changes": (
        "n = n + 1\nreturn n",
        "do: [{id: set_n, set: {n: '${ input.n }'}}, {id: set_n_2, set: {n: '${ n + 1 }'}}]\noutput: ${ n }",
    ),
    "objects are merged": (
        "o = {**{'a': 1}, 'b': n}\nreturn {**o}",
        """
        do: [{id: set_o, set: {o: '${ merge({"a": 1}, {"b": input.n}) }'}}]
        output: '${ merge(o, {}) }'
        """,
    ),
    "texts": (
        "return ['it\\'s' \"x\", f'{n}', f'${n}', f'a{{b}} {n}', r'\\d', '${', 'a\\nb']",
        """
        do:
          - id: return
            return: ["it'sx", '${ f"{input.n}" }', '${ f"${input.n}" }', "a{b} ${ input.n }", '\\d', "$${", "a\\nb"]
        """,
    ),
    "a parameter with a default": (
        "return m",
        'do: [{id: return, return: \'${ input.get("m", {"k": [1]}) }\'}]',
    ),
}

BLOCKS = {
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

HELPERS = {
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

ROWS = CALLS | MAPS | VALUES | BLOCKS | HELPERS
DEFINITION = "@workflow\ndef flow(n: int, xs: list[int], m: dict = {{'k': [1]}}):\n{body}\n"


def body(text: str) -> str:
    return DEFINITION.format(body="\n".join(f"    {line}" for line in text.split("\n")))


@pytest.mark.parametrize("name", ROWS)
def test_a_construct_becomes_its_steps(name: str, tmp_path: Path) -> None:
    source, expected = ROWS[name]

    found: Json = to_data(compiled(tmp_path, body(source)).workflow)

    wanted = plain(read(textwrap.dedent(expected), "wanted.yaml", []))
    assert {key: found[key] for key in ("do", "output") if key in found} == wanted


@pytest.mark.parametrize("name", ROWS)
def test_its_text_means_the_same(name: str, tmp_path: Path) -> None:
    loaded = compiled(tmp_path, body(ROWS[name][0]))

    again = loads(to_yaml(loaded.workflow), children=loaded.children).workflow

    assert again.digest == loaded.workflow.digest
    assert placeless(again) == placeless(loaded.workflow)


HEADS = {
    "nothing but a name": ("@workflow\ndef flow(): ...", {"input": {"type": "object", "additionalProperties": False}}),
    "options": (
        ("@workflow(name='order.v2', version='2.1', timeout='1h', retry={'max_attempts': 2}, call_timeout=30, "
        "secrets=['KEY'], concurrency=4, labels={'team': 'a'}, targets={'aws': {'memory': 512}})\n"
        "def flow():\n    '''What it does.\n\n    And more.\n    '''"),
        {
            "workflow": "order.v2", "version": "2.1", "description": "What it does.\n\nAnd more.", "timeout": "1h",
            "defaults": {"retry": {"max_attempts": 2}, "timeout": "30s"}, "secrets": ["KEY"], "concurrency": 4,
            "labels": {"team": "a"}, "targets": {"aws": {"memory": 512}},
        },
    ),
    "the bound of while": (
        "@workflow(max_rounds=5)\ndef flow():\n    while True:\n        wait(1)",
        {"do": [{"id": "while_", "loop": {"while": "${ true }", "max": 5, "do": [{"id": "wait", "wait": 1}]}}]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HEADS)
def test_the_head_of_a_function_is_that_of_its_workflow(name: str, tmp_path: Path) -> None:
    source, expected = HEADS[name]
    found = to_data(compiled(tmp_path, source).workflow)
    assert {key: found[key] for key in expected} == expected


ANNOTATIONS = {
    "str": {"type": "string"},
    "float": {"type": "number"},
    "list": {"type": "array"},
    "list[str]": {"type": "array", "items": {"type": "string"}},
    "list[Any]": {"type": "array"},
    "dict[str, int]": {"type": "object", "additionalProperties": {"type": "integer"}},
    "int | None": {"type": ["integer", "null"]},
    "Optional[list[int]]": {
        "anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}]
    },
    "Literal['a', 'b']": {"enum": ["a", "b"]},
    "'bool'": {"type": "boolean"},
    "Purchase": {
        "type": "object",
        "properties": {"sku": {"type": "string"}, "note": {"type": "string"}},
        "required": ["sku"],
    },
    "Sum": {},
}


@pytest.mark.parametrize("annotation", ANNOTATIONS)
def test_annotations_become_the_schema_of_the_input(annotation: str, tmp_path: Path) -> None:
    source = f"""
from typing import Any, Literal, NotRequired, Optional, TypedDict

class Purchase(TypedDict):
    sku: str
    note: NotRequired[str]

@workflow
def flow(given: {annotation}, also: int = 3): ...
"""
    schema = compiled(tmp_path, source).workflow.input

    assert schema["properties"]["given"] == ANNOTATIONS[annotation]
    assert schema["properties"]["also"] == {"type": "integer", "default": 3}
    assert (schema["required"], schema["additionalProperties"]) == (["given"], False)


def test_a_step_points_at_the_line_it_was_written_on(tmp_path: Path) -> None:
    loaded = compiled(
        tmp_path, "@workflow\ndef flow(n: int):\n    x = double(n)\n    return double(x)\n"
    )
    line = (tmp_path / "flows.py").read_text().split("\n").index("    x = double(n)") + 1

    spans = [step.span for step in loaded.workflow.do.steps]
    again = loads(loaded.text, path=loaded.path).workflow

    assert [(span.line, span.column) for span in spans] == [(line, 9), (line + 1, 12)]
    assert [step.span.line for step in again.do.steps] == [line, line + 1]
    assert {step.span.file for step in again.do.steps} == {str(tmp_path / "flows.py")}
    assert again.digest == loaded.workflow.digest
