"""Calls of functions: Lambda invocations with their retries, time limits and compensations."""

from __future__ import annotations

import math
from collections.abc import Mapping

from agentflow.adapters.aws import faults, instances, jsonata
from agentflow.adapters.aws.checks import Reference
from agentflow.adapters.aws.flow import After, Kept
from agentflow.adapters.aws.graph import Label, State
from agentflow.adapters.aws.templates import Templates, can_fail, query
from agentflow.adapters.aws.variables import Names
from agentflow.adapters.aws.writer import LAMBDA, Writer, transient
from agentflow.errors import Json
from agentflow.spec.expressions import FUNCTIONS
from agentflow.spec.expressions.template import Expression, Template, parts, walk_names
from agentflow.spec.expressions.tree import Call as FunctionCall
from agentflow.spec.expressions.tree import Tree, children
from agentflow.spec.model import Call, Compensation, Duration, Reduce, Retry, Step

RESULT = "$states.result.Payload"
FOREIGN = "agentflow.adapters.aws.foreign."
"""What begins the names of functions that are compiled to states, see `native`."""


def write_call(w: Writer, step: Step, names: Names, after: After) -> None:
    """One invocation."""
    call = step.action
    assert isinstance(call, Call)
    kept = ", its state in a table" if instances.is_agent(call.function) else ""
    w.report.add(w.path.plain, "native", f"Lambda, {call.function}{kept}", step.span)
    arguments, key = (
        _recorded(w, step, what, template, names) if is_recorded(template) else None
        for what, template in (("arguments", call.arguments), ("key", call.key))
    )
    with w.templates(step, names) as templates:
        state = invocation(
            w, call, templates, retry=step.retry, timeout=step.timeout, arguments=arguments, key=key
        )
    ending = w.ending(after, query(RESULT))
    if call.compensate is not None:
        ending = _keeping_undo(w, step, call.compensate, names, ending)
    w.add(w.name(), {**state, **ending, **w.catch()})


def is_recorded(template: Template) -> bool:
    """Whether a template reads the time or chance: it is evaluated once, whatever is retried."""
    return any(_is_recorded(each.tree) for each in parts(template))


def _is_recorded(tree: Tree) -> bool:
    if isinstance(tree, FunctionCall) and FUNCTIONS[tree.function].recorded:
        return True
    return any(map(_is_recorded, children(tree)))


def _recorded(w: Writer, step: Step, what: str, template: Template, names: Names) -> Json:
    """The arguments or the key of a call, kept in a variable before it is made."""
    with w.templates(step, names) as templates:
        value = templates.value(template)
    kept, following = w.variable(f"{step.id}_{what}"), Label()
    w.assign({kept: value}, following, what)
    w.scope.place(following)
    return f"{{% ${kept} %}}"


def invocation(
    w: Writer,
    call: Call | Reduce | Compensation,
    templates: Templates,
    *,
    retry: Retry | None,
    timeout: Duration | None,
    arguments: Json = None,
    key: Json = None,
) -> State:
    """The Task that invokes a function, without its end.

    `arguments` and `key` stand in for the call's.
    """
    _use(w, call)
    given = templates.value(call.arguments) if arguments is None else arguments
    payload: State = {"function": call.function}
    if instances.is_agent(call.function):
        instances.reach(w, call)
        if call.key is not None:
            payload["key"] = query(instances.key(call, templates)) if key is None else key
    payload |= {"arguments": given, **w.about()}
    state: State = {
        "Type": "Task",
        "Resource": LAMBDA,
        "Arguments": {"FunctionName": w.settings.handler, "Payload": payload},
    }
    limit = seconds(timeout, templates)
    if limit is not None:
        state["TimeoutSeconds"] = limit
        w.renames = True
    faulty = can_fail(given) or can_fail(limit) or can_fail(payload.get("key"))
    w.renames = w.renames or faulty
    at_most_once = isinstance(call, Call) and call.at_most_once
    state["Retry"] = _retries(w, retry, at_most_once=at_most_once, faulty=faulty)
    if instances.is_agent(call.function):
        state["Retry"].insert(0, instances.WAITING)
    return state


def _use(w: Writer, call: Call | Reduce | Compensation) -> None:
    """Note the function for the bundle and the role, and what does not hold of it on AWS."""
    if call.function.startswith(FOREIGN):
        w.refusals.refuse(
            "AF602",
            f"`{call.function}` stands where only a function of yours can",
            call.span,
            "on AWS it is a state, and no function",
            "call it in a step of its own: in the `do` of the map",
        )
    if isinstance(call, Call) and call.resources is not None:
        w.note(f"`resources` of {call.function} have no effect: a Lambda has a size of its own")
    w.functions.add(call.function)
    w.use("function", w.settings.handler, "lambda:InvokeFunction")


