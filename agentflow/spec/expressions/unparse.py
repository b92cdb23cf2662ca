"""Printing a tree back as the text of an expression, with no more parentheses than needed."""

from __future__ import annotations

from typing import assert_never

from agentflow.errors import Json
from agentflow.spec.expressions.tree import (
    Attribute,
    Binary,
    Call,
    Compare,
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
    children,
)

# How tightly a node binds; a child that binds less tightly than its place asks is parenthesised.
_CONDITIONAL, _OR, _AND, _NOT, _COMPARE, _SUM, _PRODUCT, _NEGATE, _POSTFIX = range(1, 10)

_BINARY = {"+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT, "//": _PRODUCT, "%": _PRODUCT}
_LOGIC = {"or": _OR, "and": _AND}


def unparse(tree: Tree) -> str:
    """The text of a tree; parsing it gives an equal tree.

    >>> unparse(Binary("*", Binary("+", Name("a"), Literal(1)), Literal(2)))
    '(a + 1) * 2'
    """
    return _print(tree, 0, '"')


def _print(tree: Tree, least: int, quote: str) -> str:
    text = _render(tree, quote)
    return f"({text})" if _binding(tree) < least else text


def _binding(tree: Tree) -> int:
    match tree:
        case Conditional():
            return _CONDITIONAL
        case Logic(operator):
            return _LOGIC[operator]
        case Not():
            return _NOT
        case Compare():
            return _COMPARE
        case Binary(operator):
            return _BINARY[operator]
        case Negate():
            return _NEGATE
        case _:
            return _POSTFIX


def _render(tree: Tree, quote: str) -> str:
    def show(child: Tree, least: int = 0) -> str:
        return _print(child, least, quote)

    def listing(items: tuple[Tree, ...]) -> str:
        return ", ".join(map(show, items))

    match tree:
        case Literal(value):
            return _literal(value, quote)
        case Name(name):
            return name
        case Attribute(value, key):
            return f"{_receiver(value, quote)}.{key}"
        case Index(value, index):
            return f"{show(value, _POSTFIX)}[{show(index)}]"
        case Slice(value, lower, upper):
            bounds = ("" if bound is None else show(bound) for bound in (lower, upper))
            return f"{show(value, _POSTFIX)}[{':'.join(bounds)}]"
        case Negate(operand):
            return f"-{show(operand, _NEGATE)}"
        case Not(operand):
            return f"not {show(operand, _NOT)}"
        case Binary(operator, left, right):
            level = _BINARY[operator]
            return f"{show(left, level)} {operator} {show(right, level + 1)}"
        case Logic(operator, operands):
            level = _LOGIC[operator] + 1
            return f" {operator} ".join(show(operand, level) for operand in operands)
        case Compare(first, rest):
            pairs = (f" {operator} {show(operand, _SUM)}" for operator, operand in rest)
            return show(first, _SUM) + "".join(pairs)
        case Conditional(test, then, otherwise):
            return f"{show(then, _OR)} if {show(test, _OR)} else {show(otherwise)}"
        case Text(parts):
            return _text(parts, quote)
        case ListDisplay(items):
            return f"[{listing(items)}]"
        case ObjectDisplay(entries):
            return "{" + ", ".join(f"{show(key)}: {show(value)}" for key, value in entries) + "}"
        case Comprehension(element, generators, key):
            if key is None:
                return f"[{show(element)}{_loops(generators, quote)}]"
            body = f"{show(key)}: {show(element)}{_loops(generators, quote)}"
            return f"{{{body}}}"
        case Call(function, arguments):
            return f"{function}({listing(arguments)})"
        case MethodCall(receiver, method, arguments):
            return f"{_receiver(receiver, quote)}.{method}({listing(arguments)})"
        case _:
            assert_never(tree)


def _receiver(tree: Tree, quote: str) -> str:
    text = _print(tree, _POSTFIX, quote)
    # `1.real` would be read as a number with a fraction.
    return f"({text})" if text[0].isdigit() else text


def _loops(generators: tuple[Generator, ...], quote: str) -> str:
    return "".join(
        f" for {', '.join(loop.names)} in {_print(loop.iterable, _OR, quote)}"
        + "".join(f" if {_print(condition, _OR, quote)}" for condition in loop.conditions)
        for loop in generators
    )


def _literal(value: Json, quote: str) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return f"{quote}{_escape(value, quote)}{quote}"
        case _:
            return repr(value)


def _escape(text: str, quote: str) -> str:
    named = {"\\": "\\\\", quote: f"\\{quote}", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return "".join(named.get(c) or (c if c.isprintable() else _numeric(c)) for c in text)


def _numeric(character: str) -> str:
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _text(parts: tuple[str | Tree, ...], quote: str) -> str:
    """An f-string; where its quotes would not nest, the equal `"".join([…])`."""
    # Inside an f-string (the quote is single) the outermost one has already made sure.
    if quote == '"' and not all(isinstance(part, str) or _fits(part, 1) for part in parts):
        return _joined(parts)
    pieces = []
    for part in parts:
        if isinstance(part, str):
            pieces.append(_escape(part, quote).replace("{", "{{").replace("}", "}}"))
        else:
            text = _print(part, 0, "'")
            # A brace next to the f-string's own would be read as an escaped one.
            pieces.append(f"{{ {text} }}" if text[0] == "{" else f"{{{text}}}")
    return f"f{quote}{''.join(pieces)}{quote}"


def _joined(parts: tuple[str | Tree, ...]) -> str:
    pieces = (
        _literal(part, '"') if isinstance(part, str) else f"str({unparse(part)})" for part in parts
    )
    return f'"".join([{", ".join(pieces)}])'


def _fits(tree: Tree, levels: int) -> bool:
    """Whether a tree can stand inside an f-string with `levels` kinds of quotes left."""
    match tree:
        case Literal(str() as value):
            plain = all(c.isprintable() and c not in "\\'\"" for c in value)
            return plain and levels > 0
        case Text(parts):
            literal = "".join(part for part in parts if isinstance(part, str))
            return _fits(Literal(literal), levels) and all(
                _fits(child, levels - 1) for child in children(tree)
            )
        case _:
            return all(_fits(child, levels) for child in children(tree))
