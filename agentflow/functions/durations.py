"""Durations as people write them: `500ms`, `30s`, `1h30m`, `2d`, or ISO 8601's `PT5M`."""

from __future__ import annotations

import re
from datetime import timedelta

from agentflow.errors import UsageError

_SECONDS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|[dhms])")
_TEXT = re.compile(
    r"(?=[0-9])"
    r"(?:[0-9]+(?:\.[0-9]+)?d)?(?:[0-9]+(?:\.[0-9]+)?h)?(?:[0-9]+(?:\.[0-9]+)?m(?!s))?"
    r"(?:[0-9]+(?:\.[0-9]+)?s)?(?:[0-9]+(?:\.[0-9]+)?ms)?"
)
_ISO = re.compile(
    r"P(?=[0-9T])(?:([0-9]+(?:\.[0-9]+)?)W)?(?:([0-9]+(?:\.[0-9]+)?)D)?"
    r"(?:T(?=[0-9])(?:([0-9]+(?:\.[0-9]+)?)H)?(?:([0-9]+(?:\.[0-9]+)?)M)?"
    r"(?:([0-9]+(?:\.[0-9]+)?)S)?)?"
)
_ISO_SECONDS = (604_800.0, 86_400.0, 3_600.0, 60.0, 1.0)
_LONGEST = 40


def parse_duration(text: str) -> float | None:
    """Seconds of a duration, or `None` if the text is not one.

    Units stand in falling order, each at most once: `d`, `h`, `m`, `s`, `ms`. A number without a
    unit is not a duration. Of ISO 8601 the parts of fixed length are read: weeks to seconds.

    >>> parse_duration("1h30m"), parse_duration("500ms"), parse_duration("PT5M")
    (5400.0, 0.5, 300.0)
    >>> parse_duration("30") is None
    True
    """
    text = text.strip()
    if len(text) > _LONGEST or not text.isascii():
        return None
    if _TEXT.fullmatch(text):
        return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
    if match := _ISO.fullmatch(text):
        parts = zip(match.groups(), _ISO_SECONDS, strict=True)
        return sum(float(number) * seconds for number, seconds in parts if number)
    return None


def seconds_given(value: object, said: str) -> float:
    """Seconds of an argument: a number, a `timedelta` or text. `said` is how errors show it.

    Raises:
        UsageError: it is not a duration above zero.
    """
    seconds: object = value
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
    elif isinstance(value, str):
        seconds = parse_duration(value)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:
        raise UsageError(
            f"{said} is not a duration above zero",
            help='write seconds, a timedelta, or text such as "30s" or "1h30m"',
        )
    return float(seconds)
