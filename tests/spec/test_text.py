"""Reading YAML and JSON: what scalars mean, where they stand, and the limits."""

from __future__ import annotations

import json
import sys

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from agentflow.errors import Diagnostic, Json
from agentflow.spec import placement, read_yaml
from agentflow.spec.read import read
from agentflow.spec.source import Mapping, Node, Scalar, Sequence, plain
from agentflow.spec.tree import MAX_ALIASES, MAX_DEPTH, MAX_NODES, Unreadable


def tree(text: str, path: str = "t.yaml") -> Node:
    diagnostics: list[Diagnostic] = []
    root = read(text, path, diagnostics)
    assert diagnostics == []
    return root


def refusal(text: str, path: str = "t.yaml") -> Diagnostic:
    with pytest.raises(Unreadable) as caught:
        read(text, path, [])
    return caught.value.diagnostic


def scalar(text: str) -> Scalar:
    root = tree(text)
    assert isinstance(root, Mapping)
    node = root.get("k")
    assert isinstance(node, Scalar)
    return node


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("on", "on"), ("yes", "yes"), ("No", "No"), ("off", "off"), ("y", "y"),
        ("12:30:45", "12:30:45"), ("2030-01-31", "2030-01-31"), ("1_000", "1_000"),
        ("true", True), ("TRUE", True), ("False", False), ("tRue", "tRue"),
        ("null", None), ("~", None), ("", None), ("Null", None), ("nULL", "nULL"),
        ("12", 12), ("-3", -3), ("+7", 7), ("010", 10), ("0o17", 15), ("0xfF", 255), ("0b1", "0b1"),
        ("1.5", 1.5), (".5", 0.5), ("1.", 1.0), ("1e3", 1000.0), ("-1.5E-2", -0.015), ("1e", "1e"),
        (".", "."), ("+", "+"), ("1.0.0", "1.0.0"), ("0x", "0x"), ("=", "="),
        ("9007199254740991", 2**53 - 1), ("-9007199254740991", -(2**53) + 1),
        ("'12'", "12"), ('"true"', "true"), ("'~'", "~"),
    ],
)  # fmt: skip
def test_scalars_mean_what_yaml_1_2_says(written: str, value: Json) -> None:
    found = scalar(f"k: {written}").value

    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("k: ab ${ x } cd", "${ x }"),
        ("k: 'it''s ${ x } ok'", "${ x }"),
        ('k: "\\t\\u00e9 \\x41 ${ x } \\n"', "${ x }"),
        ('k: "one\n  two ${ x }\n\n  three"', "${ x }"),
        ('k: "one \\\n  ${ x } two"', "${ x }"),
        ("k: one\n  two ${ x } three\n  four", "${ x }"),
        ("k: |\n  one\n\n    two ${ x }\n  three\n", "${ x }"),
        ("k: |-\n\n  one\n  ${ x }\n\n", "${ x }"),
        ("k: |2\n    one ${ x }\n", "${ x }"),
        ("k: >\n  one\n  two ${ x }\n\n    deeper\n  three\n", "${ x }"),
        ("k: >-\n  ${ x } folded\n  text\n", "${ x }"),
        ("k: &a ${ x }", "${ x }"),
        ("k: 日本 ${ x }", "${ x }"),
        ("k: |\r\n  one\r\n  ${ x }\r\n", "${ x }"),
        ("\ufeffk: a ${ x }", "${ x }"),
    ],
)  # fmt: skip
def test_a_place_in_a_value_is_found_in_the_file(text: str, marked: str) -> None:
    node = scalar(text)
    at = node.text.index(marked)

    span = node.place(at, at + len(marked))

    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    assert lines[span.line - 1][span.column - 1 : span.end_column - 1] == marked


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=40))
def test_each_character_of_a_quoted_text_has_its_place(text: str) -> None:
    for style, raw in (('"', json.dumps(text)), ("'", "'" + text.replace("'", "''") + "'")):
        offsets = placement.offsets(raw, text, style)
        assert len(offsets) == len(text) + 1
        assert offsets == sorted(offsets)
        for char, offset in zip(text, offsets, strict=False):
            assert raw[offset] in (char, "\\")


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**53) + 1, 2**53 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(codec="utf-8")),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner)
        ),
        max_leaves=20,
    )
)
def test_json_reads_as_the_json_module_reads_it(value: Json) -> None:
    for text in (
        json.dumps(value),
        json.dumps(value, indent="\t"),
        json.dumps(value, ensure_ascii=False),
    ):
        if any(
            ord(c) in {0x7F, *range(0x80, 0x85), *range(0x86, 0xA0), 0xFFFE, 0xFFFF} for c in text
        ):
            continue
        assert plain(tree(text, "t.json")) == value


@pytest.mark.parametrize(
    ("text", "said", "column"),
    [
        ('{"a": 1,}', "a key in quotes", 9),
        ("[1, ]", "expected a value, found `]`", 5),
        ("[1 2]", "`,` or `]`", 4),
        ('{"a" 1}', "`:`", 6),
        ("{'a': 1}", "JSON quotes with", 2),
        ("{a: 1}", "is not JSON", 2),
        ("[01]", "is not JSON", 2),
        ("[1] 2", "the end", 5),
        ('{"a": "x', "no end", 7),
        ('["\\x"]', "wrong escape", 2),
        ("[1 // no\n]", "no comments", 4),
        ("[NaN]", "`NaN` is not JSON numbers are finite", 2),
        ("[tru, 1]", "`tru` is not JSON write text in quotes", 2),
        ('{"a":None}', "`None` is not JSON JSON writes `null`", 6),
        ("StartAt: A", "files whose names end in .yaml", 1),
        ("[1, ]", "remove the comma before it", 5),
        ('{"a": 1,\n}', "remove the comma before it", 1),
        ('{"a": }', "expected a value, found `}`", 7),
        ("[1, ~]", "`~` is not JSON", 5),
        ("[1,", "the end of the file", 4),
    ],
)  # fmt: skip
def test_mistakes_in_json_are_explained_in_its_own_words(text: str, said: str, column: int) -> None:
    found = refusal(text, "t.json")

    assert found.code == "AF101"
    assert said in f"{found.message} {found.help}"
    assert found.span.column == column


