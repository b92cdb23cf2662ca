"""Steps that handle what goes wrong: try with its handlers and `finally`, and sagas."""

from __future__ import annotations

from dataclasses import dataclass, replace

from agentflow.adapters.aws import faults, jsonata
from agentflow.adapters.aws.assignments import declare
from agentflow.adapters.aws.calls import invocation
from agentflow.adapters.aws.control import choice
from agentflow.adapters.aws.flow import After, Exit, Kept, Region, UndoLog
from agentflow.adapters.aws.graph import Label, State
from agentflow.adapters.aws.paths import Path
from agentflow.adapters.aws.templates import Templates, query
from agentflow.adapters.aws.variables import Names
from agentflow.adapters.aws.writer import Writer
from agentflow.errors import Json
from agentflow.spec.model import Catch, Compensation, Saga, Step, Try


def write_try(w: Writer, step: Step, names: Names, after: After) -> None:
    """A body, handlers for its errors, and steps that run whatever happened."""
    action = step.action
    assert isinstance(action, Try)
    declare(w, step, names)
    if not action.catch and action.final is None:
        w.block(action.do, names.inner(), after)
        return
    w.report.add(w.path.plain, "native", "Catch", step.span)
    if action.final is None:
        _body(w, step, action, names, after)
        return
    with w.closed(after) as following:
        _finally(w, step, action, names, following)


def _body(w: Writer, step: Step, action: Try, names: Names, after: After) -> None:
    """The body and the handlers; errors that nobody handles go to the region around."""
    if not action.catch:
        w.block(action.do, names.inner(), after)
        return
    binds = [each.bind for each in action.catch if each.bind]
    region = Region(w.variable(binds[0] if len(binds) == 1 else f"{step.id}_error"))
    with w.handled(region, w.exit):
        w.block(action.do, names.inner(), after)
    if region.is_raw_used or region.is_known_used:
        w.receive(region)
        _dispatch(w, action.catch, region, names, after)


def _dispatch(
    w: Writer, catches: tuple[Catch, ...], region: Region, names: Names, after: After
) -> None:
    """Go to the first handler whose names match, else on to the next handler outside."""
    rules: list[State] = []
    blocks: list[tuple[Catch, Label]] = []
    rest = Label()
    for handler in catches:
        label = rest if "*" in handler.on else Label()
        blocks.append((handler, label))
        if label is rest:
            break
        rules.append({"Condition": _is_one(f"${region.error}.name", handler.on), "Next": label})
    if rules:
        w.add(w.name("catch"), choice(rules, rest))
    for handler, label in blocks:
        inner = names.inner()
        if handler.bind is not None:
            inner.bind(handler.bind, region.error, faults.ERROR)
        w.scope.place(label)
        w.block(handler.do, inner, after)
    if blocks[-1][1] is not rest:
        w.scope.place(rest)
        w.rethrow(region.error)


def _is_one(text: str, names: tuple[str, ...]) -> str:
    if len(names) == 1:
        return query(f"{text} = {jsonata.quote(names[0])}")
    return query(f"{text} in {jsonata.literal(list(names))}")


def _finally(w: Writer, step: Step, action: Try, names: Names, after: After) -> None:
    """The body with its handlers, then the final steps, then where the body was going."""
    assert after.label is not None
    how = w.variable(f"{step.id}_how")
    region = Region(w.variable(f"{step.id}_failure"))
    exit_ = Exit(w.variable(f"{step.id}_returned"))
    begin, finish, decide, on = Label(), Label(), Label(), after.label
    w.assign({how: "done"}, begin)
    w.scope.place(begin)
    with w.handled(region, exit_):
        _body(w, step, action, names, After(finish, after.sinks))
    rules: list[tuple[str, Label]] = []
    if region.is_raw_used or region.is_known_used:
        w.receive(region)
        w.assign({how: "failed"}, finish, "failed")
        rules.append(("failed", Label()))
    if exit_.is_used:
        w.scope.place(exit_.label)
        w.assign({how: "returned"}, finish, "returned")
        rules.append(("returned", Label()))
    w.scope.place(finish)
    assert action.final is not None
    w.block(action.final, names.inner(), After(decide if rules else on))
    if not rules:
        return
    w.scope.place(decide)
    tests = [{"Condition": query(f"${how} = '{way}'"), "Next": to} for way, to in rules]
    w.add(w.name("after"), choice(tests, on))
    for way, label in rules:
        w.scope.place(label)
        if way == "failed":
            w.rethrow(region.error)
        else:
            _leave(w, exit_.variable)


def _leave(w: Writer, variable: str) -> None:
    """Go on with a `return` whose value is in a variable."""
    value = f"{{% ${variable} %}}"
    if w.exit is None:
        w.add(w.name("return"), {"Type": "Pass", "Output": value, "End": True})
        return
    w.exit.is_used = True
    w.assign({w.exit.variable: value}, w.exit.label, "return")


