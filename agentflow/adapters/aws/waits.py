"""Steps that wait for the world: wait, listen and approve, emit, run."""

from __future__ import annotations

import math
import re

from agentflow.adapters.aws import jsonata
from agentflow.adapters.aws.calls import seconds
from agentflow.adapters.aws.flow import After
from agentflow.adapters.aws.graph import State
from agentflow.adapters.aws.templates import can_fail, query
from agentflow.adapters.aws.variables import Names
from agentflow.adapters.aws.writer import LAMBDA, Writer, transient
from agentflow.errors import Json
from agentflow.functions.durations import parse_duration
from agentflow.spec.expressions.template import Expression, Interpolation
from agentflow.spec.model import Emit, Listen, Run, Step, Wait

_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})")


def write_wait(w: Writer, step: Step, names: Names, after: After) -> None:
    """A Wait, in whole seconds."""
    assert isinstance(step.action, Wait)
    w.report.add(w.path.plain, "native", "Wait", step.span)
    until = step.action.until
    field: State
    if isinstance(until, str) and _TIME.fullmatch(until):
        field = {"Timestamp": until}
    elif isinstance(until, Expression | Interpolation):
        with w.templates(step, names) as templates:
            value: Json = query(f"$ceil($delay({templates.text(until)}))")
        if can_fail(value):
            value = w.secured({"seconds": value})["seconds"]
        field = {"Seconds": value}
    else:
        amount = parse_duration(until) if isinstance(until, str) else until
        field = {"Seconds": math.ceil(amount or 0)}
        if field["Seconds"] != amount:
            w.note("a wait takes whole seconds: parts of a second are rounded up")
    w.add(w.name(), {"Type": "Wait", **field, **w.ending(after, None)})


def write_listen(w: Writer, step: Step, names: Names, after: After) -> None:
    """A Lambda task that waits for its token: the helper keeps it until somebody sends a message.

    The helper is invoked with `{"listen": {token, name, correlation, form, prompt}, execution,
    step}` and stores it; whoever answers calls SendTaskSuccess with the message's data. With
    `since`, an event of that name answers, too, if it came later: see `tokens`.
    """
    listen = step.action
    assert isinstance(listen, Listen)
    w.report.add(w.path.plain, "native", "Lambda with a task token", step.span)
    _standard_only(w, step, "waits for a message")
    with w.templates(step, names) as templates:
        request: State = {
            "token": "{% $states.context.Task.Token %}",
            "name": listen.name or w.path.value(),
            "correlation": templates.value(listen.correlation),
            "form": listen.form,
            "prompt": templates.value(listen.prompt),
        }
        if listen.name is not None:
            request["since"] = "{% $states.context.Execution.StartTime %}"
        limit = seconds(step.timeout, templates)
    w.renames = True
    state: State = {
        "Type": "Task",
        "Resource": f"{LAMBDA}.waitForTaskToken",
        "Arguments": {
            "FunctionName": w.settings.handler,
            "Payload": {"listen": request, **w.about()},
        },
        **({"TimeoutSeconds": limit} if limit is not None else {}),
        "Retry": [transient()],
    }
    w.needs_helper = True
    w.use("function", w.settings.handler, "lambda:InvokeFunction")
    w.add(w.name(), {**state, **w.ending(after, "{% $states.result %}"), **w.catch()})


def write_emit(w: Writer, step: Step, names: Names, after: After) -> None:
    """An event on an EventBridge bus, with the CloudEvent's fields as its detail."""
    emit = step.action
    assert isinstance(emit, Emit)
    w.report.add(w.path.plain, "native", "EventBridge", step.span)
    with w.templates(step, names) as templates:
        kind = query(f"$naming({templates.text(emit.type)})")
        if isinstance(emit.type, str) and emit.type:
            kind = emit.type
        source = templates.value(emit.source)
        detail: State = {
            "specversion": "1.0",
            "type": kind,
            "source": source if source is not None else w.workflow.name,
            "subject": templates.value(emit.subject),
            "data": templates.value(emit.data),
        }
    entry: State = {
        "EventBusName": w.settings.event_bus,
        "Source": detail["source"],
        "DetailType": kind,
        "Detail": detail,
    }
    w.renames = w.renames or can_fail(entry)
    w.use("event bus", w.settings.event_bus, "events:PutEvents")
    w.add(
        w.name(),
        {
            "Type": "Task",
            "Resource": "arn:aws:states:::events:putEvents",
            "Arguments": {"Entries": [entry]},
            **w.ending(after, None),
            **w.catch(),
        },
    )


def write_run(w: Writer, step: Step, names: Names, after: After) -> None:
    """A child execution; its machine is beside this one, under its workflow's name."""
    run = step.action
    assert isinstance(run, Run)
    w.report.add(w.path.plain, "native", "child execution", step.span)
    _standard_only(w, step, "waits for a child execution")
    with w.templates(step, names) as templates:
        given = templates.value(run.input)
        limit = seconds(step.timeout, templates)
    child = w.workflow.children[run.workflow].name
    w.renames = True
    w.use("workflow", child, "states:StartExecution")
    w.add(
        w.name(),
        {
            "Type": "Task",
            "Resource": "arn:aws:states:::states:startExecution.sync:2",
            "Arguments": {
                "StateMachineArn": machine_beside(child),
                "Input": given if given is not None else {},
            },
            **({"TimeoutSeconds": limit} if limit is not None else {}),
            **w.ending(after, "{% $states.result.Output %}"),
            **w.catch(),
        },
    )


def machine_beside(name: str) -> str:
    """The ARN of the state machine of this name in the same account and region."""
    return query(f"$replace($states.context.StateMachine.Id, /[^:]+$/, {jsonata.quote(name)})")


def _standard_only(w: Writer, step: Step, what: str) -> None:
    if w.settings.kind == "express":
        w.refusals.refuse(
            "AF604",
            f"`{step.id}` {what}, which Express workflows cannot",
            step.span,
            "Express executions end within five minutes and take no task tokens",
            "compile it as a Standard workflow: `kind: standard`",
        )
