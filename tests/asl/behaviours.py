"""The Lambda functions of the recorded cases."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from agentflow.adapters.aws.asl.simulate.handlers import (
    Later,
    TaskCall,
    TaskError,
    TaskHandler,
    by_name,
)

_MISSING = (
    "Function not found: arn:aws:lambda:us-east-1:123456789012:function:{} (Service: AWSLambda; "
    "Status Code: 404; Error Code: ResourceNotFoundException; Request ID: <request-id>; Proxy: null)"
)


class CustomException(Exception):
    """The functions' own error; it has no text."""


def _raise_exception(event: Any) -> Any:
    raise Exception("Some exception was raised.")  # noqa: TRY002 -- as recorded


def _raise_custom(event: Any) -> Any:
    raise CustomException


BEHAVIOURS: dict[str, Callable[[Any], Any]] = {
    "identity": lambda event: event,
    "return_hello_world": lambda event: {"Return": "HelloWorld"},
    "return_bytes_json_str": lambda event: json.loads('"HelloWorld!"'),
    "return_decorated_input": lambda event: f"input-event-{event}",
    "raise_exception": _raise_exception,
    "raise_custom_exception": _raise_custom,
    "return_257_kib": lambda event: "a" * (257 * 1024),
    "sleep_60_identity": lambda event: Later(event, 60),
}


def handler(lambdas: Mapping[str, str]) -> TaskHandler:
    """Does the work of a case; other functions do not exist, and nobody answers tokens."""
    handle = by_name({name: BEHAVIOURS[behaviour] for name, behaviour in lambdas.items()})

    def invoke(call: TaskCall) -> Any:
        if call.function is not None and call.function not in lambdas:
            raise TaskError("Lambda.ResourceNotFoundException", _MISSING.format(call.function))
        if call.token is not None and call.function is None:
            return {}  # whoever gets the token never answers
        return handle(call)

    return invoke
