"""Run what a compile gave on the simulator: its calls go to functions of this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from agentflow.adapters.aws.asl.read import read
from agentflow.adapters.aws.asl.simulate import TaskCall, TaskError, simulate
from agentflow.adapters.aws.asl.simulate.handlers import Callback, TaskHandler
from agentflow.adapters.aws.asl.values import text
from agentflow.adapters.aws.causes import error_of
from agentflow.adapters.aws.compile import TARGET
from agentflow.adapters.aws.objects import Objects
from agentflow.adapters.bundle.helper import Helper
from agentflow.adapters.target import Options
from agentflow.errors import Fault, Json, fault_value
from agentflow.functions.agents import PREFIX
from agentflow.functions.context import Context
from agentflow.functions.hosts import many
from agentflow.functions.hosts.agents import CallAgent

if TYPE_CHECKING:
    from agentflow.spec.load import Loaded

Call: TypeAlias = Callable[[str, Json, Context], Json]
"""Calls a function by its import path, with its arguments. Raises Fault."""

_SUFFIX: Final = ".asl.json"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the state machine ended, in the words of workflows."""

    status: str
    output: Json = None
    error: Json = None


def run(
    loaded: Loaded,
    input: Json,
    call: Call,
    messages: Mapping[str, Json],
    *,
    call_agent: CallAgent | None = None,
    options: Options,
    execution: str,
    started_at: float,
) -> Outcome:
    """Compile a workflow with those it runs, and simulate it.

    Raises:
        CannotExpress: the target cannot express it.
    """
    files = TARGET.compile(loaded, options).files
    machines = {
        name.removesuffix(_SUFFIX): read(text, path=name)
        for name, text in files.items()
        if name.endswith(_SUFFIX)
    }
    own = loaded.workflow.name
    objects: dict[str, str | bytes] = {}
    done = simulate(
        machines[own],
        input,
        _handler(call, call_agent, messages, objects),
        machines=machines,
        objects=objects,
        name=execution,
        machine_name=own,
        started_at=started_at,
    )
    match done.status:
        case "SUCCEEDED":
            return Outcome("succeeded", done.output)
        case "TIMED_OUT":
            return Outcome("failed", None, fault_value("Timeout", "the execution took too long"))
        case _:
            return Outcome("failed", None, error_of(done.error or "", done.cause or ""))


def _handler(
    call: Call,
    call_agent: CallAgent | None,
    messages: Mapping[str, Json],
    objects: Mapping[str, str | bytes],
) -> TaskHandler:
    """Does what the Lambda handler of the bundle and EventBridge do."""
    helper = Helper(stored=Objects(lambda bucket, key: str(objects[f"{bucket}/{key}"])))
    listening: list[tuple[dict[str, Json], Callback]] = []
    events: list[dict[str, Json]] = []

    async def handle(task: TaskCall) -> Json:
        if task.callback is not None:
            request = task.arguments["listen"]
            if request["name"] in messages:
                task.callback.succeed(messages[request["name"]])
            else:
                listening.append((request, task.callback))
                _deliver(events, listening)
            return None
        if task.resource.name == "events":
            events.extend(entry["Detail"] for entry in task.arguments["Entries"])
            _deliver(events, listening)
            return {"FailedEntryCount": 0}
        try:
            # In a thread of its own: a function may run an event loop.
            return await asyncio.to_thread(_answer, task.arguments, call, call_agent, helper)
        except Fault as fault:
            report = {"errorMessage": text(fault.value()), "errorType": fault.name}
            raise TaskError(fault.name, text(report)) from None

    return handle


def _deliver(
    events: list[dict[str, Json]], listening: list[tuple[dict[str, Json], Callback]]
) -> None:
    """Give events to who listens for them, as the tokens' table does; the others are kept."""
    for event in events.copy():
        for request, callback in listening:
            is_meant = request["correlation"] in (None, event["subject"])
            if is_meant and request["name"] == event["type"]:
                events.remove(event)
                listening.remove((request, callback))
                callback.succeed(event["data"])
                break


def _answer(
    event: dict[str, Any], call: Call, call_agent: CallAgent | None, helper: Helper
) -> Json:
    about = (str(event.get("execution", "")), "", str(event.get("step", "")))
    context = Context(*about, int(event.get("attempt", 1)))

    def called(arguments: Json, context: Context) -> Json:
        if call_agent is not None and event["function"].startswith(PREFIX):
            return call_agent(event["function"], event.get("key"), arguments, context)
        return call(event["function"], arguments, context)

    match event:
        case {"function": _, "batch": dict(asked)}:
            return many.batch(asked, context, called, helper.fill)
        case {"function": _, "reduce": dict(asked)}:
            found = helper.outcomes(asked["results"])
            return many.reduced(asked, found, context, called, helper.fill)
        case {"function": _}:
            return called(event["arguments"], context)
    return helper.answer(event, context)
