"""Parallel and Map states: machines inside a state, with names of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from agentflow.adapters.aws.asl.errors import REFERENCE_PATH, TOLERANCE
from agentflow.adapters.aws.asl.model import ItemReader, Machine, Map, Parallel
from agentflow.adapters.aws.asl.values import Absent, text
from agentflow.adapters.aws.distributed import INLINE_CONCURRENCY
from agentflow.adapters.aws.imports import expressions, runs
from agentflow.adapters.aws.imports.expressions import Sight
from agentflow.adapters.aws.imports.handling import Work, fatal_of, guarded
from agentflow.adapters.aws.imports.lowered import Lowered, Steps
from agentflow.adapters.aws.imports.states import arguments, effective, is_jsonata, settle
from agentflow.adapters.aws.imports.terms import is_name, source_of
from agentflow.adapters.aws.imports.tolerance import Batches, counted, judged, tolerated, unlimited
from agentflow.adapters.aws.imports.writing import Scope, Writing
from agentflow.errors import Json
from agentflow.spec.expressions.template import Expression, Template, parts
from agentflow.spec.expressions.tree import Literal
from agentflow.spec.model import Block, Case, Catch, Fork, Raise, Set, Step, Switch, Try
from agentflow.spec.model import Map as MapStep

WriteMachine: TypeAlias = Callable[[Machine, Scope], Steps]
"""Writes the states of a machine whose names are bound."""


def assigns(machine: Machine) -> bool:
    """Whether states of a machine, not those of machines inside it, assign variables."""
    for state in machine.states.values():
        parts = [state, *state.catch, *getattr(state, "choices", ())]
        if any(not isinstance(part.assign, Absent) for part in parts):
            return True
    return False


def distributes(machine: Machine) -> bool:
    """Whether a map of a machine, or of one inside it, runs an execution for each item."""
    for state in machine.states.values():
        if isinstance(state, Map) and (state.distributed or distributes(state.processor)):
            return True
        if isinstance(state, Parallel) and any(map(distributes, state.branches)):
            return True
    return False


def inner(w: Writing, machine: Machine, given: Template, *, alone: bool = False) -> Scope:
    """The names of a machine inside a state, bound by a step that is added to `w`.

    With `alone` it sees no variables of those around it.
    """
    namer, outer = w.book.namer, w.scope
    data = namer.fresh(f"{w.state.name} data")
    names: dict[str, Template] = {data: given}
    variables = outer.variables
    if alone or (variables is None and assigns(machine)):
        variables = namer.fresh("vars")
        names[variables] = {}
    elif variables is not None and assigns(machine):
        around = variables
        variables = namer.fresh("vars")
        names[variables] = w.expression(around)
    w.add(f"{w.state.name} begin", Set(names))
    reports = outer.reports or bool(w.state.catch)
    return replace(outer, data=data, variables=variables, reports=reports)


def _of_child(w: Writing, machine: Machine, given: Template, scope: Scope) -> Scope:
    """The names of a distributed map's child, which is an execution of its own."""
    scope = replace(scope, item=None)
    written = text(machine.definition)
    if "$$" not in written and "context" not in written:
        return scope
    name, own = w.state.name, w.book.namer.fresh(f"{w.state.name} execution")
    names: dict[str, Template] = {own: w.expression("uuid()")}
    if not is_name(given):  # its input is what its data are at first
        names[w.book.namer.fresh(f"{name} input")] = w.expression(scope.data)
        given = w.expression(list(names)[-1])
    w.add(f"{name} set execution", Set(names))
    return replace(scope, given=source_of(given), execution=own)


# --- Parallel ----------------------------------------------------------------------------------


def lower_parallel(w: Writing, write: WriteMachine) -> Lowered:
    """A Parallel state as a `fork` whose results are put in a list."""
    state = w.state
    assert isinstance(state, Parallel)
    sight = effective(w)
    given = arguments(w, sight)
    shared = given if is_name(given) else w.expression(w.bind("input", given))
    before = w.steps
    branches: dict[str, Block] = {}
    for branch in state.branches:
        own = w.beside()
        scope = inner(own, branch, shared)
        name = w.book.namer.fresh(branch.start_at)
        branches[name] = Block((*own.steps, *write(branch, scope)))
    step = w.step(state.name, Fork(branches, len(branches)))
    results = "[" + ", ".join(f"{step.id}.{name}" for name in branches) + "]"
    return _settled(w, step, before, results, sight)


