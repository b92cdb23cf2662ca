"""Functions that both sides call, and what calling them came to.

A world answers calls by name with Python functions, counts them, and gives named errors. `local`
runs a workflow on our machine, `on_sfnx` its compiled definition on an independent interpreter.
"""

from __future__ import annotations

import inspect
import json
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sfnx.testing import Call, Failure
from sfnx.testing import run as interpret

from agentflow.adapters.aws.asl.read import read
from agentflow.adapters.aws.asl.simulate import TaskCall, TaskError, simulate
from agentflow.adapters.aws.compile import TARGET
from agentflow.adapters.aws.objects import Objects
from agentflow.adapters.bundle.helper import Helper
from agentflow.adapters.target import Options
from agentflow.errors import Fault, Json, fault_value
from agentflow.functions.agents import PREFIX
from agentflow.functions.context import Context
from agentflow.functions.failures import error_value
from agentflow.functions.hosts import many
from agentflow.functions.hosts.agents import Agents as Host
from agentflow.functions.hosts.agents import InProcess
from agentflow.functions.invoke import Stream, invoke, prepare
from agentflow.runtime.machine import Machine, compile_workflow
from agentflow.runtime.machine import protocol as p
from agentflow.spec.agents import Agents
from agentflow.spec.expressions import Scope, compile_template, parse_string
from agentflow.spec.load import Loaded
from tests.aws import repairs  # noqa: F401  # of jsonata-python

Functions = Mapping[str, Callable[..., Any]]
EPOCH = 1_700_000_000.0


class Project(dict[str, Callable[..., Any]]):
    """The functions of a project, called as workers call them."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self._root = str(root)
        self._agents = Agents(root)
        self._instances = InProcess()

    def call_agent(self, name: str, key: Json, arguments: Json, context: Context) -> Json:
        """Call an agent, whose instances are this project's own."""
        host = Host(self._agents.path, self._root, self._instances)
        return _value(host.call(name, key, arguments, context, printed=lambda line: None))

    def __missing__(self, name: str) -> Callable[..., Any]:
        def call(**arguments: Json) -> Json:
            context = Context("execution", "step", 1)
            stream = Stream(name, self._root, arguments, context)
            if _gives_values(name, self._root):
                return [_value(outcome) for outcome in iter(stream.next, None)]
            return _value(invoke(name, self._root, arguments, context))

        return call


def _gives_values(name: str, root: str) -> bool:
    function = inspect.unwrap(prepare(name, root).function)
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


def _value(outcome: Any) -> Json:
    if outcome.error is not None:
        told = outcome.error
        raise Fault(told["name"], told["message"], data=told["data"], cause=told["cause"])
    return json.loads(outcome.value)


@dataclass
class World:
    """Functions, messages that will come, and the calls so far."""

    functions: Functions
    messages: Mapping[str, Json] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    events: list[Json] = field(default_factory=list)
    objects: dict[str, str | bytes] = field(default_factory=dict)
    """What state machines wrote to S3, by `bucket/key`."""
    steps: list[tuple[str, str, int]] = field(default_factory=list)
    """Of the calls in a cloud: execution, step and attempt."""

    def call(self, name: str, arguments: Json, key: Json = None) -> Json:
        """Call a function, or an agent by the key of its instance; JSON in, JSON out.

        Raises:
            Fault: whatever it raised.
        """
        self.calls[json.dumps([name, arguments], sort_keys=True)] += 1
        if isinstance(self.functions, Project) and name.startswith(PREFIX):
            context = Context("execution", step=str(self.calls.total()))
            return self.functions.call_agent(name, key, arguments, context)
        try:
            value = self.functions[name](**json.loads(json.dumps(arguments)))
            return json.loads(json.dumps(list(value) if hasattr(value, "__next__") else value))
        except Exception as error:
            told = error_value(error)
            raise Fault(
                told["name"], told["message"], data=told["data"], cause=told["cause"]
            ) from None


