"""What the service says when JSONata fails: the messages of the reference implementation.

The library has a catalogue of its own with other words in places, and throws texts without a code,
or exceptions of Python.

Source: https://docs.jsonata.org (2.0), and causes measured on the service.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

from agentflow.adapters.aws.asl.jsonata.upstream import JException

_MARK = re.compile(r"\{\{\{?\w+\}\}\}?")
_CODE = re.compile(r"[SDTU]\d{4}")
_KINDS: Final = {
    "a": "arrays",
    "b": "booleans",
    "f": "functions",
    "n": "numbers",
    "o": "objects",
    "s": "strings",
}
"""By the letters of a signature."""
_BOUNDS: Final = {
    "D1011": (
        "Stack overflow error: Check for non-terminating recursive function. Consider rewriting "
        "as tail-recursive"
    ),
    "D1012": "Expression evaluation timeout: Check for infinite loop",
    "D2014": "Expression evaluation memory limit exceeded: Check for excessive memory usage",
}
"""What the service says about limits; it gives no code for them."""


def _catalogue() -> dict[str, str]:
    found = {}
    for code, theirs in JException.error_codes.items():
        text = theirs.replace(" Object ", " function ").replace(" Object sig", " function sig")
        # Pictures and dates quote names with ' there.
        found[code] = text.replace('"', "'") if code[:3] in ("D30", "D31") else text
    return found


_CATALOGUE: Final = _catalogue()
_CODES: Final = {
    _MARK.sub("%s", text).replace("'", '"'): code for code, text in _CATALOGUE.items()
} | {"invalid grouping in picture argument": "D3086"}
"""Codes by the texts that the library throws in their place."""


def told(error: Exception, shown: Callable[[Any], str]) -> str:
    """How a cause goes on after `threw an error during evaluation`.

    `shown` writes a value that a message names.
    """
    if not isinstance(error, JException):
        code = _CODES.get(str(error).replace("'", '"'))
        return f": {error}" if code is None else f". {code}: {error}"
    if error.error in _BOUNDS:
        return f": {_BOUNDS[error.error]}"
    return f". {described(error, shown)}"


def described(error: JException, shown: Callable[[Any], str]) -> str:
    """The code of an error, and its message with its values."""
    code = error.error if _CODE.fullmatch(str(error.error)) else _CODES.get(str(error.error))
    if code is None:
        return str(error.error)
    given = [error.current, error.expected, error.extra]
    if code == "T0412":
        given[2] = _KINDS.get(str(error.extra), error.extra)
    if code == "D1002":
        given = given[1:]  # the library names the operator first
    values = iter(given)

    def replace(found: re.Match[str]) -> str:
        value = next(values, None)
        return str(value) if found.group().startswith("{{{") else shown(value)

    return f"{code}: {_MARK.sub(replace, _CATALOGUE[code])}"


def quoted(value: Any) -> str:
    """A JSON value within a message."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
