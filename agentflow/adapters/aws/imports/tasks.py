"""Task states: calls of functions, work that only AWS does, and tasks that somebody completes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from agentflow.adapters.aws import foreign
from agentflow.adapters.aws.asl.jsonata import expression_in
from agentflow.adapters.aws.asl.model import Reference, Setting, Task
from agentflow.adapters.aws.asl.resources import Resource, function_name, parse
from agentflow.adapters.aws.asl.values import Absent
from agentflow.adapters.aws.imports import faults, own
from agentflow.adapters.aws.imports.certainty import cannot_fail, has_value
from agentflow.adapters.aws.imports.expressions import Sight
from agentflow.adapters.aws.imports.faults import Told
from agentflow.adapters.aws.imports.handling import Work, fatal_of, guarded
from agentflow.adapters.aws.imports.heartbeats import expecting, heartbeat, note_left_out
from agentflow.adapters.aws.imports.lowered import Lowered
from agentflow.adapters.aws.imports.naming import identifier
from agentflow.adapters.aws.imports.states import arguments, effective, is_jsonata, settle
from agentflow.adapters.aws.imports.terms import is_name, member
from agentflow.adapters.aws.imports.writing import Writing
from agentflow.adapters.aws.tasks.words import essence
from agentflow.errors import Json
from agentflow.spec.expressions.template import Expression, Template, parts
from agentflow.spec.model import Call, Duration, Listen, Set, Step

_PSEUDO: Final = re.compile(r"\$\{AWS::\w+\}")
"""What a deployment knows itself: `${AWS::StackName}`."""
ANSWER: Final = "task_token"
"""The message that completes a task; its correlation is the token."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """A function of ours, and what is known of its parameters."""

    function: str
    names: tuple[str, ...] = ()
    """All of them, or none if they are not known."""
    required: tuple[str, ...] = ()


Lookup: TypeAlias = Callable[[str], "Mapped | None"]
"""Finds the function for the name of a Lambda function, or for `service action`."""


def lower_task(w: Writing, lookup: Lookup) -> Lowered:
    """A Task state."""
    state = w.state
    assert isinstance(state, Task)
    resource = parse(state.resource)
    if resource.kind == "activity":
        return _awaited(w, state, resource, lookup)
    if resource.pattern == "waitForTaskToken":
        return _awaited(w, state, resource, lookup)
    sight = effective(w)
    role = _credentials(w, state, sight)
    request = _request(w, state, resource, sight, lookup)
    request = replace(request, call=_with_role(w, request.call, role))
    call = expecting(w, request.call, heartbeat(w, state, sight), waits=False)
    before, w.steps = w.steps, []
    limit = _limit(w, state.timeout_seconds, sight)
    before += w.steps
    w.steps = []
    step = replace(w.step(state.name, call), timeout=limit)
    result = request.result(step.id)
    seen = replace(result, data=sight.data, result=result.data) if is_jsonata(state) else result
    settle(w, w.expression(result.data), seen)
    after = w.steps
    return guarded(
        w,
        Work(
            step,
            before,
            after,
            whole=is_jsonata(state) and not _is_sure(w, call, [*before, *after]),
            told=request.told,
            fatal=_fatal(w, request),
        ),
    )


def _credentials(w: Writing, state: Task, sight: Sight) -> Template:
    """Whose role the work has; a mistake in it counts, whoever does the work. None if not said."""
    if isinstance(state.credentials, Absent):
        return None
    write = w.resolved if is_jsonata(state) else w.payload
    return write(state.credentials, sight, "credentials")


def _with_role(w: Writing, call: Call, role: Template) -> Call:
    """A call with the role that it is made with, where only AWS makes it."""
    if role is None:
        return call
    if call.function == f"{foreign.MODULE}.task":
        return replace(call, arguments={**call.arguments, "credentials": role})
    w.book.notes.append(f"`{w.state.name}` has Credentials, which only AWS knows: left out")
    if any(parts(role)):
        w.bind("credentials", role)
    return call


def _fatal(w: Writing, request: _Request) -> tuple[str, ...]:
    """Errors of a call that are no failures of the work: nobody does it, or has its arguments."""
    unmapped = ("NotMapped",) if request.told == "message" else ()
    given = [each for _, each in request.call.arguments.items()]
    if is_jsonata(w.state) or all(is_name(each) for each in parts(given)):
        return unmapped
    return (*unmapped, *faults.OF_PATHS)


def _is_sure(w: Writing, call: Call, steps: list[Step]) -> bool:
    """Whether nothing can fail but the work: neither its arguments nor the steps around it."""
    variables = w.scope.variables
    return has_value(call.arguments, variables) and cannot_fail(steps, variables)


def _limit(w: Writing, setting: Setting, sight: Sight) -> Duration | None:
    if isinstance(setting, Absent):
        return None
    if isinstance(setting, Reference):
        found = w.path(setting.path, sight, "timeout")
        return found if isinstance(found, Expression) else None
    if expression_in(setting) is None:
        return float(setting)
    found = w.resolved(setting, sight, "timeout")
    return found if isinstance(found, Expression) else float(found)


# --- requests ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Request:
    """What is asked for, and how its result is seen."""

    call: Call
    result: Callable[[str], Sight]
    told: Told


def _request(w: Writing, state: Task, resource: Resource, sight: Sight, lookup: Lookup) -> _Request:
    if resource.kind == "function":
        call = _invocation(w, function_name(resource.name), arguments(w, sight), lookup)
        return _Request(call, w.sight, "lambda")
    if resource.is_invoke and (request := own.asked(state)) is not None:
        made = own.called(w, request, sight)
        if made is not None:
            return _Request(made, _enveloped(w), "value")
    if resource.is_invoke and (given := _invoked(state)) is not None:
        name, payload = given
        event: Template = {}
        if payload is not None:
            event = _event(w, state, payload, sight)
        return _Request(_invocation(w, name, event, lookup), _enveloped(w), "lambda")
    given_arguments = arguments(w, sight)
    mapped = lookup(f"{resource.name} {resource.action}") if resource.action else None
    if mapped is not None:
        return _Request(_call(w, mapped, given_arguments), w.sight, "message")
    call = Call(
        f"{foreign.MODULE}.task",
        {"resource": state.resource, "arguments": given_arguments},
        w.span,
    )
    w.book.notes.append(
        f"`{state.name}` needs {state.resource}, which only AWS has: it fails elsewhere until a "
        "function is mapped"
    )
    return _Request(call, w.sight, "message")


def _invoked(state: Task) -> tuple[str, Json] | None:
    """The function and the payload template of `lambda:invoke`, where both are plain."""
    given = state.arguments if is_jsonata(state) else state.parameters
    if not isinstance(given, dict):
        return None
    name = given.get("FunctionName")
    if not isinstance(name, str) or expression_in(name) is not None:
        return None
    if {*given} - {"FunctionName", "Payload", "Payload.$", "InvocationType", "Qualifier"}:
        return None
    if given.get("InvocationType", "RequestResponse") != "RequestResponse":
        return None
    payload = {key: value for key, value in given.items() if key.startswith("Payload")}
    return function_name(name), payload or None


def _event(w: Writing, state: Task, payload: dict[str, Json], sight: Sight) -> Template:
    if is_jsonata(state):
        return w.resolved(payload["Payload"], sight, "arguments")
    found = w.payload(payload, sight, "arguments")
    if isinstance(found, dict):
        return found["Payload"]
    return w.expression(f"{found.source}.Payload")


def _enveloped(w: Writing) -> Callable[[str], Sight]:
    """The result of `lambda:invoke`: the function's own is under `Payload`."""

    def see(result: str) -> Sight:
        whole = f'{{"ExecutedVersion": "$LATEST", "Payload": {result}, "StatusCode": 200}}'
        return w.sight(whole, members={"Payload": result})

    return see