def write_saga(w: Writer, step: Step, names: Names, after: After) -> None:
    """The steps; when they fail, what they completed is undone, and the error goes on."""
    action = step.action
    assert isinstance(action, Saga)
    w.report.add(w.path.plain, "native", "Catch and a chain of compensations", step.span)
    with w.closed(after) as following:
        assert following.label is not None
        log = UndoLog(w.variable(f"{step.id}_undo"))
        region = Region(w.variable(f"{step.id}_error"))
        outer, begin, completed = w.undo, Label(), Label()
        failures = w.variable(f"{step.id}_failures")
        w.assign({log.variable: [], failures: []}, begin)
        w.scope.place(begin)
        is_inner, w.undo, w.in_saga = w.in_saga, log, True
        with w.handled(region, w.exit):
            on = completed if outer is not None else following.label
            w.block(action.do, names.inner(), After(on, following.sinks))
        w.undo, w.in_saga = outer, is_inner
        if outer is None and is_inner:
            for kept in log.calls.values():
                _refuse_lost(w, step, kept.undo)
        if outer is not None:
            w.scope.place(completed)
            both = f"{{% $append(${log.variable}, ${outer.variable}) %}}"
            w.assign({outer.variable: both}, following.label, "completed")
            outer.calls.update(log.calls)
        if region.is_raw_used or region.is_known_used:
            w.receive(region)
            _undo(w, step, log, region, failures)


def _refuse_lost(w: Writer, step: Step, undo: Compensation) -> None:
    w.refusals.refuse(
        "AF602",
        f"`{undo.function}` may have to undo what saga `{step.id}` did in a branch or an item",
        undo.span,
        "a saga around the branch undoes it too, and a branch cannot tell what it completed",
        "end the outer saga before the branches, or undo in only one of the two",
    )


def _undo(w: Writer, step: Step, log: UndoLog, region: Region, failures: str) -> None:
    """Compensate, the latest first; whatever fails in that is noted and does not stop it."""
    if not log.calls:
        w.rethrow(region.error)
        return
    check, conclude = Label(), Label()
    calls = {key: (kept, Label()) for key, kept in log.calls.items()}
    rules: list[State] = [
        {
            "Condition": query(f"$count(${log.variable}) = 0"),
            "Next": conclude,
        }
    ]
    rules += [
        {"Condition": query(f"${log.variable}[0].call = {jsonata.quote(key)}"), "Next": label}
        for key, (_, label) in calls.items()
    ]
    w.scope.place(check)
    w.add(w.name("undo"), choice(rules, conclude))
    for key, (kept, label) in calls.items():
        w.scope.place(label)
        _compensation(w, step, key, Undoing(kept, log.variable, failures, check))
    w.scope.place(conclude)
    clean, whole = Label(), Label()
    none = {"Condition": query(f"$count(${failures}) = 0"), "Next": clean}
    w.add(w.name("undone"), choice([none], whole))
    w.scope.place(whole)
    data = (
        f"$type(${region.error}.data) = 'object' ? ${region.error}.data : "
        f"$type(${region.error}.data) = 'null' ? {{}} : {{'value': ${region.error}.data}}"
    )
    told = (
        f"{{% $merge([${region.error}, {{'data': $merge([{data}, "
        f"{{'compensation_failures': ${failures}}}])}}]) %}}"
    )
    w.assign({region.error: told}, clean, "failures")
    w.scope.place(clean)
    w.rethrow(region.error)


@dataclass(frozen=True, slots=True)
class Undoing:
    """One compensation, and the saga's variables and the state that it goes back to."""

    kept: Kept
    log: str
    failures: str
    check: Label


def _compensation(w: Writer, step: Step, key: str, one: Undoing) -> None:
    rest = f"{{% $append([], $filter(${one.log}, function($u, $i) {{ $i > 0 }})) %}}"
    first, undo = f"{one.log}[0]", one.kept.undo
    outer, w.path = w.path, Path((key, ".compensate"))
    if one.kept.is_placed:
        w.path = replace(w.path, begun=f"{first}.step", given=1)
    region = Region(w.variable(f"{step.id}_problem"))
    with w.handled(region, None):
        with w.templates(step, _names_in(first, one.kept)) as templates:
            state = invocation(
                w,
                undo,
                templates,
                retry=undo.retry,
                timeout=undo.timeout,
                arguments=_arguments(first, one.kept, templates),
                key=f"{{% ${first}.key %}}",
            )
        w.add(w.name(), {**state, "Assign": {one.log: rest}, "Next": one.check, **w.catch()})
    w.receive(region)
    noted = (
        f"{{% $append(${one.failures}, [{{'step': {w.path.text()}, 'error': ${region.error}}}]) %}}"
    )
    w.assign({one.failures: noted, one.log: rest}, one.check, "failed")
    w.path = outer


def _names_in(entry: str, kept: Kept) -> Names:
    """What the late arguments read: names as they were, in the entry of the log."""
    names = Names()
    for name, reference in kept.names.items():
        is_fixed = reference.text.startswith(("$", "{"))
        text = reference.text if is_fixed else f"${entry}.{reference.text}"
        names.own[name] = replace(reference, text=text)
    return names


def _arguments(entry: str, kept: Kept, templates: Templates) -> Json:
    """Each by its name, which whoever reads the definition back would not find otherwise."""
    return {
        name: templates.value(template) if name in kept.late else _early(entry, name)
        for name, template in kept.undo.arguments.items()
    }


def _early(entry: str, name: str) -> str:
    return f"{{% $lookup(${entry}.with, {jsonata.quote(name)}) %}}"
