"""The helpers of `agentflow` inside of a workflow: which steps they become."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from agentflow.spec.diagnostics import did_you_mean
from agentflow.spec.expressions.template import Expression, Template
from agentflow.spec.expressions.tree import Attribute, ListDisplay, Name, Tree
from agentflow.spec.fields import listed
from agentflow.spec.model import (
    Block,
    Compensation,
    Duration,
    Emit,
    Fork,
    Listen,
    Map,
    Reduce,
    Return,
    Wait,
)
from agentflow.spec.python.refusals import Refused
from agentflow.spec.python.steps import NOTHING
from agentflow.spec.reader import Reader
from agentflow.spec.source import Node

if TYPE_CHECKING:
    from agentflow.spec.python.calls import Calls

_STEP = ("id", "description", "retry", "timeout", "resources", "execution")
_MAP = ("id", "concurrency", "batch", "tolerate", "reduce", "arity", "retry", "timeout")

HELPERS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "wait": (("duration",), ()),
    "approve": (("message",), ("form", "timeout")),
    "listen": (("name",), ("correlation", "timeout")),
    "emit": (("type", "data"), ("subject", "source")),
    "step": (("result",), _STEP),
    "gather": (("results",), _MAP),
}
"""What each helper is given by position, and what by name."""
_Make: TypeAlias = Callable[[dict[str, ast.expr], ast.Call, str | None], Tree]
"""Makes the step of a helper from its arguments, its call, and the id it must have, if any."""


class Helpers:
    """Makes the steps of helpers."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self.steps = calls.steps
        self.module = calls.module
        self._makers: dict[str, _Make] = {
            "wait": self.wait,
            "approve": self.approve,
            "listen": self.listen,
            "emit": self.emit,
            "step": self.step,
            "gather": self.gather,
        }

    def run(self, name: str, node: ast.Call, wanted: str | None) -> Tree:
        """Make the step of a call of a helper; the tree reads its result."""
        match name:
            case "parallel":
                return self.parallel(node, wanted)
            case "compensate":
                raise self.calls.refused(
                    "AF505",
                    "`compensate` stands right after the call that it undoes",
                    node,
                    "write it in `with saga():`, on the line after that call",
                )
            case "saga":
                message = "`saga()` is a block"
                raise self.calls.refused("AF505", message, node, "write `with saga():`")
            case _ if make := self._makers.get(name):
                return make(self.given(name, node), node, wanted)
            case _:
                message = f"`agentflow.{name}` is not for workflows"
                remedy = f"inside of one there are {listed([*HELPERS, 'parallel', 'saga'])}"
                raise self.calls.refused("AF504", message, node.func, remedy)

    def given(self, name: str, node: ast.Call) -> dict[str, ast.expr]:
        """The arguments of a helper by name; wrong ones are refused."""
        positional, named = HELPERS[name]
        if any(isinstance(argument, ast.Starred) for argument in node.args):
            raise self.calls.refused("AF501", "`*` in a call", node, "write the arguments out")
        if len(node.args) > len(positional):
            message = f"`{name}` takes {listed(positional)} by position"
            raise self.calls.refused("AF505", message, node.args[len(positional)], "name the rest")
        found = dict(zip(positional, node.args, strict=False))
        for keyword in node.keywords:
            if keyword.arg not in named:
                takes = f"it takes {listed(named)}" if named else "it takes nothing by name"
                remedy = did_you_mean(keyword.arg or "", named) or takes
                message = f"`{name}` takes no `{keyword.arg or '**'}`"
                raise self.calls.refused("AF505", message, keyword, remedy)
            found[keyword.arg] = keyword.value
        if positional[0] not in found:
            message = f"`{name}` needs its {positional[0]}"
            raise self.calls.refused("AF505", message, node, f"{name}(…)")
        return found

    def parallel(self, node: ast.Call, wanted: str | None) -> Tree:
        """A fork: an object of results by name, or a list of them."""
        if (node.args and node.keywords) or not (node.args or node.keywords):
            message = "`parallel` takes calls, all by name or none"
            remedy = "parallel(a=f(x), b=g(y)), or parallel(f(x), g(y))"
            raise self.calls.refused("AF505", message, node, remedy)
        branches: dict[str, Block] = {}
        span = self.module.head(node)
        for position, value in enumerate([*node.args, *(each.value for each in node.keywords)]):
            if isinstance(value, ast.Starred) or (
                node.keywords and not node.keywords[position].arg
            ):
                raise self.calls.refused("AF501", "`*` in a call", value, "write the calls out")
            name = f"branch_{position + 1}" if node.args else str(node.keywords[position].arg)
            branches[name] = self.branch(value)
            self.steps.places[span, f"branch.{name}"] = self.module.span(value)
        step = wanted or self.steps.unique("parallel")
        fork = self.steps.add(step, Fork(branches, len(branches)), node)
        return ListDisplay(tuple(Attribute(fork, name) for name in branches)) if node.args else fork

    def branch(self, value: ast.expr) -> Block:
        """The steps of one branch; its value is that of the last, or returned."""
        with self.steps.inside() as block:
            tree = self.calls.to.tree(value)
            if not block or tree != Name(block[-1].id):
                result = self.calls.to.finish(tree, self.module.span(value))
                self.steps.add(self.steps.unique("result"), Return(result), value)
        return Block(tuple(block))

    def wait(self, given: dict[str, ast.expr], node: ast.Call, wanted: str | None) -> Tree:
        """A wait for a duration or until a time."""
        duration = given["duration"]
        literal = self.literal(duration)
        if literal is None:
            until: Template = self.calls.to.template(duration)
        else:
            until = Reader(self.steps.diagnostics).moment(literal, "`wait`")
        self.steps.add(wanted or self.steps.unique("wait"), Wait(until), node)
        return NOTHING

    def approve(self, given: dict[str, ast.expr], node: ast.Call, wanted: str | None) -> Tree:
        """A wait for a person."""
        prompt, form = self.calls.to.template(given["message"]), None
        if "form" in given:
            literal = self.steps.literals.node(given["form"], "`form`")
            form = Reader(self.steps.diagnostics).schema(literal, "`form`")
        listen = Listen(None, form=form, prompt=prompt)
        return self.awaiting("approve", listen, given, node, wanted)

    def listen(self, given: dict[str, ast.expr], node: ast.Call, wanted: str | None) -> Tree:
        """A wait for a message."""
        name = self.steps.literals.node(given["name"], "the message's name")
        text = Reader(self.steps.diagnostics).text(name, "the message's name")
        correlation = (
            self.calls.to.template(given["correlation"]) if "correlation" in given else None
        )
        return self.awaiting("listen", Listen(text or "", correlation), given, node, wanted)

    def awaiting(
        self,
        name: str,
        listen: Listen,
        given: dict[str, ast.expr],
        node: ast.Call,
        wanted: str | None,
    ) -> Tree:
        timeout = self.timeout(given)
        result = self.steps.add(wanted or self.steps.unique(name), listen, node)
        self.steps.block[-1] = replace(self.steps.block[-1], timeout=timeout)
        return result

    def emit(self, given: dict[str, ast.expr], node: ast.Call, wanted: str | None) -> Tree:
        """An event."""
        fields = {name: self.calls.to.template(value) for name, value in given.items()}
        self.steps.add(wanted or self.steps.unique("emit"), Emit(**fields), node)
        return NOTHING

    def step(self, given: dict[str, ast.expr], node: ast.Call, wanted: str | None) -> Tree:
        """More about the step of a call."""
        inner = given.pop("result")
        if not (isinstance(inner, ast.Call) and self.calls.step(inner)):
            raise self.calls.refused(
                "AF505", "`step` says more about a call", inner, "step(f(x), …)"
            )
        own = self.id(given)
        timeout = self.timeout(given)
        result = self.calls.run(inner, own or wanted)
        self.refine(given, timeout, node)
        return result

    def gather(self, given: dict[str, ast.expr], node: ast.Call, wanted: str | None) -> Tree:
        """More about the map of a comprehension."""
        inner = given.pop("results")
        if not (isinstance(inner, ast.ListComp) and self.calls.step(inner)):
            message = "`gather` says more about a comprehension over a call"
            raise self.calls.refused("AF505", message, inner, "gather([f(x) for x in xs], …)")
        own = self.id(given)
        timeout = self.timeout(given)
        reduce = self.reduce(given)
        result = self.calls.run(inner, own or wanted)
        self.refine(given, timeout, node)
        last = self.steps.block[-1]
        assert isinstance(last.action, Map)
        self.steps.block[-1] = replace(last, action=replace(last.action, reduce=reduce))
        return result

    def reduce(self, given: dict[str, ast.expr]) -> Reduce | None:
        function, arity = given.pop("reduce", None), given.pop("arity", None)
        if function is None:
            if arity is not None:
                message = "`arity` is for `reduce`"
                raise self.calls.refused("AF505", message, arity, "add `reduce=…`")
            return None
        path, parameters = self.calls.function(function, "`reduce`")
        count = 16
        if arity is not None:
            literal = self.steps.literals.node(arity, "`arity`")
            count = Reader(self.steps.diagnostics).count(literal, "`arity`", 2) or 16
        span = self.module.span(function)
        items = Expression("items", Name("items"), span)
        return Reduce(path, {parameters[0] if parameters else "items": items}, span, count)

    def compensation(self, node: ast.Call) -> Compensation:
        """The call that undoes another one."""
        if not node.args:
            message = "`compensate` needs the function that undoes the call"
            raise self.calls.refused("AF505", message, node, "compensate(cancel, booking=…)")
        function, *rest = node.args
        path, parameters = self.calls.function(function, "what undoes a call")
        call = ast.copy_location(ast.Call(function, rest, node.keywords), node)
        with self.steps.inside() as block:
            arguments = self.calls.arguments(call, path, parameters)
        if block:
            message = "a call here would be made when there is something to undo, or never"
            raise self.calls.refused("AF503", message, node, "bind its result to a name first")
        return Compensation(path, arguments, self.module.span(function))

    def id(self, given: dict[str, ast.expr]) -> str | None:
        """The id that a step is to have."""
        node = given.pop("id", None)
        if node is None:
            return None
        literal = self.steps.literals.node(node, "`id`")
        name = Reader(self.steps.diagnostics).id(literal, "`id`")
        if name is None:
            return None
        unique = self.steps.unique(name)
        if unique != name:
            raise self.calls.refused("AF505", f"`{name}` is taken", node, "choose another name")
        return name

    def timeout(self, given: dict[str, ast.expr]) -> Duration | None:
        """A timeout that is written out, or an expression."""
        node = given.pop("timeout", None)
        if node is None:
            return None
        literal = self.literal(node)
        if literal is not None:
            return Reader(self.steps.diagnostics).duration(literal, "`timeout`")
        return self.calls.to.expression(node)

    def literal(self, node: ast.expr) -> Node | None:
        """The node of a literal; `None` if it must be computed."""
        own = isinstance(node, ast.Name) and self.calls.is_own(node.id)
        try:
            return None if own else self.steps.literals.node(node)
        except Refused:
            return None

    def refine(self, given: dict[str, ast.expr], timeout: Duration | None, node: ast.Call) -> None:
        options = {
            name: self.steps.literals.node(value, f"`{name}`") for name, value in given.items()
        }
        self.steps.refine(options, node)
        if timeout is not None:
            self.steps.block[-1] = replace(self.steps.block[-1], timeout=timeout)
