"""Names and values of errors: the service's, and ours."""

from __future__ import annotations

import json
from typing import Final, Literal, TypeAlias

from agentflow.adapters.aws.asl.errors import (
    DATA_LIMIT,
    QUERY,
    RUNTIME,
    TIMEOUT,
)
from agentflow.adapters.aws.asl.model import Retrier
from agentflow.adapters.aws.faults import TRANSIENT
from agentflow.functions.hosts.agents import BUSY
from agentflow.spec.model import Retry

HEARTBEAT: Final = "States.HeartbeatTimeout"
"""Under this name a task's missed heartbeats can be caught; they are reported as a timeout."""
OURS: Final = "Timeout"
_TOO_LARGE: Final = "PayloadTooLarge"
_SAME: Final = {TIMEOUT: OURS, DATA_LIMIT: _TOO_LARGE}
"""What the service calls them, and what we do."""

OF_PATHS: Final = ("MissingKey", "TypeMismatch", "IndexOutOfRange")
"""What those expressions raise that say what a path does."""
EVALUATION: Final = (*OF_PATHS, "NumberOutOfRange")
"""What the expressions of an import raise where the service has `States.Runtime` or a failed query.

Others, such as `InvalidInput`, are more likely a function's own.
"""
FATAL: Final = (RUNTIME, "NotMapped", "LoopLimit", *EVALUATION)
"""What a Catch of the service never catches: that is no failure of the work."""


def names(error_equals: tuple[str, ...]) -> tuple[str, ...]:
    """What those of the service are called here."""
    return tuple(dict.fromkeys(_SAME.get(each, each) for each in error_equals))


Told: TypeAlias = Literal["message", "lambda", "value"]
"""How a failure's `Cause` tells of it: by its message, in the JSON that Lambda makes of a
function's exception, or as the JSON of its value, as functions of ours do on AWS."""


def error_output(
    bound: str, told: Told, late: tuple[str, ...] = (OURS,), faulty: tuple[str, ...] = ()
) -> str:
    """The source of `{Error, Cause}` for an error that a handler has bound.

    `late` are the names of timeouts that it may have, `faulty` those of failed expressions.
    """
    queries = {name: QUERY for name in faulty if name != QUERY}
    theirs = json.dumps({**dict.fromkeys(late, TIMEOUT), _TOO_LARGE: DATA_LIMIT, **queries})
    name = f"{theirs}.get({bound}.name, {bound}.name)"
    return f'{{"Error": {name}, "Cause": {cause(bound, told, faulty)}}}'


def cause(bound: str, told: Told, faulty: tuple[str, ...] = ()) -> str:
    """The source of the `Cause` of an error that a handler has bound.

    That of a failed expression keeps the name that it has here, as one that was compiled does.
    """
    text = f"{bound}.message"
    if told == "value":
        return f'{text} if {bound}.name == "{QUERY}" else json_encode({bound})'
    if faulty:
        own = json.dumps([name for name in faulty if name != QUERY])
        # A function's error may have such a name too, and its cause is its value.
        is_own = f'{bound}.name in {own} and not {text}.startswith("{{")'
        marked = f'"<<" + {bound}.name + ">> " + {text} if {is_own}'
        return f'{text} if {bound}.name == "{QUERY}" else {marked} else {cause(bound, told)}'
    if told == "lambda":
        report = f'json_encode({{"errorMessage": {text}, "errorType": {bound}.name}})'
        text = f'{text} if {bound}.name == "{_TOO_LARGE}" else {report}'
    return f'"" if {bound}.name == "{OURS}" else {text}'


def worth_retrying(retriers: tuple[Retrier, ...], told: Told) -> list[Retrier]:
    """The retriers that can ever matter here.

    Failures of the Lambda service itself do not happen elsewhere, nor does a call of an agent that
    finds no turn, and compiling for AWS adds retries for them.
    """
    kept = [each for each in retriers if told == "message" or {*each.error_equals} - {*_SERVICE}]
    while kept and not kept[-1].max_attempts:  # one before others keeps them from what it names
        kept.pop()
    return kept


_SERVICE: Final = (
    BUSY,
    *TRANSIENT,
    *(name for each in TRANSIENT for name in (each.removesuffix("Exception"),)),
)


def retry(retrier: Retrier, on: tuple[str, ...]) -> Retry:
    """A policy for a retrier of these errors."""
    given = retrier.max_delay_seconds
    longest = _longest(retrier) if given is None else given
    return Retry(
        on=on,
        max_attempts=retrier.max_attempts + 1,
        interval=float(retrier.interval_seconds),
        backoff=float(retrier.backoff_rate),
        max_interval=float(max(longest, retrier.interval_seconds)),
        jitter="full" if retrier.jitter_strategy == "FULL" else "none",
    )


def _longest(retrier: Retrier) -> float:
    """The longest pause that the attempts come to, at least our own limit."""
    try:
        last = retrier.interval_seconds * retrier.backoff_rate ** (retrier.max_attempts - 1)
    except OverflowError:
        last = 99_999_999.0
    return min(max(60.0, last), 99_999_999.0)
