"""Compiling for AWS Step Functions: definitions, a report, and what a deployment needs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from agentflow.adapters import lowering
from agentflow.adapters.aws import faults
from agentflow.adapters.aws.capabilities import CAPABILITIES, WRITERS
from agentflow.adapters.aws.checks import Reference
from agentflow.adapters.aws.distributed import is_distributed
from agentflow.adapters.aws.flow import After
from agentflow.adapters.aws.graph import Label, State
from agentflow.adapters.aws.inputs import write_input
from agentflow.adapters.aws.jsonata import quote
from agentflow.adapters.aws.limits import check_limits
from agentflow.adapters.aws.native import fused, mixed
from agentflow.adapters.aws.record import with_spec
from agentflow.adapters.aws.settings import GUARANTEES, Settings, settings
from agentflow.adapters.aws.stored import why_not, with_stored
from agentflow.adapters.aws.templates import can_fail
from agentflow.adapters.aws.variables import Names
from agentflow.adapters.aws.writer import Writer
from agentflow.adapters.lowering.rewriting import change_steps
from agentflow.adapters.refusals import Refusals
from agentflow.adapters.report import Report
from agentflow.adapters.target import Capabilities, Compiled, Deployment, Options, family
from agentflow.errors import Json
from agentflow.spec.agents import Agents
from agentflow.spec.expressions.types import STRING, ObjectOf
from agentflow.spec.load import Loaded
from agentflow.spec.model import Map, Step, Workflow
from agentflow.spec.survey import steps


class Aws:
    """AWS Step Functions with Lambda."""

    name = "aws"
    capabilities: Capabilities = CAPABILITIES

    def lower(self, workflow: Workflow) -> Workflow:
        """The workflow, of nothing but what the writers of `capabilities` take."""
        return lowering.lower(fused(workflow), CAPABILITIES)

    def compile(self, loaded: Loaded, options: Options) -> Compiled:
        """See `Target.compile`."""
        refusals = Refusals()
        written = [
            machine for each in family(loaded) for machine in _machines(each, options, refusals)
        ]
        refusals.finish({each.path: each.text for each in family(loaded)})
        first = written[0].report
        first.children = [each.report for each in written[1:]]
        files = {f"{each.workflow.name}.asl.json": each.text for each in written}
        files["report.txt"] = first.as_text()
        files["deployment.json"] = _print([_plain(each.deployment) for each in written])
        return Compiled(files, first, tuple(each.deployment for each in written))


TARGET = Aws()


def definition(loaded: Loaded, options: Options | None = None) -> State:
    """The state machine of a workflow alone, as data."""
    refusals = Refusals()
    machine, *_ = _machines(loaded, options or Options(), refusals)
    refusals.finish({loaded.path: loaded.text})
    parsed: State = json.loads(machine.text)
    return parsed


class _Machine:
    """One workflow, written."""

    def __init__(self, writer: Writer, definition: State) -> None:
        self.workflow = writer.workflow
        self.text = _print(definition)
        self.report = writer.report
        self.deployment = _deployment(writer)


def _machines(loaded: Loaded, options: Options, refusals: Refusals) -> Iterator[_Machine]:
    """The state machine of a workflow, and those of blocks that lowering takes out of it."""
    project, lowered = Agents(loaded.root), _lowered(loaded.workflow, options)
    yield _machine(loaded.workflow, lowered, project, options, refusals)
    for name, child in lowered.children.items():
        if name not in loaded.workflow.children:
            yield _machine(child, _lowered(child, options), project, options, refusals)


def _settings(workflow: Workflow, options: Options) -> Settings:
    return settings(workflow.name, {**_chosen(workflow), **options.service})


def _chosen(workflow: Workflow) -> dict[str, Json]:
    """The settings in the spec."""
    targets = workflow.targets if isinstance(workflow.targets, dict) else {}
    return targets.get("aws") or {}


def _lowered(workflow: Workflow, options: Options) -> Workflow:
    """The workflow as the writers take it; results that go through S3 are combined by no pass."""
    chosen = _settings(workflow, options)
    if chosen.results is not None:
        workflow = change_steps(workflow, lambda step: _stored(step, workflow, chosen))
    return TARGET.lower(workflow)


def _stored(step: Step, workflow: Workflow, chosen: Settings) -> Step:
    if not isinstance(step.action, Map) or not is_distributed(step.action, chosen):
        return step
    return replace(step, action=with_stored(step.action, workflow))


def _machine(
    workflow: Workflow, lowered: Workflow, project: Agents, options: Options, refusals: Refusals
) -> _Machine:
    chosen = _settings(workflow, options)
    report = Report(workflow.name, "aws", GUARANTEES[chosen.kind])
    writer = Writer(lowered, chosen, refusals, report, WRITERS, project)
    _tell_lowered(writer, workflow)
    written = _write(writer, workflow)
    if chosen.keep_spec:
        written = with_spec(written, workflow, chosen)
    check_limits(writer, workflow, json.dumps(written, ensure_ascii=False, separators=(",", ":")))
    return _Machine(writer, written)


def _tell_lowered(w: Writer, workflow: Workflow) -> None:
    """Tell what the passes replace, by the steps as the author wrote them."""
    for step in steps(workflow.do):
        told = lowering.told(_unreduced(w, step), CAPABILITIES)
        if told:
            w.report.add(step.id, "lowered", "; ".join(told), step.span)


def _unreduced(w: Writer, step: Step) -> Step:
    """The step without a `reduce` that no pass replaces, because its results go through S3."""
    map_, chosen = step.action, w.settings
    if not isinstance(map_, Map) or map_.reduce is None:
        return step
    if chosen.results is None or not is_distributed(map_, chosen):
        return step
    reason = why_not(map_.reduce)
    if reason is None:
        return replace(step, action=replace(map_, reduce=None))
    w.note(f"the results of `{step.id}` do not go through S3: {reason}")
    return step


def _write(w: Writer, workflow: Workflow) -> State:
    names = Names()
    write_input(w, workflow, names)
    names.own["execution"] = execution_of(workflow)
    if workflow.has_output:
        output = Label()
        block = names.inner()
        w.block(w.workflow.do, block, After(output))
        w.scope.place(output)
        _output(w, block)
    else:
        w.block(w.workflow.do, names.inner(), After(None))
    if workflow.concurrency is not None:
        w.note(f"`concurrency: {workflow.concurrency}` bounds each map, not the whole execution")
    machine = w.scope.definition()
    if w.renames:
        machine = _named(w, machine)
    ordered: State = _in_order(mixed({**_head(w, workflow), **machine}))
    return ordered


def _head(w: Writer, workflow: Workflow) -> State:
    """What stands in front of the states."""
    head: State = {
        "Comment": workflow.description or f"{workflow.name} {workflow.version}",
        "QueryLanguage": "JSONata",
    }
    limit = workflow.timeout
    if isinstance(limit, int | float):
        head["TimeoutSeconds"] = max(1, -int(-limit // 1))
        w.note(
            "a workflow that takes longer than its `timeout` ends as TIMED_OUT, without clean-up"
        )
    elif limit is not None:
        w.refusals.refuse(
            "AF602",
            "the workflow's `timeout` is an expression",
            limit.span,
            "TimeoutSeconds of a state machine is a number",
            "write the number of seconds",
        )
    return head


def _output(w: Writer, names: Names) -> None:
    """The workflow's output, as a last state."""
    step = Step("output", None, w.workflow.span)  # type: ignore[arg-type]  # it is no step's state
    w.path = w.path.step("output")
    with w.templates(step, names) as templates:
        value = templates.value(w.workflow.output)
    w.renames = w.renames or can_fail(value)
    w.add(w.name("end"), {"Type": "Pass", "Output": value, "End": True})


