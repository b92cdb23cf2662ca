"""The names of a workflow's function: which are results of steps, and where the others belong.

Python's names belong to their function, a workflow's to their block. A name that one call binds,
and that is read only after it in the same block, is that step's id. Any other is a variable that
`set` assigns; where it is bound in a block inside and read outside of it, it begins as `null` in
the block around both. Before that, a name that may not be bound where it is read is refused, so
the `null` is never seen.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from agentflow.spec.python.modules import Function
from agentflow.spec.python.parameters import parameters_of
from agentflow.spec.python.targets import targets

Kind: TypeAlias = Literal["step", "value", "item", "error"]
Place: TypeAlias = tuple[int, int]
"""A block, by the `id()` of its list of statements, and the position of a statement in it."""


@dataclass(frozen=True, slots=True)
class _Event:
    """A name that is read or bound: the places of the statement, outermost first."""

    name: str
    path: tuple[Place, ...]
    kind: Kind | None = None
    """How it is bound; `None`: it is read."""
    region: int = 0
    """The block that `item` and `error` names belong to."""


@dataclass(slots=True)
class Variables:
    """What became of the names of a function."""

    direct: set[str] = field(default_factory=set)
    """Results, items and errors: bound by the step itself."""
    assigned: set[str] = field(default_factory=set)
    """Variables: bound by `set`."""
    errors: set[str] = field(default_factory=set)
    """Names that a handler binds, anywhere."""
    hoisted: dict[Place, list[str]] = field(default_factory=dict)
    """Variables that begin as `null` before a statement."""

    @property
    def every(self) -> set[str]:
        """All names that the function binds, its parameters aside."""
        return self.direct | self.assigned


def analyse(function: Function, is_step: Callable[[ast.expr], bool]) -> Variables:
    """Find out what the names of a function are."""
    events = list(_Walk(is_step).block(function.body, ()))
    parameters = {each.arg for each in parameters_of(function)}
    found = Variables()
    for name in dict.fromkeys(event.name for event in events if event.kind):
        own = [event for event in events if event.name == name]
        if any(event.kind == "error" for event in own):
            found.errors.add(name)
        if name not in parameters and _is_direct(own):
            found.direct.add(name)
            continue
        found.assigned.add(name)
        if name not in parameters and (place := _hoist(own)) is not None:
            found.hoisted.setdefault(place, []).append(name)
    return found


def bound_names(function: Function) -> set[str]:
    """The names that the statements of a function bind; comprehensions' own do not count."""
    found: set[str] = set()
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=several):
                bound: Sequence[ast.expr] = several
            case ast.AnnAssign(target=target) | ast.AugAssign(target=target) | ast.For(target):
                bound = [target]
            case ast.ExceptHandler(name=str(name)):
                found.add(name)
                continue
            case _:
                continue
        names = (each for target in bound for each in ast.walk(target))
        found |= {
            each.id
            for each in names
            if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
        }
    return found


def _is_direct(events: Sequence[_Event]) -> bool:
    """Whether each read sees exactly one binding, which is a step's, an item's or an error's."""
    bindings = [event for event in events if event.kind]
    reads = [event for event in events if not event.kind]
    if all(event.kind == "error" for event in bindings):
        return True  # Python itself forgets them after their handler
    if any(event.kind == "value" for event in bindings):
        return False
    if any(event.kind == "step" for event in bindings) and len(bindings) > 1:
        return False
    if any(_sees(one, other) for one in bindings for other in bindings if one is not other):
        return False
    return all(any(_sees(binding, read) for binding in bindings) for read in reads)


def _sees(binding: _Event, event: _Event) -> bool:
    """Whether an event stands where a binding of a step, item or error is in force."""
    if binding.region:
        return any(block == binding.region for block, _ in event.path)
    block, index = binding.path[-1]
    return any(place[0] == block and place[1] > index for place in event.path)


def _hoist(events: Sequence[_Event]) -> Place | None:
    """Where a variable must begin before it is bound; `None` if its first binding will do."""
    shared = 0
    paths = [event.path for event in events]
    while all(len(path) > shared + 1 for path in paths) and (
        len({path[: shared + 1] for path in paths}) == 1
        and len({path[shared + 1][0] for path in paths}) == 1
    ):
        shared += 1
    first = min((path[shared] for path in paths), key=lambda place: place[1])
    begins = any(event.kind and event.path[shared:] == (first,) for event in events)
    return None if begins else first


