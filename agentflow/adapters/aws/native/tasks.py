"""Work of other services: the Task that an import has read, written as it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from agentflow.adapters.aws.asl.jsonata import expression_in
from agentflow.adapters.aws.asl.resources import refused_by_express
from agentflow.adapters.aws.asl.values import text
from agentflow.adapters.aws.calls import policies, seconds
from agentflow.adapters.aws.checks import Reference
from agentflow.adapters.aws.flow import After
from agentflow.adapters.aws.graph import State
from agentflow.adapters.aws.native import paths, queries
from agentflow.adapters.aws.native.context import in_states
from agentflow.adapters.aws.native.inputs import catch, ending, give
from agentflow.adapters.aws.native.languages import JSONPATH
from agentflow.adapters.aws.native.terms import literal, plain
from agentflow.adapters.aws.native.tokens import EVALUATED, TOKEN
from agentflow.adapters.aws.templates import Templates, can_fail
from agentflow.adapters.aws.variables import Names
from agentflow.adapters.aws.writer import LAMBDA, Writer, transient
from agentflow.errors import Json
from agentflow.spec.expressions.template import Expression, Template, walk_names
from agentflow.spec.expressions.tree import Name
from agentflow.spec.expressions.types import STRING
from agentflow.spec.model import Call, Step

HEARTBEAT: Final = "heartbeat"
"""The argument that says how many seconds the work may be silent."""
MISSED: Final = "missed"
"""The argument with the name of the error if it is silent for longer."""

ROLE: Final = "credentials"
"""The argument that has the role with which the work is done."""


def write_task(w: Writer, step: Step, names: Names, after: After) -> None:
    """A Task with this Resource and these Arguments."""
    assert isinstance(step.action, Call)
    resource = str(literal(w, step, "resource"))
    names = _with_token(w, step, resource, names)
    w.note(f"{resource} needs a permission in the role of the state machine that you add yourself")
    _refuse_where_express_does(w, step, resource)
    evaluated = step.action.arguments.get(EVALUATED)
    if isinstance(evaluated, dict):
        evaluated = {**evaluated, "template": plain(w, step, "template", evaluated["template"])}
    if isinstance(evaluated, dict) and evaluated["language"] == "jsonpath":
        _write_by_paths(w, step, names, after, evaluated)
        return
    given = dict(step.action.arguments)
    if isinstance(evaluated, dict):
        names, states = in_states(names, evaluated.get("states", {}), step.span)
        given[EVALUATED] = {**evaluated, "states": states}
    with w.templates(step, names) as templates:
        arguments = _arguments(templates, given)
        limits = _limits(w, step, templates)
        role = _credentials(templates, step)
    faulty = any(map(can_fail, (arguments, limits, role)))
    w.renames = w.renames or faulty or bool(limits)
    state: State = {"Type": "Task", "Resource": resource, "Arguments": arguments, **limits, **role}
    retries = policies(w, step.retry, faulty=faulty)
    if retries:
        state["Retry"] = retries
    ending_ = w.ending(after, "{% $states.result %}")
    w.add(w.name(), {**state, **ending_, **_with_missed(w, step, w.catch())})


def _with_missed(w: Writer, step: Step, caught: State) -> State:
    """The `Catch`, with missed heartbeats under a name of their own where the step has one."""
    assert isinstance(step.action, Call)
    missed = step.action.arguments.get(MISSED)
    if w.region is None or not isinstance(missed, str):
        return caught
    w.region.is_known_used = True
    value = {"name": missed, "message": "", "data": None, "cause": None}
    first = {
        "ErrorEquals": ["States.HeartbeatTimeout"],
        "Assign": {w.region.error: value},
        "Next": w.region.known,
    }
    return {"Catch": [first, *caught["Catch"]]}


def _arguments(templates: Templates, given: Mapping[str, Template]) -> Json:
    evaluated = given.get(EVALUATED)
    if isinstance(evaluated, dict):
        variables = evaluated.get("variables")
        return queries.template(
            evaluated["template"],
            templates.text(evaluated.get("states", {})),
            None if variables is None else templates.text(variables),
        )
    arguments = given.get("arguments")
    return {} if arguments is None else templates.value(arguments)


def _write_by_paths(
    w: Writer, step: Step, names: Names, after: After, given: dict[str, Template]
) -> None:
    """A Task in JSONPath, whose template reads the token of the service."""
    around = given.get(paths.CONTEXT)
    if isinstance(around, dict):
        rest = {key: each for key, each in around.items() if key != "Task"}
        given = {**given, paths.CONTEXT: rest}
    template = given["template"]
    if give(w, step, names, given):
        template = paths.payload(template, keep=paths.TOKEN)
    with w.templates(step, names) as templates:
        limits = {**_limits(w, step, templates), **_credentials(templates, step)}
    if any(expression_in(limit) is not None for limit in limits.values()):
        _refuse(w, step, "its time limit, its heartbeat or its role is computed")
    w.renames = w.renames or bool(limits)
    state: State = {
        "Type": "Task",
        "QueryLanguage": JSONPATH,
        "Resource": literal(w, step, "resource"),
        "Parameters": template,
        **limits,
    }
    if retries := policies(w, step.retry, faulty=False):
        state["Retry"] = retries
    w.add(w.name(), {**state, **ending(after, "$"), **_with_missed(w, step, catch(w))})


def _limits(w: Writer, step: Step, templates: Templates) -> State:
    """How long the work may take, and how long it may be silent."""
    assert isinstance(step.action, Call)
    found: State = {}
    if (limit := seconds(step.timeout, templates)) is not None:
        found["TimeoutSeconds"] = limit
    if (every := templates.value(step.action.arguments.get(HEARTBEAT))) is None:
        return found
    if not isinstance(every, str) and not _fits(every, limit):
        w.refusals.refuse(
            "AF602",
            f"`{HEARTBEAT}` of `{step.id}` is {text(every)}",
            step.span,
            "the service takes whole seconds, at least one and fewer than the time limit",
            "write fewer seconds, or leave it out",
        )
    return {**found, "HeartbeatSeconds": every}


def _credentials(templates: Templates, step: Step) -> State:
    """Whose role the work has."""
    assert isinstance(step.action, Call)
    role = step.action.arguments.get(ROLE)
    return {} if role is None else {"Credentials": templates.value(role)}


def _fits(every: Json, limit: Json) -> bool:
    """Whether the service takes a number of seconds beside a time limit."""
    whole = isinstance(every, int) and not isinstance(every, bool) and every >= 1
    return whole and not (isinstance(limit, int) and every >= limit)


def _with_token(w: Writer, step: Step, resource: str, names: Names) -> Names:
    """The names, of which the one that stood for the token is the service's own."""
    assert isinstance(step.action, Call)
    token = step.action.arguments.get(TOKEN)
    waits = resource.endswith(".waitForTaskToken")
    if not isinstance(token, Expression) or not isinstance(token.tree, Name):
        if waits or step.action.function.endswith(".activity"):
            _refuse(w, step, "no step right after it listens for its token")
        return names
    given = step.action.arguments
    read = {name for name, _ in walk_names([given.get("arguments"), given.get(EVALUATED)])}
    if waits and token.tree.name not in read:
        _refuse(w, step, "its token is read in a step before it")
    inner = names.inner()
    inner.own[token.tree.name] = Reference("$states.context.Task.Token", STRING)
    return inner