@dataclass(frozen=True)
class Outcome:
    """How an execution ended; an error by name."""

    status: str
    output: Json
    error: Json
    calls: Counter[str]

    @property
    def essence(self) -> Json:
        """What has to be the same everywhere."""
        name = None if self.error is None else self.error["name"]
        return {"status": self.status, "output": self.output, "error": name}


# --- our machine ----------------------------------------------------------------------------------


def local(loaded: Loaded, input: Json, world: World) -> Outcome:
    """Run a workflow on the machine alone; timers ring when there is nothing else to do."""
    machine = Machine(compile_workflow(loaded.workflow))
    events: deque[p.Event] = deque([p.Started(EPOCH, "execution", input)])
    timers: dict[str, float] = {}
    now = EPOCH
    while machine.finished is None:
        if not events:
            key = min(timers, key=lambda each: (timers[each], each))
            now = max(now, timers.pop(key))
            events.append(p.TimerFired(now, key))
        for command in machine.advance(events.popleft()):
            if isinstance(command, p.StartTimer):
                timers[command.key] = command.due
            elif isinstance(command, p.Withdraw):
                timers.pop(command.key, None)
            else:
                events.extend(_answers(command, now, loaded, world))
    finish = machine.finished
    return Outcome(finish.status, finish.output, finish.error, world.calls)


def _answers(command: p.Command, now: float, loaded: Loaded, world: World) -> list[p.Event]:
    match command:
        case p.Invoke():
            return [_reply(command, now, world)]
        case p.InvokeBatch():
            outcomes = []
            for arguments in command.calls:
                try:
                    outcomes.append({"value": world.call(command.function, arguments)})
                except Fault as fault:
                    outcomes.append({"error": fault.value()})
            return [p.BatchCompleted(now, command.key, command.attempt, outcomes, 0.01)]
        case p.OpenStream():
            about = (now, command.key, command.attempt)
            try:
                values = world.call(command.function, command.arguments)
            except Fault as fault:
                return [p.CallFailed(*about, fault.value())]
            return [p.StreamYielded(*about, values), p.CallCompleted(*about, None)]
        case p.AwaitMessage():
            if command.name in world.messages:
                data = world.messages[command.name]
                return [p.MessageReceived(now, command.key, "m", data)]
            return []
        case p.EmitEvent():
            world.events.append([command.type, command.subject, command.data])
            return [p.EventEmitted(now, command.key)]
        case p.StartChild():
            # A pass may have taken a block out of the workflow that was read.
            child = loaded.children.get(command.workflow) or replace(
                loaded, workflow=loaded.workflow.children[command.workflow]
            )
            ended = local(child, command.input, world)
            return [p.ChildEnded(now, command.key, ended.status, ended.output, ended.error)]
        case p.RecordStart():
            return [p.CallStarted(now, command.key, command.attempt)]
        case _:
            return []


def _reply(command: p.Invoke, now: float, world: World) -> p.Event:
    about = (now, command.key, command.attempt)
    try:
        value = world.call(command.function, command.arguments, command.agent_key)
        return p.CallCompleted(*about, value)
    except Fault as fault:
        return p.CallFailed(*about, fault.value())


# --- compiled, on sfnx ----------------------------------------------------------------------------


def definitions(loaded: Loaded, options: Options | None = None) -> dict[str, Json]:
    """The compiled state machines by name, the workflow's own first."""
    files = TARGET.compile(loaded, options or Options()).files
    return {
        name.removesuffix(".asl.json"): json.loads(text)
        for name, text in files.items()
        if name.endswith(".asl.json")
    }


def on_sfnx(loaded: Loaded, input: Json, world: World, options: Options | None = None) -> Outcome:
    """Compile a workflow and run it."""
    machines = definitions(loaded, options)
    return _run(machines, loaded.workflow.name, input, world)