def _settled(
    w: Writing,
    work: Step | Steps,
    before: Steps,
    results: str,
    sight: Sight,
    *,
    whole: bool = False,
) -> Lowered:
    """Work and what is made of its results; with `whole`, what is before it can be caught too."""
    *first, step = [work] if isinstance(work, Step) else work
    w.steps = []
    seen = w.sight(results)
    if is_jsonata(w.state):
        seen = replace(seen, data=sight.data, result=results)
    settle(w, w.expression(results), seen)
    whole = whole or (is_jsonata(w.state) and bool([*before, *w.steps]))
    if first or (isinstance(w.state, Map) and w.state.reader is not None):
        whole = True  # what cannot be read is retried and caught with the items
    before = [*before, *first]
    return guarded(w, Work(step, before, w.steps, whole=whole, fatal=fatal_of(w)))


# --- Map ---------------------------------------------------------------------------------------


def lower_map(w: Writing, write: WriteMachine, fields: dict[str, Json]) -> Lowered:
    """A Map state as a `map`; `fields` are its own."""
    state = w.state
    assert isinstance(state, Map)
    if runs.is_needed(state):
        return _run(w, write, fields)
    sight = effective(w)
    looks = _looks(w, state, sight)
    items, entries = (None, None) if state.reader is not None else _items(w, state, sight)
    batches = _batches(w, state, sight, items)
    limit = _concurrency(w, state, sight)
    allowed = tolerated(w, state, sight)
    before = w.steps
    read: Steps = []
    if state.reader is not None:
        items = _read(w, state.reader, sight)
        read.append(before.pop())
    item, index = _named(w)
    own = w.beside(replace(w.scope, item=(index, item)))
    selected = _selected(own, state, sight, entries)
    if batches is not None:
        items, selected = batches.items, {**batches.common, "Items": own.expression(item)}
    elif state.distributed and not is_name(selected):  # it fails the map, and no child
        selected = own.expression(own.bind("selected", selected))
    chosen, own.steps = own.steps, []
    body = _body(own, write, selected, told=bool(allowed))
    counts = None if batches is None else Batches(f"len({item})", batches.total)
    if allowed:
        body = counted(own, body, counts)
    elif state.distributed:
        body = _child(own, body)
    body = Block((*chosen, *body.steps))
    step = w.step(state.name, MapStep(items, body, item, index, concurrency=limit))
    if not allowed:
        return _settled(w, step, [*before, *read], step.id, sight, whole=looks)
    results = w.book.namer.fresh(f"{state.name} results")
    before.append(w.step(f"{state.name} set results", Set({results: []})))
    one = judged(w, [*read, step], allowed, results, counts)
    return _settled(w, one, before, results, sight, whole=looks)


def _looks(w: Writing, state: Map, sight: Sight) -> bool:
    """Add a step that looks for the items, where a handler may have to know that there are none.

    On the service that is an error of its own, and no fault of a path.
    """
    if is_jsonata(state) or state.reader is not None or not (state.retry or state.catch):
        return False
    if (there := expressions.presence(state.items_path, sight)) is None:
        return False
    told = f"Unable to apply ReferencePath {state.items_path}"
    raised = w.step(f"{state.name} no items", Raise({"name": REFERENCE_PATH, "message": told}))
    absent = Case(w.expression(f"not ({there})"), Block((raised,)))
    w.add(f"{state.name} look", Switch((absent,)))
    return True


def _named(w: Writing) -> tuple[str, str]:
    """Names for an item and its index."""
    fresh, name = w.book.namer.fresh, w.state.name
    return fresh(f"{name} item"), fresh(f"{name} index")


def _body(own: Writing, write: WriteMachine, selected: Template, *, told: bool) -> Block:
    """What is done with an item; `told` says that its failures are read."""
    state = own.state
    assert isinstance(state, Map)
    scope = inner(own, state.processor, selected, alone=state.distributed)
    if state.distributed:
        scope = _of_child(own, state.processor, selected, scope)
    if told:
        scope = replace(scope, reports=True)
    return Block((*own.steps, *write(state.processor, scope)))


def _run(w: Writing, write: WriteMachine, fields: dict[str, Json]) -> Lowered:
    """A distributed map that keeps its fields: what it runs with, its children, its result."""
    state = w.state
    assert isinstance(state, Map)
    sight = effective(w)
    limit = _concurrency(w, state, sight)
    before, w.steps = w.steps, []
    run = runs.opened(w, state, fields, sight)
    (opening,) = w.steps
    item, index = _named(w)
    own = w.beside()
    body = _body(own, write, own.expression(item), told=True)
    body = counted(own, body, strict=unlimited(state))
    items = w.expression(f"{run}.inputs")
    action = MapStep(items, body, item, index, concurrency=limit)
    children = w.step(f"{state.name} children", action)
    result = w.step(state.name, runs.closed(w, state, run, children.id))
    return _settled(w, [opening, children, result], before, result.id, sight)


