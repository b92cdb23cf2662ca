"""Task states: hand work out, and wait for its result, its time limit, its heartbeats."""

from __future__ import annotations

from typing import Final

from agentflow.adapters.aws.asl import template
from agentflow.adapters.aws.asl.errors import TIMEOUT, StateError
from agentflow.adapters.aws.asl.model import Task
from agentflow.adapters.aws.asl.resources import Resource, parse
from agentflow.adapters.aws.asl.simulate import settings
from agentflow.adapters.aws.asl.simulate.execution import Visit
from agentflow.adapters.aws.asl.simulate.protocol import (
    Beat,
    Cancel,
    Completed,
    Failed,
    Fired,
    Invoke,
    StartTimer,
    Submitted,
)
from agentflow.adapters.aws.asl.simulate.requests import check
from agentflow.adapters.aws.asl.simulate.states import (
    Leaving,
    arguments,
    effective_input,
    limit,
    settle,
)
from agentflow.adapters.aws.asl.simulate.strands import Await, Work
from agentflow.adapters.aws.asl.values import Absent
from agentflow.errors import Json

_PREFIXES: Final = {"function": "LambdaFunction", "activity": "Activity", "service": "Task"}
"""With what the events of a task begin, by the kind of its resource."""


def run_task(state: Task, visit: Visit) -> Leaving:
    """A Task state between entering and leaving."""
    resource = parse(state.resource)
    effective = effective_input(state, visit)
    token = None
    if resource.pattern == "waitForTaskToken" or resource.kind == "activity":
        token = _token(visit)
    if resource.kind == "service" and resource.pattern:
        # One that waits for the end of a job has a token too, which nobody has to bring back.
        visit.token = token or _token(visit)
    given = arguments(state, visit, effective)
    limit(given, state.name, "provided parameters")
    check(state, resource, given)
    timeout = settings.time_limit(state.timeout_seconds, state, visit, "TimeoutSeconds", effective)
    if timeout is None and token is not None:
        timeout = settings.MAX_SECONDS
    beats = state.heartbeat_seconds
    heartbeat = settings.time_limit(beats, state, visit, "HeartbeatSeconds", effective)
    if token is None:
        heartbeat = None  # only those who hold a token can send heartbeats
    if not isinstance(state.credentials, Absent):
        _check_credentials(state, visit, effective)
    prefix = _PREFIXES[resource.kind]
    visit.execution.record(f"{prefix}Scheduled", resource=resource.arn, parameters=given)
    visit.execution.record(f"{prefix}Started", resource=resource.arn)
    identity = visit.execution.identity.id
    visit.execution.ask(Invoke(visit.key, resource, given, state.name, identity, token))
    if resource.pattern.startswith("sync"):
        visit.execution.record("TaskSubmitted", resource=resource.arn)
    result = yield from _outcome(visit, resource, timeout, heartbeat)
    visit.execution.record(f"{prefix}Succeeded", output=result)
    return settle(state, visit, result)


def _token(visit: Visit) -> str:
    return f"{visit.execution.chance.getrandbits(256):064x}"


def _check_credentials(state: Task, visit: Visit, effective: Json) -> None:
    """Find the role that the work has: nothing needs it here, but what is wrong with it counts."""
    if state.query_language == "JSONata":
        template.resolve(state.credentials, visit.scope(), "Credentials")
    else:
        template.payload(state.credentials, visit.data(effective), visit.execution.chance)


def _outcome(visit: Visit, resource: Resource, timeout: int | None, heartbeat: int | None) -> Work:
    """The result of work that has been asked for.

    Raises:
        StateError: it failed, or took too long.
    """
    execution, prefix = visit.execution, _PREFIXES[resource.kind]
    ask, now = execution.ask, execution.clock()
    keys = {"work": visit.key, "timeout": f"{visit.key}@timeout", "beat": f"{visit.key}@beat"}
    timers: list[str] = []
    for name, seconds in (("timeout", timeout), ("beat", heartbeat)):
        if seconds is not None:
            timers.append(keys[name])
            ask(StartTimer(keys[name], now + seconds))
    while True:
        event = yield Await((visit.key, *timers))
        match event:
            case Submitted(value=value):
                if resource.kind == "service":  # an activity is handed out, not submitted
                    execution.record("TaskSubmitted", output=value)
            case Beat() if heartbeat is not None:
                ask(Cancel(keys["beat"]))
                ask(StartTimer(keys["beat"], execution.clock() + heartbeat))
            case Completed(value=value):
                _release(visit, timers)
                return _result(visit, resource, value, prefix)
            case Failed(error=error, cause=cause, fatal=fatal):
                _release(visit, timers)
                failure = StateError(error, cause)
                failure.fatal = fatal
                execution.record(f"{prefix}Failed", error=error, cause=cause)
                raise failure
            case Fired(key=key):
                ask(Cancel(visit.key))
                _release(visit, [timer for timer in timers if timer != key])
                late = StateError(TIMEOUT)
                if key == keys["beat"]:
                    late.also = frozenset({"States.HeartbeatTimeout"})
                execution.record(f"{prefix}TimedOut", error=TIMEOUT)
                raise late


def _release(visit: Visit, timers: list[str]) -> None:
    for timer in timers:
        visit.execution.ask(Cancel(timer))


def _result(visit: Visit, resource: Resource, value: Json, prefix: str) -> Json:
    try:
        limit(value, resource.name if resource.kind == "service" else resource.arn)
    except StateError as error:
        visit.execution.record(f"{prefix}Failed", error=error.name, cause=error.cause)
        raise
    return value
