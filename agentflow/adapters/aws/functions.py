"""Calls of the expression library in JSONata: arguments in order, checks, then the writing.

All arguments are evaluated before the first of them is checked, as our evaluator does: what fails
first gives the error its name. Where the writing alone would not keep that order, arguments that
may fail are bound to variables before it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from agentflow.adapters.aws import jsonata, library
from agentflow.adapters.aws.checks import Code, References, fits
from agentflow.spec.expressions import FUNCTIONS, METHODS, Function
from agentflow.spec.expressions.tree import Call, MethodCall
from agentflow.spec.expressions.types import ANY, LIST, NUMBER, STRING, Type

if TYPE_CHECKING:
    from agentflow.adapters.aws.expressions import ExpressionWriter

_PLACE = re.compile(r"\{([0-9]+)\}")
_CHECKED = re.compile(r"\$known\(\{([0-9])\}, '[a-z]+'\)")
_SIZES = ((STRING, "length"), (LIST, "count"))
_REAL = frozenset({"sqrt"})
"""Functions that never give an integer."""


class NeedsHelper(Exception):
    """JSONata cannot compute a part of the expression."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def write_call(w: ExpressionWriter, tree: Call | MethodCall, names: References) -> Code:
    """The call of a function, or of a method."""
    given = [w.write(each, names) for each in tree.arguments]
    if isinstance(tree, Call):
        return _call(w, FUNCTIONS[tree.function], [], given)
    receiver = w.write(tree.receiver, names)
    overloads = METHODS[tree.method]
    fitting = [f for f in overloads.values() if f.receiver and fits(receiver.type, f.receiver)]
    function = next(iter(fitting or overloads.values()))
    if not fitting and len(overloads) > 1:
        # `count` is a method of strings and of lists: what it is written as tells them apart.
        return _call(w, function, [receiver], given, any_kind=True)
    return _call(w, function, [receiver], given)


def _call(
    w: ExpressionWriter,
    function: Function,
    receiver: list[Code],
    given: list[Code],
    *,
    any_kind: bool = False,
) -> Code:
    wanted: list[Type] = [function.parameter(place).type for place in range(len(given))]
    if receiver:
        wanted.insert(0, function.receiver or ANY)
    if any_kind:
        wanted = [ANY] * len(wanted)
    arguments = [*receiver, *given]
    pattern = _pattern(function, len(arguments))
    lead, held = in_order(w, pattern, arguments, wanted)
    checked = [w.guard(code, kind) for code, kind in zip(held, wanted, strict=True)]
    code = _written(w, function, pattern, checked)
    return Code(f"({lead}{code.text})", real=code.real) if lead else code


def in_order(
    w: ExpressionWriter, pattern: str, given: Sequence[Code], wanted: Sequence[Type]
) -> tuple[str, list[Code]]:
    """What to write before a pattern is filled, so that arguments fail in their order."""
    places = [int(place) for place in _PLACE.findall(pattern)]
    fallible = [place for place, code in enumerate(given) if jsonata.can_fail([code.text])]
    checked = [place for place, code in enumerate(given) if not fits(code.type, wanted[place])]

    def too_late(place: int) -> bool:
        """Whether something else may fail before the argument where the pattern has it."""
        before = places[: places.index(place)]
        early = any(each in checked or (each > place and each in fallible) for each in before)
        return early or ")" in pattern[: pattern.index(f"{{{place}}}")]

    held, lead = list(given), ""

    def hold(place: int, code: Code) -> None:
        nonlocal lead
        name = w.fresh()
        lead += f"{name} := {code.text}; "
        held[place] = replace(code, text=name, atomic=True)

    if any(map(too_late, fallible)):
        for place in fallible:
            hold(place, given[place])
    for place in checked:
        if ")" in pattern[: pattern.index(f"{{{place}}}")]:
            hold(place, w.guard(held[place], wanted[place]))
    return lead, held


def _pattern(function: Function, count: int) -> str:
    """The JSONata of a call, with places for its arguments."""
    if function.name in ("str", "len", "coalesce"):
        return _listed(count)
    writing = library.LIBRARY[library.key(function)]
    if isinstance(writing, library.Helper):
        raise NeedsHelper(f"`{function.name}`: {writing.reason}")
    if function.name == "round" and count == 2:
        raise NeedsHelper("`round` to digits: JSONata rounds the decimal text of a number")
    text = writing.text(count).replace("{*}", _listed(count))
    return text.replace("{0}", _listed(count)) if library.gathers(function, count) else text


def _listed(count: int) -> str:
    return ", ".join(f"{{{place}}}" for place in range(count))


def _written(w: ExpressionWriter, function: Function, pattern: str, arguments: list[Code]) -> Code:
    if function.name == "str":
        return w.as_text(arguments[0])
    if function.name == "coalesce":
        *first, last = arguments
        for argument in reversed(first):
            last = w.call("or_else", argument, last)
        return last
    if function.name == "len":
        sizes = [size for kind, size in _SIZES if fits(arguments[0].type, kind)]
        return w.call(sizes[0] if sizes else "size", arguments[0])
    if len(arguments) == 1 and function.name in library.TYPED:
        kind, short = library.TYPED[function.name]
        pattern = short if fits(arguments[0].type, kind) else pattern
    if library.gathers(function, len(arguments)):
        if all(fits(each.type, NUMBER) for each in arguments) and function.name != "merge":
            return w.call(function.name, w.display(arguments))
        return Code(pattern.replace(_listed(len(arguments)), w.display(arguments).text))
    pattern = _CHECKED.sub(lambda found: _known(found, arguments), pattern)
    text = _PLACE.sub(lambda found: arguments[int(found[1])].text, pattern)
    return Code(text, real=function.name in _REAL)


def _known(found: re.Match[str], arguments: Sequence[Code]) -> str:
    """The place of a text that may not be empty, without the check where a literal is not."""
    literal = re.fullmatch(r"'[^'\\]+'", arguments[int(found[1])].text)
    return f"{{{found[1]}}}" if literal else found[0]
