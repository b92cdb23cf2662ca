"""Paths whose roots stand beside each other in one input.

The service reads `$`, `$$` and `$name` from the state, the context and its variables. A workflow
has them as values of its own, so they become members of the state's input.
"""

from __future__ import annotations

import re
from typing import Any, Final

from agentflow.errors import Json

DATA, CONTEXT, VARIABLES = "data", "around", "variables"
WHOLE: Final = "$$"
TOKEN: Final = "$$.Task.Token"  # noqa: S105 -- a path
"""What may stay as it is: all of the context object, or the token in it."""
_PART: Final = re.compile(
    r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|(?<![\w$.])\$(?!\{)(\$(?:\.Task\.Token)?|[^\W\d]\w*)?"""
)


def beside(text: str, *, keep: str | None = None) -> str:
    """A path, or a call of an intrinsic function, whose roots are members of the input.

    What begins with `keep` stays the service's own.
    """

    def moved(found: re.Match[str]) -> str:
        part = found.group()
        if not part.startswith("$") or (keep is not None and part.startswith(keep)):
            return part
        if part.startswith(WHOLE):
            return f"$.{CONTEXT}{part.removeprefix(WHOLE)}"
        return f"$.{DATA}" if found[1] is None else f"$.{VARIABLES}.{found[1]}"

    return _PART.sub(moved, text)


def payload(template: Json, *, keep: str | None = None) -> Json:
    """A payload template whose paths are moved."""
    if isinstance(template, list):
        return [payload(each, keep=keep) for each in template]
    if not isinstance(template, dict):
        return template
    return {
        key: beside(each, keep=keep) if key.endswith(".$") else payload(each, keep=keep)
        for key, each in template.items()
    }


def fields(given: dict[str, Any]) -> dict[str, Any]:
    """Fields of a Map whose paths are moved, but for those into the context object."""
    moved: dict[str, Any] = {}
    for key, value in given.items():
        if key in _TEMPLATES:
            moved[key] = payload(value, keep=WHOLE)
        elif isinstance(value, dict):
            moved[key] = fields(value)
        else:
            moved[key] = beside(value, keep=WHOLE) if key.endswith("Path") else value
    return moved


_TEMPLATES: Final = ("ItemSelector", "BatchInput", "Parameters")


def rule(given: dict[str, Any]) -> dict[str, Any]:
    """A rule of a Choice state whose paths are moved."""
    moved: dict[str, Any] = {}
    for key, value in given.items():
        if key in ("And", "Or"):
            moved[key] = [rule(each) for each in value]
        elif key == "Not":
            moved[key] = rule(value)
        elif key == "Variable" or key.endswith("Path"):
            moved[key] = beside(value)
        else:
            moved[key] = value
    return moved
