"""Distributed maps that keep their fields, put together again and written as they were.

An import makes three steps of one: the fields are evaluated, a map goes over the children, and a
result is made of what they tell. On the service it is one distributed Map, whose children give
their output or fail as they did before they were imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, cast

from agentflow.adapters.aws import calls
from agentflow.adapters.aws.causes import SERVICE_NAMES
from agentflow.adapters.aws.distributed import RUN, bounds
from agentflow.adapters.aws.flow import After, Region
from agentflow.adapters.aws.graph import Label, State
from agentflow.adapters.aws.jsonata import literal as jsonata_literal
from agentflow.adapters.aws.native import inputs, paths
from agentflow.adapters.aws.native.languages import JSONPATH
from agentflow.adapters.aws.native.readers import is_bare
from agentflow.adapters.aws.paths import Path
from agentflow.adapters.aws.templates import query
from agentflow.adapters.aws.variables import Names
from agentflow.adapters.aws.writer import Writer
from agentflow.adapters.lowering.rewriting import expressions
from agentflow.errors import Json
from agentflow.spec.expressions.template import Expression, Template, parts
from agentflow.spec.expressions.tree import free_names
from agentflow.spec.model import Block, Call, Fork, Map, Step, Try

_RUN: Final = f"{calls.FOREIGN}map_run"
_RESULT: Final = f"{calls.FOREIGN}map_result"
_STATE: Final = "state"
_CHILD_ID: Final = "$states.context.Execution.Name"


# --- putting together ----------------------------------------------------------------------------


def opens(step: Step) -> bool:
    """Whether a step evaluates the fields of a map and does nothing else."""
    return _calls(step, _RUN)


def _calls(step: Step, function: str) -> bool:
    call = step.action
    return isinstance(call, Call) and call.function == function and is_bare(step)


def one(three: list[Step], inside: list[Step]) -> Step | None:
    """Three steps as the one map that they were; None if they are not these three."""
    run, children, result = three
    map_, made = children.action, result.action
    if not (opens(run) and isinstance(map_, Map) and _calls(result, _RESULT)):
        return None
    assert isinstance(made, Call)
    given = made.arguments
    reads = (map_.items, given.get("after"), given.get("children"))
    if _sources(*reads) != [f"{run.id}.inputs", f"{run.id}.after", children.id]:
        return None
    body = _own(map_.body)
    if body is None or not is_bare(children) or map_.tolerate or map_.reduce is not None:
        return None
    others = [each for each in inside if each not in three]
    used = {name.name for each in expressions(others) for name in free_names(each.tree)}
    if used & {run.id, children.id}:
        return None
    assert isinstance(run.action, Call)
    items = {RUN: dict(run.action.arguments)}
    return replace(result, action=replace(map_, items=items, body=body))


def _sources(*templates: Template) -> list[str]:
    return [each.source for each in templates if isinstance(each, Expression)]


def _own(body: Call | Block) -> Block | None:
    """What a child does, without the steps that tell how it ended."""
    if not isinstance(body, Block) or len(body.steps) != 1:
        return None
    attempt = body.steps[0].action
    if not isinstance(attempt, Try) or not attempt.catch:
        return None
    first = attempt.do.steps[0].action
    if not isinstance(first, Fork) or len(first.branches) != 1:
        return None
    (own,) = first.branches.values()
    return own


# --- writing -------------------------------------------------------------------------------------


def write_run(w: Writer, step: Step, map_: Map, names: Names, after: After) -> None:
    """A distributed Map with its fields."""
    assert isinstance(map_.items, dict)
    given = cast("dict[str, Template]", map_.items[RUN])
    if _is_refused(w, step, map_, names, given):
        return
    w.report.add(w.path.plain, "native", "Map, distributed, with its own fields", step.span)
    w.use("workflow", w.workflow.name, "states:StartExecution")
    w.note(f"what `{step.id}` reads and writes needs permissions that you add to the role")
    name = w.name()
    fields = _fields(w, step, names, given)
    kind = fields.pop("ExecutionType", "STANDARD")
    by_path = _is_by_path(given)
    state: State = {"Type": "Map", **({"QueryLanguage": JSONPATH} if by_path else {}), **fields}
    if not any(key.startswith("MaxConcurrency") for key in fields):
        state |= bounds(w, map_)
    w.renames = True
    with w.inner() as scope:
        _write_child(w, map_)
        config = {"Mode": "DISTRIBUTED", "ExecutionType": kind}
        state["ItemProcessor"] = {"ProcessorConfig": config, **scope.definition()}
    if by_path:
        w.add(name, {**state, **inputs.ending(after, "$"), **inputs.catch(w)})
    else:
        w.add(name, {**state, **w.ending(after, "{% $states.result %}"), **w.catch()})


def _is_refused(
    w: Writer, step: Step, map_: Map, names: Names, given: Mapping[str, Template]
) -> bool:
    """Refuse what no state says: computed fields, and children that see more than their input."""
    if any(parts([given[_STATE], given.get("language")])):
        w.refusals.refuse(
            "AF602",
            f"`{_STATE}` of what runs `{step.id}` is computed",
            step.span,
            "the state machine holds it as it is",
            "write it out",
        )
        return True
    trees = (each.tree for each in expressions(map_.body))
    read = {name.name for tree in trees for name in free_names(tree)}
    outer = sorted((read & {*names, map_.index}) - {"execution"})
    if outer:
        w.refusals.refuse(
            "AF602",
            f"the children of `{step.id}` read `{outer[0]}`",
            step.span,
            "they are executions of their own, which see nothing but their input",
            "give it to them in `ItemSelector` or `BatchInput`",
        )
    return bool(outer)


def _is_by_path(given: Mapping[str, Template]) -> bool:
    return bool(given.get("language", JSONPATH) == JSONPATH)


def _fields(w: Writer, step: Step, names: Names, given: Mapping[str, Template]) -> dict[str, Json]:
    """The fields of the Map, which see the data and the variables that the workflow gives."""
    from agentflow.adapters.aws.native import queries  # needs an evaluator of JSONata

    fields = dict(cast("dict[str, Json]", given[_STATE]))
    if _is_by_path(given):
        known = {key: each for key, each in given.items() if key in (paths.DATA, paths.VARIABLES)}
        return paths.fields(fields) if inputs.give(w, step, names, known) else fields
    with w.templates(step, names) as templates:
        variables = given.get("variables")
        data = templates.text(given["data"])
        states = f"{{'input': {data}, 'context': $states.context}}"
        around = None if variables is None else templates.text(variables)
        return cast("dict[str, Json]", queries.template(fields, states, around))


def _write_child(w: Writer, map_: Map) -> None:
    """The states of a child: an execution of its own, which sees nothing but its input."""
    from agentflow.adapters.aws.compile import execution_of  # it needs this module

    assert isinstance(map_.body, Block)
    inner = Names()
    inner.own["execution"] = execution_of(w.workflow)
    w.path, w.execution = Path((w.path.plain,)), _CHILD_ID
    bind = w.variables.take(map_.bind, w.depth)
    region, begin = Region(w.variable("failure")), Label()
    w.assign({bind: "{% $states.input %}"}, begin, "child")
    w.scope.place(begin)
    inner.bind(map_.bind, bind)
    with w.handled(region, None):
        w.block(map_.body, inner, After(None))
    if region.is_raw_used or region.is_known_used:
        w.receive(region)
        _fail(w, region.error)


def _fail(w: Writer, error: str) -> None:
    """The end of a child that failed, in the service's words."""
    known = jsonata_literal({ours: theirs[0] for ours, theirs in SERVICE_NAMES.items()})
    name = (
        f"($n := ${error}.name; $theirs := $lookup({known}, $n); $exists($theirs) ? $theirs : $n)"
    )
    cause = f"${error}.name = 'Timeout' ? '' : ${error}.message"
    w.add(w.name("fail"), {"Type": "Fail", "Error": query(name), "Cause": query(cause)})
