"""What names and calls stand for in a workflow's function, and the steps that calls become."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from agentflow.spec.diagnostics import did_you_mean
from agentflow.spec.expressions import library
from agentflow.spec.expressions.template import Template
from agentflow.spec.expressions.tree import (
    Attribute,
    Comprehension,
    Generator,
    Literal,
    MethodCall,
    Name,
    Tree,
)
from agentflow.spec.fields import listed
from agentflow.spec.model import Block, Call, Map, Return, Run, Step
from agentflow.spec.python.find import Definition
from agentflow.spec.python.helpers import Helpers
from agentflow.spec.python.literals import Literals, literal_tree
from agentflow.spec.python.modules import Assigned, Function, Imported, Modules, helper
from agentflow.spec.python.parameters import defaults_of, parameters_of, positions_of
from agentflow.spec.python.refusals import FUNCTION, Refused
from agentflow.spec.python.steps import Steps
from agentflow.spec.python.targets import target_name
from agentflow.spec.python.translate import Translation
from agentflow.spec.python.variables import bound_names

_ERROR_FIELDS = ("name", "message", "data", "cause")


class Calls:
    """The surroundings of the expressions of one function."""

    def __init__(self, definition: Definition, modules: Modules, steps: Steps) -> None:
        self.module = definition.module
        self.definition = definition
        self.modules = modules
        self.steps = steps
        self.own = bound_names(definition.node)
        """Names that the function binds, its parameters aside."""
        self.children: dict[str, Definition] = {}
        self.handlers: list[tuple[str, str]] = []
        """Exceptions being handled, outermost first: as the function and the workflow call them."""
        self.renamed: dict[str, str] = {}
        """What the names of comprehensions around are called in the workflow."""
        self.to = Translation(self.module, self)
        self.helpers = Helpers(self)
        self._defaults = defaults_of(definition.node)
        self._known: dict[int, bool] = {}

    # --- what an expression asks ------------------------------------------------------------

    def read(self, node: ast.Name) -> Tree:
        """What a name stands for."""
        name = node.id
        if name in self.renamed:
            return Name(self.renamed[name])
        if self.handled(name):
            message = f"`{name}` is an exception, and that is no JSON value"
            remedy = f"`str({name})` is its message; `agentflow.error({name})` is all of it"
            raise self.refused("AF501", message, node, remedy)
        if name in self.own:
            return Name(name)
        if name in self._defaults:
            return self.parameter(name)
        match self.module.names.get(name):
            case Assigned(value) if value is not None:
                return literal_tree(self.steps.literals.value(value, f"`{name}`"))
            case None:
                raise self._undefined(node)
            case Assigned():
                message = f"`{name}` is bound more than once at the top of the module"
                raise self.refused("AF501", message, node, "pass the value as a parameter")
            case Imported():
                message = f"`{name}` is imported, and its value is not known from the source"
                raise self.refused("AF501", message, node, f"pass it as a parameter, or {FUNCTION}")
            case _:
                message = f"`{name}` is not a value: only JSON can be"
                raise self.refused("AF501", message, node, f"call it, or {FUNCTION}")

    def special(self, node: ast.expr) -> Tree | None:
        """Parts of a caught exception, and `error(e)`, which is all of it."""
        match node:
            case ast.Attribute(ast.Name(name), field) if bind := self.handled(name):
                if field in _ERROR_FIELDS:
                    return Attribute(Name(bind), field)
                message = f"an error has no `{field}`; it has {listed(_ERROR_FIELDS)}"
                raise self.refused("AF501", message, node, f"`str({name})` is its message")
            case ast.Call(function, [ast.Name(name)]) if bind := self.handled(name):
                return Name(bind) if helper(self.resolve(function)) == "error" else None
            case _:
                return None

    def message(self, node: ast.expr) -> Tree | None:
        """The message of a caught exception."""
        bind = self.handled(node.id) if isinstance(node, ast.Name) else None
        return Attribute(Name(bind), "message") if bind else None

    def handled(self, name: str) -> str | None:
        """What an exception that is being handled is called in the workflow."""
        binds = (bind for own, bind in reversed(self.handlers) if own == name)
        return next(binds, None)

    def step(self, node: ast.expr) -> bool:
        """Whether a node is a call of a function or helper, or a comprehension over one."""
        if isinstance(node, ast.Call):
            path = self.resolve(node.func)
            return path is not None and helper(path) != "error"
        if isinstance(node, ast.ListComp | ast.GeneratorExp):
            key = id(node)
            if key not in self._known:
                items = {name for loop in node.generators for name in _names_in(loop.target)}
                self._known[key] = any(
                    isinstance(each, ast.Call)
                    and self.step(each)
                    and not items.intersection(_names_in(each.func))
                    for each in ast.walk(node.elt)
                )
            return self._known[key]
        return False

    def binds(self, value: ast.expr) -> bool:
        """Whether a value is a step that can have the name it is assigned to as its id."""
        if not self.step(value):
            return False
        if not isinstance(value, ast.Call):
            return True
        match helper(self.resolve(value.func)):
            case "parallel":
                return not value.args
            case "wait" | "emit" | "compensate" | "saga":
                return False
            case _:
                return all(keyword.arg != "id" for keyword in value.keywords)

    def calls_function(self, node: ast.Call) -> bool:
        """Whether a call is of a function of the user's, perhaps with `step` around it."""
        path = self.resolve(node.func)
        if helper(path) == "step" and node.args and isinstance(node.args[0], ast.Call):
            return self.calls_function(node.args[0])
        if path is None or helper(path) is not None:
            return False
        found = self.modules.definition(path)
        return found is None or found[1].name not in found[0].workflows

    def run(self, node: ast.expr, wanted: str | None = None) -> Tree:
        """Make the step of a call, or the map of a comprehension; the tree reads its result.

        `wanted` is the id that the step must have, if any.
        """
        if isinstance(node, ast.ListComp | ast.GeneratorExp):
            return self.map(node, wanted)
        assert isinstance(node, ast.Call)
        path = self.resolve(node.func)
        assert path is not None
        name = helper(path)
        if name is not None:
            return self.helpers.run(name, node, wanted)
        found = self.modules.definition(path)
        if found is None:
            return self.call(node, path, None, wanted)
        module, defined = found
        if isinstance(defined, ast.ClassDef):
            message = f"`{defined.name}` is a class, and steps call functions"
            raise self.refused("AF504", message, node.func, FUNCTION)
        if defined.name in module.workflows:
            return self.child(node, Definition(module, defined), wanted)
        return self.call(node, path, defined, wanted)

    # --- steps --------------------------------------------------------------------------------

    def call(self, node: ast.Call, path: str, defined: Function | None, wanted: str | None) -> Tree:
        """The step that calls a function."""
        function, span = self.importable(path, node.func), self.module.span(node.func)
        arguments = self.arguments(node, path, positions_of(defined))
        for keyword in node.keywords:
            if keyword.arg:
                self.steps.places[span, f"with.{keyword.arg}"] = self.module.span(keyword)
        name = wanted or self.steps.unique(path.rpartition(".")[2])
        return self.steps.add(name, Call(function, arguments, span), node)

    def importable(self, path: str, node: ast.expr) -> str:
        """The import path of a function, if workers can import it."""
        local = isinstance(node, ast.Name) and path == f"{self.module.name}.{node.id}"
        if local and (self.definition.is_main or not self.module.name):
            why = (
                "is defined in the program that is running"
                if self.definition.is_main
                else "is in a file that has no import path in this project"
            )
            message = f"`{path.rpartition('.')[2]}` {why}, and workers could not import it"
            raise self.refused("AF504", message, node, "move it to a module, and import it")
        return path

    def child(self, node: ast.Call, defined: Definition, wanted: str | None) -> Tree:
        """The step that runs another workflow."""
        name = workflow_name(defined)
        known = self.children.setdefault(name, defined)
        if known.node is not defined.node:
            message = f"two workflows are named `{name}`: {known.path} and {defined.path}"
            remedy = 'rename one of them: @workflow(name="…")'
            raise self.refused("AF413", message, node.func, remedy)
        given = self.arguments(
            node, defined.path, [each.arg for each in parameters_of(defined.node)]
        )
        step = wanted or self.steps.unique(defined.node.name)
        return self.steps.add(step, Run(name, given, self.module.span(node.func)), node)

    def arguments(
        self, node: ast.Call, path: str, parameters: Sequence[str] | None
    ) -> dict[str, Template]:
        """The arguments of a call by name; positions are looked up in the definition."""
        name = path.rpartition(".")[2].rpartition(":")[2]
        given: dict[str, Template] = {}
        for position, argument in enumerate(node.args):
            if isinstance(argument, ast.Starred):
                message = "the arguments of a step are named in the source"
                raise self.refused("AF501", message, argument, "write them out, without `*`")
            if parameters is None:
                message = f"the parameters of `{name}` cannot be read"
                remedy = "give its arguments by name: f(x=…)"
                raise self.refused("AF504", message, argument, remedy)
            if position >= len(parameters):
                message = f"`{name}` takes {library.arguments(len(parameters))} by position"
                raise self.refused("AF504", message, argument, "give the others by name")
            given[parameters[position]] = self.to.template(argument)
        for keyword in node.keywords:
            if keyword.arg is None:
                message = "the arguments of a step are named in the source"
                raise self.refused("AF501", message, keyword.value, "write them out, without `**`")
            if keyword.arg in given:
                message = f"`{keyword.arg}` is given twice"
                raise self.refused("AF504", message, keyword.value, "keep one of the two")
            given[keyword.arg] = self.to.template(keyword.value)
        return given

    def map(self, node: ast.ListComp | ast.GeneratorExp, wanted: str | None) -> Tree:
        """The step that runs a comprehension's element for each item."""
        if len(node.generators) > 1:
            message = "a call for the items of several lists"
            remedy = "make the pairs first: `pairs = [[a, b] for a in xs for b in ys]`"
            raise self.refused("AF501", message, node, remedy)
        loop = node.generators[0]
        if loop.is_async:
            raise self.refused("AF501", "`async for`", loop.target, "write `for`")
        name = target_name(self.module, loop.target)
        items = self._items(loop, name)
        taken = {*self.own, *self.renamed.values()}
        bind = self.steps.unique(f"{name}_item") if name in taken else name
        with self.steps.inside() as block, self.rename(name, bind):
            element = self.to.tree(node.elt)
            body, outer = self._body(block, element, node)
        step = wanted or self.steps.unique(_map_id(block, body, name))
        span = self.module.head(node)
        self.steps.places[span, "as"] = self.module.span(loop.target)
        self.steps.places[span, "map"] = self.module.span(loop.iter)
        result = self.steps.add(step, Map(items, body, bind), node)
        self.steps.block[-1] = replace(
            self.steps.block[-1], retry=outer.retry, timeout=outer.timeout
        )
        return result

    def _items(self, loop: ast.comprehension, name: str) -> Template:
        if not loop.ifs:
            return self.to.template(loop.iter)
        items = self.to.tree(loop.iter)
        self.to.bound = (name,)
        try:
            with self.to.within():
                conditions = tuple(map(self.to.tree, loop.ifs))
        finally:
            self.to.bound = ()
        kept = Comprehension(Name(name), (Generator((name,), items, conditions),))
        return self.to.finish(kept, self.module.span(loop.iter))

    def _body(self, block: list[Step], element: Tree, node: ast.expr) -> tuple[Call | Block, Step]:
        """What a map does with an item: a call alone, or steps; and the step with its options."""
        last = block[-1]
        ends = element == Name(last.id)
        call = last.action
        if len(block) == 1 and ends and isinstance(call, Call) and not call.at_most_once:
            self.steps.release(last.id)
            return call, last
        if not ends:
            element_of = node.elt if isinstance(node, ast.ListComp | ast.GeneratorExp) else node
            value = self.to.finish(element, self.module.span(element_of))
            self.steps.add(self.steps.unique("item"), Return(value), element_of)
        return Block(tuple(block)), replace(last, retry=None, timeout=None)

    # --- names --------------------------------------------------------------------------------

    def resolve(self, node: ast.expr) -> str | None:
        """The import path of what is called; `None` if the function's own names or Python's."""
        top = node
        while isinstance(top, ast.Attribute):
            top = top.value
        if not isinstance(top, ast.Name) or self.is_own(top.id):
            return None
        return self.module.path_of(node)

    def function(self, node: ast.expr, what: str) -> tuple[str, Sequence[str] | None]:
        """The function that a helper is given: its import path and its parameters.

        Raises:
            Refused: it is none.
        """
        path = self.resolve(node)
        if path is None or helper(path) is not None:
            raise self.refused("AF504", f"{what} is a function", node, "name one of a module")
        found = self.modules.definition(path)
        if found is None:
            return self.importable(path, node), None
        module, defined = found
        if isinstance(defined, ast.ClassDef) or defined.name in module.workflows:
            raise self.refused("AF504", f"{what} is a function", node, "name one of a module")
        return self.importable(path, node), positions_of(defined)

    @contextmanager
    def rename(self, name: str, into: str) -> Iterator[None]:
        """Read a name as another one."""
        outer = self.renamed
        self.renamed = {**outer, name: into}
        try:
            yield
        finally:
            self.renamed = outer

    def refused(self, code: str, message: str, node: Any, remedy: str) -> Refused:
        """A refusal at a node."""
        return Refused(code, message, self.module.span(node), help=remedy)

    def is_own(self, name: str) -> bool:
        """Whether a name is one of the function's, rather than of its module or of Python."""
        return (
            name in self.renamed
            or name in self.to.bound
            or name in self.own
            or name in self._defaults
        )

    def parameter(self, name: str) -> Tree:
        """What reads a parameter from the input."""
        default = self._defaults[name]
        if default is None:
            return Attribute(Name("input"), name)
        value = literal_tree(self.steps.literals.value(default, f"the default of `{name}`"))
        return MethodCall(Name("input"), "get", (Literal(name), value))

    def _undefined(self, node: ast.Name) -> Refused:
        name = node.id
        if hasattr(builtins, name):
            message = f"`{name}` is not a value: only JSON can be"
            return self.refused("AF501", message, node, FUNCTION)
        known = [*self.own, *self._defaults, *self.module.names]
        remedy = did_you_mean(name, known)
        if not remedy and self.module.imports_all:
            remedy = "import it by its name: what `import *` binds cannot be read"
        return self.refused("AF301", f"`{name}` is not defined", node, remedy)


def _names_in(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def workflow_name(definition: Definition) -> str:
    """The name that a function gives its workflow."""
    decorator = definition.module.decorator(definition.node)
    for keyword in decorator.keywords if isinstance(decorator, ast.Call) else ():
        if keyword.arg == "name":
            return str(Literals(definition.module).value(keyword.value, "`name`"))
    return definition.node.name


def _map_id(block: list[Step], body: Call | Block, name: str) -> str:
    return block[0].id if isinstance(body, Call) else f"each_{name}"