def execution_of(workflow: Workflow) -> Reference:
    """`execution`, from the context of the service."""
    fields = {
        "id": "$states.context.Execution.Name",
        "workflow": quote(workflow.name),
        "version": quote(workflow.version),
        "started_at": "$states.context.Execution.StartTime",
    }
    whole = ", ".join(f"'{name}': {text}" for name, text in fields.items())
    kind = ObjectOf(tuple((name, STRING) for name in fields), frozenset(fields))
    return Reference(f"{{{whole}}}", kind, fields)


def _named(w: Writer, machine: State) -> State:
    """The machine inside a state that gives every error its name in the workflow.

    A fault of an expression is `States.QueryEvaluationError` for the service, whatever its name;
    only here, around everything, is it known that nobody handled it.
    """
    name, fail = w.names.take(w.workflow.name), w.names.take("fail")
    # The variable is this scope's: inside, a name may be the same only if it is not assigned there.
    error = w.variables.take("error", ())
    catch = {
        "ErrorEquals": [faults.ALL],
        "Assign": {error: f"{{% {faults.decoded('$states.errorOutput')} %}}"},
        "Next": fail,
    }
    whole: State = {
        "Type": "Parallel",
        "Branches": [machine],
        "Output": "{% $states.result[0] %}",
        "Catch": [catch],
        "End": True,
    }
    failed: State = {
        "Type": "Fail",
        "Error": f"{{% ${error}.name %}}",
        "Cause": f"{{% $string(${error}) %}}",
    }
    return {"StartAt": name, "States": {name: whole, fail: failed}}


