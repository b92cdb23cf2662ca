"""Exceptions as named errors: which names an `except` handles, and what a `raise` raises."""

from __future__ import annotations

import ast
import builtins
from typing import TYPE_CHECKING

from agentflow.spec.expressions.template import Template
from agentflow.spec.expressions.tree import (
    Call,
    Literal,
    Name,
    ObjectDisplay,
    Text,
    Tree,
)
from agentflow.spec.python.modules import Module, helper
from agentflow.spec.python.refusals import Refused

if TYPE_CHECKING:
    from agentflow.spec.python.calls import Calls

_NEWER = frozenset({"PythonFinalizationError"})
"""Built-in exceptions that not every supported Python has."""
_ANY = ("Exception", "BaseException")
_OWN_TEXT = ("__init__", "__str__", "__new__")


class Exceptions:
    """Compiles what a function says about exceptions."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self.module = calls.module
        self.to = calls.to

    def caught(self, node: ast.ExceptHandler) -> tuple[str, ...]:
        """The names that a handler is for, those of subclasses included.

        Raises:
            Refused: a class is not known by its name.
        """
        if node.type is None:
            return ("*",)
        kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        names = [name for kind in kinds for name in self._names(kind)]
        return ("*",) if "*" in names else tuple(dict.fromkeys(names))

    def _names(self, kind: ast.expr) -> list[str]:
        path = self.calls.resolve(kind)
        if path is None:
            if not isinstance(kind, ast.Name) or not _is_exception(kind.id):
                raise self._unknown(kind)
            if kind.id in _ANY:
                return ["*"]
            return _built_in(kind.id)
        if self._is_fault(path):
            message = "`Fault` is what any named error is raised with"
            remedy = "name the error by a class of its own, or write `except Exception`"
            raise self.calls.refused("AF501", message, kind, remedy)
        found = self.calls.modules.definition(path)
        if found is None or not isinstance(found[1], ast.ClassDef):
            return [path.rpartition(".")[2]]
        module, defined = found
        return [defined.name, *_subclasses(module, defined.name)]

    def raised(self, node: ast.Raise) -> Template:
        """The error that a statement raises.

        Raises:
            Refused: it cannot be told from the source.
        """
        cause = node.cause
        if cause is not None and not (isinstance(cause, ast.Constant) and cause.value is None):
            return self._caused(node, cause)
        match node.exc:
            case None:
                return self.to.finish(Name(self._handled(node)), self.module.span(node))
            case ast.Name(name) if bind := self.calls.handled(name):
                return self.to.finish(Name(bind), self.module.span(node))
            case ast.expr() as raised:
                fields = self._fields(raised)
                span = self.module.span(raised)
                return {name: self.to.written(tree, span) for name, tree in fields.items()}

    def _caused(self, node: ast.Raise, cause: ast.expr) -> Template:
        bind = self.calls.handled(cause.id) if isinstance(cause, ast.Name) else None
        if bind is None or node.exc is None:
            message = "the cause is the exception of the handler around"
            raise self.calls.refused("AF501", message, cause, "leave `from …` out")
        fields = self._fields(node.exc) | {"cause": Name(bind)}
        entries = tuple((Literal(name), tree) for name, tree in fields.items())
        return self.to.finish(ObjectDisplay(entries), self.module.span(node))

    def _handled(self, node: ast.Raise) -> str:
        if not self.calls.handlers:
            message = "there is no exception here to raise again"
            raise self.calls.refused("AF501", message, node, "raise one: `raise ValueError(…)`")
        return self.calls.handlers[-1][1]

    def _fields(self, raised: ast.expr) -> dict[str, Tree]:
        """Name, message and data of an exception that is made."""
        kind = raised.func if isinstance(raised, ast.Call) else raised
        arguments = raised.args if isinstance(raised, ast.Call) else []
        keywords = raised.keywords if isinstance(raised, ast.Call) else []
        path = self.calls.resolve(kind)
        if path is not None and self._is_fault(path):
            return self._fault(raised, arguments, keywords)
        name = self._class(kind, path)
        if keywords or len(arguments) > 1:
            message = "an exception is raised with its message, and nothing else"
            remedy = f'write `raise Fault("{name}", "message", data={{…}})`'
            raise self.calls.refused("AF501", message, raised, remedy)
        if not arguments:
            return {"name": Literal(name)} | self._message_of(name)
        if name == "KeyError":
            message = "`KeyError` shows its argument in quotes, as no other exception does"
            raise self.calls.refused("AF501", message, raised, "raise a `LookupError`")
        return {"name": Literal(name), "message": self._text(arguments[0])}

    def _message_of(self, name: str) -> dict[str, Tree]:
        """The message of an exception that is raised without one."""
        return {"message": Literal("it took too long")} if name == "Timeout" else {}

    def _fault(
        self, raised: ast.expr, arguments: list[ast.expr], keywords: list[ast.keyword]
    ) -> dict[str, Tree]:
        given = dict(zip(("name", "message"), arguments, strict=False))
        given |= {keyword.arg or "**": keyword.value for keyword in keywords}
        if len(arguments) > 2 or not {"name", "message"} <= given.keys() <= {
            "name",
            "message",
            "data",
        }:
            message = "a `Fault` has a name, a message and perhaps data"
            remedy = 'raise Fault("TooLarge", "over the limit", data={"limit": 10})'
            raise self.calls.refused("AF501", message, raised, remedy)
        return {field: self.to.tree(value) for field, value in given.items()}

    def _class(self, kind: ast.expr, path: str | None) -> str:
        """The name of an exception's class."""
        if path is None:
            if isinstance(kind, ast.Name) and _is_exception(kind.id):
                return str(getattr(builtins, kind.id).__name__)
            raise self._unknown(kind)
        found = self.calls.modules.definition(path)
        if found is None or not isinstance(found[1], ast.ClassDef):
            return path.rpartition(".")[2]
        if helper(path) is None:
            self._plain_class(found[0], found[1], kind)
        return found[1].name

    def _plain_class(self, module: Module, defined: ast.ClassDef, kind: ast.expr) -> None:
        """Refuse classes whose text cannot be told from how they are raised."""
        methods = {each.name for each in defined.body if isinstance(each, ast.FunctionDef)}
        bases = [module.path_of(base) or "" for base in defined.bases]
        if methods.intersection(_OWN_TEXT) or any(map(self._is_fault, bases)):
            message = f"`{defined.name}` makes its own message, which cannot be told from here"
            remedy = f'write `raise Fault("{defined.name}", "message")`, or make it a function'
            raise self.calls.refused("AF501", message, kind, remedy)

    def _text(self, argument: ast.expr) -> Tree:
        tree = self.to.tree(argument)
        is_text = isinstance(tree, Text) or (
            isinstance(tree, Literal) and isinstance(tree.value, str)
        )
        return tree if is_text else Call("str", (tree,))

    def _is_fault(self, path: str) -> bool:
        return path in ("agentflow.Fault", "agentflow.errors.Fault", "agentflow.functions.Fault")

    def _unknown(self, kind: ast.expr) -> Refused:
        message = "this is no class of exceptions that is known by its name"
        remedy = "name a built-in exception, or a class at the top of a module"
        return self.calls.refused("AF504", message, kind, remedy)


def _is_exception(name: str) -> bool:
    kind = getattr(builtins, name, None)
    return isinstance(kind, type) and issubclass(kind, BaseException)


def _built_in(name: str) -> list[str]:
    """The name of a built-in exception and those of its built-in subclasses."""
    kind = getattr(builtins, name)
    below = {
        each.__name__
        for each in vars(builtins).values()
        if isinstance(each, type) and issubclass(each, kind) and each is not kind
    }
    return [kind.__name__, *sorted(below - _NEWER)]


def _subclasses(module: Module, name: str) -> list[str]:
    """Classes of the same module that are below another one."""
    found: list[str] = []
    for each, bound in module.names.items():
        if isinstance(bound, ast.ClassDef):
            bases = {base.id for base in bound.bases if isinstance(base, ast.Name)}
            if bases & {name, *found}:
                found.append(each)
    return found