def _invocation(w: Writing, name: str, event: Template, lookup: Lookup) -> Call:
    own = _PSEUDO.sub("", name) or name
    mapped = lookup(name) or Mapped(f"functions.{identifier(' '.join(essence(own)))}")
    return _call(w, mapped, event)


def _call(w: Writing, mapped: Mapped, event: Template) -> Call:
    """A call with an event: as its arguments, or whole as the one that takes it."""
    return Call(mapped.function, _arguments(w, mapped, event), w.span)


def _arguments(w: Writing, mapped: Mapped, event: Template) -> dict[str, Template]:
    names = mapped.names
    if len(names) == 1 and (names == ("event",) or not _are_named(event, names)):
        return {names[0]: event}
    if isinstance(event, dict) and all(key.isidentifier() for key in event):
        return event
    if not names:
        return {"event": event}
    if {*names} != {*mapped.required}:
        w.book.refuse(
            f"`{w.state.name}` gives `{mapped.function}` its input as it is",
            w.span,
            "which of the optional arguments are in it is not known before it runs",
            "name the fields in Parameters, or let the function take the whole `event`",
        )
    source = w.bind("event", event)
    return {name: w.expression(member(source, name)) for name in mapped.required}


def _are_named(event: Template, names: tuple[str, ...]) -> bool:
    return isinstance(event, dict) and {*event} == {*names}


