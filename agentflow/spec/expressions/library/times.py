"""Functions on times and durations.

A time is text, RFC 3339, and functions give it in UTC with milliseconds, so that times sort as
text. As a number it is seconds since 1970. A duration is seconds, or text such as `1m30s`, `PT5M`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from agentflow.errors import Fault
from agentflow.spec.expressions.library.function import (
    Example,
    Function,
    Parameter,
    family,
    invalid,
)
from agentflow.spec.expressions.operators import number
from agentflow.spec.expressions.scope import Recorded
from agentflow.spec.expressions.types import NUMBER, STRING, describe

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TIME = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ](?P<time>[0-9]{2}:[0-9]{2}:[0-9]{2})"
    r"(?:\.(?P<fraction>[0-9]+))?(?P<zone>[Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_N = r"([0-9]+(?:\.[0-9]+)?)"
_COMPACT = re.compile(rf"(?:{_N}d)?(?:{_N}h)?(?:{_N}m(?!s))?(?:{_N}s)?(?:{_N}ms)?")
_ISO = re.compile(rf"P(?:{_N}W)?(?:{_N}D)?(?:T(?=[0-9])(?:{_N}H)?(?:{_N}M)?(?:{_N}S)?)?")
_COMPACT_SECONDS = tuple(map(Decimal, ("86400", "3600", "60", "1", "0.001")))
_ISO_SECONDS = tuple(map(Decimal, ("604800", "86400", "3600", "60", "1")))
_LONGEST = 64


def parse_duration(text: str) -> float:
    """Seconds of a duration: `90s`, `1h30m`, `250ms`, `2d`, or ISO 8601 `PT5M`, `P1DT12H`.

    Raises:
        Fault: `InvalidInput` for any other text.
    """
    for pattern, units in ((_COMPACT, _COMPACT_SECONDS), (_ISO, _ISO_SECONDS)):
        match = pattern.fullmatch(text) if len(text) <= _LONGEST else None
        parts = match.groups() if match else ()
        if any(parts):
            amounts = zip(parts, units, strict=True)
            return _seconds(sum(Decimal(part) * unit for part, unit in amounts if part))
    raise invalid(f"a duration is written like 1m30s or PT90S, got {describe(text)}")


def parse_time(text: str) -> float:
    """Seconds since 1970 of an RFC 3339 time; an integer if whole, exact to the microsecond.

    Raises:
        Fault: `InvalidInput` for any other text.
    """
    match = _TIME.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        raise invalid(f"a time is written like 2026-01-31T12:00:00Z, got {describe(text)}")
    zone = match["zone"].upper().replace("Z", "+00:00")
    fraction = (match["fraction"] or "")[:6].ljust(6, "0")
    try:
        moment = datetime.fromisoformat(f"{match['date']}T{match['time']}.{fraction}{zone}")
    except ValueError:
        raise invalid(f"there is no such time: {text}") from None
    return _seconds(Decimal((moment - _EPOCH) // _MICROSECOND) / 1_000_000)


def format_time(seconds: float) -> str:
    """The RFC 3339 text of a time in UTC, with milliseconds.

    Raises:
        Fault: `NumberOutOfRange` outside the years 1 to 9999.
    """
    try:
        moment = _EPOCH + timedelta(milliseconds=round(seconds * 1000))
    except OverflowError:
        message = "a time outside the years 1 to 9999"
        raise Fault("NumberOutOfRange", message) from None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _seconds(value: Decimal | int) -> float:
    return number(int(value) if value == int(value) else float(value))


def _now(recorded: Recorded) -> str:
    return recorded.now()


def _uuid(recorded: Recorded) -> str:
    return recorded.uuid()


def _add_seconds(time: str, seconds: float) -> str:
    return format_time(number(parse_time(time) + seconds))


def _seconds_between(start: str, end: str) -> float:
    return _seconds(Decimal(str(parse_time(end))) - Decimal(str(parse_time(start))))


_define = family("Time and identity")
_TIME_ERRORS = "`InvalidInput` for text that is not a time"
_T = '"2026-01-31T12:00:00Z"'

TIMES: tuple[Function, ...] = (
    _define(
        "now",
        (),
        STRING,
        _now,
        "The time of the event in hand, recorded: the same on every replay.",
        Example("now()", '"2026-01-31T12:00:00.000Z"'),
        recorded=True,
        cost="constant",
    ),
    _define(
        "uuid",
        (),
        STRING,
        _uuid,
        "A new UUID, recorded: the same on every replay.",
        Example("uuid()", '"2ed6657d-e927-568b-95e1-2665a8aea6a2"'),
        recorded=True,
        cost="constant",
    ),
    _define(
        "parse_time",
        (Parameter("time", STRING),),
        NUMBER,
        parse_time,
        "The seconds since 1970 of an RFC 3339 time.",
        Example(f"parse_time({_T})", "1769860800"),
        _TIME_ERRORS,
    ),
    _define(
        "format_time",
        (Parameter("seconds", NUMBER),),
        STRING,
        format_time,
        "The RFC 3339 text of seconds since 1970, in UTC with milliseconds.",
        Example("format_time(1.5)", '"1970-01-01T00:00:01.500Z"'),
        "`NumberOutOfRange` outside the years 1 to 9999",
    ),
    _define(
        "add_seconds",
        (Parameter("time", STRING), Parameter("seconds", NUMBER)),
        STRING,
        _add_seconds,
        "The time so many seconds later.",
        Example(f'add_seconds({_T}, duration("1h"))', '"2026-01-31T13:00:00.000Z"'),
        f"{_TIME_ERRORS}, `NumberOutOfRange` outside the years 1 to 9999",
    ),
    _define(
        "seconds_between",
        (Parameter("start", STRING), Parameter("end", STRING)),
        NUMBER,
        _seconds_between,
        "The seconds from one time to another; negative if the second is earlier.",
        Example(f'seconds_between({_T}, "2026-01-31T12:01:30Z")', "90"),
        _TIME_ERRORS,
    ),
    _define(
        "duration",
        (Parameter("text", STRING),),
        NUMBER,
        parse_duration,
        "The seconds of a duration such as `90s`, `1h30m`, `250ms`, `PT5M`.",
        Example('[duration("1m30s"), duration("PT5M")]', "[90,300]"),
        "`InvalidInput` for text that is not a duration",
    ),
)
