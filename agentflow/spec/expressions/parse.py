"""Python's parser for the syntax, an allow-list for the meaning: source text to our own tree.

Nothing is ever evaluated by Python. A node kind that is not in `_CONVERSIONS` is refused, with the
reason and the remedy that `refusals` has for it.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Sequence
from typing import Any

from agentflow.errors import MAX_INTEGER
from agentflow.spec.expressions import library, refusals, scan
from agentflow.spec.expressions.limits import MAX_NESTING, MAX_NODES, MAX_SOURCE
from agentflow.spec.expressions.mistakes import Mistake
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
from agentflow.spec.syntax import expression_of

_MAX_GENERATORS = 2
_CONSTANTS = {"true": True, "false": False, "null": None}


def parse(source: str) -> Tree:
    """The tree of an expression (the text between `${` and `}`, without blanks around it).

    Raises:
        Mistake: the first thing that is wrong, with its offsets.
    """
    if len(source) > MAX_SOURCE:
        raise Mistake(
            "AF204",
            f"an expression of {len(source):,} characters; the limit is {MAX_SOURCE:,}",
            0,
            len(source),
            remedy="bind parts of it to names with `set`, or make it a function",
        )
    return _Reader(source).tree(0)


class _Reader:
    """One source on its way to a tree; an f-string's expressions have readers of their own."""

    def __init__(self, source: str, base: int = 0, outer: _Reader | None = None) -> None:
        self.source = source
        self.base = base
        self.encoded = None if source.isascii() else source.encode(errors="surrogatepass")
        self.root: _Reader = self if outer is None else outer.root
        self.bound: set[str] = set() if outer is None else outer.bound
        self.nodes = 0

    def tree(self, depth: int) -> Tree:
        try:
            scan.check(self.source)
        except Mistake as mistake:
            raise mistake.shifted(self.base) from None
        return self.convert(self._python().body, depth)

    def _python(self) -> ast.Expression:
        # Texts hold no line ends (scan made sure), so a line end is a blank like any other.
        line = self.source.replace("\n", " ").replace("\r", " ")
        try:
            return expression_of(line)
        except SyntaxError as error:
            raise self._syntax(error) from None
        except (MemoryError, RecursionError):
            raise self.too_large(f"nested deeper than {MAX_NESTING} levels") from None
        except ValueError:
            raise self.mistake("AF200", "a character that no text can hold", None) from None

    def _syntax(self, error: SyntaxError) -> Mistake:
        end = len(self.source)
        start = min(max((error.offset or end + 1) - 1, 0), end)
        stop = max((error.end_offset or 0) - 1, start + 1)
        message, remedy = refusals.explain(self.source, error.msg)
        return Mistake("AF200", message, self.base + start, self.base + stop, remedy=remedy)

    def too_large(self, what: str) -> Mistake:
        remedy = "bind parts of it to names with `set`, or make it a function"
        return self.mistake("AF204", f"an expression {what}", None, remedy=remedy)

    def mistake(
        self, code: str, message: str, node: ast.AST | None, *, remedy: str = ""
    ) -> Mistake:
        start, end = (self.base, self.base + len(self.source)) if node is None else self.span(node)
        return Mistake(code, message, start, end, remedy=remedy)

    def refuse(self, node: ast.AST, refusal: refusals.Refusal) -> Mistake:
        what, remedy = refusal
        return self.mistake("AF201", f"{what} is not part of expressions", node, remedy=remedy)

    def span(self, node: Any) -> tuple[int, int]:
        """Offsets of a node into the whole expression; Python counts bytes of UTF-8."""
        return self._offset(node.col_offset), self._offset(node.end_col_offset)

    def _offset(self, byte: int) -> int:
        if self.encoded is None:
            return self.base + byte
        return self.base + len(self.encoded[:byte].decode(errors="surrogatepass"))

    def text(self, node: ast.AST) -> str:
        """The source of a node."""
        start, end = self.span(node)
        return self.source[start - self.base : end - self.base]

    def convert(self, node: ast.AST, depth: int) -> Tree:
        """The tree of one node and what is below it."""
        root = self.root
        root.nodes += 1
        if root.nodes > MAX_NODES:
            raise root.too_large(f"of more than {MAX_NODES} parts")
        if depth >= MAX_NESTING:
            raise root.too_large(f"nested deeper than {MAX_NESTING} levels")
        conversion = _CONVERSIONS.get(type(node))
        if conversion is None:
            raise self.refuse(node, refusals.node(node))
        return conversion(self, node, depth + 1)

    def all(self, nodes: Sequence[ast.AST], depth: int) -> tuple[Tree, ...]:
        return tuple(self.convert(node, depth) for node in nodes)

    def at(self, node: ast.AST) -> dict[str, int]:
        """The place of a node as keyword arguments of a tree's constructor."""
        start, end = self.span(node)
        return {"start": start, "end": end}

    def identifier(self, name: str, node: ast.AST, written: str) -> str:
        """Python rewrites some letters of names (`ﬁ` to `fi`); keys of objects must stay."""
        if not written.endswith(name):
            remedy = 'write the key as a text: a["…"]'
            raise self.refuse(node, (f"`{written}`, which Python reads as `{name}`,", remedy))
        return name


