"""Roles and what they allow: made, brought up to date, or left as they are.

All versions of a Lambda or a state machine have one role, and an older version may run for as long
as it is there. So a deployment only adds to what a role allows; `pruning` takes back.
"""

from __future__ import annotations

import json
from typing import Any

from agentflow.adapters.aws.deploy import iam
from agentflow.adapters.aws.deploy.client import Cloud, found, told
from agentflow.adapters.aws.deploy.ledger import TAG, Ledger, check_own
from agentflow.adapters.aws.deploy.package import CloudFunction, Machine
from agentflow.errors import Json

_POLICY = "agentflow"


class Roles:
    """The roles of one deployment: the user's, or one for each Lambda and state machine."""

    def __init__(self, cloud: Cloud, ledger: Ledger, given: str | None) -> None:
        self._cloud = cloud
        self._ledger = ledger
        self._given = given

    def of_function(self, function: CloudFunction) -> str:
        """The ARN of a Lambda's role."""
        arns = self._cloud.arns
        name, policy = iam.function_role(function, arns), iam.function_policy(function, arns)
        return self._role(name, function.workflow, iam.function_trust(), policy)

    def of_machine(self, machine: Machine) -> str:
        """The ARN of a state machine's role."""
        arns = self._cloud.arns
        name, policy = iam.machine_role(machine, arns), iam.machine_policy(machine, arns)
        return self._role(name, machine.name, iam.machine_trust(arns), policy)

    def _role(self, name: str, owner: str, trust: Json, policy: Json) -> str:
        if self._given is not None:
            return self._given
        arn = _put_role(self._cloud, self._ledger, name, owner, trust)
        with told(f"permissions of role {name}"):
            before = _allowed(self._cloud, name)
            more = before["Statement"] if before is not None else []
            statements = _together([*policy["Statement"], *more])
            _put_policy(
                self._cloud, self._ledger, name, before, {**policy, "Statement": statements}
            )
        return arn


def narrow(cloud: Cloud, ledger: Ledger, role: str, policy: Json) -> None:
    """Have a role that is there allow what a policy says, and no more."""
    with told(f"permissions of role {role}"):
        before = _allowed(cloud, role)
        if before is not None:
            _put_policy(cloud, ledger, role, before, policy)


def _put_role(cloud: Cloud, ledger: Ledger, name: str, owner: str, trust: Json) -> str:
    """Have a role; gives its ARN."""
    with told(f"role {name}"):
        there = found(lambda: cloud.iam.get_role(RoleName=name), "NoSuchEntity")
        if there is None:
            if ledger.may("create", "role", name):
                cloud.iam.create_role(
                    RoleName=name,
                    AssumeRolePolicyDocument=json.dumps(trust),
                    Description=f"For workflow {owner}; made by AgentFlow",
                    Tags=[{"Key": TAG, "Value": owner}],
                )
            return cloud.arns.role(name)
        role = there["Role"]
        check_own("role", name, {each["Key"]: each["Value"] for each in role.get("Tags", ())})
        if _document(role["AssumeRolePolicyDocument"]) != trust:
            if ledger.may("update", "role", name, "who may take it"):
                cloud.iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))
        else:
            ledger.keep("role", name)
        return str(role["Arn"])


def _allowed(cloud: Cloud, role: str) -> Json:
    """What a role allows; `None` if it has no policy of ours."""
    there = found(
        lambda: cloud.iam.get_role_policy(RoleName=role, PolicyName=_POLICY), "NoSuchEntity"
    )
    return None if there is None else _document(there["PolicyDocument"])


def _put_policy(cloud: Cloud, ledger: Ledger, role: str, before: Json, policy: Json) -> None:
    policy = {**policy, "Statement": _together(policy["Statement"])}
    if before == policy or (before is None and not policy["Statement"]):
        return
    if not policy["Statement"]:
        if ledger.may("update", "permissions", role, "none is needed any more"):
            cloud.iam.delete_role_policy(RoleName=role, PolicyName=_POLICY)
    elif ledger.may("create" if before is None else "update", "permissions", role):
        cloud.iam.put_role_policy(
            RoleName=role, PolicyName=_POLICY, PolicyDocument=json.dumps(policy)
        )


def _together(statements: list[Json]) -> list[Json]:
    """What statements allow, in one for the same actions: the length of a policy is limited."""
    found: dict[str, Json] = {}
    for each in statements:
        rest = {key: value for key, value in each.items() if key != "Resource"}
        one = found.setdefault(json.dumps(rest, sort_keys=True), {**rest, "Resource": []})
        given = each["Resource"]
        resources = [given] if isinstance(given, str) else given
        one["Resource"] += [name for name in resources if name not in one["Resource"]]
    return list(found.values())


def _document(policy: Any) -> Any:
    """A policy as data; some answers have it as text."""
    return json.loads(policy) if isinstance(policy, str) else policy
