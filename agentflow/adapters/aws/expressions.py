"""An expression's tree written in JSONata, with our meaning.

Where a type is known for sure the short native operator is written, else a call of one of the
functions in `jsonata.LAMBDAS`, which checks its arguments. Conditions are always written with
`? :`, which evaluates no more than it needs on every engine; `and` and `or` only where their
operands cannot fail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from agentflow.adapters.aws import jsonata
from agentflow.adapters.aws.arithmetic import ARITHMETIC, arithmetic
from agentflow.adapters.aws.checks import (
    GUARDS,
    Code,
    References,
    always_there,
    constant,
    fits,
    is_near,
    is_plain,
    is_scalar,
)
from agentflow.adapters.aws.comprehensions import write_comprehension
from agentflow.adapters.aws.functions import NeedsHelper, write_call
from agentflow.adapters.aws.jsonata import can_fail
from agentflow.adapters.aws.library import TEXT
from agentflow.adapters.aws.variables import Types
from agentflow.errors import Json
from agentflow.spec.expressions.infer import infer
from agentflow.spec.expressions.template import Expression
from agentflow.spec.expressions.tree import (
    Attribute,
    Binary,
    Call,
    Compare,
    Comprehension,
    Conditional,
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
from agentflow.spec.expressions.types import (
    BOOLEAN,
    INTEGER,
    LIST,
    NUMBER,
    OBJECT,
    STRING,
    ListOf,
    Type,
    overlap,
)


def write(expression: Expression, names: References) -> str:
    """The expression in JSONata, without the lambdas it needs.

    Raises:
        NeedsHelper: JSONata cannot compute it faithfully.
    """
    return ExpressionWriter(expression).write(expression.tree, names).text


def write_text(expression: Expression, names: References) -> str:
    """The text of the expression's value, as an interpolation puts it in."""
    writer = ExpressionWriter(expression)
    return writer.as_text(writer.write(expression.tree, names)).text


def write_condition(expression: Expression, names: References) -> str:
    """The expression where only a boolean can stand."""
    writer = ExpressionWriter(expression)
    return writer.flag(writer.write(expression.tree, names)).text


