"""Who does the work of Task states on this machine: a project's functions, and stubs.

`functions` finds the Python function for a Lambda function or an action of a service by the words
of its name; `stubs` reads answers from a file; `chain` puts such handlers one behind the other.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from typing import TypeAlias
from uuid import uuid4

from agentflow.adapters.aws.asl.simulate.execution import ACCOUNT, REGION
from agentflow.adapters.aws.asl.simulate.handlers import (
    TaskCall,
    TaskError,
    TaskHandler,
    UnhandledError,
)
from agentflow.adapters.aws.tasks.words import words
from agentflow.errors import Json

Work: TypeAlias = Callable[[], Json]
Finder: TypeAlias = Callable[[TaskCall], "Work | None"]
"""Who may do the work of a call: gives what does it, or None."""


def chain(*finders: Finder, note: Callable[[str], None] = lambda _: None) -> TaskHandler:
    """A handler that asks one after the other who does the work of a call.

    A Lambda function that nobody is does not exist, as on the service; `note` hears of it.
    """
    noted = set[str]()

    async def handle(call: TaskCall) -> Json:
        for finder in finders:
            if (work := finder(call)) is not None:
                return await _aside(work)
        if call.function is None:
            raise UnhandledError(_unhandled(call))
        if call.function not in noted:
            noted.add(call.function)
            note(_unhandled(call))
        raise TaskError("Lambda.ResourceNotFoundException", _not_found(call.function))

    return handle


async def _aside(work: Work) -> Json:
    """The value of work that has a thread of its own, for a function may run an event loop.

    Nobody waits for that thread when its value is no longer wanted, not even the end of the
    process.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Json] = loop.create_future()

    def settle(value: Json, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(value)
        else:
            done.set_exception(error)

    def run() -> None:
        value, failure = None, None
        try:
            value = work()
        except BaseException as error:  # noqa: BLE001 -- whoever waits gets it
            failure = error
        with suppress(RuntimeError):  # the loop may be closed by now
            loop.call_soon_threadsafe(settle, value, failure)

    threading.Thread(target=copy_context().run, args=(run,), daemon=True).start()
    return await done


def _not_found(function: str) -> str:
    """What Lambda says of a function that does not exist."""
    return (
        f"Function not found: arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function} (Service: "
        f"AWSLambda; Status Code: 404; Error Code: ResourceNotFoundException; Request ID: "
        f"{uuid4()}; Proxy: null)"
    )


def _unhandled(call: TaskCall) -> str:
    """What nobody does, and both ways to have it done."""
    resource = call.resource
    name = call.function or f"{resource.name}:{resource.action}".rstrip(":")
    function = "_".join(words(name))
    what = f"function '{name}'" if call.function else f"resource '{resource.arn}'"
    return (
        f"The state '{call.state}' needs the {what}, and no handler does its work here: give a "
        f"module that has a function `{function}` (--functions MODULE), or a file with the answer "
        f"`{name}: {{return: …}}` (--stubs FILE)"
    )
