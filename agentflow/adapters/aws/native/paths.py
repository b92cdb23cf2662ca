"""Paths whose roots stand beside each other in one input.

The service reads `$`, `$$` and `$name` from the state, the context and its variables. A workflow
has them as values of its own, so they become members of the state's input.
"""

from __future__ import annotations

import re
from typing import Any, Final

from agentflow.errors import Json

DATA, CONTEXT, VARIABLES = "data", "around", "variables"
_CONTEXT: Final = "$$"
_PART: Final = re.compile(
    r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|(?<![\w$.])\$(?!\{|\$\.Task\.Token)(\$|[^\W\d]\w*)?"""
)


def beside(text: str, *, context: bool = True) -> str:
    """A path, or a call of an intrinsic function, whose roots are members of the input.

    Without `context`, the context object stays the service's own.
    """
    return _PART.sub(
        lambda found: found.group() if found.group() == _CONTEXT and not context else _moved(found),
        text,
    )


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


def payload(template: Json, *, context: bool = True) -> Json:
    """A payload template whose paths are moved."""
    if isinstance(template, list):
        return [payload(each, context=context) for each in template]
    if not isinstance(template, dict):
        return template
    return {
        key: beside(each, context=context) if key.endswith(".$") else payload(each, context=context)
        for key, each in template.items()
    }


def fields(given: dict[str, Any]) -> dict[str, Any]:
    """Fields of a Map whose paths are moved, but for those into the context object."""
    moved: dict[str, Any] = {}
    for key, value in given.items():
        if key in _TEMPLATES:
            moved[key] = payload(value, context=False)
        elif isinstance(value, dict):
            moved[key] = fields(value)
        else:
            moved[key] = beside(value, context=False) if key.endswith("Path") else value
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
