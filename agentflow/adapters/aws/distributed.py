"""Distributed maps: a child execution for each item, or for each batch of items.

Children read no variables from outside, so the names they need travel with the items. No child
fails for what an item does: it tells the failure as its outcome, so that errors keep their names
and `tolerate` its meaning. The service tolerates all that fail nevertheless, by something that
cannot be caught; what it tells of them counts as failures of their items.
"""

from __future__ import annotations

from agentflow.adapters.aws.batches import batch_size, write_batch
from agentflow.adapters.aws.checks import Reference, fits
from agentflow.adapters.aws.flow import After
from agentflow.adapters.aws.graph import Label, State
from agentflow.adapters.aws.outcomes import (
    judged,
    told_in_batches,
    told_singly,
    write_counting,
    write_told,
)
from agentflow.adapters.aws.results import StoredMap
from agentflow.adapters.aws.settings import Settings
from agentflow.adapters.aws.stored import stored, write_combining
from agentflow.adapters.aws.templates import query
from agentflow.adapters.aws.variables import Names
from agentflow.adapters.aws.writer import Writer
from agentflow.adapters.lowering.rewriting import expressions
from agentflow.errors import Json
from agentflow.spec.expressions.template import Template, parts
from agentflow.spec.expressions.tree import free_names
from agentflow.spec.expressions.types import INTEGER, LIST, Type
from agentflow.spec.model import Map, Step

READER = "$reader"
"""What stands for the items of a map that reads them itself, with how it does."""
RUN = "$run"
"""What stands for the items of a map that has fields of its own, with how they are evaluated."""
INLINE_CONCURRENCY = 40
"""Items an inline Map runs at once; no setting makes it more.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/state-map-inline.html
"""


def is_distributed(map_: Map, settings: Settings) -> bool:
    """Whether a map may ask for more than an inline Map can do, and the user allows for it."""
    wide = (map_.concurrency or 1 << 30) > INLINE_CONCURRENCY
    return reader_of(map_) is not None or is_run(map_) or (settings.distributed and wide)


def is_run(map_: Map) -> bool:
    """Whether a map keeps the fields that it was imported with."""
    return isinstance(map_.items, dict) and RUN in map_.items


def reader_of(map_: Map) -> dict[str, Template] | None:
    """How a map reads its items itself."""
    found = map_.items.get(READER) if isinstance(map_.items, dict) else None
    return found if isinstance(found, dict) else None


def _reader(w: Writer, step: Step, reader: dict[str, Template], names: Names) -> State:
    """The `ItemReader` of a map."""
    if any(parts([reader["resource"], reader.get("config")])):
        w.refusals.refuse(
            "AF602",
            f"`resource` or `config` of what `{w.last_id}` reads is computed",
            step.span,
            "the state machine holds them as they are",
            "write them out",
        )
    w.note(f"the items of `{w.last_id}` need a permission to read them that you add to the role")
    with w.templates(step, names) as templates:
        given = templates.value(reader)
    most = {"MaxItems": given["most"]} if "most" in given else {}
    config = {**given.get("config", {}), **most}
    return {
        "Resource": given["resource"],
        **({"ReaderConfig": config} if config else {}),
        **({"Arguments": given["arguments"]} if "arguments" in given else {}),
    }


def items_of(w: Writer, step: Step, map_: Map, names: Names) -> str:
    """JSONata for the list of the items."""
    with w.templates(step, names) as templates:
        items = templates.text(map_.items)
    return items if fits(w.type_of(map_.items, names), LIST) else f"$list({items})"


def bounds(w: Writer, map_: Map, most: int | None = None) -> State:
    """How many items run at once."""
    found = [each for each in (map_.concurrency, w.workflow.concurrency, most) if each is not None]
    if most is not None and len(found) == 1:
        return {}
    return {"MaxConcurrency": min(found)} if found else {}