def _deployment(w: Writer) -> Deployment:
    return Deployment(
        name=w.workflow.name,
        functions=tuple(sorted(w.functions)),
        agents=dict(sorted(w.agents.items())),
        handler=w.settings.handler,
        needs_helper=w.needs_helper,
        resources=tuple(sorted(w.resources, key=lambda each: (each.kind, each.name, each.action))),
        settings={
            "kind": w.settings.kind,
            "secrets": list(w.workflow.secrets),
            "event_bus": w.settings.event_bus,
        },
    )


def _plain(deployment: Deployment) -> Json:
    return {
        "name": deployment.name,
        "handler": deployment.handler,
        "functions": list(deployment.functions),
        **({"agents": dict(deployment.agents)} if deployment.agents else {}),
        "needs_helper": deployment.needs_helper,
        "resources": [
            {"kind": each.kind, "name": each.name, "action": each.action}
            for each in deployment.resources
        ],
        "settings": dict(deployment.settings),
    }


_ORDER = [
    "Comment",
    "QueryLanguage",
    "StartAt",
    "Type",
    "Resource",
    "Items",
    "ItemSelector",
    "ItemBatcher",
    "MaxConcurrency",
    "ToleratedFailurePercentage",
    "Condition",
    "Choices",
    "Default",
    "Branches",
    "ItemProcessor",
    "ProcessorConfig",
    "ResultWriter",
    "Arguments",
    "TimeoutSeconds",
    "Seconds",
    "Timestamp",
    "Error",
    "Cause",
    "HeartbeatSeconds",
    "Retry",
    "Catch",
    "ErrorEquals",
    "Assign",
    "Output",
    "Next",
    "End",
    "States",
]
_RANK = {key: rank for rank, key in enumerate(_ORDER)}
_DATA = frozenset({"Assign", "Output", "Arguments", "ItemSelector", "Parameters"})


def _in_order(value: Any) -> Any:
    """Fields of states in the order in which people write them; data as it is."""
    if isinstance(value, list):
        return [_in_order(each) for each in value]
    if not isinstance(value, dict):
        return value
    keys = sorted(value, key=lambda key: _RANK.get(key, len(_RANK)))
    return {
        key: value[key]
        if key in _DATA
        else {name: _in_order(state) for name, state in value[key].items()}
        if key == "States"
        else _in_order(value[key])
        for key in keys
    }


def _print(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
