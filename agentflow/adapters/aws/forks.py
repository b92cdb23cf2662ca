"""Forks: branches side by side, as Parallel states."""

from __future__ import annotations

from agentflow.adapters.aws import jsonata
from agentflow.adapters.aws.control import choice
from agentflow.adapters.aws.flow import After, Exit, Region
from agentflow.adapters.aws.graph import Label, State
from agentflow.adapters.aws.templates import query
from agentflow.adapters.aws.variables import Names
from agentflow.adapters.aws.writer import Writer
from agentflow.spec.model import Block, Fork, Step

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
    outcomes = w.variable(f"{step.id}_outcomes")
    with w.closed(after) as following:
        judge, lost, won = Label(), Label(), Label()
        state: State = {"Type": "Parallel", "Branches": branches}
        state |= {"Assign": {outcomes: "{% $states.result %}"}, "Next": judge}
        caught = [*([_first(outcomes, judge)] if any_ else []), *w.catch().get("Catch", [])]
        if caught:
            state["Catch"] = caught
        w.add(name, state)
        w.scope.place(judge)
        enough = query(f"$count($having(${outcomes}, 'value')) >= {fork.join}")
        w.add(w.name("judge"), choice([{"Condition": enough, "Next": won}], lost))
        w.scope.place(won)
        _won(w, fork, outcomes, following)
        w.scope.place(lost)
        _lost(w, step, fork, outcomes)


def _first(outcomes: str, judge: Label) -> State:
    """What catches the error of the branch that has won, whose cause is its outcome."""
    winner = "[$merge([$parse($states.errorOutput.Cause), {'at': 0, 'place': 0}])]"
    return {"ErrorEquals": [FIRST], "Assign": {outcomes: query(winner)}, "Next": judge}


def _won(w: Writer, fork: Fork, outcomes: str, after: After) -> None:
    """The value: an object of the earliest winners, in the order of the spec."""
    assert after.label is not None
    winners = f"$timely($having(${outcomes}, 'value'))"
    taken = f"$filter({winners}, function($o, $i) {{ $i < {fork.join} }})"
    pairs = f"$map({_by_place(taken)}, function($o) {{ {{$o.branch: $o.value}} }})"
    value = query(f"$merge($append([], {pairs}))")
    w.assign(dict.fromkeys(after.sinks, value), after.label, "won")


def _lost(w: Writer, step: Step, fork: Fork, outcomes: str) -> None:
    """The error of the branch with which it was decided that too few would win."""
    error, raised = w.variable(f"{step.id}_error"), Label()
    decisive = len(fork.branches) - fork.join
    failed = query(f"$timely($having(${outcomes}, 'failure'))[{decisive}].failure")
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
            _stop_others(w, branch, value)
        ended = query(f"{{{about}, 'value': ${value}}}")
        w.add(w.name("ended"), {"Type": "Pass", "Output": ended, "End": True})
        if region.is_raw_used or region.is_known_used:
            w.receive(region)
            failed = query(f"{{{about}, 'failure': ${region.error}}}")
            w.add(w.name("failed"), {"Type": "Pass", "Output": failed, "End": True})
        w.path = outer
        return scope.definition()


def _stop_others(w: Writer, branch: str, value: str) -> None:
    """Fail with the value as the cause, where that is short enough and can be read back exactly."""
    told = f"$string({{'branch': {jsonata.quote(branch)}, 'value': ${value}}})"
    early, late = Label(), Label()
    exact = query(f"$length({told}) < 30000 ? $equal($parse({told}).value, ${value}) : false")
    w.add(w.name("value"), choice([{"Condition": exact, "Next": early}], late))
    w.scope.place(early)
    w.add(w.name("first"), {"Type": "Fail", "Error": FIRST, "Cause": query(told)})
    w.scope.place(late)
