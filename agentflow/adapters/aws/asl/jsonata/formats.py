"""Numbers and times as text and back: the library's functions with the service's refusals."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Any

from agentflow.adapters.aws.asl.jsonata.pictures import mistake, unknown_component
from agentflow.adapters.aws.asl.jsonata.upstream import Functions, JException

_ISO_8601 = re.compile(
    r"\d{4}(-[01]\d)*(-[0-3]\d)*(T[0-2]\d:[0-5]\d:[0-5]\d)*(\.\d+)?([+-][0-2]\d:?[0-5]\d|Z)?",
    re.ASCII,
)
_PLAIN = re.compile(r"[#0,]*(?:\.([0#]+))?")
"""A picture of digits and one point alone."""
_TIMEZONE = re.compile(r"[+-]\d{4}", re.ASCII)


def format_base(value: Any, radix: Any = None) -> Any:
    """`$formatBase`."""
    if radix is not None and not 2 <= int(radix) <= 36:
        raise JException("D3100", -1, radix)
    return Functions.format_base(value, radix)


def format_number(value: Any, picture: Any, options: Any = None) -> Any:
    """`$formatNumber`; wrong pictures are refused like on the service."""
    if value is not None and picture is not None and not options and (code := mistake(picture)):
        raise JException(code, -1)
    if value is not None and picture is not None and not options:
        value = _rounded(value, picture)
    return Functions.format_number(value, picture, options)


def _rounded(value: float, picture: str) -> float:
    """The number with as many digits as a picture has, half to even as it is written."""
    shape = _PLAIN.fullmatch(picture)
    if shape is None or not math.isfinite(value):
        return value
    with localcontext() as context:
        context.prec = 400
        exact = Decimal(repr(value)).scaleb(len(shape[1] or "")).to_integral(ROUND_HALF_EVEN)
        return float(exact.scaleb(-len(shape[1] or "")))


def parse_integer(text: Any, picture: Any) -> Any:
    """`$parseInteger`: what the picture cannot read is not a number."""
    if text is None or picture is None:
        return None
    try:
        found = _in_sequence(picture, lambda: Functions.parse_integer(text, picture))
    except (LookupError, ValueError):  # a letter or a word that is no number
        found = None
    return math.nan if found is None else found


def format_integer(value: Any, picture: Any) -> Any:
    """`$formatInteger`."""
    if value is None or picture is None:
        return None
    return _in_sequence(picture, lambda: Functions.format_integer(math.floor(value), picture))


def _in_sequence(picture: str, compute: Callable[[], Any]) -> Any:
    try:
        return compute()
    except RuntimeError as error:
        if "%s" in str(error):  # the library leaves out what it could not do
            raise JException("D3130", -1, picture[:1]) from None
        raise


def to_millis(text: Any, picture: Any = None) -> Any:
    """`$toMillis`: without a picture of ISO 8601 only."""
    if text is not None and picture is None and not _ISO_8601.fullmatch(text):
        raise JException("D3110", -1, text)
    _check_dates(picture)
    return Functions.datetime_to_millis(text, picture)


def from_millis(millis: Any, picture: Any = None, timezone: Any = None) -> Any:
    """`$fromMillis`; what is no number gives nothing, and what is no timezone is UTC."""
    if not isinstance(millis, int | float) or isinstance(millis, bool):
        return None
    _check_dates(picture)
    known = timezone is not None and _TIMEZONE.fullmatch(timezone)
    return Functions.datetime_from_millis(millis, picture, timezone if known else None)


def _check_dates(picture: str | None) -> None:
    if picture is not None and (letter := unknown_component(picture)):
        raise JException("D3132", -1, letter)
