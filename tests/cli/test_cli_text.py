"""Times, durations, values and tables, as people read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentflow.cli import text

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0.0s"),
        (-0.2, "0.0s"),
        (0.04, "0.0s"),
        (12.44, "12.4s"),
        (59.94, "59.9s"),
        (59.96, "1m 00s"),
        (125, "2m 05s"),
        (3599.6, "1h 00m"),
        (11220, "3h 07m"),
    ],
    ids=str,
)
def test_a_duration_has_the_precision_that_matters(seconds, expected):
    assert text.duration(seconds) == expected


def test_json_times_are_rfc_3339_in_utc_with_milliseconds():
    assert text.stamp(0.1234) == "1970-01-01T00:00:00.123Z"
    assert text.stamp(None) is None


@given(JSON, st.integers(10, 200))
def test_a_shortened_value_is_one_line_within_its_limit(value, limit):
    short = text.shortened(value, limit)
    assert len(short) <= limit
    assert "\n" not in short


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"id": 1043, "text": "short"}, '{"id": 1043, "text": "short"}'),
        ({"id": 1043, "text": "x" * 500}, '{"id": 1043, "text": "' + "x" * 49 + '…"}'),
        (list(range(1000)), '[0, 1, 2, "… 1000 in all"]'),
        ({"a": {"b": {"c": {"d": 1}}}}, '{"a": {"b": {"c": {"…": "1 keys"}}}}'),
    ],
    ids=["whole", "long text", "long list", "deep"],
)
def test_large_parts_are_cut_so_that_every_key_stays_visible(value, expected):
    assert text.shortened(value) == expected


def test_shortening_a_huge_value_does_not_print_all_of_it():
    short = text.shortened([["x" * 1000] * 1000] * 1000)
    assert short.startswith('[["xxxxxxxxxxx…", "xxxxxxxxxxx…", "xxxxxxxxxxx…", "… 1000 in all"], [')


def test_columns_are_aligned_without_blanks_at_the_end():
    assert text.columns([("a", "bb", ""), ("aaa", "b", "c")]) == "a    bb\naaa  b   c"


def test_control_characters_are_marked():
    assert text.printable("a\x1b[2Jb\x07 é 漢") == "a�[2Jb� é 漢"
