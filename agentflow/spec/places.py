"""Where the steps of a written workflow came from: comments in its text, and back.

A workflow that was compiled from Python is kept as the YAML it means, with the place of each step
in a comment. So it can go on anywhere, and messages still name the lines a person wrote.
"""

from __future__ import annotations

import dataclasses
import re
from bisect import bisect_right
from collections.abc import Callable
from typing import Any

from agentflow.errors import Span
from agentflow.spec.expressions.template import Expression
from agentflow.spec.model import Workflow

_PLACE = re.compile(r"^ *- id: \w+  # (?P<file>.+):(?P<line>\d+):(?P<column>\d+)$", re.MULTILINE)


def restored(workflow: Workflow, text: str) -> Workflow:
    """A workflow that was read from `text`, with the places that its comments give."""
    lines: list[int] = []
    spans: list[Span] = []
    for match in _PLACE.finditer(text):
        line, column = int(match["line"]), int(match["column"])
        lines.append(text.count("\n", 0, match.start()) + 1)
        spans.append(Span(match["file"], line, column, line, column + 1))

    def move(span: Span) -> Span:
        at = bisect_right(lines, span.line)
        return spans[at - 1] if at else span

    moved: Workflow = _moved(workflow, move)
    return moved


def _moved(node: Any, move: Callable[[Span], Span]) -> Any:
    match node:
        case Span():
            return move(node)
        case Expression():
            return dataclasses.replace(node, span=move(node.span), place=None)
        case tuple() | list():
            return type(node)(_moved(each, move) for each in node)
        case dict():
            return {key: _moved(each, move) for key, each in node.items()}
        case _ if dataclasses.is_dataclass(node) and not isinstance(node, type):
            fields = dataclasses.fields(node)
            changed = {each.name: _moved(getattr(node, each.name), move) for each in fields}
            return dataclasses.replace(node, **changed)
        case _:
            return node
