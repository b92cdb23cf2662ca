"""Roles with the least they need: who may take them, and what they may do.

What a state machine may do follows from the resources that its definition uses, each by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agentflow.adapters.aws.deploy.package import CloudFunction, Machine, shortened
from agentflow.errors import Json

_CHILD_RULE = "StepFunctionsGetEventsForStepFunctionsExecutionRule"
"""By which Step Functions learns that a child execution has ended.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/connect-stepfunctions.html
"""
_LOG_DELIVERY = (
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
)
"""What Step Functions needs to write logs; AWS has no resources for them.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
"""

_ROLE_NAME = 48
"""Characters of a role's name before the region: of 64, the longest region's name takes 15."""

_RESULT_WRITER = (
    "s3:AbortMultipartUpload",
    "s3:GetObject",
    "s3:ListMultipartUploadParts",
    "s3:PutObject",
)
"""What a distributed map needs to write its results.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
"""


@dataclass(frozen=True, slots=True)
class Arns:
    """The names of resources; the parts may be references of an infrastructure language."""

    partition: str
    region: str
    account: str

    def of(self, service: str, resource: str) -> str:
        """The ARN of a resource of a service."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    def function(self, name: str) -> str:
        """Of a Lambda function."""
        return self.of("lambda", f"function:{name}")

    def machine(self, name: str) -> str:
        """Of a state machine."""
        return self.of("states", f"stateMachine:{name}")

    def executions(self, machine: str) -> str:
        """Of all executions of a state machine."""
        return self.of("states", f"execution:{machine}:*")

    def log_group(self, name: str) -> str:
        """Of a log group."""
        return self.of("logs", f"log-group:{name}")

    def objects(self, name: str) -> str:
        """Of objects in S3, by bucket and key; buckets belong to no account and region."""
        return f"arn:{self.partition}:s3:::{name}"

    def role(self, name: str) -> str:
        """Of a role; roles belong to no region."""
        return f"arn:{self.partition}:iam::{self.account}:role/{name}"

    def here(self, name: str) -> str:
        """A role's name with the region, so that a workflow may be in several of one account."""
        return f"{shortened(name, _ROLE_NAME)}-{self.region}"


def function_role(function: CloudFunction, arns: Arns) -> str:
    """The name of a Lambda's role."""
    return arns.here(f"{function.name}-lambda")


def machine_role(machine: Machine, arns: Arns) -> str:
    """The name of a state machine's role."""
    return arns.here(f"{machine.name}-states")


def function_logs(function: CloudFunction) -> str:
    """The name of a Lambda's log group."""
    return f"/aws/lambda/{function.name}"


def machine_logs(machine: Machine) -> str | None:
    """The name of a state machine's log group; only Express ones have no other history."""
    return f"/aws/vendedlogs/states/{machine.name}" if machine.kind == "express" else None


def function_trust() -> Json:
    """Who may take a Lambda's role."""
    return _trust("lambda")


def machine_trust(arns: Arns) -> Json:
    """Who may take a state machine's role: Step Functions, and for this account only.

    Source: https://docs.aws.amazon.com/step-functions/latest/dg/procedure-create-iam-role.html
    """
    account = {"aws:SourceAccount": arns.account}
    source = {"aws:SourceArn": arns.machine("*")}
    return _trust("states", Condition={"StringEquals": account, "ArnLike": source})


def function_policy(function: CloudFunction, arns: Arns) -> Json:
    """What a Lambda may do: write its log and its tables, and read results, as far as it does."""
    logs = ["logs:CreateLogStream", "logs:PutLogEvents"]
    statements = [_allow(logs, f"{arns.log_group(function_logs(function))}:*")]
    for table in function.tables:
        named = arns.of("dynamodb", f"table/{table.name}")
        statements.append(_allow([f"dynamodb:{each}" for each in table.actions], named))
    if function.hears:
        # The token says which task of which execution: the action takes no resources.
        statements.append(_allow(["states:SendTaskSuccess"], "*"))
    if function.results:
        statements.append(_allow(["s3:GetObject"], *map(arns.objects, function.results)))
    return _policy(statements)


def machine_policy(machine: Machine, arns: Arns) -> Json:
    """What a state machine may do; empty statements where it uses nothing."""
    return _policy([*_statements(machine, arns)])


def _statements(machine: Machine, arns: Arns) -> Iterator[Json]:
    functions = [arns.function(each.name) for each in machine.functions]
    if functions:
        both = [name for each in functions for name in (each, f"{each}:*")]
        yield _allow(["lambda:InvokeFunction"], *both)
    buses = [each.name for each in machine.deployment.resources if each.kind == "event bus"]
    if buses:
        yield _allow(["events:PutEvents"], *(_bus(name, arns) for name in buses))
    if machine.children:
        started = [arns.machine(name) for name in machine.children]
        yield _allow(
            ["states:StartExecution"], *(a for each in started for a in (each, f"{each}:*"))
        )
        ended = [arns.executions(name) for name in machine.children]
        yield _allow(["states:DescribeExecution", "states:StopExecution"], *ended)
        rule = arns.of("events", f"rule/{_CHILD_RULE}")
        yield _allow(["events:DescribeRule", "events:PutRule", "events:PutTargets"], rule)
    if any(
        each.kind == "workflow" and each.name == machine.name
        for each in machine.deployment.resources
    ):
        yield _allow(["states:StartExecution"], arns.machine(machine.name))
        own = (arns.executions(machine.name), arns.of("states", f"execution:{machine.name}/*"))
        yield _allow(["states:DescribeExecution", "states:StopExecution"], *own)
        yield _allow(["states:RedriveExecution"], own[1])
    stored = [each.name for each in machine.deployment.resources if each.kind == "bucket"]
    if stored:
        yield _allow([*_RESULT_WRITER], *map(arns.objects, stored))
    if machine_logs(machine) is not None:
        yield _allow([*_LOG_DELIVERY], "*")


def _bus(name: str, arns: Arns) -> str:
    return name if name.startswith("arn:") else arns.of("events", f"event-bus/{name}")


def _allow(actions: Sequence[str], *resources: str) -> Json:
    return {"Effect": "Allow", "Action": [*actions], "Resource": [*resources]}


def _trust(service: str, **more: Json) -> Json:
    principal = {"Service": f"{service}.amazonaws.com"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}
    return _policy([statement])


def _policy(statements: Sequence[Json]) -> Json:
    return {"Version": "2012-10-17", "Statement": [*statements]}