def write_distributed(w: Writer, step: Step, map_: Map, names: Names, after: After) -> None:
    """A Map whose items are child executions."""
    reader = reader_of(map_)
    size = batch_size(w, step, map_) if reader is None else None
    what = "item" if size is None else "batch"
    w.report.add(w.path.plain, "native", f"Map, an execution for each {what}", step.span)
    _standard_only(w, step)
    w.use("workflow", w.workflow.name, "states:StartExecution")
    items = items_of(w, step, map_, names) if reader is None else ""
    source = {"ItemReader": _reader(w, step, reader, names)} if reader else {"Items": query(items)}
    w.renames = True
    name = w.name()
    passed = _passed(map_, names)
    state: State = {
        "Type": "Map",
        **source,
        **_given(w, passed, size, items),
        **bounds(w, map_),
    }
    with w.inner() as scope:
        carried = _carried(w, "$states.input" if size is None else "$states.input.BatchInput")
        if size is None:
            _item(w, step, map_, passed, carried, kind=w.item_type(map_.bind, map_.items, names))
        else:
            write_batch(w, step, map_, carried)
        config = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
        state["ItemProcessor"] = {"ProcessorConfig": config, **scope.definition()}
    state["ToleratedFailurePercentage"] = 100
    with w.closed(after) as following:
        if isinstance(map_, StoredMap):
            write_combining(w, step, stored(w, step, name, state), names, following)
            return
        told = told_singly() if size is None else told_in_batches(items)
        outcomes = judged(w, step, name, state, told)
        write_counting(w, step, map_, outcomes, following)


def _given(w: Writer, passed: dict[str, Reference], size: int | str | None, items: str) -> State:
    """What a child execution is given: its item, or its batch; and what it reads from outside."""
    outside: State = {"execution": f"{{% {w.execution} %}}"}
    if passed or size is not None:
        outside["names"] = {n: query(each.text) for n, each in passed.items()}
    if w.path.is_computed:
        outside["path"] = w.path.value()
    item: State = {
        "item": "{% $states.context.Map.Item.Value %}",
        "index": "{% $states.context.Map.Item.Index %}",
    }
    if size is None:
        return {"ItemSelector": item | outside}
    per_batch = size if isinstance(size, int) else query(size.format(items))
    batcher: State = {"MaxItemsPerBatch": per_batch, "BatchInput": outside}
    return {"ItemSelector": item, "ItemBatcher": batcher}


def _standard_only(w: Writer, step: Step) -> None:
    if w.settings.kind == "express":
        w.refusals.refuse(
            "AF604",
            f"`{w.last_id}` runs an execution for each item, which Express workflows cannot",
            step.span,
            "only Standard workflows have distributed maps",
            "compile it as a Standard workflow, or without `distributed`",
        )


def _passed(map_: Map, names: Names) -> dict[str, Reference]:
    """The names from outside that the items read."""
    trees = (each.tree for each in expressions(map_.body))
    read = dict.fromkeys(name.name for tree in trees for name in free_names(tree))
    own = (map_.bind, map_.index)
    return {name: names[name] for name in read if name in names and name not in own}


def _carried(w: Writer, given: str) -> dict[str, Json]:
    """Variables of a child for what its parent knows: which execution, and where in it."""
    execution = w.variable("execution")
    carried: dict[str, Json] = {execution: f"{{% {given}.execution %}}"}
    w.execution = f"${execution}"
    if w.path.is_computed:
        path = w.variable("path")
        carried[path] = f"{{% {given}.path %}}"
        w.path = w.path.carried(path)
    return carried


def _item(
    w: Writer,
    step: Step,
    map_: Map,
    passed: dict[str, Reference],
    carried: dict[str, Json],
    *,
    kind: Type,
) -> None:
    """What is done with one item, of which `kind` is known."""
    inner = Names()
    bind = w.variables.take(map_.bind, w.depth)
    index = w.variables.take(map_.index or f"{step.id}_index", w.depth)
    w.path = w.path.round(index)
    assign: dict[str, Json] = {
        bind: "{% $states.input.item %}",
        index: "{% $states.input.index %}",
        **carried,
    }
    for name, reference in passed.items():
        variable = w.variables.take(name, w.depth)
        assign[variable] = f"{{% $states.input.names.{name} %}}"
        inner.bind(name, variable, reference.type)
    begin = Label()
    w.assign(assign, begin, "item")
    w.scope.place(begin)
    inner.bind(map_.bind, bind, kind)
    if map_.index is not None:
        inner.bind(map_.index, index, INTEGER)
    write_told(w, step, map_, inner)