class _Walk:
    """Finds the reads and bindings of each statement, in order."""

    def __init__(self, is_step: Callable[[ast.expr], bool]) -> None:
        self.is_step = is_step

    def block(self, statements: Sequence[ast.stmt], path: tuple[Place, ...]) -> Iterator[_Event]:
        for index, statement in enumerate(statements):
            yield from self.statement(statement, (*path, (id(statements), index)))

    def statement(self, node: ast.stmt, path: tuple[Place, ...]) -> Iterator[_Event]:
        match node:
            case ast.Assign(targets=[ast.Name(name)], value=value):
                yield from self.reads(value, path)
                yield _Event(name, path, self.kind(value))
            case ast.AnnAssign(target=ast.Name(name), value=ast.expr() as value):
                yield from self.reads(value, path)
                yield _Event(name, path, self.kind(value))
            case ast.AugAssign(target=ast.Name(name), value=value):
                yield from self.reads(value, path)
                yield _Event(name, path)
                yield _Event(name, path, "value")
            case ast.If(test, body, otherwise):
                yield from self.reads(test, path)
                yield from self.block(body, path)
                yield from self.block(otherwise, path)
            case ast.For(target, items, body):
                yield from self.reads(items, path)
                names = [each.id for each in targets(target) if isinstance(each, ast.Name)]
                inside = (*path, (id(body), -1))
                kind: Kind = "item" if isinstance(target, ast.Name) else "value"
                for name in names:
                    yield _Event(name, inside, kind, id(body) if kind == "item" else 0)
                yield from self.block(body, path)
            case ast.While(test, body):
                yield from self.reads(test, path)
                yield from self.block(body, path)
            case ast.With(body=body):
                yield from self.block(body, path)
            case ast.Try(body, handlers, _, final):
                yield from self.block(body, path)
                for handler in handlers:
                    if handler.name:
                        inside = (*path, (id(handler.body), -1))
                        yield _Event(handler.name, inside, "error", id(handler.body))
                    yield from self.block(handler.body, path)
                yield from self.block(final, path)
            case _:
                yield from self.reads(node, path)

    def kind(self, value: ast.expr) -> Kind:
        return "step" if self.is_step(value) else "value"

    def reads(self, node: ast.AST, path: tuple[Place, ...]) -> Iterator[_Event]:
        yield from (_Event(name.id, path) for name in free_names(node))


_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def free_names(node: ast.AST, bound: frozenset[str] = frozenset()) -> Iterator[ast.Name]:
    """The names that an expression or statement reads; a comprehension's own do not count."""
    if isinstance(node, ast.Name):
        if node.id not in bound and isinstance(node.ctx, ast.Load):
            yield node
    elif isinstance(node, _COMPREHENSIONS):
        for loop in node.generators:
            yield from free_names(loop.iter, bound)
            bound |= {each.id for each in ast.walk(loop.target) if isinstance(each, ast.Name)}
            for condition in loop.ifs:
                yield from free_names(condition, bound)
        for part in ("key", "value", "elt"):
            if hasattr(node, part):
                yield from free_names(getattr(node, part), bound)
    else:
        if isinstance(node, ast.Lambda):
            bound |= {each.arg for each in ast.walk(node.args) if isinstance(each, ast.arg)}
        for child in ast.iter_child_nodes(node):
            yield from free_names(child, bound)


def unbound(function: Function, names: set[str]) -> tuple[list[ast.Name], bool]:
    """Where names may be read before they are bound; and whether the function's end is reached."""
    flow = _Flow(names)
    given = frozenset(each.arg for each in parameters_of(function))
    end = flow.block(function.body, given)
    return flow.found, end is not None


class _Flow:
    """Follows which names are surely bound; `None` is where nothing comes any more."""

    def __init__(self, names: set[str]) -> None:
        self.names = names
        self.found: list[ast.Name] = []

    def block(
        self, statements: Sequence[ast.stmt], bound: frozenset[str] | None
    ) -> frozenset[str] | None:
        for statement in statements:
            if bound is None:
                return None
            bound = self.statement(statement, bound)
        return bound

    def statement(self, node: ast.stmt, bound: frozenset[str]) -> frozenset[str] | None:
        match node:
            case ast.Assign(targets=[ast.Name(name)], value=value):
                self.reads(value, bound)
                return bound | {name}
            case ast.AnnAssign(target=ast.Name(name), value=ast.expr() as value):
                self.reads(value, bound)
                return bound | {name}
            case ast.AugAssign(target=ast.Name(name) as target, value=value):
                self.reads(value, bound)
                self.read(target, bound)
                return bound | {name}
            case ast.If(test, body, otherwise):
                self.reads(test, bound)
                return _either(self.block(body, bound), self.block(otherwise, bound))
            case ast.For(target, items, body):
                self.reads(items, bound)
                items_of = {each.id for each in targets(target) if isinstance(each, ast.Name)}
                self.block(body, bound | items_of)
                return bound
            case ast.While(test, body):
                self.reads(test, bound)
                self.block(body, bound)
                return None if isinstance(test, ast.Constant) and test.value is True else bound
            case ast.With(body=body):
                return self.block(body, bound)
            case ast.Try():
                return self.attempt(node, bound)
            case ast.Return() | ast.Raise():
                self.reads(node, bound)
                return None
            case _:
                self.reads(node, bound)
                return bound

    def attempt(self, node: ast.Try, bound: frozenset[str]) -> frozenset[str] | None:
        after = self.block(node.body, bound)
        for handler in node.handlers:
            named = {handler.name} if handler.name else set()
            end = self.block(handler.body, bound | named)
            after = _either(after, None if end is None else end - named)
        final = self.block(node.finalbody, bound)
        if final is None or after is None:
            return None
        return after | final

    def reads(self, node: ast.AST, bound: frozenset[str]) -> None:
        for name in free_names(node):
            self.read(name, bound)

    def read(self, name: ast.Name, bound: frozenset[str]) -> None:
        if name.id in self.names and name.id not in bound:
            self.found.append(name)


def _either(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    if one is None or other is None:
        return one if other is None else other
    return one & other
