"""Steps that choose, repeat and end: switch, loop, states, raise, return."""

from __future__ import annotations

from collections.abc import Sequence

from agentflow.adapters.aws import faults
from agentflow.adapters.aws.assignments import declare
from agentflow.adapters.aws.flow import After
from agentflow.adapters.aws.graph import Label, State
from agentflow.adapters.aws.templates import can_fail, query
from agentflow.adapters.aws.variables import Names
from agentflow.adapters.aws.writer import Writer, is_same
from agentflow.adapters.lowering.steps import Attempts
from agentflow.spec.expressions.template import Expression
from agentflow.spec.expressions.types import INTEGER
from agentflow.spec.model import Loop, Raise, Return, States, Step, Switch


def choose(
    w: Writer, step: Step, names: Names, conditions: Sequence[tuple[Expression, Label]], end: Label
) -> None:
    """A Choice: the first condition that holds, else `end`.

    Where a condition can fail and somebody handles that, it is evaluated before, because a Choice
    cannot catch. One that needs the helper is asked for when the ones before it do not hold.
    """
    rules: list[State] = []
    rest = list(conditions)
    while rest:
        expression, label = rest[0]
        with w.templates(step, names) as templates:
            value = query(templates.condition(expression))
            if rules and templates.hop.templates:
                # Not yet: the conditions before it come first.
                templates.hop.templates.clear()
                break
        rest.pop(0)
        if can_fail(value) and w.region is not None:
            if rules:
                rest.insert(0, (expression, label))
                break
            value = w.secured({"case": value})["case"]
        rules.append({"Condition": value, "Next": label})
    following = Label() if rest else end
    if any(can_fail(rule["Condition"]) for rule in rules):
        w.renames = True
    w.add(w.name_around("if") if _wraps(step) else w.name("choose"), choice(rules, following))
    if rest:
        w.scope.place(following)
        choose(w, step, names, rest, end)


def _wraps(step: Step) -> bool:
    """Whether a switch is what became of a step's `if`."""
    match step.action:
        case Switch((case,), None):
            return is_same(step, case.do.steps[0])
        case _:
            return False


def choice(rules: list[State], default: Label) -> State:
    """A Choice state."""
    return {"Type": "Choice", "Choices": rules, "Default": default}


def write_switch(w: Writer, step: Step, names: Names, after: After) -> None:
    """The first case that holds."""
    assert isinstance(step.action, Switch)
    declare(w, step, names)
    if not _wraps(step):
        w.report.add(w.path.plain, "native", "Choice", step.span)
    cases = [(case, Label()) for case in step.action.cases]
    nothing = step.action.otherwise is None and after.label is not None and not after.sinks
    otherwise = after.label if nothing and after.label is not None else Label()
    choose(w, step, names, [(case.when, label) for case, label in cases], otherwise)
    for case, label in cases:
        w.scope.place(label)
        w.block(case.do, names.inner(), after)
    if step.action.otherwise is not None:
        w.scope.place(otherwise)
        w.block(step.action.otherwise, names.inner(), after)
    elif not nothing:
        w.scope.place(otherwise)
        w.done(None, after, "else")


def write_loop(w: Writer, step: Step, names: Names, after: After) -> None:
    """Rounds: a Choice, and a transition back to it."""
    assert isinstance(step.action, Loop)
    w.report.add(w.path.plain, "native", "Choice and a transition back", step.span)
    with w.closed(after) as following:
        if step.action.condition is None:
            _for(w, step, step.action, names, following)
        else:
            _while(w, step, step.action, names, following)


def _for(w: Writer, step: Step, loop: Loop, names: Names, after: After) -> None:
    assert after.label is not None
    count, items = w.variable(loop.index or f"{step.id}_round"), w.variable(f"{step.id}_items")
    with w.templates(step, names) as templates:
        values = query(f"$limited($list({templates.text(loop.items)}), {loop.max})")
    check, body, next_ = Label(), Label(), Label()
    w.assign({items: values, count: 0, **dict.fromkeys(after.sinks)}, check)
    inner = names.inner()
    rule: State = {"Condition": f"{{% ${count} < $count(${items}) %}}"}
    if loop.bind is not None:
        variable = w.variables.take(loop.bind, w.depth)
        inner.bind(loop.bind, variable, w.item_type(loop.bind, loop.items, names))
        rule["Assign"] = {variable: f"{{% ${items}[${count}] %}}"}
    if loop.index is not None:
        inner.bind(loop.index, count, INTEGER)
    w.scope.place(check)
    w.add(w.name("each"), choice([{**rule, "Next": body}], after.label))
    w.scope.place(body)
    _round(w, loop, inner, After(next_, after.sinks), count=count)
    w.scope.place(next_)
    w.assign({count: f"{{% ${count} + 1 %}}"}, check, "next")


def _round(w: Writer, loop: Loop, names: Names, after: After, *, count: str) -> None:
    outer = w.path
    is_again = isinstance(loop, Attempts)
    w.path = outer.outside().attempt(count) if is_again else outer.round(count)
    w.block(loop.do, names, after)
    w.path = outer


