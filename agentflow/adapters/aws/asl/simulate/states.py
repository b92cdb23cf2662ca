"""Run machines state by state: enter, work, retry, catch, leave."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from agentflow.adapters.aws.asl import choice, jsonpath, template
from agentflow.adapters.aws.asl.errors import (
    DATA_LIMIT,
    QUERY,
    RUNTIME,
    TASK_FAILED,
    TIMEOUT,
    WILDCARD,
    EvaluationError,
    StateError,
)
from agentflow.adapters.aws.asl.jsonata import Scope, expression_in
from agentflow.adapters.aws.asl.model import (
    Catcher,
    Choice,
    Common,
    Fail,
    Machine,
    Map,
    Parallel,
    Pass,
    Reference,
    Retrier,
    Rule,
    Setting,
    State,
    Succeed,
    Task,
    Wait,
)
from agentflow.adapters.aws.asl.simulate import settings
from agentflow.adapters.aws.asl.simulate.execution import Bodies, Place, Visit
from agentflow.adapters.aws.asl.simulate.protocol import StartTimer
from agentflow.adapters.aws.asl.simulate.strands import Await, Gather, Work
from agentflow.adapters.aws.asl.values import MAX_BYTES, MAX_VARIABLES, Absent, shown, size
from agentflow.errors import Json


@dataclass(frozen=True, slots=True)
class Left:
    """How a state was left: with an output, to the next state or to the end of the machine."""

    output: Json
    next: str | None


Leaving: TypeAlias = Generator[Await | Gather, Any, Left]


def run_machine(machine: Machine, value: Json, place: Place) -> Work:
    """Run a machine on an input; gives its output.

    Raises:
        StateError: a state failed and nothing in the machine caught it.
    """
    name: str | None = machine.start_at
    while name is not None:
        left = yield from _run_state(machine.states[name], value, place)
        value, name = left.output, left.next
    return value


def _run_state(state: State, value: Json, place: Place) -> Leaving:
    execution, kind = place.execution, type(state).__name__
    number = execution.record(f"{kind}StateEntered", name=state.name, input=value)
    retries = isinstance(state, Task | Map | Parallel)
    visit = Visit(place, state.name, value, execution.clock(), number, retries)
    try:
        left = yield from _attempts(state, visit)
    except GeneratorExit:
        execution.record(f"{kind}StateAborted", name=state.name)
        raise
    execution.record(f"{kind}StateExited", name=state.name, output=left.output)
    return left


def _attempts(state: State, visit: Visit) -> Leaving:
    body = visit.execution.bodies[type(state)]
    used = [0] * len(state.retry)
    while True:
        try:
            left = body(state, visit)
            return left if isinstance(left, Left) else (yield from left)
        except (EvaluationError, StateError) as error:
            failure = failure_of(error, visit)
        try:
            delay = _retry(state, failure, used, visit)
            if delay is None:
                return _caught(state, failure, visit)
        except EvaluationError as error:
            raise failure_of(error, visit) from None
        yield from pause(visit, visit.execution.clock() + delay, "retry")
        visit.retries += 1


def failure_of(error: EvaluationError | StateError, visit: Visit) -> StateError:
    """The error of a state, in the service's words."""
    if isinstance(error, StateError):
        return error
    failure = StateError(
        error.name,
        f"An error occurred while executing the state '{visit.name}' (entered at the event id "
        f"#{visit.entered_id}). {error.detail}",
    )
    if error.name == QUERY:
        visit.execution.record("EvaluationFailed", error=QUERY, cause=failure.cause)
    failure.fatal = error.name == RUNTIME
    return failure


# --- retry and catch ---------------------------------------------------------------------------


def _retry(state: State, failure: StateError, used: list[int], visit: Visit) -> float | None:
    """Seconds until the next attempt; None if there is none.

    Only the first retrier that matches counts, even if its attempts are used up.
    """
    for index, retrier in enumerate(state.retry):
        if _matches(retrier.error_equals, failure):
            if used[index] >= retrier.max_attempts:
                return None
            used[index] += 1
            return _delay(retrier, used[index], visit)
    return None


def _delay(retrier: Retrier, attempt: int, visit: Visit) -> float:
    limit = float("inf") if retrier.max_delay_seconds is None else retrier.max_delay_seconds
    try:
        delay = min(limit, retrier.interval_seconds * retrier.backoff_rate ** (attempt - 1))
    except OverflowError:
        delay = limit
    return delay * visit.execution.chance.random() if retrier.jitter_strategy == "FULL" else delay


