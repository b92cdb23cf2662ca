"""Maps: Map states, in the same execution or with an execution for each item.

An inline Map runs at most 40 items at once, in one history of 25,000 events, and its results fit
into 256 KiB. With the setting `distributed`, maps that ask for more run as child executions: they
read no variables from outside, so the names they need travel with each item; and an item that
fails tells its error as its result, because the service reports a number only.
"""

from __future__ import annotations

from agentflow.adapters.aws.calls import RESULT, invocation
from agentflow.adapters.aws.checks import Reference, fits
from agentflow.adapters.aws.control import choice
from agentflow.adapters.aws.expressions import NeedsHelper
from agentflow.adapters.aws.flow import After, Exit, Region
from agentflow.adapters.aws.graph import Label, State
from agentflow.adapters.aws.templates import Hop, Templates, can_fail, query
from agentflow.adapters.aws.variables import Names
from agentflow.adapters.aws.writer import Writer
from agentflow.adapters.lowering.rewriting import expressions
from agentflow.errors import Json
from agentflow.spec.expressions.tree import free_names
from agentflow.spec.expressions.types import INTEGER, LIST
from agentflow.spec.model import Block, Call, Map, Step

INLINE_CONCURRENCY = 40
"""Items an inline Map runs at once; no setting makes it more.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/state-map-inline.html
"""


def write_map(w: Writer, step: Step, names: Names, after: After) -> None:
    """Items."""
    map_ = step.action
    assert isinstance(map_, Map)
    distributed = w.settings.distributed and (map_.concurrency or 1 << 30) > INLINE_CONCURRENCY
    how = "Map, an execution for each item" if distributed else "Map, inline"
    w.report.add(w.path.plain, "native", how, step.span)
    _notes(w, step, map_, distributed=distributed)
    with w.templates(step, names) as templates:
        items = templates.text(map_.items)
    if not fits(w.type_of(map_.items, names), LIST):
        items = f"$list({items})"
    given = query(items)
    w.renames = w.renames or can_fail(given)
    name = w.name()
    state: State = {"Type": "Map", "Items": given}
    state["ItemSelector"] = {
        "item": "{% $states.context.Map.Item.Value %}",
        "index": "{% $states.context.Map.Item.Index %}",
    }
    passed = _passed(map_, names) if distributed else {}
    if passed:
        state["ItemSelector"]["names"] = {n: query(each.text) for n, each in passed.items()}
    config = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"} if distributed else {}
    with w.inner() as scope:
        around = names.inner(parallel=True)
        if distributed:
            around = Names()
            around.own = passed
        _processor(w, step, map_, around, distributed=distributed)
        state["ItemProcessor"] = {
            "ProcessorConfig": config or {"Mode": "INLINE"},
            **scope.definition(),
        }
    bounds = [each for each in (map_.concurrency, w.workflow.concurrency) if each is not None]
    if bounds:
        state["MaxConcurrency"] = min(*bounds, 1 << 30 if distributed else INLINE_CONCURRENCY)
    if not map_.tolerate and not distributed:
        w.add(name, {**state, **w.ending(after, "{% $states.result %}"), **w.catch()})
        return
    with w.closed(after) as following:
        _counting(w, step, map_, (name, state), following)


def _notes(w: Writer, step: Step, map_: Map, *, distributed: bool) -> None:
    if map_.batch is not None:
        w.note("`batch` has no effect: each item is an invocation of its own")
    if distributed:
        w.use("workflow", w.workflow.name, "states:StartExecution")
        if w.settings.kind == "express":
            w.refusals.refuse(
                "AF604",
                f"`{step.id}` runs an execution for each item, which Express workflows cannot",
                step.span,
                "only Standard workflows have distributed maps",
                "compile it as a Standard workflow, or without `distributed`",
            )
    elif map_.concurrency is not None and map_.concurrency > INLINE_CONCURRENCY:
        w.note(
            f"`{step.id}` runs {INLINE_CONCURRENCY} items at once, not {map_.concurrency}: "
            "more need the setting `distributed`"
        )


def _passed(map_: Map, names: Names) -> dict[str, Reference]:
    """The names from outside that the items read."""
    trees = (each.tree for each in expressions(map_.body))
    read = dict.fromkeys(name.name for tree in trees for name in free_names(tree))
    return {name: names[name] for name in read if name in names}


