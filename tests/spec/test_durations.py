"""Durations as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentflow.functions.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5), ("30s", 30), ("5m", 300), ("2h", 7200), ("2d", 172_800), ("1h30m", 5400),
        ("1d2h3m4s5ms", 93_784.005), ("1.5h", 5400), ("1m500ms", 60.5), (" 30s ", 30),
        ("PT5M", 300), ("P1D", 86_400), ("P1DT2H", 93_600), ("PT0.5S", 0.5), ("P2W", 1_209_600),
        ("0s", 0),
    ],
)  # fmt: skip
def test_a_duration_is_its_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    ["", "30", "s", "30 s", "5m1h", "1m1m", "-5s", "+5s", "1e3s", "P", "PT", "P1Y", "P1M", "1h 30m",
     "٣s", "1_0s", "9" * 50 + "s", "30S", "pt5m"],
)  # fmt: skip
def test_anything_else_is_no_duration(text: str) -> None:
    assert parse_duration(text) is None


@given(st.text(alphabet="0123456789dhms.PTWDHMS ", max_size=12))
def test_a_duration_is_never_negative_and_never_an_exception(text: str) -> None:
    seconds = parse_duration(text)

    assert seconds is None or seconds >= 0
