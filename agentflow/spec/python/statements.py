"""Statements of a workflow's function as steps: one method a kind of statement."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from agentflow.errors import Diagnostic
from agentflow.spec.expressions.template import Expression, Template
from agentflow.spec.expressions.tree import (
    Binary,
    Index,
    Literal,
    Name,
)
from agentflow.spec.model import (
    Block,
    Case,
    Catch,
    Loop,
    Raise,
    Return,
    Saga,
    Set,
    Switch,
    Try,
)
from agentflow.spec.python.calls import Calls
from agentflow.spec.python.compensations import Compensations, bound_name
from agentflow.spec.python.conversions import ARITHMETIC
from agentflow.spec.python.exceptions import Exceptions
from agentflow.spec.python.modules import helper
from agentflow.spec.python.refusals import FUNCTION, STATEMENTS, Refused
from agentflow.spec.python.targets import target_name, targets
from agentflow.spec.python.variables import Variables, free_names

T = TypeVar("T")

MOST_ITEMS = 1_000_000
"""Rounds of a `for`: as many as the longest list that an expression builds."""


class Statements:
    """Compiles the blocks of one function."""

    def __init__(
        self, calls: Calls, variables: Variables, diagnostics: list[Diagnostic], max_rounds: int
    ) -> None:
        self.calls = calls
        self.to = calls.to
        self.steps = calls.steps
        self.module = calls.module
        self.variables = variables
        self.diagnostics = diagnostics
        self.max_rounds = max_rounds
        self.exceptions = Exceptions(calls)
        self.undo = Compensations(calls)
        self._clean_ups = 0

    def block(
        self, statements: Sequence[ast.stmt], begin: Callable[[], None] | None = None
    ) -> Block:
        """The steps of a block inside of a statement; `begin` adds the first of them."""
        with self.steps.inside() as steps:
            if begin is not None:
                begin()
            self.fill(statements)
            if not steps:  # `pass`, and every block has a step
                place = statements[0]
                ignored = self.steps.unique("ignored")
                self.steps.add(self.steps.unique("nothing"), Set({ignored: None}), place)
        return Block(tuple(steps))

    def fill(self, statements: Sequence[ast.stmt], end: ast.stmt | None = None) -> None:
        """Add the steps of statements, up to `end`, to the block at hand; mistakes are noted."""
        for index, statement in enumerate(statements):
            if statement is end:
                return
            self._hoist(statements, index)
            follower = statements[index + 1] if index + 1 < len(statements) else None
            before = statements[index - 1] if index else None
            if before is not None and self.undo.belongs(statement, before):
                continue  # it was made with the call before
            try:
                self.statement(statement)
                if follower is not None and self.undo.belongs(follower, statement):
                    self.undo.add(follower, bound_name(statement))
            except Refused as refused:
                self.diagnostics.append(refused.diagnostic)
                self._stand_in(statement)

    def _hoist(self, statements: Sequence[ast.stmt], index: int) -> None:
        """Begin the variables that are bound in blocks inside of a statement and read outside."""
        for name in self.variables.hoisted.get((id(statements), index), ()):
            self.steps.assign(name, None, statements[index])

    def statement(self, node: ast.stmt) -> None:
        """Add the steps of one statement.

        Raises:
            Refused: it has no meaning in a workflow.
        """
        match node:
            case ast.Pass() | ast.AnnAssign(value=None) | ast.Expr(ast.Constant()):
                return
            case ast.Expr(value):
                self.expression(value)
            case ast.Assign(targets=[target], value=value):
                self.assign(target, value, node)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self.assign(target, value, node)
            case ast.AugAssign():
                self.augment(node)
            case ast.If():
                self.branch(node)
            case ast.For():
                self.each(node)
            case ast.While():
                self.repeat(node)
            case ast.With(items=[ast.withitem(ast.Call(function, [], []), None)]) if (
                helper(self.calls.resolve(function)) == "saga"
            ):
                self.saga(node)
            case ast.Try():
                self.attempt(node)
            case ast.Return():
                self.leave(node)
            case ast.Raise():
                error = self.exceptions.raised(node)
                self.steps.add(self.steps.unique("raise"), Raise(error), node)
            case _:
                what, remedy = STATEMENTS.get(type(node), ("this", FUNCTION))
                message = f"{what} is not part of workflows"
                raise Refused("AF501", message, self.module.head(node), help=remedy)

    # --- values -------------------------------------------------------------------------------

    def expression(self, value: ast.expr) -> None:
        """A call whose result nobody reads."""
        if self.calls.step(value):
            self.calls.run(value)
            return
        self.to.template(value)  # which may have more to say
        message = "an expression alone does nothing"
        raise self.calls.refused("AF501", message, value, "bind its value to a name, or remove it")

    def assign(self, target: ast.expr, value: ast.expr, node: ast.stmt) -> None:
        """A name for a value: the id of the step that gives it, or a variable."""
        name = self._target(target)
        if name in self.variables.direct:
            self.calls.run(value, name)
            return
        self._set(name, self.to.template(value), node, target)

    def augment(self, node: ast.AugAssign) -> None:
        """`x += y`, which is `x = x + y`."""
        name = self._target(node.target)
        operator = ARITHMETIC.get(type(node.op))
        if operator is None:
            remedy = "write the assignment out"
            raise self.calls.refused("AF501", "this operator of assignment", node, remedy)
        value = self.to.tree(node.value)
        left = Name(name, start=self.to.at(node.target))
        tree = Binary(operator, left, value, start=self.to.at(node))
        self._set(name, self.to.finish(tree, self.module.span(node)), node, node.target)

    def _set(self, name: str, value: Template, node: ast.stmt, target: ast.expr) -> None:
        span = self.module.head(node)
        self.steps.places[span, f"set.{name}"] = self.module.span(target)
        self.steps.assign(name, value, node)

    def _target(self, target: ast.expr) -> str:
        if isinstance(target, ast.Name):
            return target_name(self.module, target)
        if isinstance(target, ast.Tuple | ast.List):
            message = "several names at once"
            remedy = "bind the result to one name, and take it apart: `first = both[0]`"
        else:
            message = "values never change"
            remedy = "make a new one: `d = {**d, key: value}`, `xs = xs + [x]`"
        raise self.calls.refused("AF501", message, target, remedy)

    def condition(self, test: ast.expr) -> Expression:
        """The condition of a statement; one that is refused is noted, and holds."""
        return self._noted(lambda: self.to.expression(test)) or self._true(test)

    def leave(self, node: ast.Return) -> None:
        """The end of the workflow."""
        if self._clean_ups:
            message = "`return` in `finally` would hide the error on its way"
            raise self.calls.refused("AF501", message, node, "return after the `try`")
        value = None if node.value is None else self.to.template(node.value)
        self.steps.add(self.steps.unique("return"), Return(value), node)

    def output(self, node: ast.Return) -> Template:
        """The value of a `return` at the end of the function."""
        value = node.value
        return None if value is None else self._noted(lambda: self.to.template(value))

    # --- blocks -------------------------------------------------------------------------------

    def branch(self, node: ast.If) -> None:
        """`if`, with an `elif` for each further case whose condition makes no call."""
        step = self._named("if", node.test)
        cases = [Case(self.condition(node.test), self.block(node.body))]
        following = node.orelse
        while self._goes_on(following):
            elif_ = following[0]
            assert isinstance(elif_, ast.If)
            self._hoist(following, 0)  # Python sees a block here, and the workflow none
            cases.append(Case(self.condition(elif_.test), self.block(elif_.body)))
            following = elif_.orelse
        otherwise = self.block(following) if following else None
        self.steps.add(step, Switch(tuple(cases), otherwise), node)

    def _goes_on(self, statements: Sequence[ast.stmt]) -> bool:
        """Whether an `else` is an `elif` whose condition makes no call."""
        only = statements[0] if len(statements) == 1 else None
        return isinstance(only, ast.If) and not self._calls_in(only.test)

    def each(self, node: ast.For) -> None:
        """`for`, one round after the other."""
        self._no_else(node.orelse)
        names = [target_name(self.module, each) for each in targets(node.target)]
        if isinstance(node.target, ast.Tuple | ast.List) and not _is_paired(node.iter, len(names)):
            message = "items whose length is not known are not taken apart here"
            remedy = "name the item, and take it apart in the block: `a = pair[0]`"
            raise self.calls.refused("AF501", message, node.target, remedy)
        step = self.steps.unique(f"for_{'_'.join(names)}")
        items = self._noted(lambda: self.to.template(node.iter))
        bind = names[0]
        if bind not in self.variables.direct or len(names) > 1:
            bind = self.steps.unique(f"{bind}_item" if len(names) == 1 else "_".join(names))

        def begin() -> None:
            if bind != names[0]:
                self._unpack(names, bind, node.target)

        do = self.block(node.body, begin)
        span = self.module.head(node)
        self.steps.places[span, "as"] = self.module.span(node.target)
        self.steps.places[span, "for"] = self.module.span(node.iter)
        loop = Loop(do, items=items, bind=bind, max=MOST_ITEMS)
        self.steps.add(step, loop, node)

    def _unpack(self, names: Sequence[str], bind: str, target: ast.expr) -> None:
        """Set the variables of a round to the item, or to its parts."""
        span = self.module.span(target)
        if len(names) == 1:
            self.steps.assign(names[0], self.to.finish(Name(bind), span), target)
            return
        parts = {
            name: self.to.finish(Index(Name(bind), Literal(position)), span)
            for position, name in enumerate(names)
        }
        self.steps.add(self.steps.unique(f"set_{'_'.join(names)}"), Set(parts), target)

    def repeat(self, node: ast.While) -> None:
        """`while`, at most `max_rounds` times."""
        self._no_else(node.orelse)
        step = self._named("while", node.test)
        if self._calls_in(node.test):
            message = "a call in the condition would be a step of each round"
            remedy = "call before the loop and at the end of its block, and compare the result"
            self.diagnostics.append(
                self.calls.refused("AF503", message, node.test, remedy).diagnostic
            )
            condition = self._true(node.test)
        else:
            condition = self.condition(node.test)
        loop = Loop(self.block(node.body), condition, max=self.max_rounds)
        self.steps.add(step, loop, node)

    def saga(self, node: ast.With) -> None:
        """The block of a saga."""
        step = self.steps.unique("saga")
        with self.undo.saga():
            do = self.block(node.body)
        self.steps.add(step, Saga(do), node)

    def attempt(self, node: ast.Try) -> None:
        """`try` with its handlers and its clean-up."""
        if node.orelse:
            message = "`else` of a `try`"
            remedy = "move it to the end of the `try` block, or after the statement"
            self._note("AF501", message, node.orelse[0], remedy)
        step = self.steps.unique("try")
        do = self.block(node.body)
        catch = tuple(self.handler(each) for each in node.handlers)
        final = None
        if node.finalbody:
            self._clean_ups += 1
            final = self.block(node.finalbody)
            self._clean_ups -= 1
        self.steps.add(step, Try(do, catch, final), node)

    def handler(self, node: ast.ExceptHandler) -> Catch:
        """One `except`."""
        on = self._noted(lambda: self.exceptions.caught(node)) or ("*",)
        name = bind = node.name
        if name is not None and name in self.variables.assigned:
            message = f"`{name}` is a variable too, and exceptions are no values"
            self._note("AF501", message, node, "give the exception a name of its own")
        if name is not None and (name in self.variables.assigned or self.calls.handled(name)):
            bind = self.steps.unique(name)
        if name is None and _raises_again(node.body):
            bind = self.steps.unique("error")
        self.calls.handlers.append((name or "", bind or ""))
        do = self.block(node.body)
        self.calls.handlers.pop()
        return Catch(on, do, self.module.head(node), bind)

    # --- mistakes -----------------------------------------------------------------------------

    def _stand_in(self, node: ast.stmt) -> None:
        """Bind what a refused statement would have bound."""
        name = bound_name(node)
        if name is not None and not any(step.id == name for step in self.steps.block):
            self.steps.unknown(name, node, assigned=name in self.variables.assigned)

    def _noted(self, make: Callable[[], T]) -> T | None:
        """What is made, or a note of why it is refused."""
        try:
            return make()
        except Refused as refused:
            self.diagnostics.append(refused.diagnostic)
            return None

    def _note(self, code: str, message: str, node: Any, remedy: str) -> None:
        self.diagnostics.append(self.calls.refused(code, message, node, remedy).diagnostic)

    def _no_else(self, statements: Sequence[ast.stmt]) -> None:
        if statements:
            remedy = "write it after the loop: no `break` can leave it"
            self._note("AF501", "`else` of a loop", statements[0], remedy)

    def _named(self, verb: str, test: ast.expr) -> str:
        """An id for a statement, by the first of the function's names that its condition reads."""
        own = (name.id for name in free_names(test) if self.calls.is_own(name.id))
        return self.steps.unique(f"{verb}_{next(own, '')}")

    def _true(self, node: ast.expr) -> Expression:
        return Expression("true", Literal(value=True), self.module.span(node))

    def _calls_in(self, node: ast.expr) -> bool:
        return any(self.calls.step(each) for each in ast.walk(node) if isinstance(each, ast.expr))


def _is_paired(items: ast.expr, length: int) -> bool:
    """Whether each item is surely a list of this length."""
    match items:
        case ast.Call(ast.Name("enumerate")) | ast.Call(ast.Attribute(_, "items"), []):
            return length == 2
        case ast.Call(ast.Name("zip"), arguments):
            return length == len(arguments)
        case _:
            return False


def _raises_again(statements: Sequence[ast.stmt]) -> bool:
    """Whether a handler has a `raise` without an exception, handlers inside left out."""
    ahead: list[ast.AST] = list(statements)
    while ahead:
        node = ahead.pop()
        if isinstance(node, ast.Raise) and node.exc is None:
            return True
        if not isinstance(node, ast.ExceptHandler):
            ahead.extend(ast.iter_child_nodes(node))
    return False
