"""Comprehensions in JSONata: lists that keep their shape whatever is in them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from agentflow.adapters.aws import jsonata
from agentflow.adapters.aws.checks import Code, Reference, References
from agentflow.spec.expressions.rules import item_of
from agentflow.spec.expressions.tree import Comprehension, Generator
from agentflow.spec.expressions.types import LIST, OBJECT, STRING, ListOf, overlap

if TYPE_CHECKING:
    from agentflow.adapters.aws.expressions import ExpressionWriter

_NUMBERED = re.compile(r"_[0-9]+$")


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

    def function(text: str) -> str:
        return f"function({parameter}) {{ {f'({lead}{text})' if lead else text} }}"

    value = _rounds(w, tuple(more), inner, element) if more else element(inner)
    if generator.conditions:
        flags = [w.flag(w.write(condition, inner)) for condition in generator.conditions]
        test = w.joined("and", flags)
        if jsonata.can_fail([test.text]) and jsonata.can_fail([value.text]):
            # Round by round, so that what fails first is what fails first everywhere.
            body = f"{test.operand} ? {{'v': {value.text}}}"
            chosen = Code(f"$chosen({items.text}, {function(body)})")
            return w.call("joined", chosen) if more else chosen
        items = _filtered(items, function(test.text))
    if more:
        return w.call("joined", Code(f"$collect({items.text}, {function(value.text)})"))
    if value.text == parameter:
        return items
    if overlap(value.type, LIST):
        return Code(f"$collect({items.text}, {function(value.text)})")
    return Code(f"$append([], $map({items.text}, {function(value.text)}))")


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
        inner[name] = Reference(_free(name, names), item)
        return inner, ""
    count = len(generator.names)
    lead = f"$unpack($row_, {count}); "
    for place, name in enumerate(generator.names):
        inner[name] = Reference(_free(name, names), item_of(item))
        lead += f"{inner[name].text} := $row_[{place}]; "
    return inner, lead


def _free(name: str, names: References) -> str:
    """A variable for a name; one like `x_2` may already be that of a second `x`."""
    text = f"${jsonata.variable(name)}"
    if not _NUMBERED.search(name):
        return text
    taken = any(names[each].text == text for each in names if each != name)
    return f"{text}_in_" if taken else text
