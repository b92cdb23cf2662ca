"""The engines of AWS: the compiled definition on our interpreter and on an independent one.

Behind Lambda is what a bundle holds: the host with its helper. Nothing is deployed. The second
independent one is in `moto`, apart, because it takes seconds to import.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from sfnx.testing import Call, Failure
from sfnx.testing import run as interpret

from agentflow.adapters.aws.asl.read import read
from agentflow.adapters.aws.asl.simulate import TaskCall, TaskError, simulate
from agentflow.adapters.aws.asl.simulate.handlers import Later
from agentflow.adapters.aws.causes import error_of
from agentflow.adapters.aws.compile import TARGET
from agentflow.adapters.bundle.helper import Helper
from agentflow.adapters.refusals import CannotExpress
from agentflow.adapters.target import Options
from agentflow.errors import Fault, Json
from agentflow.functions.hosts.agents import Agents, InProcess
from agentflow.functions.hosts.aws_lambda import named
from agentflow.functions.hosts.calls import Host, Setting
from agentflow.spec.load import Loaded
from tests.aws import repairs  # noqa: F401  # of jsonata-python
from tests.conformance.cases import Run
from tests.conformance.outcomes import Calls, Outcome, Refused, counted

EPOCH: Final = 1_700_000_000.0
SUFFIX: Final = ".asl.json"
SLOW: Final = 0.5
"""Seconds from which on a call takes time in virtual time too; others would race by chance."""


@dataclass
class Cloud:
    """What a state machine reaches in one execution: functions, and messages that come."""

    machines: dict[str, Json]
    """Definitions by the workflow's name."""
    host: Host
    run: Run
    calls: Calls = field(default_factory=Counter)

    def invoke(self, payload: dict[str, Json]) -> Json:
        """Answer a Lambda payload.

        Raises:
            Failure: the error as Lambda reports it.
        """
        if "function" in payload:
            self.calls[counted(payload["function"], payload["arguments"])] += 1
        try:
            return self.host.answer(payload)
        except Fault as fault:
            error = named(fault)
            cause = {"errorMessage": str(error), "errorType": type(error).__name__}
            raise Failure(fault.name, json.dumps(cause)) from None

    def message(self, payload: dict[str, Json]) -> Json:
        """The message that a step listens for, or `...` if none comes."""
        return self.run.messages.get(payload["listen"]["name"], ...)


@contextmanager
def compiled(loaded: Loaded, run: Run) -> Iterator[Cloud | Refused]:
    """A workflow and those it runs, compiled, with the functions that their bundle would hold."""
    try:
        result = TARGET.compile(loaded, Options())
    except CannotExpress as refusal:
        codes = tuple(sorted({each.code for each in refusal.diagnostics}))
        yield Refused(codes, refusal.diagnostics[0].message)
        return
    machines = {
        name.removesuffix(SUFFIX): json.loads(text)
        for name, text in result.files.items()
        if name.endswith(SUFFIX)
    }
    setting = Setting(
        functions={name for each in result.deployments for name in each.functions},
        root=str(loaded.root),
        workflow=loaded.workflow.name,
        secrets=loaded.workflow.secrets,
    )
    methods = {name: path for each in result.deployments for name, path in each.agents.items()}
    agents = Agents(methods.__getitem__, str(loaded.root), InProcess())
    host = Host(setting, helper=Helper(), agents=agents, write=lambda line: None)
    with closing(host):
        yield Cloud(machines, host, run)


class Simulator:
    """Our own interpreter, in virtual time: a slow call takes there as long as it takes here."""

    name = "aws"

    def run(self, loaded: Loaded, run: Run) -> Outcome | Refused:
        """Compile and simulate a workflow."""
        with compiled(loaded, run) as cloud:
            return cloud if isinstance(cloud, Refused) else self._simulated(cloud, loaded, run)

    def _simulated(self, cloud: Cloud, loaded: Loaded, run: Run) -> Outcome:
        machines = {name: read(json.dumps(text)) for name, text in cloud.machines.items()}
        own = loaded.workflow.name

        def handle(call: TaskCall) -> Json:
            if call.callback is not None:
                data = cloud.message(call.arguments)
                if data is not ...:
                    call.callback.succeed(data)
                return None
            if call.resource.name == "events":
                return {"FailedEntryCount": 0}
            began = time.perf_counter()
            try:
                # In a thread: the simulation runs in an event loop, and so do coroutines.
                value = thread.submit(cloud.invoke, call.arguments).result()
            except Failure as failure:
                raise TaskError(failure.error, failure.cause) from None
            took = time.perf_counter() - began
            return Later(value, took if took > SLOW else 0)

        with ThreadPoolExecutor(max_workers=1) as thread:
            done = simulate(
                machines[own],
                run.input,
                handle,
                machines=machines,
                machine_name=own,
                started_at=EPOCH,
            )
        return ended(done.status, done.output, done.error, done.cause, cloud.calls)


class Sfnx:
    """`sfnx.testing`, an interpreter of JSONata state machines in which no time passes."""

    name = "sfnx"

    def run(self, loaded: Loaded, run: Run) -> Outcome | Refused:
        """Compile and interpret a workflow."""
        with compiled(loaded, run) as cloud:
            if isinstance(cloud, Refused):
                return cloud
            done = _interpret(cloud, loaded.workflow.name, run.input)
        if done.error is None:
            return ended("SUCCEEDED", done.output, None, None, cloud.calls)
        return ended("FAILED", None, done.error, done.cause, cloud.calls)


def _interpret(cloud: Cloud, name: str, given: Json) -> Any:
    def task(call: Call) -> object:
        arguments: Any = call.arguments
        match call.resource.rpartition(":::")[2]:
            case "lambda:invoke":
                return {"Payload": cloud.invoke(arguments["Payload"])}
            case "lambda:invoke.waitForTaskToken":
                data = cloud.message(arguments["Payload"])
                if data is ...:
                    raise Failure("States.Timeout")
                return data
            case "events:putEvents":
                return {"FailedEntryCount": 0}
            case "states:startExecution.sync:2":
                child = arguments["StateMachineArn"].rpartition(":")[2]
                done = _interpret(cloud, child, arguments["Input"])
                if done.error is None:
                    return {"Output": done.output, "Status": "SUCCEEDED"}
                told = {"ExecutionArn": child, "Status": "FAILED", "Error": done.error}
                raise Failure("States.TaskFailed", json.dumps({**told, "Cause": done.cause}))
        raise AssertionError(call.resource)

    return interpret(cloud.machines[name], given, task)


def ended(status: str, output: Json, error: str | None, cause: str | None, calls: Calls) -> Outcome:
    """An outcome from what the service tells."""
    if status == "SUCCEEDED":
        return Outcome("succeeded", output, calls=calls)
    if status == "TIMED_OUT":
        error = "States.Timeout"
    told = error_of(error or status, cause or "")
    return Outcome("failed", None, told["name"], told["data"], calls, told["message"])
