"""One expression's tree compiled to closures.

A closure takes the `Frame` of an evaluation and gives a value. What the tree already says (texts
for messages, operators, library entries) is looked up once, when compiling. Values are checked
where they are used; the fault then names the part of the expression.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias, assert_never

from agentflow.errors import Fault, Json
from agentflow.spec.expressions import library, operators
from agentflow.spec.expressions.encoding import text_of
from agentflow.spec.expressions.limits import Frame, check_items, check_text
from agentflow.spec.expressions.scope import Scope
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
)
from agentflow.spec.expressions.types import describe, shorten

Code: TypeAlias = Callable[[Frame], Json]


def writer(pieces: Sequence[str | Code]) -> Code:
    """Code that puts texts together, counting what it builds."""

    def write(frame: Frame) -> Json:
        texts = [piece if isinstance(piece, str) else text_of(piece(frame)) for piece in pieces]
        length = sum(map(len, texts))
        check_text(length)
        frame.spend(1 + (length >> 4))
        return "".join(texts)

    return write


class Compiler:
    """Turns the nodes of one expression into code; `source` is for the messages."""

    def __init__(self, source: str) -> None:
        self.source = source

    def where(self, tree: Tree) -> str:
        """The text of a part of the expression, short enough for a message."""
        return shorten(self.source[tree.start : tree.end], 60)

    def all(self, trees: Sequence[Tree]) -> tuple[Code, ...]:
        return tuple(map(self.code, trees))

    def code(self, tree: Tree) -> Code:
        match tree:
            case Literal(value):
                return lambda _: value
            case Name():
                return self.name(tree)
            case Attribute():
                return self.attribute(tree)
            case Index():
                return self.index(tree)
            case Slice():
                return self.slice(tree)
            case Negate():
                return self.negate(tree)
            case Not():
                return self.negation(tree)
            case Binary(operator, left, right):
                return self.operation(tree, operators.ARITHMETIC[operator], left, right)
            case Logic():
                return self.logic(tree)
            case Compare(first, ((operator, second),)):
                return self.operation(tree, operators.COMPARISONS[operator], first, second)
            case Compare():
                return self.chain(tree)
            case Conditional():
                return self.conditional(tree)
            case Text(parts):
                return writer([p if isinstance(p, str) else self.code(p) for p in parts])
            case ListDisplay():
                return self.list_display(tree)
            case ObjectDisplay():
                return self.object_display(tree)
            case Comprehension():
                return self.comprehension(tree)
            case Call():
                return self.call(tree)
            case MethodCall():
                return self.method_call(tree)
            case _:
                assert_never(tree)

    def name(self, tree: Name) -> Code:
        name = tree.name

        def run(frame: Frame) -> Json:
            try:
                return frame.scope.lookup(name)
            except KeyError:
                raise Fault("MissingKey", f"`{name}` has no value here") from None

        return run

    def attribute(self, tree: Attribute) -> Code:
        value, key, where = self.code(tree.value), tree.key, self.where(tree)

        def run(frame: Frame) -> Json:
            container = value(frame)
            try:
                return container[key]
            except KeyError:
                raise _at(where, operators.missing_key(container, key)) from None
            except TypeError:
                message = f"`.{key}` needs an object, got {describe(container)}"
                raise _at(where, Fault("TypeMismatch", message)) from None

        return run

    def index(self, tree: Index) -> Code:
        value, index, where = self.code(tree.value), self.code(tree.index), self.where(tree)

        def run(frame: Frame) -> Json:
            container, key = value(frame), index(frame)
            try:
                return operators.item(container, key)
            except Fault as fault:
                raise _at(where, fault) from None

        return run

    def slice(self, tree: Slice) -> Code:
        value, where = self.code(tree.value), self.where(tree)
        lower, upper = (
            (lambda _: None) if bound is None else self.bound(bound)
            for bound in (tree.lower, tree.upper)
        )

        def run(frame: Frame) -> Json:
            whole, first, last = value(frame), lower(frame), upper(frame)
            try:
                return operators.part(whole, first, last, frame)
            except Fault as fault:
                raise _at(where, fault) from None

        return run

    def bound(self, tree: Tree) -> Code:
        code, where = self.code(tree), self.where(tree)

        def run(frame: Frame) -> Json:
            bound = code(frame)
            if type(bound) is not int:
                message = f"a slice's bound is an integer, got {describe(bound)}"
                raise _at(where, Fault("TypeMismatch", message))
            return bound

        return run

    def negate(self, tree: Negate) -> Code:
        operand, where = self.code(tree.operand), self.where(tree)
        if isinstance(tree.operand, Literal) and type(tree.operand.value) in {int, float}:
            constant = operators.negate(tree.operand.value)
            return lambda _: constant

        def run(frame: Frame) -> Json:
            value = operand(frame)
            try:
                return operators.negate(value)
            except Fault as fault:
                raise _at(where, fault) from None

        return run

    def operation(self, tree: Tree, operate: operators.Operate, left: Tree, right: Tree) -> Code:
        first, second, where = self.code(left), self.code(right), self.where(tree)

        def run(frame: Frame) -> Json:
            a, b = first(frame), second(frame)
            try:
                return operate(a, b, frame)
            except Fault as fault:
                raise _at(where, fault) from None

        return run

    def chain(self, tree: Compare) -> Code:
        first, where = self.code(tree.first), self.where(tree)
        rest = [(operators.COMPARISONS[op], self.code(operand)) for op, operand in tree.rest]

        def run(frame: Frame) -> Json:
            left = first(frame)
            for compare, operand in rest:
                right = operand(frame)
                try:
                    if not compare(left, right, frame):
                        return False
                except Fault as fault:
                    raise _at(where, fault) from None
                left = right
            return True

        return run

    def boolean(self, tree: Tree, what: str) -> Code:
        """The code of a place where only a boolean can stand."""
        code, where = self.code(tree), self.where(tree)

        def run(frame: Frame) -> Json:
            value = code(frame)
            if value is True or value is False:
                return value
            message = f"{what} needs a boolean, got {describe(value)}"
            raise _at(where, Fault("TypeMismatch", message))

        return run

    def negation(self, tree: Not) -> Code:
        operand = self.boolean(tree.operand, "`not`")
        return lambda frame: not operand(frame)

    def logic(self, tree: Logic) -> Code:
        operands = [self.boolean(operand, f"`{tree.operator}`") for operand in tree.operands]
        if tree.operator == "and":
            return lambda frame: all(operand(frame) for operand in operands)
        return lambda frame: any(operand(frame) for operand in operands)

    def conditional(self, tree: Conditional) -> Code:
        test = self.boolean(tree.test, "`if`")
        then, otherwise = self.code(tree.then), self.code(tree.otherwise)
        return lambda frame: then(frame) if test(frame) else otherwise(frame)

    def list_display(self, tree: ListDisplay) -> Code:
        items = self.all(tree.items)
        cost = 1 + (len(items) >> 3)

        def run(frame: Frame) -> Json:
            frame.spend(cost)
            return [item(frame) for item in items]

        return run

    def key(self, tree: Tree) -> Code:
        code, where = self.code(tree), self.where(tree)

        def run(frame: Frame) -> Json:
            key = code(frame)
            if type(key) is not str:
                message = f"a key of an object is a string, got {describe(key)}"
                raise _at(where, Fault("TypeMismatch", message))
            return key

        return run

    def object_display(self, tree: ObjectDisplay) -> Code:
        entries = [(self.key(key), self.code(value)) for key, value in tree.entries]
        cost = 1 + 2 * len(entries)

        def run(frame: Frame) -> Json:
            frame.spend(cost)
            return {key(frame): value(frame) for key, value in entries}

        return run

    def comprehension(self, tree: Comprehension) -> Code:
        element = self.code(tree.element)
        if tree.key is None:

            def collect(frame: Frame, result: list[Json]) -> None:
                result.append(element(frame))
                check_items(len(result))

            loop = self.loops(tree.generators, collect)
        else:
            key = self.key(tree.key)

            def store(frame: Frame, result: dict[str, Json]) -> None:
                name = key(frame)  # before the element, as in Python
                result[name] = element(frame)
                check_items(len(result))

            loop = self.loops(tree.generators, store)
        empty = list if tree.key is None else dict

        def run(frame: Frame) -> Json:
            result: Json = empty()
            loop(frame, result)
            return result

        return run

    def loops(
        self, generators: tuple[Generator, ...], body: Callable[[Frame, Json], None]
    ) -> Callable[[Frame, Json], None]:
        """Code that runs `body` for each round of nested `for … in … if …`."""
        if not generators:
            return body
        generator = generators[0]
        inner = self.loops(generators[1:], body)
        iterable, where = self.code(generator.iterable), self.where(generator.iterable)
        conditions = [self.boolean(condition, "`if`") for condition in generator.conditions]
        names = generator.names
        bind = _bind_one(names[0]) if len(names) == 1 else _bind_several(names, where)

        def run(frame: Frame, result: Json) -> None:
            items = iterable(frame)
            if type(items) is not list:
                hint = "; write o.keys(), o.values() or o.items()" if type(items) is dict else ""
                message = f"`for` goes through a list, got {describe(items)}{hint}"
                raise _at(where, Fault("TypeMismatch", message))
            outer = frame.scope
            # Nothing keeps the scope of a round, so one serves them all.
            variables: dict[str, Json] = {}
            scope = Scope(variables, outer)
            for item in items:
                frame.spend(1)
                frame.scope = scope
                bind(variables, item)
                if all(condition(frame) for condition in conditions):
                    inner(frame, result)
            frame.scope = outer

        return run

    def call(self, tree: Call) -> Code:
        function, where = library.FUNCTIONS[tree.function], self.where(tree)
        arguments = self.all(tree.arguments)

        def run(frame: Frame) -> Json:
            values = [argument(frame) for argument in arguments]
            try:
                return library.invoke(function, values, frame)
            except Fault as fault:
                raise _at(where, fault) from None

        return run

    def method_call(self, tree: MethodCall) -> Code:
        overloads, where = library.METHODS[tree.method], self.where(tree)
        receiver, arguments = self.code(tree.receiver), self.all(tree.arguments)

        def run(frame: Frame) -> Json:
            target = receiver(frame)
            values = [target, *(argument(frame) for argument in arguments)]
            try:
                return library.invoke(library.method(overloads, target), values, frame)
            except Fault as fault:
                raise _at(where, fault) from None

        return run


def _bind_one(name: str) -> Callable[[dict[str, Json], Json], None]:
    def bind(variables: dict[str, Json], item: Json) -> None:
        variables[name] = item

    return bind


def _bind_several(names: tuple[str, ...], where: str) -> Callable[[dict[str, Json], Json], None]:
    def bind(variables: dict[str, Json], item: Json) -> None:
        if type(item) is not list or len(item) != len(names):
            needs = f"`{', '.join(names)}` take apart a list of {len(names)} items"
            message = f"{needs}, got {describe(item)}"
            raise _at(where, Fault("TypeMismatch", message))
        variables.update(zip(names, item, strict=True))

    return bind


def _at(where: str, fault: Fault) -> Fault:
    """The fault with the text of the sub-expression it came from."""
    message = f"`{where}`: {fault.message}"
    return Fault(fault.name, message, data=fault.data, cause=fault.cause)