# --- tokens ------------------------------------------------------------------------------------


def _awaited(w: Writing, state: Task, resource: Resource, lookup: Lookup) -> Lowered:
    """A task that somebody completes: a request with a token, and a message that answers it."""
    if (ours := _listened(w, state, resource)) is not None:
        return ours
    token = w.book.namer.fresh(f"{state.name} token")
    w.add(f"{state.name} set token", Set({token: w.expression("uuid()")}))
    w.token = token
    sight = effective(w)
    limit: Duration | None
    setting = state.timeout_seconds
    if isinstance(setting, Reference) or expression_in(setting) is not None:
        # It is looked at before anything is asked for.
        limit = w.checked(setting, sight, "whole", "timeout")
    else:
        limit = _limit(w, setting, sight)
    every = heartbeat(w, state, sight)
    role = _credentials(w, state, sight)
    if resource.kind == "service":
        call = _request(w, state, resource, sight, lookup).call
    else:
        given = {"resource": state.resource, "arguments": arguments(w, sight)}
        call = Call(f"{foreign.MODULE}.activity", given, w.span)
    w.add(f"{state.name} request", expecting(w, _with_role(w, call, role), every, waits=True))
    w.token = None
    before, w.steps = w.steps, []
    name = resource.name if resource.kind == "activity" else ANSWER
    return _answered(w, state, Listen(name, w.expression(token)), before, limit)


def _listened(w: Writing, state: Task, resource: Resource) -> Lowered | None:
    """A step of ours that listens, as it was before it was compiled."""
    request = own.asked(state) if resource.is_invoke else None
    sight = effective(w)
    listen = None if request is None else own.listened(w, request, sight)
    if listen is None:
        return None
    if heartbeat(w, state, sight) is not None:
        note_left_out(w, waits=True)
    limit = _limit(w, state.timeout_seconds, sight)
    before, w.steps = w.steps, []
    return _answered(w, state, listen, before, limit)


def _answered(
    w: Writing, state: Task, listen: Listen, before: list[Step], limit: Duration | None
) -> Lowered:
    sight = w.sight(w.scope.data)
    step = replace(w.step(state.name, listen), timeout=limit)
    result = w.sight(step.id)
    seen = replace(result, data=sight.data, result=result.data) if is_jsonata(state) else result
    settle(w, w.expression(step.id), seen)
    return guarded(w, Work(step, before, w.steps, whole=True, fatal=fatal_of(w)))
