"""The text of a spec as a tree that knows where everything stands.

Only shapes live here: `tree` builds them within limits, `read_yaml` and `read_json` drive it.
Positions are offsets into the text; lines and columns are computed when somebody asks.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

from agentflow.errors import Json, Span
from agentflow.spec import placement

_LINE_BREAK = re.compile(r"\r\n|\r|\n")


class Source:
    """A text with a name, and where its lines begin."""

    def __init__(self, text: str, path: str) -> None:
        self.text = text
        self.path = path

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in _LINE_BREAK.finditer(self.text))]

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, both counted from 1."""
        starts = self._line_starts
        line = bisect_right(starts, offset)
        return line, offset - starts[line - 1] + 1

    def span(self, start: int, end: int) -> Span:
        """The place from offset `start` to offset `end`, which is exclusive."""
        line, column = self.position(start)
        end_line, end_column = self.position(max(start, end))
        return Span(self.path, line, column, end_line, end_column)


@dataclass(slots=True, eq=False)
class Scalar:
    """A text, number, boolean or null."""

    source: Source
    start: int
    end: int
    value: Json
    """What the scalar means under the rules of YAML 1.2 (or JSON)."""
    text: str
    """Its characters, unquoted, before it was taken for a number or the like."""
    style: str
    """`""` plain, `'`, `"`, `|` or `>`."""
    size: int = 1
    height: int = 0
    _offsets: list[int] | None = None

    @property
    def span(self) -> Span:
        """Its place in the file."""
        return self.source.span(self.start, self.end)

    def place(self, start: int, end: int) -> Span:
        """The place of `text[start:end]` in the file."""
        if self._offsets is None:
            raw = self.source.text[self.start : self.end]
            self._offsets = placement.offsets(raw, self.text, self.style)
        offsets = self._offsets
        first = self.start + offsets[min(start, len(offsets) - 1)]
        last = self.start + offsets[min(max(end - 1, start), len(offsets) - 1)] + (end > start)
        return self.source.span(first, last)


@dataclass(slots=True, eq=False)
class Sequence:
    """A list."""

    source: Source
    start: int
    end: int = 0
    items: list[Node] = field(default_factory=list)
    size: int = 1
    """Nodes in it, itself included; an alias counts as what it stands for."""
    height: int = 1
    """Levels of nesting below and including it."""

    @property
    def span(self) -> Span:
        """Its place in the file."""
        return self.source.span(self.start, self.end)


@dataclass(slots=True, eq=False)
class Entry:
    """One key of a mapping and its value."""

    key: Scalar
    value: Node


@dataclass(slots=True, eq=False)
class Mapping:
    """An object; keys are unique texts, in the order of the file."""

    source: Source
    start: int
    end: int = 0
    entries: dict[str, Entry] = field(default_factory=dict)
    size: int = 1
    height: int = 1

    @property
    def span(self) -> Span:
        """Its place in the file."""
        return self.source.span(self.start, self.end)

    def get(self, key: str) -> Node | None:
        """The value under `key`, if there is one."""
        entry = self.entries.get(key)
        return None if entry is None else entry.value


Node: TypeAlias = Scalar | Sequence | Mapping


def plain(node: Node) -> Json:
    """The data of a tree, without positions."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return {key: plain(entry.value) for key, entry in node.entries.items()}