def seconds(duration: Duration | None, templates: Templates) -> Json:
    """A time limit in whole seconds, at least one; the service knows no shorter ones."""
    if duration is None:
        return None
    if isinstance(duration, Expression):
        return query(f"$max([1, $ceil($seconds({templates.text(duration)}))])")
    return max(1, math.ceil(duration))


def _retries(w: Writer, retry: Retry | None, *, at_most_once: bool, faulty: bool) -> list[State]:
    service = transient(faults.NEVER_BEGUN if at_most_once else faults.TRANSIENT)
    return [service, *policies(w, retry, faulty=faulty)]


def policies(w: Writer, retry: Retry | None, *, faulty: bool) -> list[State]:
    """The retriers of a policy; `faulty` says that the arguments may raise a fault."""
    if retry is None or retry.max_attempts < 2:
        return []
    names = faults.service_names(retry.on)
    interval = max(1, math.ceil(retry.interval))
    if interval != retry.interval:
        w.note("a retry waits whole seconds, at least one")
    policy: State = {
        "ErrorEquals": names,
        "IntervalSeconds": interval,
        "MaxAttempts": retry.max_attempts - 1,
        "BackoffRate": max(1, retry.backoff),
        "MaxDelaySeconds": max(interval, math.ceil(retry.max_interval)),
    }
    if retry.jitter == "full":
        policy["JitterStrategy"] = "FULL"
    # A fault in the arguments is no failed attempt, so nothing is to be repeated.
    never: State = {"ErrorEquals": [faults.QUERY], "MaxAttempts": 0}
    return [*([never] if faulty and names == [faults.ALL] else []), policy]


def _keeping_undo(w: Writer, step: Step, undo: Compensation, names: Names, ending: State) -> State:
    """The end of a call that also keeps how to undo it."""
    if w.undo is None:
        w.refusals.refuse(
            "AF602",
            f"`{step.id}` is undone by `{undo.function}` from inside a branch or an item",
            undo.span,
            "a branch that is stopped cannot tell what it completed",
            "move the saga inside the branch or item, or the call out of it",
        )
        return ending
    inner = names.inner()
    inner.own[step.id] = Reference(RESULT)
    instance = ""
    with w.templates(step, inner) as templates:
        early = _early(undo, templates)
        if undo.key is not None:
            instance = f", 'key': {instances.key(undo, templates)}"
    kept, read = _kept(w, undo, frozenset(undo.arguments) - early.keys(), inner)
    key = w.path.plain
    w.undo.calls[key] = kept
    entry = f"{{'call': {jsonata.quote(key)}, 'with': {_display(early)}{instance}"
    if kept.late:
        entry += f", 'names': {_display({name: inner[name].text for name in read})}"
    if kept.is_placed:
        entry += f", 'step': {w.path.text()}"
    log = w.undo.variable
    value = query(f"$append([{entry}}}], ${log})")
    w.renames = w.renames or can_fail(value)
    return {**ending, "Assign": {**ending.get("Assign", {}), log: value}}


def _display(values: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{jsonata.quote(name)}: {text}" for name, text in values.items()) + "}"


def _early(undo: Compensation, templates: Templates) -> dict[str, str]:
    """The arguments that are evaluated when the call completes, which cannot fail."""
    early: dict[str, str] = {}
    for name, template in undo.arguments.items():
        text = templates.text(template)
        if not templates.hop.templates and not can_fail(query(text)):
            early[name] = text
        templates.hop.templates.clear()
    return early


def _kept(
    w: Writer, undo: Compensation, late: frozenset[str], names: Names
) -> tuple[Kept, list[str]]:
    """How to undo a call, and the names whose values have to be kept for that.

    Arguments that fail must not fail the call, and nothing but a task can catch that. So they are
    evaluated when the call is undone, where it counts, of names as they are now.
    """
    templates = [undo.arguments[name] for name in undo.arguments if name in late]
    if is_recorded(templates):
        w.refusals.refuse(
            "AF602",
            f"an argument of `{undo.function}` that may fail reads the time or chance",
            undo.span,
            "it is evaluated when the call is undone, and reads them when the call completes",
            "read them in an argument of its own",
        )
    read = dict.fromkeys(name for name, _ in walk_names(templates))
    fixed = {name: names[name] for name in read if name in ("input", "execution")}
    changing = [name for name in read if name not in fixed]
    entry = {name: Reference(f"names.{name}", names[name].type) for name in changing}
    return Kept(undo, late, fixed | entry, w.path.is_computed), changing
