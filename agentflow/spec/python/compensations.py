"""Calls that a saga undoes: a call, and the `compensate` on the line after it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace

from agentflow.spec.model import Call
from agentflow.spec.python.calls import Calls
from agentflow.spec.python.modules import helper


class Compensations:
    """Knows whether there is a saga around, and gives calls what undoes them."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self._sagas = 0

    @contextmanager
    def saga(self) -> Iterator[None]:
        """A block whose calls can be undone."""
        self._sagas += 1
        yield
        self._sagas -= 1

    def belongs(self, statement: ast.stmt, before: ast.stmt) -> bool:
        """Whether a statement says how the call in the one before it is undone."""
        value = statement.value if isinstance(statement, ast.Expr) else None
        return (
            isinstance(value, ast.Call)
            and helper(self.calls.resolve(value.func)) == "compensate"
            and self._is_undone(before)
        )

    def add(self, statement: ast.stmt, name: str | None) -> None:
        """Give the last call what undoes it; `name` reads its result, though it may be set later.

        Raises:
            Refused: there is no saga around, or it is no call.
        """
        assert isinstance(statement, ast.Expr)
        call = statement.value
        assert isinstance(call, ast.Call)
        if not self._sagas:
            message = "`compensate` stands outside of a saga"
            raise self.calls.refused("AF505", message, call, "put the call in `with saga():`")
        block = self.calls.steps.block
        at = max(place for place, step in enumerate(block) if isinstance(step.action, Call))
        step = block[at]
        with self.calls.rename(name, step.id) if name else nullcontext():
            undo = self.calls.helpers.compensation(call)
        assert isinstance(step.action, Call)
        block[at] = replace(step, action=replace(step.action, compensate=undo))

    def _is_undone(self, statement: ast.stmt) -> bool:
        """Whether a statement is the call of a function."""
        match statement:
            case ast.Expr(ast.Call() as call) | ast.Assign(value=ast.Call() as call):
                pass
            case ast.AnnAssign(value=ast.Call() as call):
                pass
            case _:
                return False
        return self.calls.calls_function(call)


def bound_name(statement: ast.stmt) -> str | None:
    """The name that a statement binds, if it is one."""
    match statement:
        case ast.Assign(targets=[ast.Name(name)]) | ast.AnnAssign(target=ast.Name(name)):
            return name
        case ast.AugAssign(target=ast.Name(name)):
            return name
        case _:
            return None
