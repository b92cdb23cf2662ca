"""What types expressions have, as far as that is known, and the mistakes that are sure.

A mistake is sure when no value of the types at hand could make the expression work. Where anything
is possible, nothing is said: the strict evaluation is there for the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias, assert_never

from agentflow.errors import Diagnostic
from agentflow.functions.suggestions import closest
from agentflow.spec.expressions import library, rules
from agentflow.spec.expressions.schema import known_object, of_value
from agentflow.spec.expressions.template import Expression, Interpolation, Template
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
from agentflow.spec.expressions.types import (
    ANY,
    BOOLEAN,
    INTEGER,
    LIST,
    NUMBER,
    OBJECT,
    STRING,
    ListOf,
    ObjectOf,
    Type,
    members,
    overlap,
    phrase,
    shorten,
    union,
)
from agentflow.spec.expressions.unparse import unparse

Names: TypeAlias = Mapping[str, Type]


def infer(expression: Expression, names: Names, diagnostics: list[Diagnostic]) -> Type:
    """The type of an expression that reads `names`; sure mistakes are added to `diagnostics`.

    A name without a known type is `any`.
    """
    return _Inference(expression, diagnostics).of(expression.tree, names)


def infer_condition(expression: Expression, names: Names, diagnostics: list[Diagnostic]) -> None:
    """Check an expression that stands where only a boolean can."""
    _Inference(expression, diagnostics).condition(expression.tree, names, "a condition")


def infer_template(template: Template, names: Names, diagnostics: list[Diagnostic]) -> Type:
    """The type of a template; sure mistakes are added to `diagnostics`."""
    match template:
        case Expression():
            return infer(template, names, diagnostics)
        case Interpolation(parts):
            for part in parts:
                if isinstance(part, Expression):
                    infer(part, names, diagnostics)
            return STRING
        case dict():
            return known_object(
                {key: infer_template(item, names, diagnostics) for key, item in template.items()}
            )
        case list() | tuple():
            return ListOf(union([infer_template(item, names, diagnostics) for item in template]))
        case _:
            return of_value(template)


class _Inference:
    """One expression under inspection."""

    def __init__(self, expression: Expression, diagnostics: list[Diagnostic]) -> None:
        self.expression = expression
        self.diagnostics = diagnostics

    def report(
        self, code: str, tree: Tree, message: str, remedy: str = "", at: Tree | None = None
    ) -> Type:
        """Add a mistake of a part, marked `at` a smaller one if given; nothing is known after."""
        text = shorten(self.expression.source[tree.start : tree.end], 60)
        span = self.expression.locate(at or tree)
        self.diagnostics.append(Diagnostic(code, f"`{text}`: {message}", span, help=remedy))
        return ANY

    def of(self, tree: Tree, names: Names) -> Type:
        match tree:
            case Literal(value):
                return of_value(value)
            case Name(name):
                return names.get(name, ANY)
            case Attribute(value, key):
                written = Name(key, start=tree.end - len(key), end=tree.end)
                return self.field(tree, self.of(value, names), key, written)
            case Index():
                return self.index(tree, names)
            case Slice():
                return self.slice(tree, names)
            case Negate(operand):
                return self.negate(tree, self.of(operand, names))
            case Not(operand):
                return self.condition(operand, names, "`not`")
            case Binary():
                return self.binary(tree, names)
            case Logic(operator, operands):
                for operand in operands:
                    self.condition(operand, names, f"`{operator}`")
                return BOOLEAN
            case Compare():
                return self.compare(tree, names)
            case Conditional(test, then, otherwise):
                self.condition(test, names, "`if`")
                return union((self.of(then, names), self.of(otherwise, names)))
            case Text():
                for child in children(tree):
                    self.of(child, names)
                return STRING
            case ListDisplay(items):
                return ListOf(union([self.of(item, names) for item in items]))
            case ObjectDisplay():
                return self.object_display(tree, names)
            case Comprehension():
                return self.comprehension(tree, names)
            case Call():
                return self.call(tree, names)
            case MethodCall():
                return self.method_call(tree, names)
            case _:
                assert_never(tree)

    def condition(self, tree: Tree, names: Names, what: str) -> Type:
        kind = self.of(tree, names)
        if not overlap(kind, BOOLEAN):
            message = f"{what} needs a boolean, this is {phrase(kind)}"
            self.report("AF222", tree, message, rules.as_boolean(tree, kind))
        return BOOLEAN

    def field(self, tree: Tree, kind: Type, key: str, at: Tree) -> Type:
        found: list[Type] = []
        closed: list[ObjectOf] = []
        for member in members(kind):
            if member == ANY:
                found.append(ANY)
            elif isinstance(member, ObjectOf):
                field = member.field(key) or member.rest
                if field is None:
                    closed.append(member)
                else:
                    found.append(field)
        if found:
            return union(found)
        if not closed:
            return self.report("AF224", tree, f"`.{key}` needs an object, this is {phrase(kind)}")
        known = [name for each in closed for name, _ in each.fields]
        guess = closest(key, known)
        listed = ", ".join(f"`{name}`" for name in known[:8]) or "none"
        remedy = f"did you mean `{guess}`?" if guess else f"the known fields are {listed}"
        return self.report("AF220", tree, f"there is no field `{key}`", remedy, at)

    def index(self, tree: Index, names: Names) -> Type:
        kind, index = self.of(tree.value, names), self.of(tree.index, names)
        key = tree.index.value if isinstance(tree.index, Literal) else None
        if isinstance(key, str) and any(isinstance(each, ObjectOf) for each in members(kind)):
            return self.field(tree, kind, key, tree.index)
        if isinstance(tree.index, Binary) and tree.index.operator == "/":
            message = "`/` gives a real number, which is neither an index nor a key"
            return self.report("AF224", tree.index, message, "write `//`")
        found = [
            item for member in members(kind) if (item := rules.item(member, index)) is not None
        ]
        if not found:
            return self.report("AF224", tree, f"{phrase(kind)} has no item under {phrase(index)}")
        return union(found)

    def slice(self, tree: Slice, names: Names) -> Type:
        kind = self.of(tree.value, names)
        for bound in (tree.lower, tree.upper):
            if bound is not None and not overlap(found := self.of(bound, names), INTEGER):
                message = f"a slice's bound is an integer, this is {phrase(found)}"
                self.report("AF224", bound, message)
        fitting = [member for member in members(kind) if overlap(member, rules.SLICEABLE)]
        if not fitting:
            message = f"only lists and strings have slices, this is {phrase(kind)}"
            return self.report("AF224", tree, message)
        return union(fitting)

    def negate(self, tree: Tree, kind: Type) -> Type:
        if not overlap(kind, NUMBER):
            return self.report("AF221", tree, f"`-` needs a number, this is {phrase(kind)}")
        return kind if kind == INTEGER else NUMBER

    def binary(self, tree: Binary, names: Names) -> Type:
        left, right = self.of(tree.left, names), self.of(tree.right, names)
        results = [
            result
            for a in members(left)
            for b in members(right)
            if (result := rules.binary(tree.operator, a, b)) is not None
        ]
        if not results:
            needs = rules.SUMS if tree.operator == "+" else "two numbers"
            message = (
                f"`{tree.operator}` needs {needs}, these are {phrase(left)} and {phrase(right)}"
            )
            return self.report("AF221", tree, message, rules.as_text(tree, left, right))
        if tree.operator in rules.DIVISIONS and tree.right in rules.ZEROS:
            return self.report("AF225", tree, f"`{tree.operator}` by zero")
        return union(results)

    def compare(self, tree: Compare, names: Names) -> Type:
        left_tree, left = tree.first, self.of(tree.first, names)
        for operator, right_tree in tree.rest:
            right = self.of(right_tree, names)
            needs, pairs = rules.COMPARABLE.get(operator, ("", ()))
            if needs and not any(overlap(left, a) and overlap(right, b) for a, b in pairs):
                pair = Compare(
                    left_tree, ((operator, right_tree),), start=left_tree.start, end=right_tree.end
                )
                message = (
                    f"`{operator}` needs {needs}, these are {phrase(left)} and {phrase(right)}"
                )
                self.report("AF221", pair, message)
            left_tree, left = right_tree, right
        return BOOLEAN

    def object_display(self, tree: ObjectDisplay, names: Names) -> Type:
        fields: dict[str, Type] = {}
        known = True
        for key, value in tree.entries:
            self.key(key, names)
            kind = self.of(value, names)
            if isinstance(key, Literal) and isinstance(key.value, str):
                fields[key.value] = kind
            else:
                known = False
        return known_object(fields) if known else OBJECT

    def key(self, tree: Tree, names: Names) -> None:
        kind = self.of(tree, names)
        if not overlap(kind, STRING):
            remedy = f"write str({unparse(tree)})"
            message = f"a key of an object is a string, this is {phrase(kind)}"
            self.report("AF224", tree, message, remedy)

    def comprehension(self, tree: Comprehension, names: Names) -> Type:
        inner = dict(names)
        for loop in tree.generators:
            inner.update(self.loop(loop, inner))
            for condition in loop.conditions:
                self.condition(condition, inner, "`if`")
        if tree.key is not None:
            self.key(tree.key, inner)
        element = self.of(tree.element, inner)
        return ListOf(element) if tree.key is None else ObjectOf(rest=element)

    def loop(self, loop: Generator, names: Names) -> dict[str, Type]:
        """The types of the names that one `for` binds."""
        kind = self.of(loop.iterable, names)
        if not overlap(kind, LIST):
            text = unparse(loop.iterable)
            is_object = all(isinstance(member, ObjectOf) for member in members(kind))
            remedy = f"write {text}.keys(), .values() or .items()" if is_object else ""
            message = f"`for` goes through a list, this is {phrase(kind)}"
            self.report("AF226", loop.iterable, message, remedy)
        item = rules.item_of(kind)
        if len(loop.names) == 1:
            return {loop.names[0]: item}
        if not overlap(item, LIST):
            listed = ", ".join(loop.names)
            message = f"`{listed}` take apart lists, the items are {item}"
            self.report("AF226", loop.iterable, message)
        return dict.fromkeys(loop.names, rules.item_of(item))

    def call(self, tree: Call, names: Names) -> Type:
        function = library.FUNCTIONS[tree.function]
        kinds = [self.of(argument, names) for argument in tree.arguments]
        return self.result(function, tree.arguments, kinds, [])

    def method_call(self, tree: MethodCall, names: Names) -> Type:
        receiver = self.of(tree.receiver, names)
        kinds = [self.of(argument, names) for argument in tree.arguments]
        overloads = library.METHODS[tree.method]
        results = [
            self.result(method, tree.arguments, kinds, [member])
            for method in overloads.values()
            for member in members(receiver)
            if method.receiver is not None and overlap(member, method.receiver)
        ]
        if not results:
            owners = " and ".join(f"{owner}s" for owner in overloads)
            message = f"`.{tree.method}` is a method of {owners}, this is {phrase(receiver)}"
            return self.report("AF223", tree, message)
        return union(results)

    def result(
        self,
        function: library.Function,
        arguments: tuple[Tree, ...],
        kinds: list[Type],
        receiver: list[Type],
    ) -> Type:
        for position, (argument, kind) in enumerate(zip(arguments, kinds, strict=True)):
            parameter = function.parameter(position)
            if not overlap(kind, parameter.type):
                needs = f"needs {phrase(parameter.type)} as `{parameter.name}`"
                message = f"`{function.name}` {needs}, this is {phrase(kind)}"
                return self.report("AF223", argument, message)
        if function.infer is None:
            return function.result
        return function.infer([*receiver, *kinds])
