from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentflow.adapters.aws.asl import intrinsics, jsonpath
from agentflow.adapters.aws.asl.errors import EvaluationError
from agentflow.adapters.aws.asl.jsonpath import Data

INPUT: dict[str, Any] = {
    "a": [1, 2, 3],
    "o": {"x": 1, "y": None},
    "rows": [{"k": "b", "v": 2}, {"k": "a", "v": 1}, {"k": "b", "v": 3}],
    "s": "héllo",
}


def call(text: str, value: Any = INPUT) -> Any:
    return intrinsics.evaluate(intrinsics.parse(text), Data(value), random.Random(1))


@settings(max_examples=30)
@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )
)
def test_what_is_put_is_found(value: Any) -> None:
    placed = jsonpath.put("$.x.y", value, {"x": {"z": 1}})

    assert jsonpath.find("$.x.y", Data(placed)) == value
    assert jsonpath.find("$.x.z", Data(placed)) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("States.Format('{} is {}', $.s, true)", "héllo is true"),
        (r"States.Format('it\'s \{\} {}', 1.5)", "it's {} 1.5"),
        ("States.Format('{}', $.o)", "{x=1, y=null}"),
        ("States.Format('{}', $.a)", "[1, 2, 3]"),
        ("States.StringToJson('{\"a\": [1]}')", {"a": [1]}),
        ("States.JsonToString($.o)", '{"x":1,"y":null}'),
        ("States.Array(1, 'a', null, States.Array())", [1, "a", None, []]),
        ("States.ArrayPartition($.a, 2)", [[1, 2], [3]]),
        ("States.ArrayContains($.a, 2)", True),
        ("States.ArrayContains($.a, true)", False),
        ("States.ArrayRange(1, 9, 2)", [1, 3, 5, 7, 9]),
        ("States.ArrayRange(3, 1, -1)", [3, 2, 1]),
        ("States.ArrayGetItem($.a, 1)", 2),
        ("States.ArrayLength($.a)", 3),
        ("States.ArrayUnique(States.Array(1, 1, 'a', 'a'))", [1, "a"]),
        ("States.Base64Encode('Data')", "RGF0YQ=="),
        ("States.Base64Decode('RGF0YQ==')", "Data"),
        ("States.Hash('input data', 'SHA-1')", "aaff4a450a104cd177d28d18d74485e8cae074b7"),
        ("States.JsonMerge($.o, States.StringToJson('{\"x\":2}'), false)", {"x": 2, "y": None}),
        ("States.MathAdd(1.5, -0.5)", 2),
        ("States.MathRandom(1, 2)", 1),
        ("States.StringSplit('a.b+c..d', '.+')", ["a", "b", "c", "d"]),
    ],
)
def test_an_intrinsic_function_computes(text: str, expected: Any) -> None:
    assert call(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "States.ArrayGetItem($.a, 9)",
        "States.ArrayPartition($.a, 0)",
        "States.ArrayRange(1, 9, 0)",
        "States.ArrayRange(0, 1000, 1)",
        "States.ArrayLength($.s)",
        "States.Base64Decode(5)",
        "States.Format('{}')",
        "States.Hash('a', 'md5')",
        "States.JsonMerge($.o, $.o, true)",
        "States.MathAdd('1', 1)",
        "States.MathRandom(2, 2)",
        "States.StringToJson('{')",
        "States.Array($.missing)",
    ],
)
def test_an_argument_that_does_not_fit_is_an_error(text: str) -> None:
    with pytest.raises(EvaluationError):
        call(text)


def test_a_seed_gives_the_same_number() -> None:
    first, second = (call("States.MathRandom(0, 1000000, 7)") for _ in range(2))

    assert first == second
