"""Steps side by side: forks as Parallel states, maps as Map states."""

from __future__ import annotations

from agentflow.adapters.aws import jsonata
from agentflow.adapters.aws.calls import RESULT, invocation
from agentflow.adapters.aws.checks import Reference, fits
from agentflow.adapters.aws.control import choice
from agentflow.adapters.aws.expressions import NeedsHelper
from agentflow.adapters.aws.flow import After, Exit, Region
from agentflow.adapters.aws.graph import Label, State
from agentflow.adapters.aws.templates import Hop, Templates, can_fail, query
from agentflow.adapters.aws.variables import Names
from agentflow.adapters.aws.writer import Writer
from agentflow.errors import Json
from agentflow.spec.expressions.types import INTEGER, LIST
from agentflow.spec.model import Block, Call, Fork, Map, Step

INLINE_CONCURRENCY = 40
"""Items an inline Map runs at once; no setting makes it more.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/state-map-inline.html
"""

FIRST = "agentflow.First"
"""The error by which a branch that has won stops the others."""


def write_fork(w: Writer, step: Step, names: Names, after: After) -> None:
    """Branches."""
    fork = step.action
    assert isinstance(fork, Fork)
    if fork.join < len(fork.branches):
        _race(w, step, fork, names, after)
        return
    w.report.add(w.path.plain, "native", "Parallel", step.span)
    branches = []
    name = w.name()
    for branch, block in fork.branches.items():
        with w.inner() as scope:
            outer, w.path = w.path, w.path.step(branch)
            w.block(block, names.inner(parallel=True), After(None))
            w.path = outer
            branches.append(scope.definition())
    pairs = (f"{jsonata.quote(b)}: $states.result[{i}]" for i, b in enumerate(fork.branches))
    value = query("{" + ", ".join(pairs) + "}")
    w.add(name, {"Type": "Parallel", "Branches": branches, **w.ending(after, value), **w.catch()})


def _race(w: Writer, step: Step, fork: Fork, names: Names, after: After) -> None:
    """Some of the branches have to succeed.

    A Parallel ends early only by an error. So the first branch to win (`join: any`) fails with its
    value as the cause, if that can be written exactly; otherwise, and for other numbers, all
    branches are waited for and the earliest winners taken.
    """
    any_ = fork.join == 1
    how = "Parallel; the first to succeed stops it" if any_ else "Parallel; waits for all branches"
    w.report.add(w.path.plain, "lowered", how, step.span)
    name = w.name()
    branches = [
        _racer(w, names, branch, block, place, any_=any_)
        for place, (branch, block) in enumerate(fork.branches.items())
    ]
    outcomes, error = w.variable(f"{step.id}_outcomes"), w.variable(f"{step.id}_error")
    with w.closed(after) as following:
        assert following.label is not None
        judge, lost, won = Label(), Label(), Label()
        early: list[State] = []
        if any_:
            winner = "[$merge([$parse($states.errorOutput.Cause), {'at': 0, 'place': 0}])]"
            early = [{"ErrorEquals": [FIRST], "Assign": {outcomes: query(winner)}, "Next": judge}]
        caught = w.catch().get("Catch", [])
        state: State = {"Type": "Parallel", "Branches": branches}
        state |= {"Assign": {outcomes: "{% $states.result %}"}, "Next": judge}
        if early or caught:
            state["Catch"] = early + caught
        w.add(name, state)
        w.scope.place(judge)
        enough = query(f"$count($having(${outcomes}, 'value')) >= {fork.join}")
        w.add(w.name("judge"), choice([{"Condition": enough, "Next": won}], lost))
        w.scope.place(won)
        taken = (
            f"$filter($timely($having(${outcomes}, 'value')), function($o, $i) "
            f"{{ $i < {fork.join} }})"
        )
        value = query(
            f"$merge($append([], $map({_by_place(taken)}, "
            "function($o) { {$o.branch: $o.value} })))"
        )
        w.assign(dict.fromkeys(following.sinks, value), following.label, "won")
        w.scope.place(lost)
        decisive = len(fork.branches) - fork.join
        failed = query(f"$timely($having(${outcomes}, 'failure'))[{decisive}].failure")
        raised = Label()
        w.assign({error: failed}, raised, "lost")
        w.scope.place(raised)
        w.rethrow(error)


def _by_place(text: str) -> str:
    return f"$sort($append([], {text}), function($l, $r) {{ $l.place > $r.place }})"


