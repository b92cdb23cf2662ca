"""Each type of state as steps: the flow of its data, and where it leads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow.adapters.aws.asl import model, timestamps
from agentflow.adapters.aws.asl.errors import RUNTIME
from agentflow.adapters.aws.asl.jsonata import expression_in
from agentflow.adapters.aws.asl.model import Choice, Fail, Pass, Reference, State, Succeed, Wait
from agentflow.adapters.aws.asl.values import ABSENT, Absent, text
from agentflow.adapters.aws.imports import expressions
from agentflow.adapters.aws.imports.expressions import Sight
from agentflow.adapters.aws.imports.lowered import Exit, Lowered
from agentflow.adapters.aws.imports.terms import is_name, quoted, source_of
from agentflow.adapters.aws.imports.writing import Writing
from agentflow.spec.expressions.template import Expression, Template, parts
from agentflow.spec.expressions.tree import Literal
from agentflow.spec.model import Raise, Step
from agentflow.spec.model import Wait as WaitStep

if TYPE_CHECKING:
    from agentflow.errors import Json


def is_jsonata(state: State) -> bool:
    """Whether a state is written with JSONata."""
    return state.query_language == "JSONata"


# --- data flow ---------------------------------------------------------------------------------


def effective(w: Writing) -> Sight:
    """What a state sees after `InputPath`."""
    scope = w.scope
    if is_jsonata(w.state) or w.state.input_path == "$":
        return w.sight(scope.data)
    if w.state.input_path is None:
        return w.sight(w.bind("input", {}))
    value = w.path(w.state.input_path, w.sight(scope.data), "input path")
    return w.sight(w.bind("input", value))


def arguments(w: Writing, sight: Sight) -> Template:
    """What the work of a state gets."""
    if is_jsonata(w.state):
        if isinstance(w.state.arguments, Absent):
            return w.expression(sight.data)
        return w.resolved(w.state.arguments, sight, "arguments")
    if isinstance(w.state.parameters, Absent):
        return w.expression(sight.data)
    return w.payload(w.state.parameters, sight, "arguments")


def settle(w: Writing, result: Template, sight: Sight) -> None:
    """Hand on the result of a state; `sight` sees it as `$`, or as `$states.result`."""
    if is_jsonata(w.state):
        express(w, w.state.assign, w.state.output, result, sight)
        return
    assigned = assign(w, w.state.assign, sight)
    if not isinstance(w.state.result_selector, Absent):
        result = w.payload(w.state.result_selector, sight, "result")
        _evaluated(w, result)
    w.hand_on(_placed(w, result), assigned)


def _evaluated(w: Writing, result: Template) -> None:
    """See to it that a result that goes nowhere is evaluated, for it may fail."""
    if w.state.result_path is None and any(not is_name(each) for each in parts(result)):
        w.bind("result", result)


def _placed(w: Writing, result: Template) -> Template:
    """The output, after `ResultPath` and `OutputPath`."""
    data = w.expression(w.scope.data)
    combined = data if w.state.result_path is None else put(w, w.state.result_path, result, data)
    return shown(w, combined)


def put(w: Writing, path: str, value: Template, data: Expression) -> Template:
    """`data` with a value at a reference path."""
    steps = expressions.reference(path)
    if steps == []:
        return value
    if steps is not None:
        return w.expression(_merged(data.source, steps, source_of(value)))
    return w.call("result path", "put", {"path": path, "value": value, "data": data})


def _merged(into: str, keys: list[str], value: str) -> str:
    """The source of an object with a value under keys inside each other; missing ones are made."""
    key, *rest = keys
    inner = _merged(f"{into}.get({quoted(key)}, {{}})", rest, value) if rest else value
    return f"merge({into}, {{{quoted(key)}: {inner}}})"


def shown(w: Writing, combined: Template) -> Template:
    """A value after `OutputPath`."""
    if w.state.output_path is None:
        return {}
    if w.state.output_path == "$":
        return combined
    source = combined.source if is_name(combined) else w.bind("whole", combined)
    return w.path(w.state.output_path, w.sight(source), "output path")


def pass_on(w: Writing, sight: Sight) -> None:
    """Hand on what a state got, when it does no work."""
    if is_jsonata(w.state):
        express(w, w.state.assign, w.state.output, w.expression(sight.data), sight)
        return
    assigned = assign(w, w.state.assign, sight)
    w.hand_on(shown(w, w.expression(sight.data)), assigned)


def assign(w: Writing, assigned: Json | Absent, sight: Sight) -> Template | Absent:
    """The variables that are assigned, as an object."""
    if isinstance(assigned, Absent):
        return ABSENT
    return w.payload(assigned, sight, "assign")


def express(
    w: Writing, assigned: Json | Absent, output: Json | Absent, default: Template, sight: Sight
) -> None:
    """Hand on what `Output` and `Assign` say, written with JSONata."""
    variables = ABSENT if isinstance(assigned, Absent) else w.resolved(assigned, sight, "assign")
    value = default if isinstance(output, Absent) else w.resolved(output, sight, "output")
    w.hand_on(value, variables)


# --- simple states -----------------------------------------------------------------------------


def lower_pass(w: Writing) -> Lowered:
    """A Pass state."""
    state = w.state
    assert isinstance(state, Pass)
    sight = effective(w)
    if is_jsonata(state):
        pass_on(w, sight)
        return _going(w)
    result: Template = state.result
    if isinstance(state.result, Absent):
        result = arguments(w, sight)
        _evaluated(w, result)
    needs_name = not isinstance(state.assign, Absent)
    known = w.sight(w.bind("result", result)) if needs_name else sight
    settle(w, w.expression(known.data) if needs_name else result, known)
    return _going(w)


def lower_succeed(w: Writing) -> Lowered:
    """A Succeed state: the end of its machine."""
    assert isinstance(w.state, Succeed)
    pass_on(w, effective(w))
    return Lowered(w.steps, [Exit(None)])


def lower_fail(w: Writing) -> Lowered:
    """A Fail state."""
    state = w.state
    assert isinstance(state, Fail)
    sight = w.sight(w.scope.data)
    named = _said(w, state.error, sight, "error")
    told = _said(w, state.cause, sight, "cause")
    w.add(state.name, Raise({"name": named, "message": told}))
    return Lowered(w.steps, [Exit(None, fails=True)])


def _said(w: Writing, setting: model.Setting, sight: Sight, wanted: str) -> Template:
    if isinstance(setting, Absent):
        return ""
    if isinstance(setting, Reference):
        found = w.path(setting.path, sight, wanted)
    else:
        found = w.setting(setting, sight, wanted)
    if not isinstance(found, Expression) or isinstance(found.tree, Literal):
        return found
    return w.expression(f'{source_of(found)} + ""')  # which fails for what is no text


def lower_wait(w: Writing) -> Lowered:
    """A Wait state."""
    state = w.state
    assert isinstance(state, Wait)
    sight = effective(w)
    w.add(state.name, WaitStep(_delay(w, state, sight)))
    pass_on(w, sight)
    return _going(w)


def _delay(w: Writing, state: Wait, sight: Sight) -> Template:
    is_time = isinstance(state.seconds, Absent)
    setting = state.timestamp if is_time else state.seconds
    kind = "moment" if is_time else "seconds"
    if isinstance(setting, Reference):
        value = w.path(setting.path, sight, kind)
    elif expression_in(setting) is not None:
        value = w.resolved(setting, sight, kind)
    elif isinstance(setting, int | float):
        return float(setting)
    elif (at := timestamps.parse(setting)) is not None:
        return timestamps.render(at)
    else:  # a symbol, which a deployment replaces by a text
        return w.call(f"check {kind}", kind, {"value": setting})
    language = None if state.query_language == "JSONPath" else state.query_language
    return w.call(f"check {kind}", kind, {"value": value, "language": language})


def _going(w: Writing) -> Lowered:
    return Lowered(w.steps, [Exit(w.state.next)])


# --- choice ------------------------------------------------------------------------------------


def lower_choice(w: Writing) -> Lowered:
    """A Choice state: ways with conditions."""
    state = w.state
    assert isinstance(state, Choice)
    sight = effective(w)
    conditions = _conditions(w, state, sight)
    exits = [
        Exit(rule.next, condition, _chosen(w, state, sight, rule))
        for rule, condition in zip(state.choices, conditions, strict=True)
    ]
    exits.append(_default(w, state, sight))
    return Lowered(w.steps, exits)


def _conditions(w: Writing, state: Choice, sight: Sight) -> list[str]:
    """A source for each rule: all of them ours, or all of them decided by one call."""
    rules = [rule.test for rule in state.choices]
    if not is_jsonata(state):
        own = [expressions.condition(rule, sight) for rule in rules]
        found = [each for each in own if each is not None]
        if len(found) == len(own):
            return found
    tests: list[Json] = [{"Condition": rule} for rule in rules] if is_jsonata(state) else rules
    written = text(tests)
    mark = "context" if is_jsonata(state) else "$$"
    chosen = w.call(
        "choose",
        "choose",
        {
            "rules": tests,
            "data": w.expression(sight.data),
            "around": w.around(written, mark, sight),
            "variables": None if w.scope.variables is None else w.expression(w.scope.variables),
        },
    )
    return [f"{chosen.source} == {number}" for number in range(len(rules))]


def _chosen(w: Writing, state: Choice, sight: Sight, rule: model.Rule) -> tuple[Step, ...]:
    """What a way does before it leads on."""
    own = w.beside()
    if is_jsonata(state):
        express(own, rule.assign, rule.output, own.expression(w.scope.data), sight)
    else:
        assigned = assign(own, rule.assign, sight)
        own.hand_on(shown(own, own.expression(sight.data)), assigned)
    return tuple(own.steps)


def _default(w: Writing, state: Choice, sight: Sight) -> Exit:
    own = w.beside()
    if state.default is None:
        told = f"no choice of `{state.name}` applies, and it has no default"
        own.add(f"{state.name} unmatched", Raise({"name": RUNTIME, "message": told}))
        return Exit(None, None, tuple(own.steps), fails=True)
    pass_on(own, sight)
    return Exit(state.default, None, tuple(own.steps))
