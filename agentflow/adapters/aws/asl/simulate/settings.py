"""Values of fields that may be literals, paths or expressions: times, counts, percentages."""

from __future__ import annotations

import re
from typing import Final

from agentflow.adapters.aws.asl import template, timestamps
from agentflow.adapters.aws.asl.errors import QUERY, RUNTIME, EvaluationError
from agentflow.adapters.aws.asl.jsonata import expression_in
from agentflow.adapters.aws.asl.model import Common, Map, Reference, Setting, Task, Wait
from agentflow.adapters.aws.asl.simulate.execution import Visit
from agentflow.adapters.aws.asl.values import Absent, is_number, kind, shown, text
from agentflow.errors import Json

MAX_SECONDS: Final = 99_999_999
"""That a time limit may have."""
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


def expect(value: Json, expected: str, written: Json, field: str) -> None:
    """Check the type of what an expression gave.

    Raises:
        EvaluationError: it is another one.
    """
    if kind(value) != expected:
        raise EvaluationError(
            f"The JSONata expression '{expression_in(written)}' specified for the field '{field}' "
            f"returned an unexpected result type. Expected '{expected}', but was '{kind(value)}' "
            f"for value: {text(value)}",
            QUERY,
        )


def whole(setting: Setting, visit: Visit, field: str, effective: Json) -> int | None:
    """A whole number; None if the field is not there.

    Raises:
        EvaluationError: its path or expression gives something else.
    """
    value = _number(setting, visit, field, effective, "integer")
    return None if value is None else int(value)


def time_limit(
    setting: Setting, state: Task, visit: Visit, field: str, effective: Json
) -> int | None:
    """Seconds after which something is too late; None if the field is not there.

    Raises:
        EvaluationError: its path or expression gives no such number.
    """
    seconds = whole(setting, visit, field, effective)
    if seconds is not None and not 0 <= seconds <= MAX_SECONDS:
        raise EvaluationError(
            f"{field} must be between 0 and {MAX_SECONDS} but was: {seconds}", error_of(state)
        )
    return seconds


def error_of(state: Common) -> str:
    """The name of the error that a field with a wrong value is."""
    return QUERY if state.query_language == "JSONata" else RUNTIME


def _number(
    setting: Setting, visit: Visit, field: str, effective: Json, expected: str
) -> float | None:
    if isinstance(setting, Absent):
        return None
    if isinstance(setting, Reference):
        value = template.look(setting.path, visit.data(effective), visit.execution.chance)
        number = (_digits if expected == "integer" else _parsed)(value)
        if number is None:
            raise EvaluationError(
                f'The {field}Path field refers to value "{shown(value)}" which is not a valid '
                f"{'integer' if expected == 'integer' else 'float'}: {setting.path}"
            )
        return number
    if expression_in(setting) is None:
        if isinstance(setting, str):
            raise EvaluationError(f"The {field} field has no value: {setting}")
        return float(setting)
    value = template.resolve(setting, visit.scope(), field)
    expect(value, "number", setting, field)
    number = float(value)
    if expected == "integer" and not number.is_integer():
        raise EvaluationError(
            f"The {field} field cannot be parsed as an integer: {shown(value)}", QUERY
        )
    return number


def _parsed(value: Json) -> float | None:
    """A number, or a text that is one."""
    written = isinstance(value, str) and _NUMBER.fullmatch(value)
    try:
        return float(value) if is_number(value) or written else None
    except OverflowError:
        return None


def _digits(value: Json) -> float | None:
    """A number, or a text that is one, if it is written with digits only: not 1.0."""
    return _parsed(value) if _WHOLE.fullmatch(shown(value)) else None


def tolerance(state: Map, visit: Visit, effective: Json) -> tuple[float | None, float | None]:
    """How many failed items a map accepts: a count and a percentage, None where not limited so.

    Raises:
        EvaluationError: a value is out of range.
    """
    count = whole(state.tolerated_count, visit, "ToleratedFailureCount", effective)
    share = _number(
        state.tolerated_percentage, visit, "ToleratedFailurePercentage", effective, "number"
    )
    if count is not None and count < 0:
        raise EvaluationError("ToleratedFailureCount cannot be negative.", error_of(state))
    if share is not None and not 0 <= share <= 100:
        told = "ToleratedFailurePercentage must be between 0 and 100."
        raise EvaluationError(told, error_of(state))
    return count or None, share or None


def wake(state: Wait, visit: Visit, effective: Json) -> float:
    """When a Wait state ends, in Unix seconds.

    Raises:
        EvaluationError: its path or expression gives no time.
    """
    if isinstance(state.timestamp, Absent):
        return visit.execution.clock() + _seconds(state.seconds, visit, effective)
    if isinstance(state.timestamp, Reference):
        path = state.timestamp.path
        value = _referenced(path, "TimestampPath", visit, effective)
        wrong = (
            "The TimestampPath parameter does not reference a valid ISO-8601 extended offset "
            f"date-time format string: {path} == {shown(value)}"
        )
        name = RUNTIME
    else:
        value = template.resolve(state.timestamp, visit.scope(), "Timestamp")
        if expression_in(state.timestamp) is not None:
            expect(value, "string", state.timestamp, "Timestamp")
        wrong = (
            "The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time "
            f"format string: {shown(value)}"
        )
        name = QUERY
    # A wait takes the letters of a time in either case.
    moment = timestamps.parse(value.upper() if isinstance(value, str) else value)
    if moment is None:
        raise EvaluationError(wrong, name)
    return moment


def _referenced(path: str, field: str, visit: Visit, effective: Json) -> Json:
    try:
        return template.look(path, visit.data(effective), visit.execution.chance)
    except EvaluationError:
        raise EvaluationError(
            f"The {field} parameter does not reference an input value: {path}"
        ) from None


def _seconds(setting: Setting, visit: Visit, effective: Json) -> float:
    if isinstance(setting, Reference):
        value = _referenced(setting.path, "SecondsPath", visit, effective)
        what, shown_value, name = "SecondsPath parameter", f"{setting.path} == ", RUNTIME
    else:
        value = template.resolve(setting, visit.scope(), "Seconds")
        what, shown_value, name = "Seconds field", "", QUERY
        if expression_in(setting) is not None:
            expect(value, "number", setting, "Seconds")
    number = (_digits if isinstance(setting, Reference) else _parsed)(value)
    if number is None or not number.is_integer():
        raise EvaluationError(
            f"The {what} cannot be parsed as a long value: {shown_value}{shown(value)}", name
        )
    if number < 0:
        raise EvaluationError(
            f"The {what} references a negative value: {shown_value}{shown(value)}", name
        )
    return number
