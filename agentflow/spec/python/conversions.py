"""One function for each kind of Python expression: what it is in the language's own tree."""

from __future__ import annotations

import ast
import builtins
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from agentflow.errors import MAX_INTEGER
from agentflow.spec.expressions import library, refusals
from agentflow.spec.expressions.tree import (
    ArithmeticOperator,
    Attribute,
    Binary,
    Call,
    Compare,
    ComparisonOperator,
    Comprehension,
    Conditional,
    Generator,
    Index,
    ListDisplay,
    Literal,
    Logic,
    MethodCall,
    Name,
    Negate,
    Not,
    ObjectDisplay,
    Slice,
    Text,
    Tree,
)
from agentflow.spec.python.refusals import FUNCTION, Refused
from agentflow.spec.python.targets import target_name, targets

if TYPE_CHECKING:
    from agentflow.spec.python.translate import Translation


def _constant(to: Translation, node: ast.Constant) -> Tree:
    value = node.value
    if isinstance(value, bool) or value is None:
        return Literal(value, start=to.at(node))
    if isinstance(value, int) and value > MAX_INTEGER:
        message = f"an integer beyond {MAX_INTEGER:,}, the largest that every engine keeps"
        raise Refused("AF207", message, to.module.span(node), help="write it as a text")
    if isinstance(value, float) and not math.isfinite(value):
        raise Refused("AF207", "a number too large for a float", to.module.span(node))
    if isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
        message = "half of a surrogate pair is not a character"
        raise Refused("AF200", message, to.module.span(node), help="write the character")
    if isinstance(value, int | float | str):
        return Literal(value, start=to.at(node))
    raise to.refuse(node, refusals.constant(value))


def _name(to: Translation, node: ast.Name) -> Tree:
    if node.id in to.bound:
        return Name(node.id, start=to.at(node))
    return to.placed(to.names.read(node), node)


def _attribute(to: Translation, node: ast.Attribute) -> Tree:
    return Attribute(to.tree(node.value), node.attr, start=to.at(node))


def _subscript(to: Translation, node: ast.Subscript) -> Tree:
    value = to.tree(node.value)
    if not isinstance(node.slice, ast.Slice):
        return Index(value, to.tree(node.slice), start=to.at(node))
    if node.slice.step is not None:
        raise to.refuse(node, ("a slice with a step", "`reversed(xs)` turns a list around"))
    lower = None if node.slice.lower is None else to.tree(node.slice.lower)
    upper = None if node.slice.upper is None else to.tree(node.slice.upper)
    return Slice(value, lower, upper, start=to.at(node))


ARITHMETIC: dict[type[ast.operator], ArithmeticOperator] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
}
_COMPARISONS: dict[type[ast.cmpop], ComparisonOperator] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "not in",
}


def _binary(to: Translation, node: ast.BinOp) -> Tree:
    operator = ARITHMETIC.get(type(node.op))
    if operator is None:
        raise to.refuse(node, refusals.operator(node.op))
    left, right = to.tree(node.left), to.tree(node.right)
    return Binary(operator, left, right, start=to.at(node))


def _unary(to: Translation, node: ast.UnaryOp) -> Tree:
    match node.op:
        case ast.USub():
            return Negate(to.tree(node.operand), start=to.at(node))
        case ast.Not():
            return Not(to.tree(node.operand), start=to.at(node))
        case _:
            raise to.refuse(node, refusals.operator(node.op))


def _logic(to: Translation, node: ast.BoolOp) -> Tree:
    operands = [to.tree(node.values[0])]
    with to.within():
        operands += [to.tree(operand) for operand in node.values[1:]]
    operator: Any = "and" if isinstance(node.op, ast.And) else "or"
    return Logic(operator, tuple(operands), start=to.at(node))


def _compare(to: Translation, node: ast.Compare) -> Tree:
    first = to.tree(node.left)
    operators = []
    for op in node.ops:
        operator = _COMPARISONS.get(type(op))
        if operator is None:
            raise to.refuse(node, refusals.operator(op))
        operators.append(operator)
    operands = [to.tree(node.comparators[0])]
    with to.within():
        operands += [to.tree(operand) for operand in node.comparators[1:]]
    return Compare(first, tuple(zip(operators, operands, strict=True)), start=to.at(node))


def _conditional(to: Translation, node: ast.IfExp) -> Tree:
    test = to.tree(node.test)
    with to.within():
        then, otherwise = to.tree(node.body), to.tree(node.orelse)
    return Conditional(test, then, otherwise, start=to.at(node))


def _list(to: Translation, node: ast.List) -> Tree:
    return ListDisplay(tuple(map(to.tree, node.elts)), start=to.at(node))


