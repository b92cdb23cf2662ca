"""Executions in an account: started, looked at, and continued after a failure."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from agentflow.adapters.aws.causes import error_of
from agentflow.adapters.aws.deploy.client import Cloud, found, told
from agentflow.adapters.aws.deploy.ledger import TAG
from agentflow.adapters.aws.deploy.machines import alias_routes
from agentflow.errors import Conflict, Fault, InputError, Json, NotFound, UsageError

_STATUS = {
    "RUNNING": "running",
    "PENDING_REDRIVE": "running",
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "TIMED_OUT": "failed",
    "ABORTED": "cancelled",
}
_UNLISTED = "PENDING_REDRIVE"
"""The status that only the children of a map run have, which are not asked for here."""
_SORTED = 100
"""Executions that are read at least: AWS sorts those that have ended by their end."""
LONGEST_ID = 80
"""Characters of an execution's name."""
LARGEST_INPUT = 262_144
"""Bytes in UTF-8.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
"""
_POLL = (0.1, 5.0)
"""Seconds between two looks at an execution: at first, and at most."""


@dataclass(frozen=True, slots=True)
class Execution:
    """How an execution stands."""

    arn: str
    workflow: str
    status: str
    """As everywhere in AgentFlow: `running`, `succeeded`, `failed`, `cancelled`."""
    started_at: float
    ended_at: float | None = None
    output: Json = None
    error: Json = None

    @property
    def id(self) -> str:
        """Its name."""
        return self.arn.split(":")[7]

    @property
    def is_kept(self) -> bool:
        """Whether AWS keeps it, to be looked at and retried: it does not with Express ones."""
        return self.arn.split(":")[5] == "execution"


def start(cloud: Cloud, arn: str, id: str, given: Json) -> Execution:
    """Start an execution; the same id and input again is the same execution while it runs.

    Raises:
        UsageError: the id is too long.
        InputError: the input is too large.
        NotFound: nothing is deployed there.
        Conflict: the id has been used for another execution.
    """
    text = _input(id, given)
    with told(f"starting an execution of {arn}"):
        machine = _described(cloud, arn)
        if machine["type"] == "EXPRESS":
            waiting = cloud.patient("stepfunctions")
            answer = waiting.start_sync_execution(stateMachineArn=arn, name=id, input=text)
            return _execution(answer, machine["name"])
        answer = found(
            lambda: cloud.machines.start_execution(stateMachineArn=arn, name=id, input=text),
            "ExecutionAlreadyExists",
        )
        if answer is None:
            raise Conflict(
                f"there is an execution `{id}` of `{machine['name']}` already",
                help="choose another --id",
            )
        return describe(cloud, str(answer["executionArn"]))


def _input(id: str, given: Json) -> str:
    """The text of an input, when AWS will take it and the id."""
    if len(id) > LONGEST_ID:
        raise UsageError(f"AWS takes ids of up to {LONGEST_ID} characters, `{id}` has {len(id)}")
    text = json.dumps(given, ensure_ascii=False, separators=(",", ":"))
    size = len(text.encode())
    if size > LARGEST_INPUT:
        raise InputError(
            f"the input has {size:,} bytes, Step Functions takes {LARGEST_INPUT:,}",
            help="store it, for instance in S3, and give its name",
        )
    return text


def _described(cloud: Cloud, arn: str) -> dict[str, Any]:
    """The state machine behind an ARN, which may be of an alias."""
    name, *alias = arn.split(":")[6:]
    there = found(
        lambda: cloud.machines.describe_state_machine(stateMachineArn=cloud.arns.machine(name)),
        "StateMachineDoesNotExist",
    )
    if there is None:
        raise NotFound(
            f"no state machine `{name}` is deployed in {cloud.arns.region}",
            help="agentflow deploy SPEC --target aws",
        )
    if alias and alias_routes(cloud, name, alias[0]) is None:
        raise NotFound(
            f"`{name}` has no alias `{alias[0]}`",
            help=f"agentflow deploy SPEC --target aws --alias {alias[0]}",
        )
    return dict(there)


def describe(cloud: Cloud, arn: str) -> Execution:
    """How an execution stands.

    Raises:
        NotFound: there is none.
    """
    with told(f"looking at {arn}"):
        there = found(
            lambda: cloud.machines.describe_execution(executionArn=arn), "ExecutionDoesNotExist"
        )
        if there is None:
            raise NotFound(f"there is no execution `{arn}`")
        return _execution(there, arn.split(":")[6])


def wait(cloud: Cloud, execution: Execution) -> Execution:
    """Wait until an execution has ended."""
    pause, longest = _POLL
    while execution.status == "running":
        time.sleep(pause)
        pause = min(pause * 1.5, longest)
        execution = describe(cloud, execution.arn)
    return execution


def executions(
    cloud: Cloud, workflow: str | None, status: str | None, limit: int
) -> list[Execution]:
    """The newest executions, of one workflow or of all that AgentFlow deployed."""
    with told("listing executions"):
        most = max(limit, _SORTED)
        names = [workflow] if workflow is not None else list(deployed(cloud))
        every = [each for name in names for each in _of(cloud, name, status, most)]
    return sorted(every, key=lambda each: -each.started_at)[:limit]


def with_error(cloud: Cloud, execution: Execution) -> Execution:
    """An execution of a list with its error, which lists leave out."""
    return describe(cloud, execution.arn) if execution.status == "failed" else execution


