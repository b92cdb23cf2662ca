"""Paths whose roots stand beside each other in one input.

The service reads `$`, `$$` and `$name` from the state, the context and its variables. A workflow
has them as values of its own, so they become members of the state's input.
"""

from __future__ import annotations

import re
from typing import Any, Final

from agentflow.errors import Json

DATA, CONTEXT, VARIABLES = "data", "around", "variables"
_PART: Final = re.compile(
    r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|(?<![\w$.])\$(?!\{|\$\.Task\.Token)(\$|[^\W\d]\w*)?"""
)


def beside(text: str) -> str:
    """A path, or a call of an intrinsic function, whose roots are members of the input."""
    return _PART.sub(_moved, text)


def _moved(found: re.Match[str]) -> str:
    if not found.group().startswith("$"):
        return found.group()
    match found[1]:
        case None:
            return f"$.{DATA}"
        case "$":
            return f"$.{CONTEXT}"
        case name:
            return f"$.{VARIABLES}.{name}"


def payload(template: Json) -> Json:
    """A payload template whose paths are moved."""
    if isinstance(template, list):
        return [payload(each) for each in template]
    if not isinstance(template, dict):
        return template
    return {
        key: beside(each) if key.endswith(".$") else payload(each) for key, each in template.items()
    }


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
