"""Names and their values: `set`, as one Assign."""

from __future__ import annotations

from collections.abc import Iterator

from agentflow.adapters.aws import jsonata
from agentflow.adapters.aws.checks import Reference
from agentflow.adapters.aws.flow import After
from agentflow.adapters.aws.graph import Label
from agentflow.adapters.aws.variables import Names
from agentflow.adapters.aws.writer import Writer, is_same
from agentflow.errors import Json
from agentflow.spec.model import Block, Set, Step
from agentflow.spec.survey import steps


def write_set(w: Writer, step: Step, names: Names, after: After) -> None:
    """Names and their values: one Assign."""
    assert isinstance(step.action, Set)
    w.report.add(w.path.plain, "native", "Pass, Assign", step.span)
    with w.templates(step, names) as templates:
        values = {name: templates.value(value) for name, value in step.action.names.items()}
    types = {n: w.variable_type(n, value, names) for n, value in step.action.names.items()}
    assign: dict[str, Json] = {}
    for name, value in values.items():
        block = names.assigned(name)
        if block is None:
            names.bind(name, w.variables.take(name, w.depth), types[name])
        bound = names[name]
        if bound.flag and block is not w.homes.get(step.span, names):
            _refuse(w, step, name)
        assign[bound.variable] = value
        if bound.flag:
            assign[bound.flag] = True
    label = after.label or Label()
    w.assign({**assign, **dict.fromkeys(after.sinks)}, label)
    if after.label is None:
        w.scope.place(label)
        w.done(None, After(None), "end")


def declare(w: Writer, step: Step, names: Names) -> None:
    """Bind the names of a `set` that a pass put inside this step, where the author wrote it.

    It may not be carried out: because of its `if`, or of an error that is handled. A name without
    a value is known by a variable of its own, and reading it is a fault, as everywhere.
    """
    begin = Label()
    assign: dict[str, Json] = {}
    for name in _left_open(step):
        w.homes.setdefault(step.span, names)
        if names.assigned(name) is None:
            variable = w.variables.take(name, w.depth)
            flag = w.variable(f"{name}_is_set")
            missing = f"$fail('MissingKey', {jsonata.quote(f'`{name}` has no value here')})"
            names.own[name] = Reference(
                f"(${flag} ? ${variable} : {missing})", variable=variable, flag=flag
            )
            assign |= {variable: None, flag: False}
    if assign:
        w.assign(assign, begin, "names")
        w.scope.place(begin)


def _refuse(w: Writer, step: Step, name: str) -> None:
    w.refusals.refuse(
        "AF602",
        f"`{name}` may have no value where `{step.id}` sets it",
        step.span,
        "only when it runs is it known whether this changes the outer name or binds one here",
        "`set` it before, in a step without `if` and handlers",
    )


def _left_open(step: Step) -> Iterator[str]:
    for each in steps(Block((step,))):
        if isinstance(each.action, Set) and each is not step and is_same(step, each):
            yield from each.action.names
