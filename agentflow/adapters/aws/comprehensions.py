"""Comprehensions in JSONata: lists that keep their shape whatever is in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from agentflow.adapters.aws import jsonata
from agentflow.adapters.aws.checks import Code, Reference, References
from agentflow.spec.expressions.rules import item_of
from agentflow.spec.expressions.tree import Comprehension, Generator
from agentflow.spec.expressions.types import LIST, OBJECT, STRING, ListOf, overlap

if TYPE_CHECKING:
    from agentflow.adapters.aws.expressions import ExpressionWriter


def write_comprehension(w: ExpressionWriter, tree: Comprehension, names: References) -> Code:
    """A list or object made by rounds over lists."""
    if tree.key is None:
        return _rounds(w, tree.generators, names, lambda inner: w.write(tree.element, inner))
    key = tree.key

    def entry(inner: References) -> Code:
        name = w.guard(w.write(key, inner), STRING)
        return Code(f"{{{name.text}: {w.write(tree.element, inner).text}}}", OBJECT)

    return w.call("keyed", _rounds(w, tree.generators, names, entry))


def _rounds(
    w: ExpressionWriter,
    generators: tuple[Generator, ...],
    names: References,
    element: Callable[[References], Code],
) -> Code:
    generator, *more = generators
    items = w.guard(w.write(generator.iterable, names), LIST)
    inner, lead = _loop_names(generator, items, names)
    parameter = inner[generator.names[0]].text if len(generator.names) == 1 else "$row_"
    for condition in generator.conditions:
        test = w.flag(w.write(condition, inner))
        items = _filtered(items, f"function({parameter}) {{ {_body(lead, test.text)} }}")
    if more:
        nested = _rounds(w, tuple(more), inner, element)
        body = f"function({parameter}) {{ {_body(lead, nested.text)} }}"
        return w.call("joined", Code(f"$collect({items.text}, {body})"))
    value = element(inner)
    if value.text == parameter:
        return items
    body = f"function({parameter}) {{ {_body(lead, value.text)} }}"
    if overlap(value.type, LIST):
        return Code(f"$collect({items.text}, {body})")
    return Code(f"$append([], $map({items.text}, {body}))")


def _filtered(items: Code, test: str) -> Code:
    plain = isinstance(items.type, ListOf) and not overlap(items.type.item, LIST)
    text = (
        f"$append([], $filter({items.text}, {test}))" if plain else f"$select({items.text}, {test})"
    )
    return Code(text, items.type)


def _loop_names(
    generator: Generator, items: Code, names: References
) -> tuple[dict[str, Reference], str]:
    """The names inside a `for`, and what to write first to bind them."""
    item = item_of(items.type)
    inner = dict(names)
    if len(generator.names) == 1:
        (name,) = generator.names
        inner[name] = Reference(f"${jsonata.variable(name)}", item)
        return inner, ""
    count = len(generator.names)
    lead = f"$unpack($row_, {count}); "
    for place, name in enumerate(generator.names):
        inner[name] = Reference(f"${jsonata.variable(name)}", item_of(item))
        lead += f"{inner[name].text} := $row_[{place}]; "
    return inner, lead


def _body(lead: str, text: str) -> str:
    return f"({lead}{text})" if lead else text