class ExpressionWriter:
    """Writes the parts of one expression."""

    def __init__(self, expression: Expression) -> None:
        self.expression = expression
        self.drawn = 0

    def type(self, tree: Tree, names: References) -> Type:
        part = Expression(self.expression.source, tree, self.expression.span)
        return infer(part, Types(names), [])

    def write(self, tree: Tree, names: References) -> Code:
        known = constant(tree)
        code = self.part(tree, names) if known is None else _literal(known[0])
        return replace(code, type=self.type(tree, names))

    def part(self, tree: Tree, names: References) -> Code:
        match tree:
            case Literal(value):
                return _literal(value)
            case Name(name):
                return Code(names[name].text)
            case Attribute(value, key):
                return self.attribute(value, key, names)
            case Index(value, Literal(str() as key)) if self.is_object(value, names):
                return self.attribute(value, key, names)
            case Index(value, index):
                place = self.write(index, names)
                place = self.guard(place, INTEGER) if place.real else place
                whole = self.write(value, names)
                plain = fits(whole.type, LIST) and fits(place.type, INTEGER)
                return self.call("nth" if plain else "item", whole, place)
            case Slice(value, lower, upper):
                first = Code("0") if lower is None else self.bound(lower, names)
                last = Code("null") if upper is None else self.bound(upper, names)
                return self.call("slice", self.write(value, names), first, last)
            case Negate(operand):
                inner = self.guard(self.write(operand, names), NUMBER)
                return Code(f"-{inner.operand}", atomic=False, real=inner.real)
            case Not(operand):
                inner = self.flag(self.write(operand, names))
                return Code(f"{inner.operand} = false", atomic=False)
            case Binary():
                return self.binary(tree, names)
            case Logic():
                return self.logic(tree, names)
            case Compare():
                return self.compare(tree, names)
            case Conditional(test, then, otherwise):
                condition = self.flag(self.write(test, names))
                branches = (self.write(then, names), self.write(otherwise, names))
                yes, no = (branch.operand for branch in branches)
                real = all(branch.real for branch in branches)
                return Code(f"{condition.operand} ? {yes} : {no}", atomic=False, real=real)
            case Text(parts):
                return self.text(parts, names)
            case ListDisplay(items):
                return self.display([self.write(item, names) for item in items])
            case ObjectDisplay():
                return self.object_display(tree, names)
            case Comprehension():
                return write_comprehension(self, tree, names)
            case Call() | MethodCall():
                return write_call(self, tree, names)
            case _:
                assert_never(tree)

    # --- small pieces ---------------------------------------------------------------------------

    def call(self, name: str, *arguments: Code) -> Code:
        return Code(f"${name}({', '.join(each.text for each in arguments)})")

    def flag(self, code: Code) -> Code:
        return self.guard(code, BOOLEAN)

    def guard(self, code: Code, wanted: Type) -> Code:
        """The code, with a check where it is not known to have the wanted type."""
        if fits(code.type, wanted):
            return code
        if wanted == INTEGER and code.real:
            return self.call("mismatch", Code("'an integer'"), code)
        name, extra = GUARDS[wanted]
        return replace(Code(f"${name}({code.text}{extra})"), type=wanted)

    def fresh(self) -> str:
        self.drawn += 1
        return f"$part{self.drawn}_"

    def as_text(self, code: Code) -> Code:
        if fits(code.type, STRING):
            return code
        if is_plain(code.type):
            return replace(Code(f"$string({code.text})"), type=STRING)
        raise NeedsHelper(f"the text of a value that may be a number: {TEXT.reason}")

    def bound(self, tree: Tree, names: References) -> Code:
        return self.guard(self.write(tree, names), INTEGER)

    def is_object(self, tree: Tree, names: References) -> bool:
        return fits(self.type(tree, names), OBJECT)

    # --- reading --------------------------------------------------------------------------------

    def attribute(self, value: Tree, key: str, names: References) -> Code:
        if isinstance(value, Name) and key in (fields := names[value.name].fields):
            return Code(fields[key])
        code = self.write(value, names)
        if always_there(code.type, key) and "`" not in key:
            return Code(f"{code.operand}.{_field(key)}")
        return self.call("at", code, Code(jsonata.quote(key)))

    # --- operators ------------------------------------------------------------------------------

    def binary(self, tree: Binary, names: References) -> Code:
        left, right = self.write(tree.left, names), self.write(tree.right, names)
        if tree.operator == "+":
            if fits(left.type, STRING) and fits(right.type, STRING):
                return Code(f"{left.operand} & {right.operand}", atomic=False)
            if fits(left.type, LIST) and fits(right.type, LIST):
                return self.call("append", left, right)
            left, right = self.alike(STRING, left, right)
            if fits(left.type, STRING) and fits(right.type, STRING):
                return Code(f"{left.operand} & {right.operand}", atomic=False)
        if fits(left.type, NUMBER) and fits(right.type, NUMBER):
            return arithmetic(tree.operator, left, right)
        real = tree.operator == "/" or left.real or right.real
        return replace(self.call(ARITHMETIC[tree.operator], left, right), real=real)

    def logic(self, tree: Logic, names: References) -> Code:
        codes = [self.flag(self.write(operand, names)) for operand in tree.operands]
        return self.joined(tree.operator, codes)

    def joined(self, operator: str, codes: Sequence[Code]) -> Code:
        """Conditions joined by `and` or `or`; no more of them is evaluated than needed."""
        if not can_fail(code.text for code in codes[1:]):
            joined = f" {operator} ".join(code.operand for code in codes)
            return Code(joined, atomic=False)
        *first, result = codes
        for code in reversed(first):
            then, otherwise = (
                (result.operand, "false") if operator == "and" else ("true", result.operand)
            )
            result = Code(f"{code.operand} ? {then} : {otherwise}", atomic=False)
        return result

    def compare(self, tree: Compare, names: References) -> Code:
        left = self.write(tree.first, names)
        if len(tree.rest) == 1:
            ((operator, right),) = tree.rest
            return self.pair(operator, left, self.write(right, names))
        # Each operand is evaluated once, and no further than needed.
        held = Code(self.fresh(), left.type)
        text = f"({held.text} := {left.text}; "
        for place, (operator, operand) in enumerate(tree.rest):
            code = self.write(operand, names)
            name = Code(self.fresh(), code.type)
            test = self.pair(operator, held, name).operand
            text += f"{name.text} := {code.text}; {test}"
            text += " ? (" if place < len(tree.rest) - 1 else ")"
            held = name
        return Code(text + " : false)" * (len(tree.rest) - 1))

    def pair(self, operator: str, left: Code, right: Code) -> Code:
        if operator in ("==", "!="):
            return self.equality(operator, left, right)
        if operator in ("in", "not in"):
            found = self.membership(left, right)
            return found if operator == "in" else Code(f"{found.operand} = false", atomic=False)
        left, right = self.alike(NUMBER, *self.alike(STRING, left, right))
        if fits(left.type, STRING) and fits(right.type, STRING):
            if not (is_near(left.text) or is_near(right.text)):
                left, right = self.call("ranked", left), self.call("ranked", right)
            return Code(f"{left.operand} {operator} {right.operand}", atomic=False)
        if fits(left.type, NUMBER) and fits(right.type, NUMBER):
            return Code(f"{left.operand} {operator} {right.operand}", atomic=False)
        return Code(f"$compare({left.text}, {right.text}) {operator} 0", atomic=False)

    def alike(self, kind: Type, left: Code, right: Code) -> tuple[Code, Code]:
        """Both operands checked for a type that one of them is sure to have."""
        if fits(left.type, kind) and not fits(right.type, kind):
            return left, self.guard(right, kind)
        if fits(right.type, kind) and not fits(left.type, kind) and not can_fail([right.text]):
            return self.guard(left, kind), right
        return left, right

    def equality(self, operator: str, left: Code, right: Code) -> Code:
        sign = "=" if operator == "==" else "!="
        if is_scalar(left.type) or is_scalar(right.type):
            return Code(f"{left.operand} {sign} {right.operand}", atomic=False)
        if sign == "=":
            return self.call("equal", left, right)
        return Code(f"$equal({left.text}, {right.text}) = false", atomic=False)

    def membership(self, left: Code, right: Code) -> Code:
        if fits(right.type, ListOf(STRING)) or (fits(left.type, STRING) and fits(right.type, LIST)):
            return Code(f"{left.operand} in {right.operand}", atomic=False)
        if can_fail([right.text]) or not fits(left.type, STRING):
            return self.call("contained", left, right)
        if fits(right.type, STRING):
            return self.call("contains", right, left)
        if fits(right.type, OBJECT):
            return Code(f"$exists($lookup({right.text}, {left.text}))")
        return self.call("contained", left, right)

    # --- displays -------------------------------------------------------------------------------

    def text(self, parts: Sequence[str | Tree], names: References) -> Code:
        pieces = [
            Code(jsonata.quote(part))
            if isinstance(part, str)
            else self.as_text(self.write(part, names))
            for part in parts
        ]
        if not pieces:
            return Code("''")
        if len(pieces) == 1:
            return pieces[0]
        return Code(" & ".join(piece.operand for piece in pieces), atomic=False)

    def display(self, items: Sequence[Code]) -> Code:
        """A list of values. JSONata's own display swallows a level of lists."""
        if all(not overlap(item.type, LIST) for item in items):
            return Code(f"[{', '.join(item.text for item in items)}]")
        result = Code("[]")
        for item in items:
            if not overlap(item.type, LIST) or item.text.startswith("["):
                boxed = f"[{item.text}]"
            elif fits(item.type, LIST):
                boxed = f"[[{item.text}]]"
            else:
                boxed = f"$box({item.text})"
            result = (
                Code(boxed) if result.text == "[]" else Code(f"$append({result.text}, {boxed})")
            )
        return result

    def object_display(self, tree: ObjectDisplay, names: References) -> Code:
        keys = [self.guard(self.write(key, names), STRING) for key, _ in tree.entries]
        values = [self.write(value, names) for _, value in tree.entries]
        pairs = [f"{key.text}: {value.text}" for key, value in zip(keys, values, strict=True)]
        literal = all(isinstance(key, Literal) for key, _ in tree.entries)
        if literal and len({key for key, _ in tree.entries}) == len(tree.entries):
            return Code("{" + ", ".join(pairs) + "}")
        # A key that comes twice is an error in JSONata's own display; the last one wins here.
        return Code("$merge([" + ", ".join(f"{{{pair}}}" for pair in pairs) + "])")


_KEYWORDS = frozenset({"and", "or", "in", "true", "false", "null", "function"})


def _field(key: str) -> str:
    return key if key.isascii() and key.isidentifier() and key not in _KEYWORDS else f"`{key}`"


def _literal(value: Json) -> Code:
    return Code(jsonata.literal(value), real=isinstance(value, float))