def _matches(names: tuple[str, ...], failure: StateError) -> bool:
    if failure.fatal:
        return False
    known = {failure.name, *failure.also, WILDCARD}
    if failure.name not in (TIMEOUT, QUERY):
        known.add(TASK_FAILED)
    return not known.isdisjoint(names)


def _caught(state: State, failure: StateError, visit: Visit) -> Left:
    """What the first catcher that matches makes of an error.

    Raises:
        StateError: there is none.
    """
    if isinstance(state, Map | Parallel) and not failure.fatal:
        visit.execution.record(
            f"{type(state).__name__}StateFailed", error=failure.name, cause=failure.cause
        )
    for index, catcher in enumerate(state.catch):
        if _matches(catcher.error_equals, failure):
            return _recover(state, catcher, index, failure, visit)
    raise failure


def _recover(state: State, catcher: Catcher, index: int, failure: StateError, visit: Visit) -> Left:
    error = {"Error": failure.name or "", "Cause": failure.cause or ""}
    visit.token = None
    if state.query_language == "JSONata":
        scope = visit.scope(errorOutput=error)
        return _left(catcher, visit, error, scope, within=f"Catch[{index}]/")
    assigned = _paid(catcher.assign, visit, error)
    output = visit.input
    if catcher.result_path is not None:
        output = jsonpath.put(catcher.result_path, error, visit.input)
    limit(output, visit.name)
    _assign(assigned, visit)
    return Left(output, catcher.next)


# --- input and output --------------------------------------------------------------------------


def effective_input(state: Common, visit: Visit) -> Json:
    """The input after `InputPath`."""
    if state.input_path is None:
        return {}
    return template.look(state.input_path, visit.data(visit.input), visit.execution.chance)


def arguments(state: Common, visit: Visit, effective: Json) -> Json:
    """What the work of a state gets: `Parameters` or `Arguments`, else its input."""
    if state.query_language == "JSONata":
        if isinstance(state.arguments, Absent):
            return visit.input
        return template.resolve(state.arguments, visit.scope(), "Arguments")
    if isinstance(state.parameters, Absent):
        return effective
    return template.payload(state.parameters, visit.data(effective), visit.execution.chance)


def settle(state: Common, visit: Visit, result: Json) -> Left:
    """Leave a state that did work: select, assign and place its result.

    Everything is evaluated with the variables as they were before the state.
    """
    visit.token = None
    if state.query_language == "JSONata":
        return _left(state, visit, result, visit.scope(result=result))
    assigned = _paid(state.assign, visit, result)
    if not isinstance(state.result_selector, Absent):
        chance = visit.execution.chance
        result = template.payload(state.result_selector, visit.data(result), chance)
    combined = visit.input
    if state.result_path is not None:
        combined = jsonpath.put(state.result_path, result, visit.input)
    output = _output(state, visit, combined)
    _assign(assigned, visit)
    return Left(output, state.next)


def _pass_on(state: Common, visit: Visit, effective: Json) -> Left:
    """Leave a state that did no work."""
    if state.query_language == "JSONata":
        return _left(state, visit, visit.input, visit.scope())
    assigned = _paid(state.assign, visit, effective)
    output = _output(state, visit, effective)
    _assign(assigned, visit)
    return Left(output, state.next)


def _left(
    way: Common | Rule | Catcher, visit: Visit, default: Json, scope: Scope, within: str = ""
) -> Left:
    """Leave by a way out of the state; `within` is where in the state it is written."""
    assigned = _resolved(way.assign, scope, f"{within}Assign")
    output = default
    if not isinstance(way.output, Absent):
        output = template.resolve(way.output, scope, f"{within}Output")
    limit(output, visit.name)
    _assign(assigned, visit)
    return Left(output, way.next)


def _output(state: Common, visit: Visit, combined: Json) -> Json:
    if state.output_path is None:
        return {}
    output = template.look(state.output_path, visit.data(combined), visit.execution.chance)
    limit(output, visit.name)
    return output


def _paid(assign: Json | Absent, visit: Visit, value: Json) -> dict[str, Json]:
    if isinstance(assign, Absent):
        return {}
    found: dict[str, Json] = template.payload(assign, visit.data(value), visit.execution.chance)
    return found