def _object(to: Translation, node: ast.Dict) -> Tree:
    """An object; `{**a, "k": v}` is a `merge`."""
    parts: list[Tree] = []
    entries: list[tuple[Tree, Tree]] = []
    at = to.at(node)
    for key, value in zip(node.keys, node.values, strict=True):
        if key is not None:
            entries.append((to.tree(key), to.tree(value)))
            continue
        if entries:
            parts.append(ObjectDisplay(tuple(entries), start=at))
            entries = []
        parts.append(to.tree(value))
    if not parts:
        return ObjectDisplay(tuple(entries), start=at)
    if entries:
        parts.append(ObjectDisplay(tuple(entries), start=at))
    parts = parts if len(parts) > 1 else [*parts, ObjectDisplay((), start=at)]
    return Call("merge", tuple(parts), start=at)


def _comprehension(to: Translation, node: ast.ListComp | ast.DictComp | ast.GeneratorExp) -> Tree:
    first = to.tree(node.generators[0].iter)
    outer = to.bound
    try:
        with to.within():
            loops = [_generator(to, node.generators[0], first)]
            loops += [_generator(to, loop, to.tree(loop.iter)) for loop in node.generators[1:]]
            key = to.tree(node.key) if isinstance(node, ast.DictComp) else None
            element = to.tree(node.value if isinstance(node, ast.DictComp) else node.elt)
    finally:
        to.bound = outer
    return Comprehension(element, tuple(loops), key, start=to.at(node))


def _generator(to: Translation, loop: ast.comprehension, iterable: Tree) -> Generator:
    if loop.is_async:
        raise to.refuse(loop.target, ("`async for`", "write `for`"))
    names = tuple(target_name(to.module, target) for target in targets(loop.target))
    to.bound += names
    return Generator(names, iterable, tuple(map(to.tree, loop.ifs)), start=to.at(loop.target))


def _call(to: Translation, node: ast.Call) -> Tree:
    match node.func:
        case ast.Name("str") if len(node.args) == 1 and (text := to.names.message(node.args[0])):
            return to.placed(text, node)
        case ast.Name(name) if to.names.is_own(name):
            raise to.refuse(node, ("calling a value", FUNCTION))
        case ast.Name(name) if name in library.FUNCTIONS and hasattr(builtins, name):
            arguments = _arguments(to, node, name, (library.FUNCTIONS[name],))
            return Call(name, arguments, start=to.at(node))
        case ast.Name(name):
            message = f"`{name}` is no function that a workflow can call"
            near = refusals.function(name) if hasattr(builtins, name) else ""
            remedy = near or "define it at the top of the module, or import it by its name"
            raise Refused("AF504", message, to.module.span(node.func), help=remedy)
        case ast.Attribute(value, name) if name in library.METHODS:
            receiver = to.tree(value)
            arguments = _arguments(to, node, name, tuple(library.METHODS[name].values()))
            return MethodCall(receiver, name, arguments, start=to.at(node))
        case ast.Attribute(_, name):
            message = f"there is no method `{name}`"
            remedy = refusals.method(name)
            raise Refused("AF203", message, to.module.span(node.func), help=remedy)
        case _:
            raise to.refuse(node, ("calling a value", FUNCTION))


def _arguments(
    to: Translation, node: ast.Call, name: str, signatures: Sequence[library.Function]
) -> tuple[Tree, ...]:
    shown = " or ".join(f"`{function.signature}`" for function in signatures)
    for keyword in node.keywords:
        raise to.refuse(keyword, ("an argument by name", f"by position: {shown}"))
    arguments = tuple(map(to.tree, node.args))
    if not any(function.takes(len(arguments)) for function in signatures):
        message = f"`{name}` does not take {library.arguments(len(arguments))}"
        raise Refused("AF208", message, to.module.span(node), help=f"it is {shown}")
    return arguments


def _text(to: Translation, node: ast.JoinedStr) -> Tree:
    parts: list[str | Tree] = []
    for value in node.values:
        if isinstance(value, ast.Constant):
            parts.append(str(value.value))
        elif isinstance(value, ast.FormattedValue):
            if value.format_spec is not None or value.conversion not in (-1, ord("s")):
                remedy = "write fixed decimals with `round(x, 2)`, or make it a function"
                raise to.refuse(node, ("a format in an f-string", remedy))
            text = to.names.message(value.value)
            parts.append(to.placed(text, value) if text else to.tree(value.value))
    return Text(tuple(parts), start=to.at(node))


CONVERSIONS: dict[type[ast.AST], Callable[[Translation, Any], Tree]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Subscript: _subscript,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.BoolOp: _logic,
    ast.Compare: _compare,
    ast.IfExp: _conditional,
    ast.List: _list,
    ast.Dict: _object,
    ast.ListComp: _comprehension,
    ast.DictComp: _comprehension,
    ast.GeneratorExp: _comprehension,
    ast.Call: _call,
    ast.JoinedStr: _text,
}
"""How each kind of expression is translated; any other is refused."""
