"""Parallel and Map states: machines inside a state, with names of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from agentflow.adapters.aws.asl.errors import TOLERANCE
from agentflow.adapters.aws.asl.model import ItemReader, Machine, Map, Parallel
from agentflow.adapters.aws.asl.values import ABSENT, Absent
from agentflow.adapters.aws.imports.expressions import Sight
from agentflow.adapters.aws.imports.handling import Work, fatal_of, guarded
from agentflow.adapters.aws.imports.lowered import Lowered, Steps
from agentflow.adapters.aws.imports.states import arguments, effective, is_jsonata, settle
from agentflow.adapters.aws.imports.terms import is_name
from agentflow.adapters.aws.imports.tolerance import counted, judged, tolerated, unlimited
from agentflow.adapters.aws.imports.writing import Scope, Writing
from agentflow.errors import Json
from agentflow.spec.expressions.template import Expression, Template
from agentflow.spec.expressions.tree import Literal
from agentflow.spec.model import Block, Catch, Fork, Raise, Set, Step, Try
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
    return Scope(data, variables, outer.item, reports)


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
        own = Writing(w.book, w.scope, state)
        scope = inner(own, branch, shared)
        name = w.book.namer.fresh(branch.start_at)
        branches[name] = Block((*own.steps, *write(branch, scope)))
    step = w.step(state.name, Fork(branches, len(branches)))
    results = "[" + ", ".join(f"{step.id}.{name}" for name in branches) + "]"
    return _settled(w, step, before, results, sight)


def _settled(w: Writing, step: Step, before: Steps, results: str, sight: Sight) -> Lowered:
    w.steps = []
    seen = w.sight(results)
    if is_jsonata(w.state):
        seen = replace(seen, data=sight.data, result=results)
    settle(w, w.expression(results), seen)
    whole = is_jsonata(w.state) and bool([*before, *w.steps])
    if isinstance(w.state, Map) and w.state.reader is not None:
        whole = True  # what cannot be read is retried and caught with the items
    return guarded(w, Work(step, before, w.steps, whole=whole, fatal=fatal_of(w)))


# --- Map ---------------------------------------------------------------------------------------


def lower_map(w: Writing, write: WriteMachine) -> Lowered:
    """A Map state as a `map`."""
    state = w.state
    assert isinstance(state, Map)
    _refuse_what_has_no_place(w, state)
    sight = effective(w)
    items = None if state.reader is not None else _items(w, state, sight)
    limit = _concurrency(w, state, sight)
    allowed = tolerated(w, state, sight)
    before = w.steps
    read: Steps = []
    if state.reader is not None:
        items = _read(w, state.reader, sight)
        read.append(before.pop())
    item, index = (
        w.book.namer.fresh(f"{state.name} item"),
        w.book.namer.fresh(f"{state.name} index"),
    )
    own = Writing(w.book, replace(w.scope, item=(index, item)), state)
    selected = _selected(own, state, sight, item)
    scope = inner(own, state.processor, selected, alone=state.distributed)
    if allowed:
        scope = replace(scope, reports=True)
    body = Block((*own.steps, *write(state.processor, scope)))
    if allowed:
        body = counted(own, body)
    elif state.distributed:
        body = _child(own, body)
    step = w.step(state.name, MapStep(items, body, item, index, concurrency=limit))
    if not allowed:
        return _settled(w, step, [*before, *read], step.id, sight)
    results = w.book.namer.fresh(f"{state.name} results")
    before.append(w.step(f"{state.name} set results", Set({results: []})))
    return _settled(w, judged(w, [*read, step], allowed, results), before, results, sight)


def _concurrency(w: Writing, state: Map, sight: Sight) -> int | None:
    """How many items run at once; one where the limit is known only when it runs."""
    limit = state.max_concurrency
    if isinstance(limit, Absent):
        return None
    if isinstance(limit, int):
        return limit if limit > 0 else None
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


def _items(w: Writing, state: Map, sight: Sight) -> Template:
    if is_jsonata(state):
        if isinstance(state.items, Absent):
            found: Template = w.expression(sight.data)
        else:
            found = w.resolved(state.items, sight, "items")
        if _is_no_list(found):  # an execution fails by it, not the workflow
            found = w.call("items", "jsonata", {"template": state.items, "states": {}})
    else:
        found = w.path(state.items_path, sight, "items")
    if state.batcher is not None:
        size = state.batcher.max_items
        source = w.bind("items", found)
        return w.expression(f"chunked({source}, {size})")
    if state.distributed and not isinstance(found, list):
        source = w.bind("items", found)
        pairs = f'[{{"Key": key, "Value": value}} for key, value in {source}.items()]'
        return w.expression(f'{pairs} if type({source}) == "object" else {source}')
    return found


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


def _selected(w: Writing, state: Map, sight: Sight, item: str) -> Template:
    """The input of an iteration."""
    within = replace(sight, item=w.scope.item)
    if isinstance(state.item_selector, Absent) and isinstance(state.parameters, Absent):
        given: Template = w.expression(item)
        if state.batcher is None:
            return given
        batch = state.batcher.batch_input
        if isinstance(batch, Absent):
            return {"Items": given}
        return {"BatchInput": batch, "Items": given}
    selector: Json = (
        state.parameters if isinstance(state.item_selector, Absent) else state.item_selector
    )
    if is_jsonata(state):
        return w.resolved(selector, within, "selector")
    return w.payload(selector, within, "selector")


def _refuse_what_has_no_place(w: Writing, state: Map) -> None:
    refuse, span, name = w.book.refuse, w.span, f"`{state.name}`"
    if state.reader is not None and state.batcher is not None:
        refuse(
            f"{name} reads its items with an ItemReader, in batches",
            span,
            "the service gives no items but one by one to a map of the workflow",
            "leave ItemBatcher out",
        )
    if state.writer is not None and state.writer.resource is not None:
        refuse(
            f"{name} writes its results with a ResultWriter",
            span,
            "the result of a map is a list",
            "write it in a function after the map",
        )
    batcher = state.batcher
    if batcher is not None and (
        not isinstance(batcher.max_items, int)
        or batcher.max_bytes is not ABSENT
        or not isinstance(state.item_selector, Absent)
        or not _is_plain(batcher.batch_input)
    ):
        refuse(
            f"{name} has an ItemBatcher that is not a plain number of items",
            span,
            "`chunked` takes a number of items",
            "write MaxItemsPerBatch alone",
        )
    if batcher is not None and not unlimited(state):
        refuse(
            f"{name} tolerates failures of items in batches",
            span,
            "a batch fails as one here, and counts for its items there",
            "leave ItemBatcher out, or catch errors inside the map",
        )


def _is_plain(value: Json | Absent) -> bool:
    return isinstance(value, Absent) or ("$" not in repr(value) and "{%" not in repr(value))