def redrive(cloud: Cloud, reference: str) -> Execution:
    """Go on with an execution that failed: what had completed does not run again.

    Raises:
        NotFound: there is no such execution.
        Conflict: it has not failed, or is too old or too long.
    """
    execution = find(cloud, reference)
    if execution.status not in ("failed", "cancelled"):
        raise Conflict(f"execution {execution.id} is {execution.status}: nothing is to be retried")
    with told(f"retrying {execution.id}"):
        begun = found(
            lambda: cloud.machines.redrive_execution(executionArn=execution.arn),
            "ExecutionNotRedrivable",
        )
    if begun is None:
        raise Conflict(
            f"AWS cannot continue execution {execution.id}",
            help="it does for 14 days, up to 25,000 events; `agentflow invoke` starts a new one",
        )
    return describe(cloud, execution.arn)


def find(cloud: Cloud, reference: str) -> Execution:
    """An execution by its ARN, its id, @last or @last-failed.

    Raises:
        NotFound: there is none.
    """
    if reference.startswith("arn:"):
        return describe(cloud, reference)
    if reference in ("@last", "@last-failed"):
        status = "failed" if reference == "@last-failed" else None
        newest = executions(cloud, None, status, 1)
        if not newest:
            raise NotFound(f"there is no execution for {reference}")
        return describe(cloud, newest[0].arn)
    with told(f"looking for {reference}"):
        for name in deployed(cloud):
            there = _named(cloud, cloud.arns.of("states", f"execution:{name}:{reference}"))
            if there is not None:
                return _execution(there, name)
    raise NotFound(
        f"there is no execution `{reference}` of a workflow that AgentFlow deployed",
        help="agentflow executions --target aws",
    )


def _named(cloud: Cloud, arn: str) -> dict[str, Any] | None:
    return found(
        lambda: dict(cloud.machines.describe_execution(executionArn=arn)),
        "ExecutionDoesNotExist",
        "InvalidName",
        "InvalidArn",
    )


def call(cloud: Cloud, function: str, payload: Json) -> Json:
    """Invoke a Lambda and wait for its value.

    Raises:
        NotFound: there is no such Lambda.
        Fault: the function failed, by a named error.
    """
    with told(f"invoking {function}"):
        answer = found(
            lambda: cloud.patient("lambda").invoke(
                FunctionName=function, Payload=json.dumps(payload).encode()
            ),
            "ResourceNotFound",
        )
        if answer is None:
            raise NotFound(
                f"there is no Lambda function `{function}`",
                help="agentflow deploy SPEC --target aws",
            )
        value = json.loads(answer["Payload"].read() or b"null")
    if "FunctionError" not in answer:
        return value
    error = error_of(str(value.get("errorType", "Unhandled")), json.dumps(value))
    raise Fault(error["name"], error["message"], data=error["data"], cause=error["cause"])


def handlers(cloud: Cloud, function: str) -> list[str]:
    """The Lambdas that may run a function, by name: those that run no other, else shared ones."""
    with told("listing functions"):
        pages = cloud.functions.get_paginator("list_functions").paginate()
        every = [each for page in pages for each in page["Functions"]]
    only: dict[str, str | None] = {}
    for each in every:
        variables = each.get("Environment", {}).get("Variables", {})
        if "AGENTFLOW_WORKFLOW" in variables:
            only[each["FunctionName"]] = variables.get("AGENTFLOW_FUNCTION")
    for wanted in (function, None):
        found = sorted(name for name, each in only.items() if each == wanted)
        if found:
            return found
    return []


def deployed(cloud: Cloud) -> Iterator[str]:
    """The state machines that AgentFlow deployed."""
    for page in cloud.machines.get_paginator("list_state_machines").paginate():
        for each in page["stateMachines"]:
            arn = each["stateMachineArn"]
            tags = cloud.machines.list_tags_for_resource(resourceArn=arn)["tags"]
            if any(tag["key"] == TAG for tag in tags):
                yield str(each["name"])


def _of(cloud: Cloud, name: str, status: str | None, limit: int) -> Iterator[Execution]:
    """The newest executions of one state machine; Express ones are not listed by AWS."""
    arn = cloud.arns.machine(name)
    filters = [
        {"statusFilter": theirs}
        for theirs, ours in _STATUS.items()
        if ours == status and theirs != _UNLISTED
    ]
    for only in filters or [{}]:
        for each in listed(cloud, arn, limit, **only):
            yield _execution(each, name)


def listed(cloud: Cloud, machine: str, limit: int, **only: str) -> list[dict[str, Any]]:
    """The newest executions of a state machine, as AWS lists them; none where it does not."""
    pages = cloud.machines.get_paginator("list_executions").paginate(
        stateMachineArn=machine, PaginationConfig={"MaxItems": limit, "PageSize": 1000}, **only
    )
    every = found(
        lambda: [each for page in pages for each in page["executions"]],
        "StateMachineDoesNotExist",
        "StateMachineTypeNotSupported",
    )
    return every or []


def _execution(answer: dict[str, Any], workflow: str) -> Execution:
    status = str(answer["status"])
    error = None
    if _STATUS[status] == "failed":
        default = "Timeout" if status == "TIMED_OUT" else "Failed"
        error = error_of(str(answer.get("error") or default), str(answer.get("cause") or ""))
    ended = answer.get("stopDate")
    return Execution(
        arn=str(answer["executionArn"]),
        workflow=workflow,
        status=_STATUS[status],
        started_at=answer["startDate"].timestamp(),
        ended_at=None if ended is None else ended.timestamp(),
        output=_json(answer.get("output")) if status == "SUCCEEDED" else None,
        error=error,
    )


def _json(text: Json) -> Json:
    if not isinstance(text, str):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text
