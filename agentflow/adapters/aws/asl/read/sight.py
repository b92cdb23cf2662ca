"""Check what states can see and set: members of `$states`, variables of the states around, labels.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html and
https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html (2026-08), and what
ValidateStateMachineDefinition said of such definitions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from agentflow.adapters.aws.asl import jsonata
from agentflow.adapters.aws.asl.errors import MalformedError
from agentflow.adapters.aws.asl.jsonata.names import members
from agentflow.adapters.aws.asl.model import Choice, Machine, Map, Parallel, State, Task
from agentflow.adapters.aws.asl.values import ABSENT, Absent
from agentflow.errors import Diagnostic, Json

_ALWAYS: Final = frozenset({"context", "input"})
_RESULT: Final = _ALWAYS | {"result"}
_ERROR: Final = _ALWAYS | {"errorOutput"}
_BEFORE: Final = (
    "arguments",
    "credentials",
    "timeout_seconds",
    "heartbeat_seconds",
    "seconds",
    "timestamp",
    "error",
    "cause",
    "items",
    "item_selector",
    "max_concurrency",
    "tolerated_count",
    "tolerated_percentage",
)
"""Fields of states that are evaluated before there is a result."""
_MEMBER = re.compile(r"\$states\s*\.\s*`?(\w+)")
_WHERE: Final = {
    "result": "it is in `Assign` and `Output` of a Task, Parallel or Map state",
    "errorOutput": "it is in `Assign` and `Output` of a catcher",
}
"""Where the members of `$states` that are not everywhere can be read."""


def check_sight(machine: Machine) -> Iterator[Diagnostic]:
    """The mistakes of a machine and those inside of it."""
    yield from _check(machine, frozenset())
    labels = set[str]()
    for state in _all_states(machine):
        if isinstance(state, Map) and state.label:
            if state.label in labels:
                yield Diagnostic(
                    "AF305", f"there are two maps labelled `{state.label}`", state.span
                )
            labels.add(state.label)


def _check(machine: Machine, outer: frozenset[str]) -> Iterator[Diagnostic]:
    for state in machine.states.values():
        if state.query_language == "JSONata":
            yield from _members(state)
        for name in sorted(_set_by(state) & outer):
            yield Diagnostic(
                "AF306",
                f"state `{state.name}` assigns `{name}`, which states around it assign",
                state.span,
                help="call the variable otherwise; give its value back as output",
            )
        if inner := _machines(state):
            before = outer | _assigned_before(machine.states, state.name)
            if isinstance(state, Map) and state.distributed:
                before = frozenset()  # its children are executions, with variables of their own
            for each in inner:
                yield from _check(each, before)


# --- members of $states ------------------------------------------------------------------------


def _members(state: State) -> Iterator[Diagnostic]:
    """What expressions read of `$states` that is not there."""
    is_work = isinstance(state, Task | Parallel | Map)
    own = [(state.assign, state.output)]
    for catcher in state.catch:
        yield from _missing(state, (catcher.assign, catcher.output), _ERROR)
    if isinstance(state, Choice):
        own += [(rule.assign, rule.output) for rule in state.choices]
        yield from _missing(state, (rule.test for rule in state.choices), _ALWAYS)
    for templates in own:
        yield from _missing(state, templates, _RESULT if is_work else _ALWAYS)
    yield from _missing(state, (getattr(state, name, ABSENT) for name in _BEFORE), _ALWAYS)


def _missing(
    state: State, templates: Iterable[object], there: frozenset[str]
) -> Iterator[Diagnostic]:
    for code in (code for template in templates for code in _expressions(template)):
        if there.issuperset(_MEMBER.findall(code)):
            continue  # so it does with most, which are not parsed again
        for name in sorted(_read(code) - there):
            yield Diagnostic(
                "AF302",
                f"state `{state.name}`: `$states.{name}` is not there",
                state.span,
                help=_WHERE.get(name, "`$states` has `input` and `context`"),
            )


def _read(code: str) -> frozenset[str]:
    try:
        jsonata.check(code)
    except MalformedError:
        return frozenset()  # there is a diagnostic that says why
    return members(code)


def _expressions(template: object) -> Iterator[str]:
    if isinstance(template, dict):
        template = list(template.values())
    if isinstance(template, list):
        for each in template:
            yield from _expressions(each)
    elif isinstance(template, str) and (code := jsonata.expression_in(template)) is not None:
        yield code


# --- variables ---------------------------------------------------------------------------------


def _ways(state: State) -> Iterator[tuple[str | None, frozenset[str]]]:
    """Where a state leads to, each with the variables that are assigned on the way."""
    own = _names(state, state.assign)
    yield state.next, own
    for catcher in state.catch:
        yield catcher.next, _names(state, catcher.assign)
    if isinstance(state, Choice):
        yield state.default, own
        for rule in state.choices:
            yield rule.next, _names(state, rule.assign)


def _names(state: State, assign: Json | Absent) -> frozenset[str]:
    if not isinstance(assign, dict):
        return frozenset()
    end = ".$" if state.query_language == "JSONPath" else ""
    return frozenset(name.removesuffix(end) for name in assign)


def _set_by(state: State) -> frozenset[str]:
    return frozenset().union(_names(state, state.assign), *(names for _, names in _ways(state)))


def _assigned_before(states: Mapping[str, State], name: str) -> frozenset[str]:
    """Variables that are assigned on ways that lead to a state."""
    leading, grown = {name}, True
    while grown:
        more = {
            source
            for source, state in states.items()
            if source not in leading and any(target in leading for target, _ in _ways(state))
        }
        leading |= more
        grown = bool(more)
    return frozenset(
        variable
        for state in states.values()
        for target, names in _ways(state)
        if target in leading
        for variable in names
    )


# --- inner machines ----------------------------------------------------------------------------


def _machines(state: State) -> tuple[Machine, ...]:
    if isinstance(state, Parallel):
        return state.branches
    return (state.processor,) if isinstance(state, Map) else ()


def _all_states(machine: Machine) -> Iterator[State]:
    for state in machine.states.values():
        yield state
        for inner in _machines(state):
            yield from _all_states(inner)
