"""A workflow's function to the model: its head, its parameters, its steps."""

from __future__ import annotations

import ast
import inspect
from dataclasses import dataclass, replace

from agentflow.errors import Diagnostic, Json, Span
from agentflow.spec.annotations import is_context
from agentflow.spec.diagnostics import did_you_mean
from agentflow.spec.fields import listed
from agentflow.spec.model import Block, Return, Workflow
from agentflow.spec.parse import parse
from agentflow.spec.python.calls import Calls
from agentflow.spec.python.find import Definition
from agentflow.spec.python.literals import Literals
from agentflow.spec.python.modules import Function, Modules
from agentflow.spec.python.parameters import defaults_of, parameters_of
from agentflow.spec.python.refusals import Refused
from agentflow.spec.python.schema import input_schema
from agentflow.spec.python.statements import Statements
from agentflow.spec.python.steps import Steps
from agentflow.spec.python.targets import RESERVED
from agentflow.spec.python.variables import analyse, bound_names, unbound
from agentflow.spec.reader import Reader
from agentflow.spec.source import Node, Sequence

_CALLS = {"retry": "retry", "call_timeout": "timeout"}
"""Options that go under `defaults`."""
_OPTIONS = (
    "name",
    "version",
    "timeout",
    "retry",
    "call_timeout",
    "secrets",
    "concurrency",
    "labels",
    "targets",
    "max_rounds",
)


@dataclass(frozen=True, slots=True)
class Compiled:
    """A workflow as compiled, where its names stand, and the workflows it runs."""

    workflow: Workflow
    places: dict[tuple[Span, str], Span]
    children: dict[str, Definition]


def compile_definition(
    definition: Definition, modules: Modules, diagnostics: list[Diagnostic]
) -> Compiled:
    """Compile a function; mistakes are added to `diagnostics`."""
    module, function = definition.module, definition.node
    literals = Literals(module)
    head, max_rounds = _head(definition, literals, diagnostics)
    _check_function(definition, diagnostics)
    steps = Steps(literals, _taken(function), diagnostics)
    calls = Calls(definition, modules, steps)
    variables = analyse(function, calls.binds)
    statements = Statements(calls, variables, diagnostics, max_rounds)
    missing, reaches_end = unbound(function, variables.every)
    diagnostics.extend(_unbound(definition, missing))
    for parameter in parameters_of(function):
        if parameter.arg in variables.assigned:
            given = calls.to.finish(calls.parameter(parameter.arg), module.span(parameter))
            steps.assign(parameter.arg, given, parameter)
    end = function.body[-1]
    last = end if isinstance(end, ast.Return) else None
    statements.fill(function.body, last)
    output = statements.output(last) if last is not None else None
    if not steps.block:
        steps.add("return", Return(output), last or function)
        last, reaches_end = None, False
    workflow = replace(
        head,
        do=Block(tuple(steps.block)),
        description=inspect.cleandoc(ast.get_docstring(function) or ""),
        input=_input(definition, diagnostics),
        output=output if last is not None else None,
        has_output=last is not None or reaches_end,
        span=module.span(module.name_of(function)),
    )
    return Compiled(workflow, steps.places, calls.children)


def _head(
    definition: Definition, literals: Literals, diagnostics: list[Diagnostic]
) -> tuple[Workflow, int]:
    """What the decorator says, as the reader of specs reads it; and the bound of `while`."""
    function = definition.node
    decorator = definition.module.decorator(function)
    keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
    options: dict[str, Node] = {}
    for keyword in keywords:
        if keyword.arg not in _OPTIONS:
            remedy = did_you_mean(keyword.arg or "", _OPTIONS) or f"it takes {listed(_OPTIONS)}"
            message = f"`@workflow` takes no `{keyword.arg or '**'}`"
            span = definition.module.span(keyword)
            diagnostics.append(Diagnostic("AF505", message, span, help=remedy))
            continue
        try:
            options[keyword.arg] = literals.node(keyword.value, f"`{keyword.arg}`")
        except Refused as refused:
            diagnostics.append(refused.diagnostic)
    rounds = options.pop("max_rounds", None)
    max_rounds = Reader(diagnostics).count(rounds, "`max_rounds`") if rounds else None
    at = definition.module.name_of(function)
    name = options.pop("name", literals.made(function.name, at))
    calls = {_CALLS[key]: options.pop(key) for key in tuple(options) if key in _CALLS}
    start, end = definition.module.offsets(at)
    step = literals.mapping({"id": literals.made("a", at), "wait": literals.made(1, at)}, at)
    block = Sequence(definition.module.source, start, end, [step])
    fields: dict[str, Node] = {"workflow": name, **options, "do": block}
    if calls:
        fields["defaults"] = literals.mapping(calls, at)
    return parse(literals.mapping(fields, at), diagnostics).workflow, max_rounds or 1000


def _check_function(definition: Definition, diagnostics: list[Diagnostic]) -> None:
    """Note what no workflow's function can be."""
    module, function = definition.module, definition.node
    given = function.args

    def note(message: str, node: ast.AST, remedy: str) -> None:
        diagnostics.append(Diagnostic("AF501", message, module.span(node), help=remedy))

    if isinstance(function, ast.AsyncFunctionDef):
        remedy = "remove `async`: every call waits by itself"
        note("a workflow is written with `def`", module.name_of(function), remedy)
    for several, sign in ((given.vararg, "*"), (given.kwarg, "**")):
        if several is not None:
            remedy = "name the parameters; a list or an object can be one of them"
            note(f"`{sign}{several.arg}` has no schema", several, remedy)
    for parameter in parameters_of(function):
        if is_context(parameter.arg, parameter.annotation):
            note("a workflow has no context", parameter, "take it in a function that it calls")
    for decorator in function.decorator_list:
        if decorator is not module.decorator(function):
            message = "another decorator would change what the function does"
            note(message, decorator, "leave `@workflow` alone, and decorate the functions it calls")


def _input(definition: Definition, diagnostics: list[Diagnostic]) -> Json:
    try:
        return input_schema(definition.module, definition.node, defaults_of(definition.node))
    except Refused as refused:
        diagnostics.append(refused.diagnostic)
        return None


def _unbound(definition: Definition, names: list[ast.Name]) -> list[Diagnostic]:
    remedy = "bind it on every way that leads here, or before"
    return [
        Diagnostic(
            "AF506",
            f"`{name.id}` may not be bound here",
            definition.module.span(name),
            help=remedy,
        )
        for name in names
    ]


def _taken(function: Function) -> set[str]:
    """The names that the function binds, comprehensions included: no id may be one by chance."""
    loops = (node for node in ast.walk(function) if isinstance(node, ast.comprehension))
    inside = (each for loop in loops for each in ast.walk(loop.target))
    found = {each.id for each in inside if isinstance(each, ast.Name)}
    return found | bound_names(function) | set(RESERVED)