def _while(w: Writer, step: Step, loop: Loop, names: Names, after: After) -> None:
    assert after.label is not None
    assert loop.condition is not None
    count = w.variable(loop.index or f"{step.id}_round")
    start, body, next_, check, over = Label(), Label(), Label(), Label(), Label()
    w.assign({count: 0, **dict.fromkeys(after.sinks)}, body if loop.until else start)
    inner = names.inner()
    if loop.index is not None:
        inner.bind(loop.index, count, INTEGER)
    if not loop.until:
        w.scope.place(start)
        inside = Label()
        choose(w, step, names, [(loop.condition, inside)], after.label)
        w.scope.place(inside)
        full = {"Condition": f"{{% ${count} >= {loop.max} %}}", "Next": over}
        w.add(w.name("limit"), choice([full], body))
    w.scope.place(body)
    following = check if loop.until else next_
    _round(w, loop, inner, After(following, after.sinks), count=count)
    if loop.until:
        w.scope.place(check)
        again = Label()
        choose(w, step, inner, [(loop.condition, after.label)], again)
        w.scope.place(again)
        full = {"Condition": f"{{% ${count} + 1 >= {loop.max} %}}", "Next": over}
        w.add(w.name("limit"), choice([full], next_))
    w.scope.place(next_)
    w.assign({count: f"{{% ${count} + 1 %}}"}, body if loop.until else start, "next")
    w.scope.place(over)
    w.fail("LoopLimit", f"the loop did not end within `max: {loop.max}` rounds", "over")


def write_states(w: Writer, step: Step, names: Names, after: After) -> None:
    """A state machine: its states are states, its transitions Choices."""
    assert isinstance(step.action, States)
    w.report.add(w.path.plain, "native", "states and Choices", step.span)
    action = step.action
    entries = {name: Label() for name in action.states}
    counted = _has_cycle(action) or len(action.states) > action.max
    with w.closed(after) as following:
        assert following.label is not None
        count, over = w.variable(f"{step.id}_entered"), Label()
        w.assign({count: 0, **dict.fromkeys(following.sinks)}, entries[action.start])
        path = w.path
        entered = {each.to for state in action.states.values() for each in state.next}
        for name, state in action.states.items():
            w.scope.place(entries[name])
            w.path = path.round(count).step(name)
            if counted and name in entered:
                go = Label()
                full = {"Condition": f"{{% ${count} >= {action.max} %}}", "Next": over}
                w.add(w.name("limit"), choice([full], go))
                w.scope.place(go)
            inner = names.inner()
            leave = Label() if state.next else following.label
            if state.do.steps:
                w.block(state.do, inner, After(leave, following.sinks))
            else:  # its value is null
                assert leave is not None
                w.assign(dict.fromkeys(following.sinks), leave)
            if not state.next:
                continue
            w.scope.place(leave)
            targets = {each.to: Label() for each in state.next}
            *conditional, last = state.next
            if conditional:
                rules = [(t.when, targets[t.to]) for t in conditional if t.when is not None]
                choose(w, step, inner, rules, targets[last.to])
            for to, label in targets.items():
                if conditional or to == last.to:
                    w.scope.place(label)
                    w.assign({count: f"{{% ${count} + 1 %}}"}, entries[to], f"to.{to}")
        w.path = path
        if counted and entered:
            w.scope.place(over)
            w.fail("LoopLimit", f"more than `max: {action.max}` states were entered", "over")


def _has_cycle(states: States) -> bool:
    """Whether a state can be entered twice."""
    leads = {name: {each.to for each in state.next} for name, state in states.states.items()}
    while True:
        ends = {name for name, to in leads.items() if not to & leads.keys()}
        if not ends:
            return bool(leads)
        for name in ends:
            del leads[name]


def write_raise(w: Writer, step: Step, names: Names, after: After) -> None:  # noqa: ARG001  # one signature for the table
    """An error: a Fail, or a transition to whoever handles it."""
    assert isinstance(step.action, Raise)
    w.report.add(w.path.plain, "native", "Fail" if w.region is None else "Pass", step.span)
    with w.templates(step, names) as templates:
        error = templates.text(step.action.error)
        known = w.type_of(step.action.error, names)
    value = error if known == faults.ERROR else f"$raised({error})"
    if w.region is not None:
        w.region.is_known_used = True
        w.assign({w.region.error: query(value)}, w.region.known)
        return
    name = w.name()
    given = step.action.error
    static = given.get("name") if isinstance(given, dict) else None
    cause = query(f"$string({value})")
    if can_fail(cause):
        w.renames = True
    w.add(
        name,
        {
            "Type": "Fail",
            "Error": static if isinstance(static, str) else query(f"({value}).name"),
            "Cause": cause,
        },
    )


def write_return(w: Writer, step: Step, names: Names, after: After) -> None:  # noqa: ARG001  # one signature for the table
    """The end of the scope, past the `finally` blocks in between."""
    assert isinstance(step.action, Return)
    w.report.add(w.path.plain, "native", "Pass, End", step.span)
    with w.templates(step, names) as templates:
        value = templates.value(step.action.value)
    if w.exit is not None:
        w.exit.is_used = True
        w.assign({w.exit.variable: value}, w.exit.label)
        return
    if w.region is not None:
        value = w.secured({"value": value})["value"]
    elif can_fail(value):
        w.renames = True
    w.add(w.name("end"), {"Type": "Pass", "Output": value, "End": True})
