"""A whole state machine as a workflow."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from agentflow.adapters.aws.asl.model import (
    Choice,
    Fail,
    Machine,
    Map,
    Parallel,
    Pass,
    Succeed,
    Task,
    Wait,
)
from agentflow.adapters.aws.asl.read import unfilled
from agentflow.adapters.aws.imports.handling import counts_retries, tells_entry
from agentflow.adapters.aws.imports.heartbeats import with_heartbeats
from agentflow.adapters.aws.imports.lowered import Lowered, Steps
from agentflow.adapters.aws.imports.naming import workflow_name
from agentflow.adapters.aws.imports.records import recorded
from agentflow.adapters.aws.imports.scopes import (
    WriteMachine,
    assigns,
    distributes,
    lower_map,
    lower_parallel,
)
from agentflow.adapters.aws.imports.states import (
    lower_choice,
    lower_fail,
    lower_pass,
    lower_succeed,
    lower_wait,
)
from agentflow.adapters.aws.imports.structure import Shape, structured
from agentflow.adapters.aws.imports.tasks import Lookup, lower_task
from agentflow.adapters.aws.imports.terms import expression
from agentflow.adapters.aws.imports.writing import Book, Scope, Writing
from agentflow.adapters.aws.record import split
from agentflow.errors import Json, Span, SpecError
from agentflow.spec.diagnostics import in_order
from agentflow.spec.expressions.template import Template
from agentflow.spec.model import Block, Set, Step, Workflow

_CHANGED: Final = (
    "its Comment holds a workflow that compiles to another definition: it was changed since, so "
    "its states are read"
)
_KEPT: Final = re.compile("HeartbeatSeconds|Seconds|Tolerated.*|MaxItems|Numeric.*")
"""Fields that a symbol may stay in: whoever deploys the compiled workflow puts the value in."""


@dataclass(frozen=True, slots=True)
class Imported:
    """The workflow of a state machine, and what its reader should know."""

    workflow: Workflow
    notes: tuple[str, ...]


def import_machine(
    machine: Machine, name: str, *, functions: Lookup = lambda _: None, source: str = ""
) -> Imported:
    """A state machine as a workflow.

    A definition that holds the workflow it was compiled from gives that workflow, unless it was
    changed since. `functions` finds functions of the project for those of Lambda; `source` is the
    text that mistakes are shown in.

    Raises:
        SpecError: with everything that has no place in a workflow.
    """
    told, spec = split(machine.comment)
    if (own := recorded(machine)) is not None:
        return Imported(own, ())
    needed = [each for each in unfilled(machine) if not _KEPT.fullmatch(each.field)]
    if needed:
        raise SpecError(in_order([each.diagnostic() for each in needed]), source=source)
    book = Book(distributes=distributes(machine))
    if spec is not None:
        book.notes.append(_CHANGED)
    span = machine.states[machine.start_at].span
    data = book.namer.fresh("data")
    names: dict[str, Template] = {data: expression("input", span)}
    variables = None
    if assigns(machine):
        variables = book.namer.fresh("vars")
        names[variables] = {}
    begin = Step(book.namer.fresh("begin"), Set(names), span)
    steps = _machine(machine, Scope(data, variables), book=book, lookup=functions)
    if book.refused:
        raise SpecError(in_order(book.refused), source=source)
    wide = {"distributed": True} if book.distributes else {}
    workflow = Workflow(
        name=workflow_name(name),
        do=Block((begin, *steps)),
        span=span,
        description=told,
        timeout=machine.timeout_seconds,
        targets={"aws": {**wide, "keep_spec": True}},
    )
    return Imported(workflow, tuple(dict.fromkeys(book.notes)))


def _machine(machine: Machine, scope: Scope, *, book: Book, lookup: Lookup) -> Steps:
    """The steps of a machine whose names are bound."""
    write = partial(_machine, book=book, lookup=lookup)

    def lower(name: str) -> Lowered:
        w = Writing(book, scope, with_heartbeats(machine.states[name]))
        if counts_retries(w.state):
            w.retries = book.namer.fresh(f"{name} retries")
        if not tells_entry(w.state):
            return _lowered(w, write, lookup, machine.definition["States"][name])
        w.entered = book.namer.fresh(f"{name} entered")
        begin = w.step(f"{name} set entered", Set({w.entered: w.expression("now()")}))
        lowered = _lowered(w, write, lookup, machine.definition["States"][name])
        return replace(lowered, before=[begin, *lowered.before])

    def result(span: Span) -> Template:
        return expression(scope.data, span)

    span = machine.states[machine.start_at].span
    return structured(Shape(machine, lower, result, book.namer), span)


def _lowered(w: Writing, write: WriteMachine, lookup: Lookup, fields: dict[str, Json]) -> Lowered:
    """A state as steps; `fields` are its own."""
    match w.state:
        case Pass():
            return lower_pass(w)
        case Task():
            return lower_task(w, lookup)
        case Choice():
            return lower_choice(w)
        case Wait():
            return lower_wait(w)
        case Succeed():
            return lower_succeed(w)
        case Fail():
            return lower_fail(w)
        case Parallel():
            return lower_parallel(w, write)
        case Map():
            return lower_map(w, write, fields)