def _resolved(assign: Json | Absent, scope: Scope, field: str) -> dict[str, Json]:
    if isinstance(assign, Absent):
        return {}
    found: dict[str, Json] = template.resolve(assign, scope, field)
    return found


def _assign(assigned: dict[str, Json], visit: Visit) -> None:
    """Set variables; what they hold in all has a limit of its own."""
    limit(assigned, visit.name, "assigned variables")
    variables = visit.place.variables
    variables.update(assigned)
    if len(variables) * MAX_BYTES > MAX_VARIABLES:  # fewer cannot hold so much
        limit(variables, visit.name, "assigned variables", MAX_VARIABLES)


def limit(value: Json, name: str, did: str = "returned a result", most: int = MAX_BYTES) -> None:
    """Check the size of data.

    Raises:
        StateError: it is too large, or nested too deeply to be written; `name` is the state or
            the task that `did` give it.
    """
    try:
        is_large = size(value) > most
    except RecursionError:
        deep = f"The state/task '{name}' {did} that is nested too deeply."
        raise StateError(RUNTIME, deep) from None
    if is_large:
        raise StateError(
            DATA_LIMIT,
            f"The state/task '{name}' {did} with a size exceeding the maximum number of bytes "
            "service limit.",
        )


# --- the simple states -------------------------------------------------------------------------


def pause(visit: Visit, until: float, what: str) -> Work:
    """Wait for a time."""
    key = f"{visit.key}@{what}"
    visit.execution.ask(StartTimer(key, until))
    yield Await((key,))
    return None


def _pass(state: Pass, visit: Visit) -> Left:
    if state.query_language == "JSONata":
        return _pass_on(state, visit, visit.input)
    effective = effective_input(state, visit)
    result = (
        arguments(state, visit, effective) if isinstance(state.result, Absent) else state.result
    )
    return settle(state, visit, result)


def _wait(state: Wait, visit: Visit) -> Leaving:
    effective = effective_input(state, visit)
    yield from pause(visit, settings.wake(state, visit, effective), "wait")
    return _pass_on(state, visit, effective)


def _succeed(state: Succeed, visit: Visit) -> Left:
    return _pass_on(state, visit, effective_input(state, visit))


def _fail(state: Fail, visit: Visit) -> Left:
    error = _text(state.error, visit, "Error")
    raise StateError(error, _text(state.cause, visit, "Cause"))


def _text(setting: Setting, visit: Visit, field: str) -> str | None:
    if isinstance(setting, Absent):
        return None
    if isinstance(setting, Reference):
        data, chance = visit.data(visit.input), visit.execution.chance
        value = template.value_of(f"{field}Path", setting.path, data, chance)
        if not isinstance(value, str):
            raise EvaluationError(
                f"The {field}Path field refers to value {shown(value)} which is not a valid "
                f"string: {setting.path}"
            )
        return value
    if expression_in(setting) is None:
        return str(setting)
    value = template.resolve(setting, visit.scope(), field)
    settings.expect(value, "string", setting, field)
    return str(value)


def _choice(state: Choice, visit: Visit) -> Left:
    effective = effective_input(state, visit)
    jsonata, data = state.query_language == "JSONata", visit.data(effective)
    for index, rule in enumerate(state.choices):
        if not (_condition(rule, index, visit) if jsonata else choice.holds(rule.test, data)):
            continue
        if jsonata:
            return _left(rule, visit, visit.input, visit.scope(), f"Choices[{index}]/")
        assigned = _paid(rule.assign, visit, effective)
        output = _output(state, visit, effective)
        _assign(assigned, visit)
        return Left(output, rule.next)
    if state.default is None:
        raise EvaluationError(
            "Failed to transition out of the state. The state does not point to a next state."
        )
    return Left(_pass_on(state, visit, effective).output, state.default)


def _condition(rule: Rule, index: int, visit: Visit) -> bool:
    field = f"Choices[{index}]/Condition"
    value = template.resolve(rule.test, visit.scope(), field)
    settings.expect(value, "boolean", rule.test, field)
    return bool(value)


SIMPLE: Final[Bodies] = {
    Pass: _pass,
    Wait: _wait,
    Succeed: _succeed,
    Fail: _fail,
    Choice: _choice,
}
"""What the types of states do that need nothing from outside but time."""
