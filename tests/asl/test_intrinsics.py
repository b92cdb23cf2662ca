"""Intrinsic functions as the service computes them."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentflow.adapters.aws.asl import intrinsics
from agentflow.adapters.aws.asl.errors import EvaluationError
from agentflow.adapters.aws.asl.jsonpath import Data
from agentflow.adapters.aws.asl.simulate import simulate

INT = 2**31 - 1
FRACTIONS = st.floats(allow_nan=False)
INPUT: dict[str, Any] = {"a": [1, 2, 3], "o": {"x": 1, "y": None}, "s": "héllo"}


def call(text: str, value: Any = None) -> Any:
    return intrinsics.evaluate(intrinsics.parse(text), Data(value), random.Random(1))


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
    assert call(text, INPUT) == expected


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        pytest.param("States.ArrayGetItem($, 1.2)", [1, 2, 3], 2, id="an index loses its fraction"),
        pytest.param("States.ArrayGetItem($, 9)", [], None, id="no item of nothing is null"),
        pytest.param("States.ArrayPartition($, 2.6)", [1, 2, 3], [[1, 2], [3]], id="chunk size"),
        pytest.param("States.ArrayRange(1.6, 1.4, 1)", None, [1], id="the ends of a range"),
        pytest.param("States.ArrayRange(5.4, -0.6, -2.4)", None, [5, 3, 1], id="down"),
        pytest.param("States.ArrayRange(5, 1, 1)", None, [], id="the wrong way"),
        pytest.param("States.MathRandom(1.6, 2.4)", None, 1, id="the ends of chance"),
        pytest.param("States.MathAdd(1.5, 0)", None, 2, id="sums round up"),
        pytest.param("States.MathAdd(-1.5, 0)", None, -1, id="below zero too"),
        pytest.param("States.MathAdd($, 0)", INT, INT, id="the largest sum"),
    ],
)
def test_numbers_become_whole(text: str, value: Any, expected: Any) -> None:
    assert call(text, value) == expected


@pytest.mark.parametrize(
    ("items", "item", "found"),
    [
        ([1, 2], 2, True),
        ([1, None], None, True),
        (["true"], True, True),
        (["7"], 7, True),
        ([0, 1], False, False),
        ([{"a": 1}], {"a": 1}, True),
        ([{"a": 1, "b": 2}], {"b": 2, "a": 1}, False),
        ([[1, 2]], [1, 2], True),
        ([{"a": []}], [], False),
    ],
)
def test_an_item_is_found_by_the_text_it_prints(items: Any, item: Any, found: bool) -> None:
    assert call("States.ArrayContains($.a, $.b)", {"a": items, "b": item}) is found


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([3, 1, 3, 2], [1, 2, 3]),
        (["b", "a", "b"], ["a", "b"]),
        ([True, False, True], [False, True]),
        ([1, None, None], [None, 1]),
        ([1, "1", "01", 1], [1, "1", "01"]),
        ([[1, 2], [1, 2], [2, 1]], [[2, 1], [1, 2]]),
        ([{"a": 1, "b": 2}, {"b": 2, "a": 1}], [{"a": 1, "b": 2}]),
        ([0.1, 2**40, 0.5, 2**40], [2**40, 0.5, 0.1]),
        (list(range(20, 0, -1)), list(range(1, 21))),
    ],
)
def test_unique_items_are_in_the_order_of_a_hash_set(items: Any, expected: Any) -> None:
    assert call("States.ArrayUnique($)", items) == expected


@given(st.lists(st.none() | st.booleans() | st.integers() | FRACTIONS | st.text()))
def test_every_item_is_among_the_unique_ones_once(items: list[Any]) -> None:
    found = call("States.ArrayUnique($)", items)

    assert len(found) == len({repr(item) for item in found})
    assert all(any(item == other for other in found) for item in items if item == item)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("YWJj", "abc"),
        ("abc", "i\N{REPLACEMENT CHARACTER}"),
        ("YWJjZA== ", "abcd"),
        ("YW==cd", "a"),
        ("!Y!W!J!j!", "abc"),
        ("Pj4-", ">>>"),
        ("A", ""),
    ],
)
def test_base64_is_read_leniently(text: str, expected: str) -> None:
    assert call("States.Base64Decode($)", text) == expected


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        pytest.param("States.Format('{}', $)", None, "null", id="null"),
        pytest.param("States.Format('{}', $)", {"a": [1, "x"]}, "{a=[1, x]}", id="as Java prints"),
        pytest.param(
            "States.Format('{}', States.StringToJson($))", '{"a":"x"}', '{"a":"x"}', id="parsed"
        ),
        pytest.param(
            "States.Format('{} {} {}', $.a, $.b, $)",
            {"a": 12345678.9, "b": 0.00025},
            "1.23456789E7 2.5E-4 {a=1.23456789E7, b=2.5E-4}",
            id="fractions as Java prints them",
        ),
        pytest.param(
            "States.JsonToString($)",
            {"a": [1e7, 2.5, 10**7, "é"], "b": float("inf")},
            '{"a":[1.0E7,2.5,10000000,"é"],"b":Infinity}',
            id="in JSON too",
        ),
        pytest.param(r"States.Format('\{{}\}', 1)", None, "{1}", id="escaped braces"),
        pytest.param("States.Format($, 1)", "<{}>", "<1>", id="a template from the input"),
        pytest.param("States.Hash(7, 'MD5')", None, "8f14e45fceea167a5a36dedd4bea2543", id="hash"),
        pytest.param("States.JsonMerge($, $, 'x')", {"a": 1}, {"a": 1}, id="not deep"),
        pytest.param("States.StringToJson($)", " ", None, id="nothing is null"),
    ],
)
def test_other_values_than_texts_are_taken(text: str, value: Any, expected: Any) -> None:
    assert call(text, value) == expected


@pytest.mark.parametrize("arguments", ["", "'x'", "$.missing_is_not_looked_up", "1, 2"])
def test_uuid_ignores_its_arguments(arguments: str) -> None:
    given = {"missing_is_not_looked_up": 1}

    assert len(call(f"States.UUID({arguments})", given)) == 36


@pytest.mark.parametrize(
    "text",
    [
        "States.ArrayContains('a', 'a')",
        "States.ArrayGetItem($.a, 3)",
        "States.ArrayGetItem($.a, -1)",
        "States.ArrayGetItem($.a, '1')",
        "States.ArrayLength($.s)",
        "States.ArrayPartition($.a, 0.6)",
        "States.ArrayPartition($.a, null)",
        "States.ArrayRange(1, 10, 0.49)",
        "States.ArrayRange(1, 9, 0)",
        "States.ArrayRange(1, 1001, 1)",
        "States.ArrayRange(1001, 1, -1)",
        "States.Base64Encode(123)",
        "States.Base64Decode($.long)",
        "States.Format('}')",
        "States.Format('Hello {', $.s)",
        "States.Format('{{}}', $.s)",
        "States.Format(123, $.s)",
        "States.Hash($.s, 'sha-256')",
        "States.Hash($.long, 'MD5')",
        "States.JsonMerge($, $, true)",
        "States.JsonMerge($, null, false)",
        "States.MathAdd(2147483647, 1)",
        "States.MathAdd(3000000000, -1000000000)",
        "States.MathAdd(true, 1)",
        "States.MathAdd('1', 1)",
        "States.MathRandom(2, 2)",
        "States.MathRandom(1.4, 1.6)",
        "States.MathRandom(1, 10, null)",
        "States.StringSplit($.s, null)",
        "States.StringToJson(5)",
        "States.StringToJson('{')",
        "States.StringToJson('undefined')",
    ],
)
def test_an_argument_that_does_not_fit_is_named_by_its_function(text: str) -> None:
    value = {"a": [1, 2, 3], "s": "x", "long": "A" * 10_001}

    with pytest.raises(EvaluationError) as caught:
        call(text, value)

    name = text.split("(", maxsplit=1)[0]
    assert caught.value.detail == (
        f"The function '{text}' had the following error: Invalid arguments in {name}"
    )


def run(expression: str, given: Any) -> Any:
    state = {"Type": "Pass", "Parameters": {"v.$": expression}, "End": True}
    return simulate({"StartAt": "Pick", "States": {"Pick": state}}, given)


def test_a_missing_argument_names_the_whole_call() -> None:
    outcome = run("States.Format('{}', States.Format('{}', $.nope))", {"other": 1})

    assert outcome.error == "States.Runtime"
    assert outcome.cause == (
        "An error occurred while executing the state 'Pick' (entered at the event id #2). The "
        "function 'States.Format('{}', States.Format('{}', $.nope))' had the following error: The "
        "JsonPath argument for the field '$.nope' could not be found in the input "
        "'{\"other\": 1}'"
    )


def test_an_index_beyond_the_list_is_null_in_a_template_and_missing_in_a_call() -> None:
    assert run("$.items[5]", {"items": [1, 2]}).output == {"v": None}
    assert run("$.items[5].x", {"items": [1, 2]}).error == "States.Runtime"
    assert "'$.items[5]' could not be found" in str(
        run("States.Format('{}', $.items[5])", {"items": [1, 2]}).cause
    )


def test_texts_are_quoted_as_the_service_got_or_wrote_them() -> None:
    select = {"Type": "Pass", "Parameters": {"v.$": "$.nope"}, "End": True}
    shape = {"Type": "Pass", "Parameters": {"a.$": "$", "b": 1}, "Next": "Pick"}
    states = {"Shape": shape, "Pick": select}

    outcome = simulate({"StartAt": "Shape", "States": states}, {"x": [1, 2]})

    assert str(outcome.cause).endswith('in the input \'{"a":{"x":[1,2]},"b":1}\'')


@pytest.mark.parametrize(
    "text",
    [
        "States.MathAdd($.huge, 1)",
        "States.MathRandom(1, $.huge)",
        "States.ArrayRange(1, $.large, 1)",
        "States.ArrayGetItem($.a, $.huge)",
        "States.ArrayPartition($.a, $.huge)",
    ],
)
def test_a_number_beyond_all_ranges_is_an_argument_that_does_not_fit(text: str) -> None:
    data = Data({"huge": 10**400, "large": 1e308, "a": [1]})

    with pytest.raises(EvaluationError, match="Invalid arguments in States"):
        intrinsics.evaluate(intrinsics.parse(text), data, random.Random(1))


def test_a_seed_gives_the_same_number() -> None:
    first, second = (call("States.MathRandom(0, 1000000, 7)") for _ in range(2))

    assert first == second


@pytest.mark.parametrize(
    "text",
    [
        "States.JsonToString($)",
        "States.Format('{}', $)",
        "States.Hash($, 'MD5')",
        "States.ArrayUnique($)",
        "States.ArrayContains($, $)",
        "States.StringToJson($.text)",
    ],
)
def test_data_that_is_nested_too_deeply_does_not_fit(text: str) -> None:
    deep: Any = []
    for _ in range(5_000):
        deep = [deep]
    value = {"text": "[" * 5_000 + "]" * 5_000} if "$.text" in text else deep

    with pytest.raises(EvaluationError, match="Invalid arguments in States"):
        call(text, value)
