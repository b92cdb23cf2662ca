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
from agentflow.adapters.aws.deploy.events import put_rule
from agentflow.adapters.aws.deploy.functions import put_function, put_log_group, put_table
from agentflow.adapters.aws.deploy.ledger import Ledger
from agentflow.adapters.aws.deploy.machines import alias_arn, existing, put_alias, put_machine
from agentflow.adapters.aws.deploy.package import CloudFunction, Machine, Package
from agentflow.adapters.aws.deploy.pruning import Fresh, prune
from agentflow.adapters.aws.deploy.roles import Roles
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


def deploy(
    package: Package,
    cloud: Cloud,
    ledger: Ledger,
    alias: Alias | None = None,
    *,
    prunes: bool = False,
) -> Deployed:
    """Bring an account to what a package says; with a planning ledger, only note how.

    With `prunes` older versions that nothing needs are deleted in the end.

    Raises:
        Conflict: something of that name is there that AgentFlow did not make.
        NotAllowed, Unavailable, Refused: AWS refuses; what is live is as it was.
    """
    for machine in package.machines:
        existing(cloud, machine)  # what is sure to be refused in the end is refused at once
    tables = {table: each.workflow for each in package.functions for table in each.tables}
    for table, owner in tables.items():
        put_table(cloud, ledger, table, owner)
    roles = Roles(cloud, ledger, package.settings.role)
    functions = {
        each.name: _function(cloud, ledger, roles, package, each) for each in package.functions
    }
    for function in package.functions:
        if function.hears:
            put_rule(cloud, ledger, function)
    machines: dict[str, str] = {}
    definition = ""
    for machine in package.machines:
        definition = compact(_pinned(machine, functions, machines))
        machines[machine.name] = _machine(cloud, ledger, roles, machine, definition)
    root = package.machine
    arn, version = cloud.arns.machine(root.name), machines[root.name]
    start, led_to = arn, set[str]()
    if alias is not None:
        led_to = put_alias(cloud, ledger, root, alias.name, version, percent=alias.percent)
        start = alias_arn(cloud, root.name, alias.name)
    if prunes:
        named = None if alias is None else alias.name
        prune(cloud, ledger, package, Fresh(version, definition, named, frozenset(led_to)))
    return Deployed(arn, version, start)


def _function(
    cloud: Cloud, ledger: Ledger, roles: Roles, package: Package, function: CloudFunction
) -> str:
    put_log_group(cloud, ledger, iam.function_logs(function), function.workflow)
    return put_function(cloud, ledger, function, package, roles.of_function(function))


def _pinned(machine: Machine, functions: dict[str, str], machines: dict[str, str]) -> str:
    """The definition of a state machine with the versions of what it uses."""
    definition = functions_replaced(
        machine.definition,
        lambda given: functions.get(str(given["FunctionName"]), str(given["FunctionName"])),
    )
    return children_replaced(definition, machines)


def _machine(cloud: Cloud, ledger: Ledger, roles: Roles, machine: Machine, definition: str) -> str:
    group = iam.machine_logs(machine)
    if group is not None:
        put_log_group(cloud, ledger, group, machine.name)
    return put_machine(cloud, ledger, machine, definition, roles.of_machine(machine))
