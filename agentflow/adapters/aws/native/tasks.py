"""Work of other services: the Task that an import has read, written as it was."""

from __future__ import annotations

from agentflow.adapters.aws.asl.resources import refused_by_express
from agentflow.adapters.aws.calls import policies, seconds
from agentflow.adapters.aws.flow import After
from agentflow.adapters.aws.graph import State
from agentflow.adapters.aws.native.terms import literal
from agentflow.adapters.aws.templates import can_fail
from agentflow.adapters.aws.variables import Names
from agentflow.adapters.aws.writer import Writer
from agentflow.errors import Json
from agentflow.spec.model import Call, Step


def write_task(w: Writer, step: Step, names: Names, after: After) -> None:
    """A Task with this Resource and these Arguments."""
    assert isinstance(step.action, Call)
    resource = str(literal(w, step, "resource"))
    with w.templates(step, names) as templates:
        given = step.action.arguments.get("arguments")
        arguments: Json = {} if given is None else templates.value(given)
        limit = seconds(step.timeout, templates)
    faulty = can_fail(arguments) or can_fail(limit)
    w.renames = w.renames or faulty or limit is not None
    w.note(f"{resource} needs a permission in the role of the state machine that you add yourself")
    _refuse_where_express_does(w, step, resource)
    state: State = {"Type": "Task", "Resource": resource, "Arguments": arguments}
    if limit is not None:
        state["TimeoutSeconds"] = limit
    retries = policies(w, step.retry, faulty=faulty)
    if retries:
        state["Retry"] = retries
    w.add(w.name(), {**state, **w.ending(after, "{% $states.result %}"), **w.catch()})


def _refuse_where_express_does(w: Writer, step: Step, resource: str) -> None:
    if w.settings.kind == "express" and (reason := refused_by_express(resource)):
        w.refusals.refuse(
            "AF604",
            f"`{step.id}` calls {resource}, which Express workflows cannot",
            step.span,
            reason,
            "compile it as a Standard workflow: `kind: standard`",
        )