def on_simulator(
    loaded: Loaded, input: Json, world: World, options: Options | None = None
) -> Outcome:
    """Compile a workflow and run it on our own interpreter of the language."""
    machines = {name: read(json.dumps(text)) for name, text in definitions(loaded, options).items()}

    def tasks(call: TaskCall) -> Json:
        try:
            if call.token is not None and call.callback is not None:
                name = call.arguments["listen"]["name"]
                if name in world.messages:
                    call.callback.succeed(world.messages[name])
                return None
            if call.function is not None:
                return lambda_answer(call.arguments, world)
            return _task(Call(call.state, call.resource.arn, call.arguments), {}, world)
        except Failure as failure:
            raise TaskError(failure.error, failure.cause) from None

    machine = machines[loaded.workflow.name]
    done = simulate(
        machine,
        input,
        tasks,
        machines=machines,
        objects=world.objects,
        name="execution",
        started_at=EPOCH,
    )
    if done.status == "SUCCEEDED":
        return Outcome("succeeded", done.output, None, world.calls)
    return Outcome("failed", None, _error(done.error or done.status, done.cause or ""), world.calls)


def _run(machines: dict[str, Json], name: str, input: Json, world: World) -> Outcome:
    done = interpret(machines[name], input, lambda call: _task(call, machines, world))
    if done.error is None:
        return Outcome("succeeded", done.output, None, world.calls)
    return Outcome("failed", None, _error(done.error, done.cause or ""), world.calls)


def _error(name: str, cause: str) -> Json:
    if cause.startswith('{"name":'):
        return json.loads(cause)
    if cause.startswith('{"error'):
        told = json.loads(cause)["errorMessage"]
        return json.loads(told) if told.startswith('{"name":') else fault_value(name, told)
    return fault_value(name, cause)


def _task(call: Call, machines: dict[str, Json], world: World) -> object:
    arguments: Any = call.arguments
    if call.resource.endswith("lambda:invoke"):
        return {"Payload": lambda_answer(arguments["Payload"], world)}
    if call.resource.endswith("lambda:invoke.waitForTaskToken"):
        listen = arguments["Payload"]["listen"]
        if listen["name"] in world.messages:
            return world.messages[listen["name"]]
        raise Failure("States.Timeout")
    if call.resource.endswith("events:putEvents"):
        (entry,) = arguments["Entries"]
        world.events.append(
            [entry["Detail"]["type"], entry["Detail"]["subject"], entry["Detail"]["data"]]
        )
        return {"FailedEntryCount": 0}
    if call.resource.endswith("startExecution.sync:2"):
        child = arguments["StateMachineArn"].rpartition(":")[2]
        ended = _run(machines, child, arguments["Input"], world)
        if ended.error is not None:
            cause = {
                "ExecutionArn": "arn", "Status": "FAILED",
                "Error": ended.error["name"], "Cause": json.dumps(ended.error, separators=(",", ":")),
            }  # fmt: skip
            raise Failure("States.TaskFailed", json.dumps(cause))
        return {"Output": ended.output, "Status": "SUCCEEDED"}
    raise AssertionError(call.resource)


def lambda_answer(payload: Json, world: World) -> Json:
    """What the handler of the Lambda bundle answers."""
    helper = Helper(stored=Objects(lambda bucket, key: str(world.objects[f"{bucket}/{key}"])))

    def call(arguments: Json, context: Context) -> Json:
        world.steps.append((context.execution_id, context.step, context.attempt))
        return world.call(payload["function"], arguments, payload.get("key"))

    try:
        if "evaluate" in payload:
            return evaluate(payload["evaluate"], payload["names"])
        context = Context(payload["execution"], "", payload["step"], payload["attempt"])
        if "batch" in payload:
            return many.batch(payload["batch"], context, call, helper.fill)
        if "reduce" in payload:
            found = helper.outcomes(payload["reduce"]["results"])
            return many.reduced(payload["reduce"], found, context, call, helper.fill)
        return call(payload["arguments"], context)
    except Fault as fault:
        message = json.dumps(fault.value(), separators=(",", ":"))
        cause = {"errorMessage": message, "errorType": fault.name}
        raise Failure(fault.name, json.dumps(cause)) from None


def evaluate(templates: Mapping[str, str], names: Mapping[str, Json]) -> Json:
    """What the helper does: templates as in a spec, evaluated with our own evaluator."""
    from tests.expressions.language import place

    scope = Scope(dict(names))
    return {
        key: compile_template(parse_string(text, place, []))(scope)
        for key, text in templates.items()
    }
