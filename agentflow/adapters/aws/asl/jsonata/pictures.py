"""Check the pictures of `$formatNumber` and of dates.

Source: https://www.w3.org/TR/xpath-functions-31/#syntax-of-picture-string, and the codes of the
reference implementation. Where a picture breaks several rules, the last one counts there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_ACTIVE: Final = frozenset("0123456789.,#e;")
_DIGITS: Final = frozenset("0123456789")
_COMPONENT = re.compile(r"\[\s*(\S)[^\]]*\]")
_COMPONENTS: Final = frozenset("YMDdFWwXxHhPmsfZzCE")
_EDGES: Final = _ACTIVE - {"e"}
"""With what the active part of a picture begins and ends."""


@dataclass(frozen=True, slots=True)
class _Part:
    """One of the pictures for positive and negative numbers."""

    whole: str
    active: str
    integer: str
    fraction: str
    exponent: str | None

    @property
    def mantissa(self) -> str:
        return self.integer + self.fraction


def unknown_component(picture: str) -> str | None:
    """The first component of a picture of dates that does not exist."""
    found = _COMPONENT.findall(picture.replace("[[", "").replace("]]", ""))
    return next((letter for letter in found if letter not in _COMPONENTS), None)


def mistake(picture: str) -> str | None:
    """The code of what is wrong with a picture of numbers; None if nothing is."""
    parts = picture.split(";")
    if len(parts) > 2:
        return "D3080"
    return next((code for code in map(_mistake, map(_read, parts)) if code), None)


def _read(picture: str) -> _Part:
    edges = [at for at, mark in enumerate(picture) if mark in _EDGES]
    start, end = (edges[0], edges[-1] + 1) if edges else (0, len(picture))
    if edges and picture[end:].startswith("e"):
        end += 1  # an exponent without digits
    active = picture[start:end]
    mantissa, mark, exponent = active.partition("e")
    integer, _, fraction = mantissa.partition(".")
    return _Part(picture, active, integer, fraction, exponent if mark else None)


def _mistake(part: _Part) -> str | None:
    whole, integer = part.whole, part.integer
    point = "." in part.active
    broken = {
        "D3081": whole.count(".") > 1,
        "D3082": whole.count("%") > 1,
        "D3083": whole.count("‰") > 1,
        "D3084": "%" in whole and "‰" in whole,
        "D3085": not any(mark in _DIGITS or mark == "#" for mark in part.mantissa),
        "D3086": any(mark not in _ACTIVE for mark in part.active),
        "D3087": point and (integer.endswith(",") or part.fraction.startswith(",")),
        "D3088": not point and integer.endswith(","),
        "D3089": ",," in whole,
        "D3090": re.search(r"\d[\d,]*#", integer) is not None,
        "D3091": re.search(r"#[#,]*\d", part.fraction) is not None,
        "D3092": part.exponent is not None and ("%" in whole or "‰" in whole),
        "D3093": part.exponent is not None
        and (not part.exponent or not _DIGITS.issuperset(part.exponent)),
    }
    return next((code for code, wrong in reversed(broken.items()) if wrong), None)