@pytest.mark.parametrize("text", ["", " \n \r\n"])
@pytest.mark.parametrize("path", ["t.json", "t.yaml"])
def test_a_file_without_a_value_is_empty_in_either_language(text: str, path: str) -> None:
    assert (found := refusal(text, path)).code == "AF112", found


@pytest.mark.parametrize("number", ["9007199254740992", "1e999", "-" + "9" * 400])
def test_json_numbers_beyond_the_limits_are_refused(number: str) -> None:
    diagnostics: list[Diagnostic] = []
    read(f"[{number}]", "t.json", diagnostics)

    assert [d.code for d in diagnostics] == ["AF111"]


def test_half_a_surrogate_pair_is_refused() -> None:
    diagnostics: list[Diagnostic] = []
    read('["\\ud800"]', "t.json", diagnostics)

    assert [d.code for d in diagnostics] == ["AF102"]


def _bomb(levels: int) -> str:
    first = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    return first + "\n".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 5)}]" for n in range(1, levels)
    )


def _nested(aliases: int) -> str:
    lines = ["a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, aliases)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "path", "said"),
    [
        ("[" * 1_000_000, "t.yaml", "nested deeper"),
        ("[" * 1_000_000, "t.json", "nested deeper"),
        ('{"a":' * 100_000, "t.json", "nested deeper"),
        ("{a: " * 100_000, "t.yaml", "nested deeper"),
        ("\n".join("  " * n + "a:" for n in range(200)), "t.yaml", "nested deeper"),
        ("- " * 500, "t.yaml", "nested deeper"),
        ("[" + "1," * 500_000 + "]", "t.yaml", "more than 20,000 values"),
        ("[" + "1," * 500_000 + "1]", "t.json", "more than 20,000 values"),
        ("a: 1\n" * (MAX_NODES // 2 + 1), "t.yaml", "more than 20,000 values"),
        ("x" * 1_048_577, "t.yaml", "larger than"),
        ("é" * 600_000, "t.yaml", "larger than"),
        (_bomb(9), "t.yaml", "more than 20,000 values"),
        ("a: &a x\nb: [" + "*a, " * (MAX_ALIASES + 1) + "]", "t.yaml", "aliases"),
        ("a: &a [" * 30 + "*a", "t.yaml", "never end"),
        ("a: &a {b: *a}", "t.yaml", "never end"),
        ("a: &a\n  <<: *a", "t.yaml", "never end"),
        ("%" * 100_000, "t.yaml", ""),
        ("? " * 1000, "t.yaml", "nested deeper"),
        ('"' + "\\" * 500_001, "t.yaml", ""),
        ("a: !" + "x" * 100_000 + "\n]", "t.yaml", ""),
    ],
)  # fmt: skip
def test_a_hostile_text_ends_in_one_clear_error(text: str, path: str, said: str) -> None:
    found = refusal(text, path)

    assert said in found.message


def test_aliases_may_be_nested_within_the_depth() -> None:
    assert isinstance(tree(_nested(MAX_ALIASES)), Mapping)


def test_an_alias_counts_with_the_depth_of_what_it_stands_for() -> None:
    deep = "a: &a " + "[" * 40 + "]" * 40 + "\nb: " + "[" * 40 + "*a" + "]" * 40

    assert "nested deeper" in refusal(deep).message


def test_depth_up_to_the_limit_is_read() -> None:
    assert isinstance(tree("[" * MAX_DEPTH + "]" * MAX_DEPTH), Sequence)


def test_a_large_quoted_text_is_placed_in_linear_time() -> None:
    node = scalar('k: "' + " " * 300_000 + "\\n" + " " * 300_000 + '${ x }"')
    at = node.text.index("${")

    assert node.place(at, at + 6).column == 300_000 * 2 + 7


def test_keys_may_be_aliases_and_quoted() -> None:
    assert plain(tree('? &k "a b"\n: 1\nc: {*k : 2}')) == {"a b": 1, "c": {"a b": 2}}


@pytest.mark.parametrize("tabs", ['{\n\t"a":\t[1,\n\t2]\n}'])
def test_json_with_tabs_is_yaml_too(tabs: str) -> None:
    assert plain(tree(tabs)) == plain(tree(tabs, "t.json")) == {"a": [1, 2]}


def test_the_pure_parser_takes_over_where_libyaml_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = "workflow: w\ndo:\n  - id: a\n    return: |\n      ${ 1 }\n"
    expected = plain(tree(text))
    monkeypatch.setattr(read_yaml, "_LOADER", yaml.SafeLoader)

    assert plain(tree(text)) == expected
    assert refusal("a: [1").code == "AF101"
    assert "nested deeper" in refusal("[" * 10_000).message


def test_reading_does_not_depend_on_the_recursion_limit() -> None:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(400)
    try:
        assert isinstance(tree("[" * MAX_DEPTH + "]" * MAX_DEPTH), Sequence)
    finally:
        sys.setrecursionlimit(limit)