def _processor(w: Writer, step: Step, map_: Map, names: Names, *, distributed: bool) -> None:
    """What is done with one item."""
    inner = names.inner()
    outer = w.path
    told = map_.tolerate or distributed
    if isinstance(map_.body, Call) and not told and _needs_no_hop(map_, step, inner):
        w.path = outer.round("states.input.index")
        inner.own[map_.bind] = Reference("$states.input.item")
        if map_.index is not None:
            inner.own[map_.index] = Reference("$states.input.index", INTEGER)
        with w.templates(step, inner) as templates:
            call = invocation(w, map_.body, templates, retry=step.retry, timeout=step.timeout)
        w.add(w.name("item"), {**call, **w.ending(After(None), query(RESULT))})
        w.path = outer
        return
    bind = w.variables.take(map_.bind, w.depth)
    index = w.variables.take(map_.index or f"{step.id}_index", w.depth)
    w.path = outer.round(index)
    assign: dict[str, Json] = {
        bind: "{% $states.input.item %}",
        index: "{% $states.input.index %}",
    }
    if distributed:
        for name, reference in list(names.own.items()):
            variable = w.variables.take(name, w.depth)
            assign[variable] = f"{{% $states.input.names.{name} %}}"
            inner.bind(name, variable, reference.type)
    begin = Label()
    w.assign(assign, begin, "item")
    w.scope.place(begin)
    inner.bind(map_.bind, bind)
    if map_.index is not None:
        inner.bind(map_.index, index, INTEGER)
    if told:
        _outcome(w, step, map_, inner)
    else:
        _body(w, step, map_.body, inner, After(None))
    w.path = outer


def _body(w: Writer, step: Step, body: Call | Block, names: Names, after: After) -> None:
    if isinstance(body, Block):
        w.block(body, names, after)
        return
    if body.compensate is not None:
        w.refusals.refuse(
            "AF602",
            f"the items of `{step.id}` cannot be undone",
            body.span,
            "an item that is stopped cannot tell what it completed",
            "give the saga to the item: a map whose `do` is a saga",
        )
    with w.templates(step, names) as templates:
        call = invocation(w, body, templates, retry=step.retry, timeout=step.timeout)
    w.add(w.name("call"), {**call, **w.ending(after, query(RESULT)), **w.catch()})


def _needs_no_hop(map_: Map, step: Step, names: Names) -> bool:
    trial = Names(names)
    trial.own[map_.bind] = Reference("$item")
    if map_.index is not None:
        trial.own[map_.index] = Reference("$index", INTEGER)
    assert isinstance(map_.body, Call)
    hop = Hop(lambda: "trial")
    templates = Templates(trial, hop)
    try:
        templates.value(map_.body.arguments)
        templates.value(step.timeout)
    except NeedsHelper:
        return False
    return not hop.templates and map_.body.compensate is None


def _outcome(w: Writer, step: Step, map_: Map, names: Names) -> None:
    """An item whose failure is counted: ends with its value or its error."""
    value, label, region = w.variable("value"), Label(), Region(w.variable("failure"))
    with w.handled(region, Exit(value, label)):
        _body(w, step, map_.body, names, After(label, (value,)))
    w.scope.place(label)
    w.add(w.name("ended"), {"Type": "Pass", "Output": {"value": f"{{% ${value} %}}"}, "End": True})
    if region.is_raw_used or region.is_known_used:
        w.receive(region)
        failure = {"failure": f"{{% ${region.error} %}}"}
        w.add(w.name("failed"), {"Type": "Pass", "Output": failure, "End": True})


def _counting(w: Writer, step: Step, map_: Map, named: tuple[str, State], after: After) -> None:
    """Count the failures of a map, and put null in their places if they are tolerated.

    Without `tolerate` the first item's own error is the map's.
    """
    assert after.label is not None
    name, state = named
    outcomes, error = w.variable(f"{step.id}_outcomes"), w.variable(f"{step.id}_error")
    judge, failed, fine = Label(), Label(), Label()
    w.add(
        name,
        {**state, "Assign": {outcomes: "{% $states.result %}"}, "Next": judge, **w.catch()},
    )
    share = isinstance(map_.tolerate, float)
    tolerated = f"$floor({map_.tolerate!r} * $count(${outcomes}))" if share else f"{map_.tolerate}"
    failures = f"$having(${outcomes}, 'failure')"
    w.scope.place(judge)
    many = query(f"$count({failures}) > {tolerated}")
    w.add(w.name("judge"), choice([{"Condition": many, "Next": failed}], fine))
    w.scope.place(fine)
    kept = query(f"$collect(${outcomes}, function($o) {{ $exists($o.value) ? $o.value : null }})")
    w.assign(dict.fromkeys(after.sinks, kept), after.label, "kept")
    w.scope.place(failed)
    message = (
        f"$string({tolerated} + 1) & ' of ' & $string($count(${outcomes})) & ' items failed; ' "
        f"& $string({tolerated}) & ' are tolerated'"
    )
    value = query(
        f"{{'name': 'TooManyFailures', 'message': {message}, "
        f"'data': {{'failed': {tolerated} + 1, 'tolerated': {tolerated}, "
        f"'items': $count(${outcomes})}}, 'cause': {failures}[0].failure}}"
    )
    if not map_.tolerate:
        value = query(f"{failures}[0].failure")
    raised = Label()
    w.assign({error: value}, raised, "failed")
    w.scope.place(raised)
    w.rethrow(error)
