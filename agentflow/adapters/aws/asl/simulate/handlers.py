"""Who does the work of Task states: a handler gets a call and gives a value, or raises."""

from __future__ import annotations

import asyncio
import inspect
import json
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias
from uuid import uuid4

from agentflow.adapters.aws.asl.resources import Resource, function_name
from agentflow.adapters.aws.asl.values import text
from agentflow.errors import Json


class TaskError(Exception):
    """Work failed with an error of this name; `cause` is shown as it is.

    With `after`, it fails so many seconds after it was asked for.
    """

    def __init__(self, name: str, cause: str | None = None, *, after: float = 0.0) -> None:
        super().__init__(name, cause)
        self.name = name
        self.cause = cause
        self.after = after


class UnhandledError(Exception):
    """Nobody does this work; the execution fails and cannot catch it."""


@dataclass(frozen=True, slots=True)
class Later:
    """A result that takes a time: `await Later(value, 60)` costs nothing in virtual time."""

    value: Json
    seconds: float


class Callback(Protocol):
    """How a task with a token is completed; each may say how many seconds from now."""

    def succeed(self, output: Json, *, after: float = 0) -> None:
        """The task has a result."""

    def fail(self, error: str, cause: str | None = None, *, after: float = 0) -> None:
        """The task failed."""

    def beat(self, *, after: float = 0) -> None:
        """The task is alive."""


@dataclass(frozen=True, slots=True)
class TaskCall:
    """One attempt of a Task state."""

    resource: Resource
    arguments: Json
    """What the service is asked with; for a function, its event."""
    state: str
    execution: str
    invocation: str = "RequestResponse"
    """The `InvocationType` of `lambda:invoke`."""
    function: str | None = None
    """The name of the Lambda function, if it is one that is called."""
    token: str | None = None
    callback: Callback | None = field(default=None, repr=False)
    """For a task with a token; the value that the handler returns is then ignored."""


TaskHandler: TypeAlias = Callable[[TaskCall], Json | Later | Awaitable[Json | Later]]


def by_name(
    functions: Mapping[str, Callable[[Json], Any]],
    services: Mapping[str, Callable[[Json], Any]] | None = None,
) -> TaskHandler:
    """A handler that finds Lambda functions by their names and the rest by resource or state."""
    others = services or {}

    def handle(call: TaskCall) -> Any:
        if call.function is not None and call.function in functions:
            return functions[call.function](call.arguments)
        for name in (call.state, call.resource.arn, f"{call.resource.name}:{call.resource.action}"):
            if name in others:
                return others[name](call.arguments)
        raise UnhandledError(unhandled(call))

    return handle


def unhandled(call: TaskCall) -> str:
    """Why nobody does the work of a call, and what to do about it."""
    what = f"function '{call.function}'" if call.function else f"resource '{call.resource.arn}'"
    return (
        f"The state '{call.state}' needs the {what}, and no handler does its work here. Map it to "
        "a function or give it a stub."
    )


async def perform(handler: TaskHandler, call: TaskCall, *, aside: bool = False) -> Json | Later:
    """The result of a call; `aside` makes it in a thread, so that time goes on meanwhile.

    A function's exception becomes an error of its class name, with the JSON that Lambda reports
    as cause. The result of `lambda:invoke` has the envelope of that service.

    Raises:
        TaskError: the work failed.
        UnhandledError: nobody does it.
    """
    try:
        value = await asyncio.to_thread(handler, call) if aside else handler(call)
        if inspect.isawaitable(value):
            value = await value
        value, seconds = (value.value, value.seconds) if isinstance(value, Later) else (value, 0.0)
        value = _as_json(value)
    except (TaskError, UnhandledError):
        raise
    except Exception as error:  # user code may raise anything
        if call.invocation != "RequestResponse":
            return envelope(None, call.invocation)
        raise _from_exception(error) from error
    if call.resource.is_invoke and not call.token:
        value = envelope(value, call.invocation)
    return Later(value, seconds) if seconds else value


def _as_json(value: Any) -> Json:
    """The result of a function; bytes are sent as they are."""
    if isinstance(value, bytes):
        return received(value)
    try:
        return json.loads(json.dumps(value))
    except (TypeError, ValueError) as error:
        reason = {
            "errorMessage": f"Unable to marshal response: {error}",
            "errorType": "Runtime.MarshalError",
            "requestId": str(uuid4()),
            "stackTrace": [],
        }
        raise TaskError("Runtime.MarshalError", text(reason)) from None


def received(sent: bytes) -> Json:
    """The value of a result that was sent as it is: of JSON, or the text that it is."""
    return _event(sent.decode(errors="replace"))


def _from_exception(error: Exception) -> TaskError:
    name = type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    reason = {
        "errorMessage": str(error),
        "errorType": name,
        "requestId": str(uuid4()),
        "stackTrace": [line for line in traceback.format_list(frames)[2:] if line],
    }
    return TaskError(name, text(reason))


def invocation(resource: Resource, arguments: Json) -> tuple[str | None, Json]:
    """The function and the event of a Lambda task; (None, arguments) for other tasks."""
    if resource.kind == "function":
        return function_name(resource.name), arguments
    if not resource.is_invoke:
        return None, arguments
    return function_name(arguments["FunctionName"]), _event(arguments.get("Payload"))


def invocation_type(resource: Resource, arguments: Json) -> str:
    """How `lambda:invoke` invokes; other tasks wait for their answer too."""
    if not resource.is_invoke:
        return "RequestResponse"
    return str(arguments.get("InvocationType") or "RequestResponse")


def _event(payload: Json) -> Json:
    """The event of a function: no payload is an empty object, and text is sent as it is."""
    if not isinstance(payload, str):
        return {} if payload is None else payload
    try:
        return json.loads(payload)
    except ValueError:
        return payload


def envelope(payload: Json, invocation: str = "RequestResponse") -> dict[str, Json]:
    """What `lambda:invoke` gives for the result of a function."""
    request = str(uuid4())
    status = {"Event": 202, "DryRun": 204}.get(invocation, 200)
    if status != 200:  # nobody waits for the function
        payload = ""
    headers = {
        "Connection": "keep-alive",
        "Content-Length": str(len(text(payload).encode())),
        "Content-Type": "application/json",
        "X-Amz-Executed-Version": "$LATEST",
        "x-amzn-Remapped-Content-Length": "0",
        "x-amzn-RequestId": request,
    }
    return {
        "ExecutedVersion": "$LATEST",
        "Payload": payload,
        "SdkHttpMetadata": {
            "AllHttpHeaders": {name: [value] for name, value in headers.items()},
            "HttpHeaders": headers,
            "HttpStatusCode": status,
        },
        "SdkResponseMetadata": {"RequestId": request},
        "StatusCode": status,
    }
