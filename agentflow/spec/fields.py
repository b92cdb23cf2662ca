"""Objects with a closed set of fields: which are there, misspelt, missing or in the wrong place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from agentflow.errors import Diagnostic, Span
from agentflow.functions.suggestions import closest
from agentflow.spec.grammar import Shape
from agentflow.spec.grammar_verbs import SYNONYMS
from agentflow.spec.source import Mapping, Node, Scalar
from agentflow.spec.source import Sequence as SequenceNode

T = TypeVar("T")


class Fields(dict[str, Node]):
    """The fields of an object that are there; `span` is where their owner stands."""

    def __init__(self, found: dict[str, Node], span: Span) -> None:
        super().__init__(found)
        self.span = span

    def read(self, name: str, how: Callable[[Node, str], T | None]) -> T | None:
        """The value of a field as `how` reads it; `None` if it is not there."""
        node = self.get(name)
        return None if node is None else how(node, f"`{name}`")


class ObjectReader:
    """Reads objects; `diagnostics` collects what is wrong, `places` where things are named."""

    def __init__(self, diagnostics: list[Diagnostic]) -> None:
        self.diagnostics = diagnostics
        self.places: dict[tuple[Span, str], Span] = {}

    def error(
        self, code: str, message: str, node: Node | Span, *, label: str = "", remedy: str = ""
    ) -> None:
        """Note a mistake."""
        span = node if isinstance(node, Span) else _shown(node)
        self.diagnostics.append(Diagnostic(code, message, span, label, remedy))

    def object(self, node: Node, shape: Shape) -> Fields:
        """The fields of an object; unknown, missing and contradicting ones are noted.

        A misspelt field is read as the one it should have been: what depends on it is then
        checked too, and nothing is reported twice.
        """
        if not isinstance(node, Mapping):
            needed = [field.name for field in shape.fields if field.required] or shape.names()
            self.wrong(node, shape.name, f"an object with {listed(needed)}")
            return Fields({}, node.span)
        found = Fields(self.known(node, shape.names(), shape.name), node.span)
        for field in shape.fields:
            if field.required and field.name not in found:
                self.missing(node, shape.name, field.name)
        for group in shape.one_of:
            self.one_of(node, found, group, shape.name)
        return found

    def known(
        self,
        node: Mapping,
        names: Sequence[str],
        what: str,
        elsewhere: Callable[[str], str] = lambda _: "",
    ) -> dict[str, Node]:
        """The entries with these names, misspelt ones included; others are noted.

        `elsewhere` says of a field that stands in the wrong place where it belongs.
        """
        found = {key: entry.value for key, entry in node.entries.items() if key in names}
        free = [name for name in names if name not in found]
        for key, entry in node.entries.items():
            if key in names:
                continue
            meant = closest(key, free) or _synonym(key, free)
            hint = "" if meant else elsewhere(key)
            if hint:
                self.error("AF129", f"`{key}` is no field of {what}", entry.key, remedy=hint)
                continue
            remedy = f"did you mean `{meant}`?" if meant else f"its fields are {listed(names)}"
            self.error("AF120", f"unknown field `{key}` in {what}", entry.key, remedy=remedy)
            if meant:
                found.setdefault(meant, entry.value)
        return found

    def missing(self, node: Node, what: str, field: str) -> None:
        """Note that a required field is not there."""
        self.error("AF121", f"{what} needs `{field}`", node, label=f"no `{field}` here")

    def one_of(self, node: Node, found: dict[str, Node], group: Sequence[str], what: str) -> None:
        """Note it unless exactly one of a group of fields is there."""
        present = [name for name in group if name in found]
        if not present:
            self.error("AF121", f"{what} needs {listed(group, 'or')}", node)
        elif len(present) > 1:
            self.error(
                "AF129",
                f"{what} has both `{present[0]}` and `{present[1]}`",
                found[present[1]],
                remedy="keep one of them",
            )

    def wrong(self, node: Node, what: str, expected: str, *, remedy: str = "") -> None:
        """Note that a value is of the wrong kind."""
        if isinstance(node, Scalar) and node.style == "" and expected.startswith("text"):
            remedy = remedy or f'write it in quotes: "{node.text}"'
        self.error("AF122", f"{what} is {expected}, not {_kind(node)}", node, remedy=remedy)


def listed(names: Sequence[str], word: str = "and") -> str:
    """Names in a sentence: `a`, `b` and `c`."""
    quoted = [f"`{name}`" for name in names]
    if len(quoted) == 1:
        return quoted[0]
    return f"{', '.join(quoted[:-1])} {word} {quoted[-1]}"


def _shown(node: Node) -> Span:
    """Where a caret points at: a scalar whole, of a collection its first key or bracket."""
    if isinstance(node, Mapping) and node.entries:
        return next(iter(node.entries.values())).key.span
    if isinstance(node, Scalar):
        return node.span
    return node.source.span(node.start, node.start + 1)


def _synonym(key: str, names: Sequence[str]) -> str | None:
    meant = SYNONYMS.get(key)
    return meant if meant in names else None


def _kind(node: Node) -> str:
    if isinstance(node, Mapping):
        return "an object"
    if isinstance(node, SequenceNode):
        return "a list"
    if node.value is None:
        return "null"
    if isinstance(node.value, bool):
        return f"`{node.text}`"
    if isinstance(node.value, str):
        return "text"
    return f"the number {node.text}"
