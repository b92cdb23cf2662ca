"""What assignments and expressions in a workflow's function become."""

from __future__ import annotations

from pathlib import Path

from tests.spec.python_flows import assert_becomes, constructs

ROWS = {
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


@constructs(ROWS)
def test_a_construct_becomes_its_steps(body: str, expected: str, tmp_path: Path) -> None:
    assert_becomes(tmp_path, body, expected)