def _refuse(w: Writer, step: Step, reason: str) -> None:
    w.refusals.refuse(
        "AF602",
        f"`{step.id}` waits for a token that it cannot be given",
        step.span,
        reason,
        "keep `call` and `listen` together, and the token among the arguments",
    )


def write_evaluate(w: Writer, step: Step, names: Names, after: After) -> None:
    """The helper's answer, asked for as `Writer` does for an expression."""
    assert isinstance(step.action, Call)
    templates_given = literal(w, step, "templates")
    with w.templates(step, names) as templates:
        given = templates.value(step.action.arguments.get("names", {}))
    w.needs_helper = w.renames = True
    w.use("function", w.settings.handler, "lambda:InvokeFunction")
    payload: State = {"evaluate": templates_given, "names": given, **w.about()}
    state: State = {
        "Type": "Task",
        "Resource": LAMBDA,
        "Arguments": {"FunctionName": w.settings.handler, "Payload": payload},
        "Retry": [transient(), *policies(w, step.retry, faulty=can_fail(given))],
    }
    w.add(w.name(), {**state, **w.ending(after, "{% $states.result.Payload %}"), **w.catch()})


def _refuse_where_express_does(w: Writer, step: Step, resource: str) -> None:
    if w.settings.kind == "express" and (reason := refused_by_express(resource)):
        w.refusals.refuse(
            "AF604",
            f"`{step.id}` calls {resource}, which Express workflows cannot",
            step.span,
            reason,
            "compile it as a Standard workflow: `kind: standard`",
        )