def _concurrency(w: Writing, state: Map, sight: Sight) -> int | None:
    """How many items run at once; one where the limit is known only when it runs."""
    limit = state.max_concurrency
    most = INLINE_CONCURRENCY if w.book.distributes and not state.distributed else None
    if isinstance(limit, Absent):
        return most
    if isinstance(limit, int):
        return limit if limit > 0 else most
    w.checked(limit, sight, "whole", "concurrency")
    w.book.notes.append(
        f"`{state.name}` computes its MaxConcurrency, so its items run one after the other: write "
        "`concurrency` for more"
    )
    return 1


def _child(w: Writing, body: Block) -> Block:
    """An item of a distributed map: a failed one is too many, by a name of its own."""
    bound = w.book.namer.fresh(f"{w.state.name} fault")
    value = {"name": TOLERANCE, "message": w.expression(f"{bound}.message")}
    raised = w.step(f"{w.state.name} too many", Raise(value))
    caught = Catch(("*",), Block((raised,)), w.span, bound)
    return Block((w.step(f"{w.state.name} child", Try(body, (caught,))),))


def _items(w: Writing, state: Map, sight: Sight) -> tuple[Template, str | None]:
    """The items, and the source of whether they are the entries of an object, where they may be."""
    if is_jsonata(state):
        if isinstance(state.items, Absent):
            found: Template = w.expression(sight.data)
        else:
            found = w.resolved(state.items, sight, "items")
        if _is_no_list(found):  # an execution fails by it, not the workflow
            found = w.call("items", "jsonata", {"template": state.items, "states": {}})
    else:
        found = w.path(state.items_path, sight, "items")
    if state.distributed and not isinstance(found, list):
        source = w.bind("items", found)
        pairs = f'[{{"Key": key, "Value": value}} for key, value in {source}.items()]'
        entries = f'type({source}) == "object"'
        return w.expression(f"{pairs} if {entries} else {source}"), entries
    return found, None


def _read(w: Writing, reader: ItemReader, sight: Sight) -> Template:
    """The items that a step reads, which is the last one added."""
    write = w.resolved if is_jsonata(w.state) else w.payload
    given = write(reader.parameters, sight, "reader") if reader.parameters else None
    config = {"InputType": reader.input_type} if reader.input_type else {}
    most: Template = None
    if not isinstance(reader.max_items, Absent):
        plain = isinstance(reader.max_items, int)
        most = reader.max_items if plain else w.checked(reader.max_items, sight, "whole", "most")
    return w.call(
        "items",
        "items",
        {
            "resource": reader.resource,
            "arguments": given,
            "config": {**config, **reader.config} or None,
            "most": most,
        },
    )


def _is_no_list(found: Template) -> bool:
    if isinstance(found, Expression):
        return isinstance(found.tree, Literal)
    return not isinstance(found, list)


@dataclass(frozen=True, slots=True)
class _Batched:
    """Items in batches, what all batches have beside them, and how many items there are."""

    items: Template
    common: dict[str, Template]
    total: str


def _batches(w: Writing, state: Map, sight: Sight, items: Template) -> _Batched | None:
    """Batches of a number of items."""
    if state.batcher is None:
        return None
    source = w.bind("items", items)
    size = state.batcher.max_items
    if not isinstance(size, int):
        size = w.checked(size, sight, "whole", "batch size").source
    common: dict[str, Template] = {}
    given = state.batcher.batch_input
    if not isinstance(given, Absent):
        write = w.resolved if is_jsonata(state) else w.payload
        value = write(given, sight, "batch input")
        constant = not any(parts(value))
        common["BatchInput"] = value if constant else w.expression(w.bind("batch input", value))
    return _Batched(w.expression(f"chunked({source}, {size})"), common, f"len({source})")


def _selected(w: Writing, state: Map, sight: Sight, entries: str | None) -> Template:
    """The input of an iteration; `entries` tells whether items are those of an object."""
    assert w.scope.item is not None
    index, item = w.scope.item
    within = replace(sight, item=w.scope.item)
    if isinstance(state.item_selector, Absent):
        return w.expression(item)
    if entries is not None:  # a selector sees the key and the value apart
        value = f"({item}.Value if {entries} else {item})"
        within = replace(within, item=(index, value), key=f"{item}.Key")
    if is_jsonata(state):
        return w.resolved(state.item_selector, within, "selector")
    return w.payload(state.item_selector, within, "selector")
