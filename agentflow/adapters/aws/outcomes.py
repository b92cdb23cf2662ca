"""Items that tell how they ended: a value or a failure, counted when all have ended."""

from __future__ import annotations

from agentflow.adapters.aws import faults
from agentflow.adapters.aws.calls import RESULT, invocation
from agentflow.adapters.aws.control import choice
from agentflow.adapters.aws.flow import After, Exit, Region
from agentflow.adapters.aws.graph import Label, State
from agentflow.adapters.aws.templates import query
from agentflow.adapters.aws.variables import Names
from agentflow.adapters.aws.writer import Writer
from agentflow.spec.model import Block, Call, Map, Step


def write_body(w: Writer, step: Step, body: Call | Block, names: Names, after: After) -> None:
    """What is done with one item."""
    if isinstance(body, Block):
        w.block(body, names, after)
        return
    refuse_undoing(w, body)
    with w.templates(step, names) as templates:
        call = invocation(w, body, templates, retry=step.retry, timeout=step.timeout)
    w.add(w.name("call"), {**call, **w.ending(after, query(RESULT)), **w.catch()})


def refuse_undoing(w: Writer, body: Call) -> None:
    """Items have no compensations."""
    if body.compensate is not None:
        w.refusals.refuse(
            "AF602",
            f"the items of `{w.last_id}` cannot be undone",
            body.span,
            "an item that is stopped cannot tell what it completed",
            "give the saga to the item: a map whose `do` is a saga",
        )


def write_told(w: Writer, step: Step, map_: Map, names: Names) -> None:
    """An item that ends with `{"value": …}` or `{"failure": error}`."""
    value, label, region = w.variable("value"), Label(), Region(w.variable("failure"))
    with w.handled(region, Exit(value, label)):
        write_body(w, step, map_.body, names, After(label, (value,)))
    w.scope.place(label)
    w.add(w.name("ended"), {"Type": "Pass", "Output": {"value": f"{{% ${value} %}}"}, "End": True})
    if region.is_raw_used or region.is_known_used:
        w.receive(region)
        failure = {"failure": f"{{% ${region.error} %}}"}
        w.add(w.name("failed"), {"Type": "Pass", "Output": failure, "End": True})


def told_singly() -> str:
    """JSONata for the outcomes of a map whose children have one item each."""
    told = "$exists($o.Error) ? {'failure': $decode($o)} : $o"
    found = f"$append([], $map($states.result, function($o) {{ {told} }}))"
    return f"({faults.DECODE}; {found})"


def told_in_batches(items: str) -> str:
    """JSONata for the outcomes of a map whose children have several items each.

    A child that died has told nothing of its items: the places that nobody told of are its own.
    """
    lost = "$lost := $filter($states.result, function($o) { $exists($o.Error) })[0]; "
    told = "$joined($select($states.result, function($o) { $type($o) = 'array' }))"
    by_place = f"$by := $keyed($map({told}, function($o) {{ {{$string($o.index): $o}} }})); "
    one = "($o := $lookup($by, $string($i)); $exists($o) ? $o : {'failure': $decode($lost)})"
    found = f"$append([], $map([0..$count({items}) - 1], function($i) {{ {one} }}))"
    return f"({faults.DECODE}; {lost}{by_place}{found})"


def write_counting(w: Writer, step: Step, map_: Map, outcomes: str, after: After) -> None:
    """Count the failures in a variable, and put null in their places if they are tolerated.

    Without `tolerate` the first item's own error is the map's.
    """
    assert after.label is not None
    error = w.variable(f"{step.id}_error")
    failed, fine = Label(), Label()
    share = isinstance(map_.tolerate, float)
    tolerated = f"$floor({map_.tolerate!r} * $count(${outcomes}))" if share else f"{map_.tolerate}"
    failures = f"$having(${outcomes}, 'failure')"
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


def judged(w: Writer, step: Step, name: str, state: State, result: str) -> str:
    """Add a Map that goes on to be judged; gives the variable of its outcomes."""
    outcomes, judge = w.variable(f"{step.id}_outcomes"), Label()
    w.add(name, {**state, "Assign": {outcomes: query(result)}, "Next": judge, **w.catch()})
    w.scope.place(judge)
    return outcomes
