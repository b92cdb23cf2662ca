"""Named errors on their way through Step Functions, in both directions.

An error travels as `Error`, its name, and `Cause`, the JSON text of its value. The handler of the
Lambda bundle does it with an exception of that class name, whose message is the JSON text. Faults
of expressions arrive as `States.QueryEvaluationError` with the name inside the cause. The
service's own names become ours where they mean the same.
"""

from __future__ import annotations

from agentflow.adapters.aws.causes import OUR_NAMES, SERVICE_NAMES
from agentflow.adapters.aws.jsonata import literal
from agentflow.spec.expressions.types import ANY, STRING, ObjectOf

ERROR = ObjectOf(
    (("name", STRING), ("message", STRING), ("data", ANY), ("cause", ANY)),
    frozenset({"name", "message", "data", "cause"}),
)
"""The type of an error's value."""

ALL = "States.ALL"
QUERY = "States.QueryEvaluationError"

TRANSIENT = (
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
)
"""Failures of the Lambda service, not of the function.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/bp-lambda-serviceexception.html
"""

NEVER_BEGUN = ("Lambda.TooManyRequestsException",)
"""Those after which the function has surely not run."""


def service_names(on: tuple[str, ...]) -> list[str]:
    """What a `retry` has to list for the names it is for."""
    if "*" in on:
        return [ALL]
    return [each for name in on for each in (name, *SERVICE_NAMES.get(name, ()))]


LIMITS = r"/Expression evaluation (timeout|memory limit)|Stack overflow/"
"""What the service says when an expression takes more time, memory or depth than it gives."""

DECODE = (
    "$decode := function($e) { ("
    "$cause := $type($e.Cause) = 'string' ? $e.Cause : ''; "
    "$json := $substring($cause, 0, 1) = '{' ? $parse($cause) : {}; "
    "$said := $type($json.errorMessage) = 'string' ? $json.errorMessage : ''; "
    "$own := $substring($said, 0, 8) = '{\"name\":' ? $parse($said) : $json; "
    # The service quotes the expression first, which may have such texts of its own.
    "$told := $match($substringAfter($cause, 'threw an error during evaluation'), "
    '/<<([A-Za-z.]+)>> ([^<>"]*)/); '
    "$error_ := function($n, $m) { {'name': $n, 'message': $m, 'data': null, 'cause': null} }; "
    "$type($own.name) = 'string' and $exists($own.data) ? $own : "
    "$exists($json.ExecutionArn) ? ($type($json.Error) = 'string' ? "
    "$decode({'Error': $json.Error, 'Cause': $json.Cause}) : "
    "$json.Status = 'ABORTED' ? $error_('Cancelled', 'the child was cancelled') : "
    "$error_('Timeout', 'the child took longer than its timeout')) : "
    f"$e.Error = '{QUERY}' ? ($exists($told) ? $error_($told[0].groups[0], $told[0].groups[1]) : "
    f"$contains($cause, 'out of range') ? $error_('NumberOutOfRange', $cause) : "
    f"$contains($cause, {LIMITS}) ? $error_('LimitExceeded', $cause) : "
    "$error_($e.Error, $cause)) : "
    f"$error_($lookup($merge([{{$e.Error: $e.Error}}, {literal(dict(OUR_NAMES))}]), $e.Error), "
    "$said != '' ? $said : $cause)) }"
)


def decoded(text: str) -> str:
    """JSONata for the value of an error that the service reports in `text`."""
    return f"({DECODE}; $decode({text}))"