def _constant(reader: _Reader, node: ast.Constant, _depth: int) -> Tree:
    value = node.value
    if isinstance(value, bool) or value is None:
        return Literal(value, **reader.at(node))
    if isinstance(value, int):
        if value > MAX_INTEGER:
            message = f"an integer beyond {MAX_INTEGER:,}, the largest that every engine keeps"
            raise reader.mistake("AF207", message, node, remedy="write it as a text")
        return Literal(value, **reader.at(node))
    if isinstance(value, float):
        if not math.isfinite(value):
            raise reader.mistake("AF207", "a number too large for a float", node)
        return Literal(value, **reader.at(node))
    if isinstance(value, str):
        return Literal(_unicode(reader, node, value), **reader.at(node))
    raise reader.refuse(node, refusals.constant(value))


def _unicode(reader: _Reader, node: ast.AST, value: str) -> str:
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        message = "half of a surrogate pair is not a character"
        raise reader.mistake("AF200", message, node, remedy=r"write the character, or `\U0001F600`")
    return value


def _name(reader: _Reader, node: ast.Name, _depth: int) -> Tree:
    if node.id in _CONSTANTS:
        return Literal(_CONSTANTS[node.id], **reader.at(node))
    return Name(reader.identifier(node.id, node, reader.text(node)), **reader.at(node))


def _attribute(reader: _Reader, node: ast.Attribute, depth: int) -> Tree:
    value = reader.convert(node.value, depth)
    key = reader.identifier(node.attr, node, reader.text(node))
    return Attribute(value, key, **reader.at(node))


def _subscript(reader: _Reader, node: ast.Subscript, depth: int) -> Tree:
    value = reader.convert(node.value, depth)
    if not isinstance(node.slice, ast.Slice):
        return Index(value, reader.convert(node.slice, depth), **reader.at(node))
    if node.slice.step is not None:
        raise reader.refuse(node, ("a slice with a step", "`reversed(xs)` turns a list around"))
    lower, upper = (
        None if bound is None else reader.convert(bound, depth)
        for bound in (node.slice.lower, node.slice.upper)
    )
    return Slice(value, lower, upper, **reader.at(node))