def _racer(w: Writer, names: Names, branch: str, block: Block, place: int, *, any_: bool) -> State:
    """A branch that ends with its value or its error, and when."""
    with w.inner() as scope:
        outer, w.path = w.path, w.path.step(branch)
        value, label, region = w.variable("value"), Label(), Region(w.variable("error"))
        about = f"'branch': {jsonata.quote(branch)}, 'place': {place}, 'at': $millis()"
        with w.handled(region, Exit(value, label)):
            w.block(block, names.inner(parallel=True), After(label, (value,)))
        w.scope.place(label)
        if any_:
            told = f"$string({{'branch': {jsonata.quote(branch)}, 'value': ${value}}})"
            early = Label()
            late = Label()
            exact = query(
                f"$length({told}) < 30000 ? $equal($parse({told}).value, ${value}) : false"
            )
            w.add(w.name("value"), choice([{"Condition": exact, "Next": early}], late))
            w.scope.place(early)
            w.add(w.name("first"), {"Type": "Fail", "Error": FIRST, "Cause": query(told)})
            w.scope.place(late)
        ended = query(f"{{{about}, 'value': ${value}}}")
        w.add(w.name("ended"), {"Type": "Pass", "Output": ended, "End": True})
        if region.is_raw_used or region.is_known_used:
            w.receive(region)
            failed = query(f"{{{about}, 'failure': ${region.error}}}")
            w.add(w.name("failed"), {"Type": "Pass", "Output": failed, "End": True})
        w.path = outer
        return scope.definition()


def write_map(w: Writer, step: Step, names: Names, after: After) -> None:
    """Items."""
    map_ = step.action
    assert isinstance(map_, Map)
    w.report.add(w.path.plain, "native", "Map, inline", step.span)
    if map_.batch is not None:
        w.note("`batch` has no effect: each item is an invocation of its own")
    if map_.concurrency is not None and map_.concurrency > INLINE_CONCURRENCY:
        w.note(
            f"an inline Map runs {INLINE_CONCURRENCY} items at once, "
            f"not the {map_.concurrency} of `{step.id}`"
        )
    with w.templates(step, names) as templates:
        items = templates.text(map_.items)
    if not fits(w.type_of(map_.items, names), LIST):
        items = f"$list({items})"
    given = query(items)
    name = w.name()
    state: State = {"Type": "Map", "Items": given}
    item: Json = "{% $states.context.Map.Item.Value %}"
    state["ItemSelector"] = {"item": item, "index": "{% $states.context.Map.Item.Index %}"}
    with w.inner() as scope:
        _processor(w, step, map_, names)
        state["ItemProcessor"] = {
            "ProcessorConfig": {"Mode": "INLINE"},
            **scope.definition(),
        }
    if map_.concurrency is not None:
        state["MaxConcurrency"] = min(map_.concurrency, INLINE_CONCURRENCY)
    w.renames = w.renames or can_fail(given)
    if not map_.tolerate:
        w.add(name, {**state, **w.ending(after, "{% $states.result %}"), **w.catch()})
        return
    with w.closed(after) as following:
        _tolerating(w, step, map_, (name, state), following)


def _processor(w: Writer, step: Step, map_: Map, names: Names) -> None:
    """What is done with one item."""
    inner = names.inner(parallel=True)
    outer = w.path
    if isinstance(map_.body, Call) and not map_.tolerate and _needs_no_hop(map_, step, inner):
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
    begin = Label()
    w.assign({bind: "{% $states.input.item %}", index: "{% $states.input.index %}"}, begin, "item")
    w.scope.place(begin)
    inner.bind(map_.bind, bind)
    if map_.index is not None:
        inner.bind(map_.index, index, INTEGER)
    if map_.tolerate:
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
    """An item of a map that tolerates failures: ends with its value or its error."""
    value, label, region = w.variable("value"), Label(), Region(w.variable("failure"))
    with w.handled(region, Exit(value, label)):
        _body(w, step, map_.body, names, After(label, (value,)))
    w.scope.place(label)
    w.add(w.name("ended"), {"Type": "Pass", "Output": {"value": f"{{% ${value} %}}"}, "End": True})
    if region.is_raw_used or region.is_known_used:
        w.receive(region)
        failure = {"failure": f"{{% ${region.error} %}}"}
        w.add(w.name("failed"), {"Type": "Pass", "Output": failure, "End": True})


def _tolerating(w: Writer, step: Step, map_: Map, named: tuple[str, State], after: After) -> None:
    """Count the failures of a map, and put null in their places if they are tolerated."""
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
    raised = Label()
    w.assign({error: value}, raised, "failed")
    w.scope.place(raised)
    w.rethrow(error)
