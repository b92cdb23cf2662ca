"""Each function of `foreign` as the states that mean the same on the service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias, cast

from agentflow.adapters.aws import foreign
from agentflow.adapters.aws.flow import After
from agentflow.adapters.aws.graph import Label, State
from agentflow.adapters.aws.native import paths, queries
from agentflow.adapters.aws.native.context import in_states
from agentflow.adapters.aws.native.inputs import ending, give, hand_over
from agentflow.adapters.aws.native.languages import JSONPATH
from agentflow.adapters.aws.native.tasks import write_evaluate, write_task
from agentflow.adapters.aws.native.terms import literal
from agentflow.adapters.aws.templates import can_fail, query
from agentflow.adapters.aws.variables import Names
from agentflow.adapters.aws.writer import Writer
from agentflow.errors import Json
from agentflow.spec.expressions.template import Template
from agentflow.spec.model import Call, Step

_WriteCall: TypeAlias = "Callable[[Writer, Step, Names, After], None]"
_DATA: Final = "{% $states.input %}"


def write_native(w: Writer, step: Step, names: Names, after: After) -> None:
    """A call of a function of `foreign`."""
    function = _call(step).function
    name = function.rpartition(".")[2]
    if function not in foreign.NATIVE:
        w.refusals.refuse(
            "AF602",
            f"there is no `{function}`",
            step.span,
            "only what the service does itself is compiled",
            f"it has {', '.join(sorted(_WRITERS))}",
        )
        w.done(None, after)
        return
    w.report.add(w.path.plain, "native", foreign.NATIVE[function], step.span)
    if name not in ("task", "activity", "items", "map_run", "map_result", "evaluate") and (
        step.retry is not None or step.timeout is not None
    ):
        w.refusals.refuse(
            "AF602",
            f"`{step.id}` retries or bounds `foreign.{name}`",
            step.span,
            "the service evaluates it in a state that has neither",
            "leave `retry` and `timeout` out: it gives the same value each time, at once",
        )
    _WRITERS[name](w, step, names, after)


def _call(step: Step) -> Call:
    assert isinstance(step.action, Call)
    return step.action


# --- JSONata -----------------------------------------------------------------------------------


def _write_jsonata(w: Writer, step: Step, names: Names, after: After) -> None:
    given = _call(step).arguments
    template = literal(w, step, "template")
    names, states = in_states(names, given.get("states", {}), step.span)
    with w.templates(step, names) as templates:
        variables = given.get("variables")
        value = queries.template(
            template,
            templates.text(states),
            None if variables is None else templates.text(variables),
        )
    _evaluated(w, step, value, after)


def _write_choose(w: Writer, step: Step, names: Names, after: After) -> None:
    rules = cast("list[dict[str, Any]]", literal(w, step, "rules"))
    if any("Condition" not in rule for rule in rules):
        _write_rules(w, step, names, after, rules)
        return
    given = _call(step).arguments
    given_states: Template = {"input": given["data"], "context": given.get("around", {})}
    names, states = in_states(names, given_states, step.span)
    with w.templates(step, names) as templates:
        variables = given.get("variables")
        text = queries.chosen(
            rules,
            templates.text(states),
            None if variables is None else templates.text(variables),
        )
    _evaluated(w, step, query(text), after)


def _write_checked(write: Callable[[str, str], str]) -> _WriteCall:
    def write_checked(w: Writer, step: Step, names: Names, after: After) -> None:
        given = _call(step).arguments
        language = literal(w, step, "language") if "language" in given else JSONPATH
        with w.templates(step, names) as templates:
            text = write(templates.text(given["value"]), str(language))
        _evaluated(w, step, query(text), after)

    return write_checked


def _evaluated(w: Writer, step: Step, value: Json, after: After) -> None:
    """A state that evaluates something that may fail. A Pass cannot catch; a Parallel can."""
    if after.label is not None and not after.sinks:
        # What nobody reads can fail all the same.
        after = After(after.label, (w.variable(step.id),))
    name = w.name()
    w.renames = w.renames or can_fail(value)
    state: State = {"Type": "Pass"}
    if w.region is not None:
        ready = w.names.take(f"{name}.ready")
        branch = {"StartAt": ready, "States": {ready: {"Type": "Succeed"}}}
        state = {"Type": "Parallel", "Branches": [branch], **w.catch()}
    w.add(name, {**state, **w.ending(after, value)})


def _write_unread(w: Writer, step: Step, _: Names, after: After) -> None:
    """Items that no map has taken."""
    w.refusals.refuse(
        "AF602",
        f"`{step.id}` reads items that no map takes",
        step.span,
        "on AWS a distributed map reads its items itself, and nothing else sees them",
        "map over them in the step right after it, with nothing but `call` and `with` in this one",
    )
    w.done(None, after)


def _write_apart(w: Writer, step: Step, _: Names, after: After) -> None:
    """What stood around a map that is not as it was."""
    w.refusals.refuse(
        "AF602",
        f"`{step.id}` stands apart from the map that it is for",
        step.span,
        "on AWS `map_run`, the map and `map_result` are one distributed Map",
        "put the three after each other, with nothing but `call` and `with` in the first and last",
    )
    w.done(None, after)


# --- JSONPath ----------------------------------------------------------------------------------


def _write_jsonpath(w: Writer, step: Step, names: Names, after: After) -> None:
    template = literal(w, step, "template")
    if give(w, step, names, _call(step).arguments):
        template = paths.payload(template)
    whole = isinstance(template, dict)
    state: State = {"Type": "Pass", "Parameters": template if whole else {"value": template}}
    if not whole and after.label is None:
        state["OutputPath"] = "$.value"
    result = "$" if whole else "$.value"
    w.add(w.name(), {**state, **ending(after, result), "QueryLanguage": JSONPATH})


def _write_put(w: Writer, step: Step, names: Names, after: After) -> None:
    given = _call(step).arguments
    path = str(literal(w, step, "path"))
    with w.templates(step, names) as templates:
        both = templates.value({"value": given.get("value"), "data": given["data"]})
    hand_over(w, both)
    state: State = {
        "Type": "Pass",
        "QueryLanguage": JSONPATH,
        "InputPath": "$.value",
        "ResultPath": f"$.{paths.DATA}{path.removeprefix('$')}",
        "OutputPath": f"$.{paths.DATA}",
    }
    name = w.name()
    if after.label is None:
        w.add(name, {**state, "End": True})
        return
    placed = Label()
    w.add(name, {**state, "Next": placed})
    w.scope.place(placed)
    w.add(w.name("placed"), {"Type": "Pass", **w.ending(after, _DATA)})


def _write_rules(
    w: Writer, step: Step, names: Names, after: After, rules: list[dict[str, Any]]
) -> None:
    """A Choice of paths, each of whose ways gives the number of its rule."""
    if give(w, step, names, _call(step).arguments):
        rules = [paths.rule(each) for each in rules]
    with w.closed(after) as following:
        none = Label() if following.sinks else following.label
        choices = [
            {**rule, "Assign": dict.fromkeys(following.sinks, number), "Next": following.label}
            for number, rule in enumerate(rules)
        ]
        w.add(
            w.name(),
            {"Type": "Choice", "QueryLanguage": JSONPATH, "Choices": choices, "Default": none},
        )
        if isinstance(none, Label) and none is not following.label:
            assert following.label is not None
            w.scope.place(none)
            w.assign(dict.fromkeys(following.sinks), following.label, "none")


_WRITERS: Final[Mapping[str, _WriteCall]] = {
    "jsonata": _write_jsonata,
    "jsonpath": _write_jsonpath,
    "put": _write_put,
    "choose": _write_choose,
    "seconds": _write_checked(queries.whole),
    "moment": _write_checked(queries.moment),
    "whole": _write_checked(queries.whole),
    "percentage": _write_checked(queries.percentage),
    "task": write_task,
    "activity": write_task,
    "items": _write_unread,
    "map_run": _write_apart,
    "map_result": _write_apart,
    "evaluate": write_evaluate,
}
