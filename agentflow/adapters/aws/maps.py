"""Maps: Map states in the same execution. Those that are too wide for it are in `distributed`.

An inline Map runs at most 40 items at once, in one history of 25,000 events, and its results fit
into 256 KiB.
"""

from __future__ import annotations

from agentflow.adapters.aws.calls import RESULT, invocation
from agentflow.adapters.aws.checks import Reference
from agentflow.adapters.aws.distributed import (
    INLINE_CONCURRENCY,
    bounds,
    is_distributed,
    is_run,
    items_of,
    write_distributed,
)
from agentflow.adapters.aws.flow import After
from agentflow.adapters.aws.functions import NeedsHelper
from agentflow.adapters.aws.graph import Label, State
from agentflow.adapters.aws.outcomes import judged, write_body, write_counting, write_told
from agentflow.adapters.aws.templates import Hop, Templates, can_fail, query
from agentflow.adapters.aws.variables import Names
from agentflow.adapters.aws.writer import Writer
from agentflow.spec.expressions.types import INTEGER
from agentflow.spec.model import Call, Map, Step


def write_map(w: Writer, step: Step, names: Names, after: After) -> None:
    """Items."""
    map_ = step.action
    assert isinstance(map_, Map)
    if is_run(map_):
        from agentflow.adapters.aws.native.runs import write_run  # other workflows have none

        write_run(w, step, map_, names, after)
        return
    if is_distributed(map_, w.settings):
        write_distributed(w, step, map_, names, after)
        return
    w.report.add(w.path.plain, "native", "Map, inline", step.span)
    _notes(w, map_)
    items = query(items_of(w, step, map_, names))
    w.renames = w.renames or can_fail(items)
    name = w.name()
    state: State = {
        "Type": "Map",
        "Items": items,
        "ItemSelector": {
            "item": "{% $states.context.Map.Item.Value %}",
            "index": "{% $states.context.Map.Item.Index %}",
        },
        **bounds(w, map_, INLINE_CONCURRENCY),
    }
    with w.inner() as scope:
        _processor(w, step, map_, names.inner(parallel=True))
        state["ItemProcessor"] = {"ProcessorConfig": {"Mode": "INLINE"}, **scope.definition()}
    if not map_.tolerate:
        w.add(name, {**state, **w.ending(after, "{% $states.result %}"), **w.catch()})
        return
    with w.closed(after) as following:
        outcomes = judged(w, step, name, state, "$states.result")
        write_counting(w, step, map_, outcomes, following)


def _notes(w: Writer, map_: Map) -> None:
    if map_.batch is not None:
        w.note(
            f"`batch` of `{w.last_id}` has no effect: each item is an invocation of its own, "
            "unless the setting `distributed` is on"
        )
    if map_.concurrency is not None and map_.concurrency > INLINE_CONCURRENCY:
        w.note(
            f"`{w.last_id}` runs {INLINE_CONCURRENCY} items at once, not {map_.concurrency}: "
            "more need the setting `distributed`"
        )


def _processor(w: Writer, step: Step, map_: Map, names: Names) -> None:
    """What is done with one item."""
    inner = names.inner()
    item = w.item_type(map_.bind, map_.items, names)
    outer = w.path
    if isinstance(map_.body, Call) and not map_.tolerate and _needs_no_hop(map_, step, inner):
        w.path = outer.round("states.input.index")
        inner.own[map_.bind] = Reference("$states.input.item", item)
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
    begin = Label()
    w.assign({bind: "{% $states.input.item %}", index: "{% $states.input.index %}"}, begin, "item")
    w.scope.place(begin)
    inner.bind(map_.bind, bind, item)
    if map_.index is not None:
        inner.bind(map_.index, index, INTEGER)
    if map_.tolerate:
        write_told(w, step, map_, inner)
    else:
        write_body(w, step, map_.body, inner, After(None))
    w.path = outer


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
