"""JSONPath states: what they get from the state before, and where their result goes."""

from __future__ import annotations

from collections.abc import Mapping

from agentflow.adapters.aws.flow import After
from agentflow.adapters.aws.graph import Label, State
from agentflow.adapters.aws.native import paths
from agentflow.adapters.aws.native.context import of_service
from agentflow.adapters.aws.variables import Names
from agentflow.adapters.aws.writer import Writer
from agentflow.errors import Json
from agentflow.spec.expressions.template import Template
from agentflow.spec.model import Step


def give(w: Writer, step: Step, names: Names, given: Mapping[str, Template]) -> bool:
    """A state whose output is what paths are looked for in; whether roots are members of it."""
    beside = {key: given[key] for key in (paths.CONTEXT, paths.VARIABLES) if key in given}
    if paths.CONTEXT in beside:
        names, beside[paths.CONTEXT] = of_service(names, beside[paths.CONTEXT], step.span)
    with w.templates(step, names) as templates:
        data = templates.value({paths.DATA: given["data"], **beside} if beside else given["data"])
    hand_over(w, data)
    return bool(beside)


def hand_over(w: Writer, data: Json) -> None:
    """The input of the next state."""
    following = Label()
    name = w.name("input")
    w.add(name, w.pure(name, {"Output": data, "Next": following}, data))
    w.scope.place(following)


def ending(after: After, result: str) -> State:
    """The end of a JSONPath state: its result is at a path."""
    if after.label is None:
        return {"End": True}
    assign = {f"{sink}.$": result for sink in after.sinks}
    return {**({"Assign": assign} if assign else {}), "Next": after.label}


def catch(w: Writer) -> State:
    """The `Catch` of a JSONPath state, whose error is at `$`."""
    caught = w.catch()
    for each in caught.get("Catch", ()):
        each["Assign"] = {f"{name}.$": "$" for name in each["Assign"]}
    return caught