_ARITHMETIC: dict[type[ast.operator], ArithmeticOperator] = {
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


def _binary(reader: _Reader, node: ast.BinOp, depth: int) -> Tree:
    operator = _ARITHMETIC.get(type(node.op))
    if operator is None:
        raise reader.refuse(node, refusals.operator(node.op))
    left, right = reader.convert(node.left, depth), reader.convert(node.right, depth)
    return Binary(operator, left, right, **reader.at(node))


def _unary(reader: _Reader, node: ast.UnaryOp, depth: int) -> Tree:
    match node.op:
        case ast.USub():
            return Negate(reader.convert(node.operand, depth), **reader.at(node))
        case ast.Not():
            return Not(reader.convert(node.operand, depth), **reader.at(node))
        case _:
            raise reader.refuse(node, refusals.operator(node.op))


def _logic(reader: _Reader, node: ast.BoolOp, depth: int) -> Tree:
    operands = reader.all(node.values, depth)
    return Logic("and" if isinstance(node.op, ast.And) else "or", operands, **reader.at(node))


def _compare(reader: _Reader, node: ast.Compare, depth: int) -> Tree:
    first = reader.convert(node.left, depth)
    rest = []
    for op, operand in zip(node.ops, node.comparators, strict=True):
        operator = _COMPARISONS.get(type(op))
        if operator is None:
            raise reader.refuse(node, refusals.operator(op))
        rest.append((operator, reader.convert(operand, depth)))
    return Compare(first, tuple(rest), **reader.at(node))


def _conditional(reader: _Reader, node: ast.IfExp, depth: int) -> Tree:
    then, test, otherwise = reader.all((node.body, node.test, node.orelse), depth)
    return Conditional(test, then, otherwise, **reader.at(node))


def _list(reader: _Reader, node: ast.List, depth: int) -> Tree:
    return ListDisplay(reader.all(node.elts, depth), **reader.at(node))


def _object(reader: _Reader, node: ast.Dict, depth: int) -> Tree:
    entries: list[tuple[Tree, Tree]] = []
    written: set[Tree] = set()
    for key_node, value in zip(node.keys, node.values, strict=True):
        if key_node is None:
            raise reader.refuse(value, ("`**`", "`merge(a, b)` joins objects"))
        key = reader.convert(key_node, depth)
        if key in written:
            raise reader.mistake("AF200", "a key that is there twice", key_node)
        if isinstance(key, Literal):
            written.add(key)
        entries.append((key, reader.convert(value, depth)))
    return ObjectDisplay(tuple(entries), **reader.at(node))


def _comprehension(reader: _Reader, node: ast.ListComp | ast.DictComp, depth: int) -> Tree:
    if len(node.generators) > _MAX_GENERATORS:
        remedy = "bind the inner list to a name with `set`"
        what = f"a comprehension with more than {_MAX_GENERATORS} `for`"
        raise reader.refuse(node, (what, remedy))
    before = set(reader.bound)
    generators = tuple(_generator(reader, loop, depth) for loop in node.generators)
    key = None
    if isinstance(node, ast.DictComp):
        key, element = reader.convert(node.key, depth), reader.convert(node.value, depth)
    else:
        element = reader.convert(node.elt, depth)
    reader.bound.intersection_update(before)
    return Comprehension(element, generators, key, **reader.at(node))


def _generator(reader: _Reader, loop: ast.comprehension, depth: int) -> Generator:
    if loop.is_async:
        raise reader.refuse(loop.target, ("`async for`", "write `for`"))
    iterable = reader.convert(loop.iter, depth)
    names = tuple(_target(reader, target) for target in _targets(loop.target))
    conditions = reader.all(loop.ifs, depth)
    start, _ = reader.span(loop.target)
    _, end = reader.span(loop.ifs[-1] if loop.ifs else loop.iter)
    return Generator(names, iterable, conditions, start=start, end=end)


def _targets(target: ast.expr) -> Sequence[ast.expr]:
    several = isinstance(target, ast.Tuple | ast.List) and len(target.elts) > 1
    return target.elts if several else (target,)  # type: ignore[attr-defined]  # narrowed above


def _target(reader: _Reader, target: ast.expr) -> str:
    if not isinstance(target, ast.Name):
        raise reader.refuse(target, ("this after `for`", "write a name, or names: `for k, v in …`"))
    name = reader.identifier(target.id, target, reader.text(target))
    if name in _CONSTANTS or name in reader.bound:
        why = "is a value" if name in _CONSTANTS else "is already a name of this comprehension"
        raise reader.mistake("AF200", f"`{name}` {why}", target, remedy="choose another name")
    reader.bound.add(name)
    return name


def _call(reader: _Reader, node: ast.Call, depth: int) -> Tree:
    name, signatures = _callee(reader, node.func)
    for argument in node.keywords:
        shown = " or ".join(f"`{function.signature}`" for function in signatures)
        raise reader.refuse(argument.value, ("an argument by name", f"by position: {shown}"))
    arguments = reader.all(node.args, depth)
    if not any(function.takes(len(arguments)) for function in signatures):
        shown = " or ".join(f"`{function.signature}`" for function in signatures)
        message = f"`{name}` does not take {library.arguments(len(arguments))}"
        raise reader.mistake("AF208", message, node, remedy=f"it is {shown}")
    if isinstance(node.func, ast.Attribute):
        receiver = reader.convert(node.func.value, depth)
        return MethodCall(receiver, name, arguments, **reader.at(node))
    return Call(name, arguments, **reader.at(node))


def _callee(reader: _Reader, node: ast.expr) -> tuple[str, Sequence[library.Function]]:
    """The name that is called and the library's entries of that name."""
    match node:
        case ast.Name(name):
            if name in library.FUNCTIONS:
                return name, (library.FUNCTIONS[name],)
            message, remedy = f"there is no function `{name}`", refusals.function(name)
            raise reader.mistake("AF202", message, node, remedy=remedy)
        case ast.Attribute(_, name):
            if name in library.METHODS:
                return name, tuple(library.METHODS[name].values())
            message, remedy = f"there is no method `{name}`", refusals.method(name)
            raise reader.mistake("AF203", message, node, remedy=remedy)
        case _:
            remedy = "call a function of the library, or bind the value with a `call` step"
            raise reader.refuse(node, ("calling a value", remedy))


def _text(reader: _Reader, node: ast.JoinedStr, depth: int) -> Tree:
    """An f-string is read again by our own rules: Python's differ from version to version."""
    start, _ = reader.span(node)
    written = reader.text(node)
    parts: list[str | Tree] = []
    try:
        pieces = list(scan.pieces(written))
    except Mistake as mistake:
        raise mistake.shifted(start) from None
    for piece in pieces:
        if isinstance(piece, str):
            parts.append(_unicode(reader, node, piece))
        else:
            source = written[piece.start : piece.stop]
            blanks = len(source) - len(source.lstrip())
            inner = _Reader(source.strip(), start + piece.start + blanks, reader)
            parts.append(inner.tree(depth))
    return Text(tuple(parts), start=start, end=start + len(written))


_CONVERSIONS: dict[type[ast.AST], Callable[[_Reader, Any, int], Tree]] = {
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
    ast.Call: _call,
    ast.JoinedStr: _text,
}
