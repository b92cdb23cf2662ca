"""Build the tree of a spec, within limits, from what a reader of YAML or JSON meets.

Whatever the text holds, building takes bounded time and memory: the limits are checked while
nodes arrive, and an alias counts as much as what it stands for.
"""

from __future__ import annotations

from typing import NoReturn, TypeAlias

from agentflow.errors import Diagnostic, Json
from agentflow.spec.source import Entry, Mapping, Node, Scalar, Sequence, Source

MAX_BYTES = 1_048_576
MAX_NODES = 20_000
MAX_DEPTH = 64
MAX_ALIASES = 50

Collection: TypeAlias = Sequence | Mapping


class Unreadable(Exception):  # it is the user's mistake and becomes a Diagnostic
    """The text cannot be read any further; carries the one diagnostic that says why."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


class Builder:
    """Takes nodes in the order of the text; `root` is the finished tree."""

    def __init__(self, source: Source, diagnostics: list[Diagnostic]) -> None:
        self.root: Node | None = None
        self._source = source
        self._diagnostics = diagnostics
        self._open: list[Collection] = []
        self._keys: list[Scalar | None] = []
        """For each open mapping the key whose value comes next."""
        self._anchors: dict[str, Node | None] = {}
        self._names: list[str | None] = []
        self._aliases = 0
        self._nodes = 0

    def scalar(
        self, start: int, end: int, *, value: Json, text: str, style: str, anchor: str | None = None
    ) -> None:
        """A text, number, boolean or null, or the key of an entry."""
        node = Scalar(self._source, start, end, value, text, style)
        if anchor is not None:
            self._anchors[anchor] = node
        self._count(1, start, end)
        self._place(node)

    def open(self, node: Collection, *, anchor: str | None = None) -> None:
        """A list or an object begins."""
        if len(self._open) >= MAX_DEPTH:
            self.too_deep(node.start)
        if anchor is not None:
            self._anchors[anchor] = None
        self._count(1, node.start, node.start + 1)
        self._open.append(node)
        self._names.append(anchor)
        self._keys.append(None)

    def close(self, end: int) -> None:
        """The list or object that was opened last ends."""
        node = self._open.pop()
        self._keys.pop()
        node.end = end
        if (anchor := self._names.pop()) is not None:
            self._anchors[anchor] = node
        self._place(node)

    def alias(self, name: str, start: int, end: int) -> None:
        """A node is used again."""
        if name not in self._anchors:
            self.fail("AF110", f"there is no anchor `&{name}` before this alias", start, end)
        node = self._anchors[name]
        if node is None:
            self.fail(
                "AF110",
                f"`*{name}` stands inside `&{name}`: that would never end",
                start,
                end,
                remedy="write the part out, or loop with `loop`, `map` or `states`",
            )
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            self.fail(
                "AF104",
                f"more than {MAX_ALIASES} aliases",
                start,
                end,
                remedy="use a `map`, a `loop` or a child workflow instead of repeating parts",
            )
        if len(self._open) + node.height > MAX_DEPTH:
            self.too_deep(start)
        self._count(node.size, start, end)
        self._place(node)

    def too_deep(self, start: int) -> NoReturn:
        """Refuse nesting beyond the limit."""
        self.fail(
            "AF104",
            f"nested deeper than {MAX_DEPTH} levels",
            start,
            start + 1,
            remedy="move inner parts to a file of their own and run that from here",
        )

    def error(self, code: str, message: str, start: int, end: int, *, remedy: str = "") -> None:
        """Note a mistake and go on."""
        span = self._source.span(start, end)
        self._diagnostics.append(Diagnostic(code, message, span, help=remedy))

    def fail(self, code: str, message: str, start: int, end: int, *, remedy: str = "") -> NoReturn:
        """Stop reading.

        Raises:
            Unreadable: always.
        """
        raise Unreadable(Diagnostic(code, message, self._source.span(start, end), help=remedy))

    def _count(self, nodes: int, start: int, end: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            self.fail(
                "AF104",
                f"more than {MAX_NODES:,} values in one file",
                start,
                end,
                remedy="pass large data as input, or split the workflow with `run`",
            )

    def _place(self, node: Node) -> None:
        """Put a finished node where it belongs: in the collection that is open, or at the top."""
        if not self._open:
            self.root = node
            return
        parent = self._open[-1]
        parent.size += node.size
        parent.height = max(parent.height, node.height + 1)
        if isinstance(parent, Sequence):
            parent.items.append(node)
        elif (key := self._keys[-1]) is None:
            self._keys[-1] = self._as_key(node)
        else:
            self._keys[-1] = None
            self._enter(parent, key, node)

    def _as_key(self, node: Node) -> Scalar:
        if not isinstance(node, Scalar):
            self.error("AF106", "a key is text, not a list or an object", node.start, node.end)
            return Scalar(self._source, node.start, node.end, None, "", "")
        if node.style == "" and node.text == "<<":
            self.error(
                "AF108",
                "merge keys are not part of the language",
                node.start,
                node.end,
                remedy="write the keys out, or set `defaults` at the top",
            )
            return Scalar(self._source, node.start, node.end, None, "", "")
        if not isinstance(node.value, str):
            self.error(
                "AF106",
                f"the key `{node.text}` is not text",
                node.start,
                node.end,
                remedy=f'write it in quotes: "{node.text}"',
            )
        return node

    def _enter(self, parent: Mapping, key: Scalar, value: Node) -> None:
        if not isinstance(key.value, str):
            return
        first = parent.entries.get(key.value)
        if first is None:
            parent.entries[key.value] = Entry(key, value)
            return
        line = self._source.position(first.key.start)[0]
        span = self._source.span(key.start, key.end)
        message = f"duplicate key `{key.value}`"
        label = f"first on line {line}"
        note = f"the first one is at {first.key.span}; keep one of the two"
        self._diagnostics.append(Diagnostic("AF105", message, span, label, note))
