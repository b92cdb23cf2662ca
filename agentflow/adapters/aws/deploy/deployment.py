"""Deploying a package: what is there is compared with what should be, and only the rest is done.

Nothing that is live changes on the way. Lambdas and state machines get new versions, definitions
name versions, and only the last step, the alias, sends executions to the new one. A deployment
that stopped half-way is continued by the next, because each step looks at what is there.
"""

from __future__ import annotations

from dataclasses import dataclass

from agentflow.adapters.aws.deploy import iam
from agentflow.adapters.aws.deploy.client import Cloud
from agentflow.adapters.aws.deploy.definition import children_replaced, compact, functions_replaced
from agentflow.adapters.aws.deploy.functions import (
    put_function,
    put_log_group,
    put_policy,
    put_role,
    put_table,
)
from agentflow.adapters.aws.deploy.ledger import Ledger
from agentflow.adapters.aws.deploy.machines import alias_arn, existing, put_alias, put_machine
from agentflow.adapters.aws.deploy.package import CloudFunction, Machine, Package
from agentflow.errors import Json


@dataclass(frozen=True, slots=True)
class Alias:
    """A name that executions are started by, and how much of it a new version gets."""

    name: str
    percent: int = 100


@dataclass(frozen=True, slots=True)
class Deployed:
    """The result of a deployment, or of its plan."""

    machine: str
    """ARN."""
    version: str
    """ARN of the version."""
    start: str
    """ARN to start executions by: of the alias, else of the state machine."""

    def as_json(self) -> dict[str, Json]:
        """The result as plain data."""
        return {"state_machine": self.machine, "version": self.version, "start": self.start}


def deploy(package: Package, cloud: Cloud, ledger: Ledger, alias: Alias | None = None) -> Deployed:
    """Bring an account to what a package says; with a planning ledger, only note how.

    Raises:
        Conflict: something of that name is there that AgentFlow did not make.
        NotAllowed, Unavailable, Refused: AWS refuses; what is live is as it was.
    """
    for machine in package.machines:
        existing(cloud, machine)  # what is sure to be refused in the end is refused at once
    roles = _Roles(cloud, ledger, package.settings.role)
    functions = {
        each.name: _function(cloud, ledger, roles, package, each) for each in package.functions
    }
    machines: dict[str, str] = {}
    for machine in package.machines:
        definition = functions_replaced(
            machine.definition,
            lambda given: functions.get(str(given["FunctionName"]), str(given["FunctionName"])),
        )
        definition = children_replaced(definition, machines)
        group = iam.machine_logs(machine)
        if group is not None:
            put_log_group(cloud, ledger, group, machine.name)
        role = roles.of_machine(machine)
        machines[machine.name] = put_machine(cloud, ledger, machine, compact(definition), role)
    root = package.machine
    arn, version = cloud.arns.machine(root.name), machines[root.name]
    if alias is None:
        roles.narrow(package)
        return Deployed(arn, version, arn)
    put_alias(cloud, ledger, root, alias.name, version, percent=alias.percent)
    return Deployed(arn, version, alias_arn(cloud, root.name, alias.name))


def _function(
    cloud: Cloud, ledger: Ledger, roles: _Roles, package: Package, function: CloudFunction
) -> str:
    put_log_group(cloud, ledger, iam.function_logs(function), function.workflow)
    for table in function.tables:
        put_table(cloud, ledger, table, function.workflow)
    return put_function(cloud, ledger, function, package, roles.of_function(function))


class _Roles:
    """The roles of one deployment: the user's, or one for each Lambda and state machine."""

    def __init__(self, cloud: Cloud, ledger: Ledger, given: str | None) -> None:
        self._cloud = cloud
        self._ledger = ledger
        self._given = given

    def of_function(self, function: CloudFunction) -> str:
        """The ARN of a Lambda's role."""
        arns = self._cloud.arns
        name, policy = iam.function_role(function, arns), iam.function_policy(function, arns)
        return self._role(name, function.workflow, "lambda", policy)

    def of_machine(self, machine: Machine) -> str:
        """The ARN of a state machine's role."""
        arns = self._cloud.arns
        name, policy = iam.machine_role(machine, arns), iam.machine_policy(machine, arns)
        return self._role(name, machine.name, "states", policy)

    def narrow(self, package: Package) -> None:
        """Take back what only older versions needed; for when no alias leads to one."""
        if self._given is not None or self._ledger.is_plan:
            return
        for machine in package.machines:
            name = iam.machine_role(machine, self._cloud.arns)
            policy = iam.machine_policy(machine, self._cloud.arns)
            put_policy(self._cloud, self._ledger, name, policy, widen=False)

    def _role(self, name: str, owner: str, service: str, policy: Json) -> str:
        if self._given is not None:
            return self._given
        arn = put_role(self._cloud, self._ledger, name, owner, iam.trust(service))
        put_policy(self._cloud, self._ledger, name, policy, widen=True)
        return arn
