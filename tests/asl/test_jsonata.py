from __future__ import annotations

import contextlib
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentflow.adapters.aws.asl import jsonata
from agentflow.adapters.aws.asl.errors import EvaluationError, MalformedError
from agentflow.adapters.aws.asl.values import ABSENT

INPUT: dict[str, Any] = {
    "a": [1, 2, 3],
    "o": {"x": 1, "y": None},
    "rows": [{"k": "b", "v": 2}, {"k": "a", "v": 1}, {"k": "b", "v": 3}],
    "s": "héllo",
}


def query(text: str, **names: Any) -> Any:
    scope = jsonata.Scope({"states": {"input": INPUT}, **names}, 1_700_000_000, random.Random(1))
    return jsonata.evaluate(text, "Output", scope)


def mistake(text: str) -> str:
    """What the service says after the words that name the expression and its field."""
    with pytest.raises(EvaluationError) as caught:
        query(text)
    assert caught.value.name == "States.QueryEvaluationError"
    start = f"The JSONata expression '{text}' specified for the field 'Output' "
    assert caught.value.detail.startswith(start)
    return caught.value.detail.removeprefix(start)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$states.input.a[0]", 1),
        ("$states.input.o.y", None),
        ("$states.input.o.zz", ABSENT),
        ("$states.input.rows[k='b'].v", [2, 3]),
        ("$states.input.rows[k='a'].v", 1),
        ("[$states.input.rows[k='a'].v]", [1]),
        ("$exists($states.input.o.y)", True),
        ("10 / 4", 2.5),
        ("1 / 0", "Infinity"),
        ("5.5 % 2", 1.5),
        ("$partition([1, 2, 3], 2)", [[1, 2], [3]]),
        ("$partition([], 2)", ABSENT),
        ("$range(1, 9, 4)", [1, 5, 9]),
        ("$range(1, 1, 1)", 1),
        ("$hash('input data', 'MD5')", "812f45842bc6d66ee14572ce20db8e86"),
        ("$random(42)", 0.7275636800328681),
        ("$length($uuid())", 36),
        ("$parse('{\"a\": null}')", {"a": None}),
        ("$parse(\"{'a': 1}\")", {"a": 1}),
        ("$string({'é': 1.0, 'n': null})", '{"é":1,"n":null}'),
        ("$string(1e21)", "1e+21"),
        ("$string(0.1 + 0.2)", "0.3"),
        ("'a' & 1.50 & null", "a1.5null"),
        ("$sort([2, 1, 3], function($l, $r) { $l > $r })", [1, 2, 3]),
        ("$sum([1..4])", 10),
        ("$now()", "2023-11-14T22:13:20.000Z"),
        ("$millis()", 1_700_000_000_000),
        ("$match('a1', /([a-z])(\\d)$/).groups", ["a", "1"]),
        ("$count", 7),
    ],
)
def test_jsonata_is_evaluated_like_on_the_service(text: str, expected: Any) -> None:
    assert query(text, count=7) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$partition([1, 2, 3])", [[1, 2, 3]]),
        ("$partition([1, 2, 3], 0)", ABSENT),
        ("$partition([])", [[]]),
        ("$range('a')", ABSENT),
        ("$fromMillis('x')", ABSENT),
        ("$fromMillis(0, '[Y]', 'utc')", "1970"),
        ("$decodeUrlComponent('a+b%20c%ff')", "a b c\N{REPLACEMENT CHARACTER}"),
        ("$string(2 / 3)", "0.666666666666666"),
        ("$string(-2 / 3)", "-0.666666666666667"),
        ("$string(5890840712243076)", "5890840712243076"),
        ("$string(1234567890123456.5)", "1.23456789012345e+15"),
        ("$string(['\u0001', '\"\n'])", '["\x01","\\"\\n"]'),
        ("$formatNumber(0.125, '0.00')", "0.12"),
        ("$formatNumber(2.675, '#,##0.00')", "2.68"),
        ("$partition([1, 2, 3], 2.9)", [[1, 2], [3]]),
        ("$range(1, 5)", ABSENT),
        ("$range(1, 5, 0.5)", ABSENT),
        ("$range(5, 1, -2)", [5, 3, 1]),
        ("$range(-1.7, 2, 1)", [-1, 0, 1, 2]),
        ("$hash('a')", ABSENT),
        ("$hash($nothing, 'MD5')", ABSENT),
        ("$parse()", ABSENT),
        ("$parse('9223372036854775807') = 9223372036854775807", True),
        ("$random(1.9) = $random(1)", True),
        ("$base64decode('w6k')", "é"),
        ("$base64decode('/+8=')", "\N{REPLACEMENT CHARACTER}" * 2),
        ("$base64decode($nothing)", ABSENT),
    ],
)
def test_the_functions_of_the_service_take_odd_arguments(text: str, expected: Any) -> None:
    assert query(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[null]", [None]),
        ("$count(null)", 1),
        ("$append(null, 1)", [None, 1]),
        ("$exists(null)", True),
        ("$string(null)", "null"),
        ("$type(null)", "null"),
        ("[1 / 0]", ["Infinity"]),
        ("0 / 0", "NaN"),
        ("($f := $substring(?, 0, ?); $f('hello', 2))", "he"),
        ("($f := $contains(?, 'a'); $map(['a', 'b'], $f))", [True, False]),
        (r"$match('68F t', /(-?\d+(?:\.\d*)?)F\b/).groups", ["68"]),
        ("$parseInteger('abc', '0')", "NaN"),
        ("$parseInteger('twenty or so', 'w')", "NaN"),
        ("$parseInteger('B', 'I')", "NaN"),
        ("'a' & /b/", "a"),
        ("$string([$sum, /b/])", '["",""]'),
        ("$fromMillis(0, '[Y0001]-[M01]-[D01]')", "1970-01-01"),
        ("$toMillis('2018')", 1_514_764_800_000),
        ("$formatNumber(1234.5678, '#,##0.00')", "1,234.57"),
        ("$formatBase(255, 16)", "ff"),
        ("$map([], $string)", ABSENT),
        ("$filter([1, 2], function($v) { $v > 1 })", 2),
        ("$replace('68F', /(\\d+)F/, function($m) { $m.groups[0] & 'C' })", "68C"),
        ("$replace('abracadabra', /a/, 'aa', 2)", "aabraacadabra"),
        ("$replace('ab', /(a)(b)/, '$2$1$0$$$3$x')", "baab$$x"),
        ("$replace('a.a', '.', '$0')", "a$0a"),
        ("$split('a1b2c', /(\\d)/)", ["a", "b", "c"]),
        ("$split('a,b,c', ',', 2)", ["a", "b"]),
        ("$match('ab', /(a)|(b)/, 1).groups", ["a"]),
        ("$number('007')", 7),
        ("+".join(["1"] * 100), 100),
        ("($f := function($n) { $n = 0 ? 'end' : $f($n - 1) }; $f(500))", "end"),
        ("$sum($map([1..300], function($v) { $v }))", 45150),
    ],
)
def test_the_functions_of_jsonata_give_what_the_reference_gives(text: str, expected: Any) -> None:
    assert query(text) == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "1 + 'a'",
            'T2002: The right side of the "+" operator must evaluate to a number',
        ),
        ("$number('x')", 'D3030: Unable to cast value to a number: "x"'),
        ("$number('10e500')", 'D3030: Unable to cast value to a number: "10e500"'),
        ("$replace('aba', /x*/, '-')", "D1004: Regular expression matches zero length string"),
        ("$replace('a', /a/, function($m) { 1 })", "D3012: Attempted to replace a matched string"),
        ("$eval('1')", "T1006: Attempted to invoke a non-function"),
        ("$sum(['a'])", 'T0412: Argument 1 of function "sum" must be an array of "numbers"'),
        (
            "$uppercase(null)",
            'T0410: Argument 1 of function "uppercase" does not match function signature',
        ),
        (
            "$substring('a', 'b')",
            'T0410: Argument 2 of function "substring" does not match function signature',
        ),
        (
            "1 < 'a'",
            'T2009: The values 1 and "a" either side of operator "<" must be of the same data type',
        ),
        (
            "$hash('a', 'x')",
            "D3137: Hash algorithm 'x' must be one of SHA-1, SHA-384, SHA-256, SHA-512, MD5",
        ),
        ("$hash()", 'T0410: Argument 1 of function "hash" does not match function signature'),
        (
            "$partition('a', 1)",
            'T0412: Argument 1 of function "partition" must be an array of undefined',
        ),
        (
            "$range(1, 'a', 2)",
            'T0410: Argument 2 of function "range" does not match function signature',
        ),
        ("$partition([1], -1)", "D3137: Second argument must be zero or greater"),
        ('$parse(\'{"a":1,"a":2}\')', "D3137: Invalid JSON"),
        ("$parse('NaN')", "D3137: Invalid JSON"),
        ("$parse('1e400')", "D3137: Invalid JSON"),
        ("$formatBase(1, 40)", "D3100: The radix of the formatBase function must be between 2"),
        (
            "$toMillis('soon')",
            "D3110: The argument of the toMillis function must be an ISO 8601 formatted timestamp",
        ),
    ],
)
def test_an_error_of_an_expression_is_told_with_its_code(text: str, told: str) -> None:
    assert mistake(text).startswith(f"threw an error during evaluation. {told}")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("$error('no')", "threw an error during evaluation. D3137: no"),
        (
            "($f := function($n) { 1 + $f($n) }; $f(1))",
            "threw an error during evaluation: Stack overflow error: ",
        ),
        (
            "$count([1..873783])",
            "threw an error during evaluation: Expression evaluation memory limit exceeded: ",
        ),
        ("+".join(["1"] * 101), "threw an error during evaluation: Stack overflow error: "),
        (
            "$length($join($map([1..10], function($n) { $pad('', 700000, 'x') })))",
            "threw an error during evaluation: Expression evaluation memory limit exceeded: ",
        ),
        ("function($x) { $x }", "returned an unsupported result type."),
        ("/a/", "returned an unsupported result type."),
        ("$base64decode('a!bc')", "threw an error during evaluation: Illegal base64 character 21"),
        (
            "$base64decode('Y')",
            "threw an error during evaluation: Last unit does not have enough valid bits",
        ),
        (
            "$base64decode('YQ=')",
            "threw an error during evaluation: Input byte array has wrong 4-byte ending unit",
        ),
    ],
)
def test_a_limit_or_a_result_that_is_no_json_is_told_without_a_code(text: str, told: str) -> None:
    assert mistake(text).startswith(told)


@pytest.mark.parametrize("text", ["1 +", "a ?? 1", "a ?: 1", "(", "$x := ", "[1..", "{'a'}"])
def test_what_is_no_jsonata_of_the_service_is_refused(text: str) -> None:
    with pytest.raises(MalformedError):
        jsonata.check(text)


@pytest.mark.parametrize("text", ["'a ?? b'", "$a ? 1 : 2", "/a??/", "a.`??`"])
def test_marks_of_later_versions_inside_texts_are_no_operators(text: str) -> None:
    jsonata.check(text)


@settings(max_examples=60)
@given(st.text(alphabet="$ab1'\"[]{}().,:?+-*/%&|~>^<=!@# ", max_size=14))
def test_any_text_is_a_value_an_error_or_refused(text: str) -> None:
    try:
        jsonata.check(text)
    except MalformedError:
        return
    with contextlib.suppress(EvaluationError):
        query(text)


@pytest.mark.parametrize("number", [10**400, float("inf")])
def test_numbers_beyond_the_range_of_doubles_are_infinite(number: Any) -> None:
    assert query("$n", n=number) == "Infinity"
