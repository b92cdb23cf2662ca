"""Symbols, in whose place a deployment puts a value: `${Table}`, `${Function.Arn}`.

CloudFormation calls them the substitutions of a definition. Until they have a value they may stand
wherever a text does, and bare in JSON where a number does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from agentflow.adapters.aws.asl.model import Machine, Map, Parallel
from agentflow.adapters.aws.asl.values import kind
from agentflow.errors import Diagnostic, Json, Span
from agentflow.spec.source import Entry, Node, Scalar, Sequence
from agentflow.spec.source import Mapping as Object

_SYMBOL: Final = re.compile(r"\$\{([^{}]+)\}")
_BARE: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\$\{[^{}"\s]+\}', re.DOTALL)
_NO_TEXTS: Final = (
    ("number", re.compile(r"\w*Seconds|Max\w+|BackoffRate|ToleratedFailure\w+|Numeric\w+")),
    ("boolean", re.compile(r"Boolean\w+|Is[A-Z]\w+")),
)
"""Kinds of values, and the fields that have one where its symbol stands in quotes too."""


def quoted(text: str) -> str:
    """JSON in which bare symbols are texts."""
    return _BARE.sub(lambda at: at[0] if at[0].startswith('"') else f'"{at[0]}"', text)


def names(node: Node) -> Iterator[str]:
    """The names of the symbols in a definition."""
    match node:
        case Scalar():
            yield from _SYMBOL.findall(node.text)
        case Sequence():
            for item in node.items:
                yield from names(item)
        case Object():
            for entry in node.entries.values():
                yield from names(entry.key)
                yield from names(entry.value)


def put_in(node: Node, values: Mapping[str, str], field: str = "") -> Node:
    """A definition with values for symbols; `field` is the one whose value the node is."""
    match node:
        case Scalar():
            return _filled(node, values, field)
        case Sequence():
            node.items = [put_in(item, values) for item in node.items]
        case Object():
            entries = (
                Entry(_filled(each.key, values, ""), put_in(each.value, values, name))
                for name, each in node.entries.items()
            )
            node.entries = {entry.key.text: entry for entry in entries}
    return node


def _filled(node: Scalar, values: Mapping[str, str], field: str) -> Scalar:
    if not isinstance(node.value, str) or "${" not in node.value:
        return node
    text = _SYMBOL.sub(lambda at: values.get(at[1], at[0]), node.value)
    value: Json = text
    if _SYMBOL.fullmatch(node.value) and not field.endswith("Path"):
        wanted = {name for name, fields in _NO_TEXTS if fields.fullmatch(field)}
        value = _typed(text) if kind(_typed(text)) in wanted else text
    # The place of any part of it is where the whole begins.
    return Scalar(node.source, node.start, node.end, value, text, node.style, _offsets=[0])


def _typed(text: str) -> Json:
    try:
        value: Json = json.loads(text)
    except ValueError:
        return text
    return value


# --- what has none -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Unfilled:
    """A field that needs a number, or true or false, and holds a symbol."""

    field: str
    value: str
    of: str
    span: Span

    def diagnostic(self) -> Diagnostic:
        """What to do about it."""
        found = _SYMBOL.match(self.value)
        assert found is not None, self
        what = f"`{self.field}` of {self.of} is `{self.value}`"
        remedy = f"give one: --symbol {found[1]}=VALUE"
        return Diagnostic("AF126", what, self.span, "a deployment puts the value in", remedy)


def unfilled(machine: Machine) -> Iterator[Unfilled]:
    """The fields of a machine, and of those inside it, that have no value yet."""
    first = machine.states[machine.start_at].span
    yield from _in_fields(machine.definition, Unfilled("", "", "the machine", first))
    for name, state in machine.states.items():
        here = Unfilled("", "", f"`{name}`", state.span)
        yield from _in_fields(machine.definition["States"][name], here)
        inside = [*state.branches] if isinstance(state, Parallel) else []
        for each in [*inside, state.processor] if isinstance(state, Map) else inside:
            yield from unfilled(each)


def _in_fields(value: Json, at: Unfilled) -> Iterator[Unfilled]:
    if isinstance(value, dict):
        for name in value:
            if name not in _DATA:
                yield from _in_fields(value[name], replace(at, field=name))
    elif isinstance(value, list):
        for each in value:
            yield from _in_fields(each, at)
    elif isinstance(value, str) and _SYMBOL.match(value) and _is_no_text(at.field):
        yield replace(at, value=value)


def _is_no_text(field: str) -> bool:
    plain = not field.endswith("Path")
    return plain and any(fields.fullmatch(field) for _, fields in _NO_TEXTS)


_DATA: Final = frozenset(
    {
        *("Parameters", "Arguments", "Result", "ResultSelector", "Assign", "Output", "Credentials"),
        *("ItemSelector", "BatchInput", "Items"),
        *("States", "Branches", "ItemProcessor", "Iterator"),
    }
)
"""Fields with data of the workflow's own, and with machines inside a state."""
