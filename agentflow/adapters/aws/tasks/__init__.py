"""Who does the work of Task states on this machine: a project's functions, and stubs.

`functions` finds the Python function for a Lambda function or an action of a service by the words
of its name; `stubs` reads answers from a file; `chain` puts such handlers one behind the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeAlias

from agentflow.adapters.aws.asl.simulate.handlers import (
    TaskCall,
    TaskHandler,
    UnhandledError,
)
from agentflow.adapters.aws.tasks.words import words
from agentflow.errors import Json

Work: TypeAlias = Callable[[], Json]
Finder: TypeAlias = Callable[[TaskCall], "Work | None"]
"""Who may do the work of a call: gives what does it, or None."""


def chain(*finders: Finder) -> TaskHandler:
    """A handler that asks one after the other who does the work of a call.

    The work has a thread of its own: a function may run an event loop.
    """

    async def handle(call: TaskCall) -> Json:
        for finder in finders:
            if (work := finder(call)) is not None:
                return await asyncio.to_thread(work)
        raise UnhandledError(_unhandled(call))

    return handle


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
