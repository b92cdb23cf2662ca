"""JSONPath as the service's library reads it: JsonPath 2.0.0 on Jackson's nodes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentflow.adapters.aws.asl import jsonpath
from agentflow.adapters.aws.asl.errors import MalformedError
from agentflow.adapters.aws.asl.jsonpath import Data
from agentflow.adapters.aws.asl.simulate import simulate
from tests.asl.machines import machine

INPUT: dict[str, Any] = {
    "a": [1, 2, 3],
    "o": {"x": 1, "y": None},
    "rows": [{"k": "b", "v": 2}, {"k": "a", "v": 1}, {"k": "b", "v": 3}],
    "odd": [{"k": True}, {"k": False}, {"k": None}, {"z": 1}],
    "nest": [[1, 2], [3]],
    "s": "héllo",
    "e": [],
    "a b": {"c.d": 1},
    "$d": 4,
    'q\\""': 5,
    "it's": 6,
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$", INPUT),
        ("$.a[0,2]", [1, 3]),
        ("$.a[0,9]", [1, None]),
        ("$.a[(@.length-1)]", 3),
        ("$.a[:2]", [1, 2]),
        ("$.a[-2:]", [2, 3]),
        ("$.a[:-1]", [1, 2]),
        ("$.a[0:-1]", []),
        ("$.a[-1:2]", [None, 1, 2]),
        ("$.a[0:3:2]", [1, 2, 3]),
        ("$.a[*]", [1, 2, 3]),
        ("$.a.*", [1, 2, 3]),
        ("$.o.*", [1, None]),
        ("$.s[*]", []),
        ("$['o']['x','y']", {"x": 1, "y": None}),
        ("$.o['x','zz']", {"x": 1}),
        ("$['a b']['c.d']", 1),
        ("$.$d", 4),
        (r"""$['q\""']""", 5),
        ('$.q\\""', 5),
        (r"""$['it\'s']""", 6),
        (r"""$["it's"]""", 6),
        ("$.rows[0]k", "b"),
        ("$.rows[*]['k','v']", [{"k": "b", "v": 2}, {"k": "a", "v": 1}, {"k": "b", "v": 3}]),
        ("$.rows[*].v", [2, 1, 3]),
        ("$.odd[*].k", [True, False, None]),
        ("$.rows[0:2].v", [2, 1]),
        ("$..v", [2, 1, 3]),
        ("$.nest[*][*]", [1, 2, 3]),
        ("$.nest[*][0]", [1, 3]),
        ("$.nest[*][1]", [2, None]),
        ("$.zz[*].v", []),
        ("$.zz[1:]", []),
        ("$.zz[1:].v", []),
        ("$.zz..v", []),
        ("$.zz[?(@.v)]", []),
        ("$.e[*]", []),
        ("$.e[1:]", []),
    ],
)
def test_a_path_finds_values(path: str, expected: Any) -> None:
    assert jsonpath.find(path, Data(INPUT)) == expected


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ("@.k == 'b'", [2, 3]),
        ("@.k==b", [2, 3]),
        ("@.k == 'b' && @.v > 2", [3]),
        ("@.v<2||@.v>2", [1, 3]),
        ("@.k == 'a' || @.k == 'b' && @.v == 2", [2, 1]),
        ("(@.k == 'a' || @.k == 'b') && @.v == 2", [2, 1]),
        ("@.v == '2'", [2]),
        ("@.v == 2.0", [2]),
        ("@.v > $.o.x", [2, 3]),
        ("@.v != 2", [1, 3]),
        ("@.k =~ /B/i", [2, 3]),
        ("@.v =~ /[12]/", [2, 1]),
        ("@['k'] == 'a'", [1]),
        ("@.zz != 2", []),
        ("!@.zz", [2, 1, 3]),
        ("!(@.k == 'b')", []),
        ('@.k == "b"', []),
    ],
)
def test_a_filter_keeps_items(test: str, expected: Any) -> None:
    assert jsonpath.find(f"$.rows[?({test})].v", Data(INPUT)) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$.odd[?(@.k)]", [{"k": True}, {"k": False}]),
        ("$.odd[?(!@.k)]", [{"k": None}, {"z": 1}]),
        ("$.odd[?(@.k == true)]", [{"k": True}]),
        ("$.odd[?(@.k == null)]", [{"k": None}]),
        ("$.odd[?(@.k != null)]", [{"k": True}, {"k": False}]),
        ("$.o[?(@.x == 1)]", [{"x": 1, "y": None}]),
        ("$.a[?(@ > 1)]", [2, 3]),
        ("$..[?(@.z)]", [{"z": 1}]),
        ("$.nest[?(@[0] == 3)]", [[3]]),
    ],
)
def test_null_is_like_nothing_in_a_filter(path: str, expected: Any) -> None:
    assert jsonpath.find(path, Data(INPUT)) == expected


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("$.zz", "No results for path: $['zz']"),
        ("$.zz.y", "Missing property in path $['zz']"),
        ("$.a.b", "Property ['b'] not found in path $['a']"),
        ("$.s.length()", "Property ['length()'] not found in path $['s']"),
        ("$.o.y.z", "Property ['z'] not found in path $['o']['y']"),
        ("$.a[5].x", "Property ['x'] not found in path $['a'][5]"),
        ("$.o.y[0]", "The path $['o']['y'] is null"),
        ("$.s[1:]", "Filter: [1:] can only be applied to arrays. Current context is: héllo"),
        (
            "$.o[0].v",
            "Filter: [0]['v'] can only be applied to arrays. Current context is: {\"x\":1",
        ),
        ("$.s[?(@.x)]", "Filter: [?] can not be applied to primitives. Current context is: héllo"),
        ("$['a','o'].x", "Multi properties can only be used as path leafs: $['a', 'o']"),
        ("$.odd[0:4].k", "No results for path: $['odd'][3]['k']"),
        ("$.odd[?(@.z)].k", "No results for path: $['odd'][3]['k']"),
        ("$.rows[?(@.v == 'x')]", "`x` is no number"),
    ],
)
def test_a_path_that_cannot_be_applied_says_where(path: str, message: str) -> None:
    with pytest.raises(jsonpath.InapplicableError) as caught:
        jsonpath.find(path, Data(INPUT))

    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("path", ["$..b", "$" + 5_000 * ".a"])
def test_data_that_is_nested_too_deeply_is_no_crash(path: str) -> None:
    deep: Any = {}
    for _ in range(5_000):
        deep = {"a": deep}

    with pytest.raises(jsonpath.InapplicableError, match="nested too deeply"):
        jsonpath.find(path, Data(deep))


@pytest.mark.parametrize("path", ["$.a[3]", "$.a[-1]", "$.e[0]", "$.a[(@.length-4)]"])
def test_an_index_beyond_its_list_is_told_apart(path: str) -> None:
    with pytest.raises(jsonpath.BeyondError):
        jsonpath.find(path, Data(INPUT))


@pytest.mark.parametrize(
    "path",
    [
        *("", "a", "@.a", "$.", "$..", "$.a.", "$.a[", "$.a[]", "$.a[x]", "$.a[:]", "$.a b"),
        *("$[?@.a]", "$[?(@.a]", "$[?()]", "$[?(true)]", "$[?(@..a)]", "$[?(@.a[*] == 1)]"),
        *("$[?(@.a in ['x'])]", "$[?(@.a =~ x)]", "$[?(@.a =~ /[/)]"),
    ],
)
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(MalformedError):
        jsonpath.parse(path)


@given(st.text(alphabet="ab.[]'\"*?(@=1:,) ", max_size=20))
def test_reading_a_path_ends_with_a_path_or_a_mistake(text: str) -> None:
    outcome = _parsed("$" + text)

    assert outcome == ("$" + text).rstrip() or 0 <= outcome <= len(text) + 1


def _parsed(text: str) -> Any:
    """The text of the path, or where its mistake is."""
    try:
        return jsonpath.parse(text).text
    except MalformedError as error:
        return error.at


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


def test_functions_of_later_jsonpaths_are_names() -> None:
    """As reported of the service: `$.Jobs.sum()` "could not be found in the input"."""
    outcome = simulate(machine({"Type": "Pass", "Parameters": {"n.$": "$.a.sum()"}}), {"a": [1]})

    assert outcome.error == "States.Runtime"
    assert "The JSONPath '$.a.sum()' specified for the field 'n.$' could not be found" in str(
        outcome.cause
    )
