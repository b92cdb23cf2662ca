"""State machines, their versions and aliases: made, brought up to date, or left as they are."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from agentflow.adapters.aws.deploy.client import Cloud, found, told, with_new_role
from agentflow.adapters.aws.deploy.functions import UNKNOWN
from agentflow.adapters.aws.deploy.iam import machine_logs
from agentflow.adapters.aws.deploy.ledger import DIGEST_TAG, TAG, Ledger, check_own
from agentflow.adapters.aws.deploy.package import Machine
from agentflow.errors import Conflict, NotFound

_BEFORE = re.compile(r"before: version (\d+)")
"""In an alias's description: where a rollback goes."""


def existing(cloud: Cloud, machine: Machine) -> dict[str, Any] | None:
    """The state machine of that name as it is, if there is one.

    Raises:
        Conflict: AgentFlow did not make it, or it is of the other kind.
    """
    arn = cloud.arns.machine(machine.name)
    with told(f"state machine {machine.name}"):
        now = found(
            lambda: dict(cloud.machines.describe_state_machine(stateMachineArn=arn)),
            "StateMachineDoesNotExist",
        )
        if now is None:
            return None
        tags = cloud.machines.list_tags_for_resource(resourceArn=arn)["tags"]
    check_own("state machine", machine.name, {each["key"]: each["value"] for each in tags})
    if now["type"] != machine.kind.upper():
        raise Conflict(
            f"state machine `{machine.name}` is {now['type']}, and its kind cannot change",
            help="delete it, or give the workflow another name",
        )
    return now


def put_machine(cloud: Cloud, ledger: Ledger, machine: Machine, definition: str, role: str) -> str:
    """Have a published version of a state machine with this definition; gives the version's ARN."""
    now = existing(cloud, machine)
    with told(f"state machine {machine.name}"):
        wanted = {"definition": definition, "roleArn": role, **_logging(cloud, machine)}
        if now is None:
            return _create(cloud, ledger, machine, wanted)
        changed = _differences(now, wanted)
        if changed:
            return _update(cloud, ledger, machine, wanted, changed)
        return _published(cloud, ledger, machine, now)


def _create(cloud: Cloud, ledger: Ledger, machine: Machine, wanted: dict[str, Any]) -> str:
    if not ledger.may("create", "state machine", machine.name):
        return f"{cloud.arns.machine(machine.name)}:1"
    digest = _digest(wanted["definition"])
    tags = {TAG: machine.name, DIGEST_TAG: digest}
    made = with_new_role(
        cloud,
        lambda: cloud.machines.create_state_machine(
            name=machine.name,
            type=machine.kind.upper(),
            tags=[{"key": key, "value": value} for key, value in tags.items()],
            publish=True,
            versionDescription=digest,
            **wanted,
        ),
    )
    return str(made["stateMachineVersionArn"])


def _update(
    cloud: Cloud, ledger: Ledger, machine: Machine, wanted: dict[str, Any], changed: list[str]
) -> str:
    arn = cloud.arns.machine(machine.name)
    if not ledger.may("update", "state machine", machine.name, ", ".join(changed)):
        return f"{arn}:{UNKNOWN}"
    digest = _digest(wanted["definition"])
    made = with_new_role(
        cloud,
        lambda: cloud.machines.update_state_machine(
            stateMachineArn=arn, publish=True, versionDescription=digest, **wanted
        ),
    )
    tags = [{"key": DIGEST_TAG, "value": digest}]
    cloud.machines.tag_resource(resourceArn=arn, tags=tags)
    return str(made["stateMachineVersionArn"])


def _published(cloud: Cloud, ledger: Ledger, machine: Machine, now: dict[str, Any]) -> str:
    """The version of the revision that is there; published if that was not done before."""
    arn = cloud.arns.machine(machine.name)
    newest = next(iter(versions(cloud, machine.name)), None)
    if newest is not None:
        there = cloud.machines.describe_state_machine(stateMachineArn=newest)
        # The first revision has no id.
        is_same = there.get("revisionId") == now.get("revisionId")
        if is_same and there["definition"] == now["definition"]:
            ledger.keep("state machine", machine.name, f"version {number(newest)}")
            return newest
    if not ledger.may("publish", "version of state machine", machine.name):
        return f"{arn}:{UNKNOWN}"
    made = cloud.machines.publish_state_machine_version(
        stateMachineArn=arn, description=_digest(now["definition"])
    )
    return str(made["stateMachineVersionArn"])


def versions(cloud: Cloud, name: str) -> list[str]:
    """The ARNs of the versions of a state machine, the newest first."""
    arn = cloud.arns.machine(name)
    answer = found(
        lambda: cloud.machines.list_state_machine_versions(stateMachineArn=arn, maxResults=1000),
        "StateMachineDoesNotExist",
    )
    listed = answer["stateMachineVersions"] if answer is not None else ()
    return sorted((str(e["stateMachineVersionArn"]) for e in listed), key=number, reverse=True)


def led_to(cloud: Cloud, name: str, *, beside: str | None = None) -> set[str]:
    """The ARNs of the versions that aliases lead to, or go back to; `beside` is left out."""
    arn = cloud.arns.machine(name)
    answer = found(  # there are 100 at most
        lambda: cloud.machines.list_state_machine_aliases(stateMachineArn=arn, maxResults=1000),
        "StateMachineDoesNotExist",
        "ResourceNotFound",
    )
    listed = answer["stateMachineAliases"] if answer is not None else ()
    arns = (str(each["stateMachineAliasArn"]) for each in listed)
    aliases = {arn.rpartition(":")[2] for arn in arns} - {beside}
    return {arn for alias in aliases for arn in _led_to(cloud, name, alias)}


def _led_to(cloud: Cloud, name: str, alias: str) -> set[str]:
    there = _alias(cloud, name, alias)
    every = {str(route["stateMachineVersionArn"]) for route in there["routingConfiguration"]}
    before = _BEFORE.search(there.get("description", ""))
    return every if before is None else {*every, f"{cloud.arns.machine(name)}:{before[1]}"}


def number(version: str) -> int:
    """The number of a version; one that a plan does not know comes after all."""
    last = version.rpartition(":")[2]
    return int(last) if last.isdecimal() else 1 << 62


def put_alias(
    cloud: Cloud, ledger: Ledger, machine: Machine, alias: str, version: str, *, percent: int
) -> set[str]:
    """Have an alias send so much of what starts to a version, and the rest to the one before.

    Gives the versions that it then leads to, or goes back to by a rollback.
    """
    with told(f"alias {alias}"):
        now = alias_routes(cloud, machine.name, alias)
        if now is None:
            if ledger.may("create", "alias", alias, f"100 % to {_said(version)}"):
                cloud.machines.create_state_machine_alias(
                    name=alias, routingConfiguration=_routing({version: 100})
                )
            _note_alone(ledger, alias, version, percent)
            return {version}
        before = _stable(now, version)
        if before is None:
            _note_alone(ledger, alias, version, percent)
        wanted = {version: 100} if before is None else {before: 100 - percent, version: percent}
        wanted = {arn: weight for arn, weight in wanted.items() if weight}
        if wanted == now:
            ledger.keep("alias", alias, _shares(now))
            return _led_to(cloud, machine.name, alias)
        if ledger.may("shift", "alias", alias, f"{_shares(now)} → {_shares(wanted)}"):
            _route(cloud, machine.name, alias, wanted, before)
        return {*wanted, before} if before is not None else {*wanted}


def _note_alone(ledger: Ledger, alias: str, version: str, percent: int) -> None:
    """Tell that a share has no effect where an alias leads to nothing else."""
    if percent < 100:
        ledger.notes.append(
            f"alias {alias} leads to no other version: all of it goes to {_said(version)}, "
            f"not {percent} %"
        )


def roll_back(cloud: Cloud, ledger: Ledger, name: str, alias: str) -> None:
    """Send everything to the version that an alias had before.

    Raises:
        NotFound: there is no such alias, or no version before.
    """
    with told(f"alias {alias}"):
        now = alias_routes(cloud, name, alias)
        if now is None:
            raise NotFound(
                f"`{name}` has no alias `{alias}`", help=f"deploy it with --alias {alias} first"
            )
        target = _before(cloud, name, alias, now)
        if ledger.may("shift", "alias", alias, f"{_shares(now)} → {_shares({target: 100})}"):
            _route(cloud, name, alias, {target: 100}, None)


def _before(cloud: Cloud, name: str, alias: str, now: dict[str, int]) -> str:
    """Where a rollback goes: of two versions the older, else what was there before the one."""
    if len(now) > 1:
        return min(now, key=number)
    (current,) = now
    noted = _BEFORE.search(_alias(cloud, name, alias).get("description", ""))
    there = versions(cloud, name)
    older = [arn for arn in there if number(arn) < number(current)]
    if noted is not None:
        older = [arn for arn in there if number(arn) == int(noted[1])]
    if not older:
        raise NotFound(
            f"there is no version of `{name}` before {number(current)}",
            help=f"deploy what it should be with --alias {alias}",
        )
    return older[0]


def alias_arn(cloud: Cloud, name: str, alias: str) -> str:
    """The ARN of an alias of a state machine."""
    return f"{cloud.arns.machine(name)}:{alias}"


def _alias(cloud: Cloud, name: str, alias: str) -> dict[str, Any]:
    arn = alias_arn(cloud, name, alias)
    answer: dict[str, Any] = cloud.machines.describe_state_machine_alias(stateMachineAliasArn=arn)
    return answer


def alias_routes(cloud: Cloud, name: str, alias: str) -> dict[str, int] | None:
    """The shares of versions in percent; `None` if there is no such alias."""
    there = found(
        lambda: _alias(cloud, name, alias), "ResourceNotFound", "StateMachineDoesNotExist"
    )
    if there is None:
        return None
    routes = there["routingConfiguration"]
    return {each["stateMachineVersionArn"]: int(each["weight"]) for each in routes}


def _route(cloud: Cloud, name: str, alias: str, wanted: dict[str, int], before: str | None) -> None:
    told_before = f"before: version {number(before)}" if before is not None else ""
    cloud.machines.update_state_machine_alias(
        stateMachineAliasArn=alias_arn(cloud, name, alias),
        description=told_before,
        routingConfiguration=_routing(wanted),
    )


def _stable(now: dict[str, int], version: str) -> str | None:
    """The version that keeps the rest: of those beside the new one, the one with most."""
    others = {arn: weight for arn, weight in now.items() if arn != version}
    return max(others, key=lambda arn: (others[arn], -number(arn))) if others else None


def _routing(shares: dict[str, int]) -> list[dict[str, Any]]:
    return [{"stateMachineVersionArn": arn, "weight": weight} for arn, weight in shares.items()]


def _shares(shares: dict[str, int]) -> str:
    return ", ".join(f"{weight} % to {_said(arn)}" for arn, weight in shares.items())


def _said(version: str) -> str:
    """A version as messages name it; a plan cannot know the number of one that is to be made."""
    last = version.rpartition(":")[2]
    return "the next version" if last == UNKNOWN else f"version {last}"


def _logging(cloud: Cloud, machine: Machine) -> dict[str, Any]:
    group = machine_logs(machine)
    if group is None:
        return {}
    target = {"cloudWatchLogsLogGroup": {"logGroupArn": f"{cloud.arns.log_group(group)}:*"}}
    return {"loggingConfiguration": {"level": "ERROR", "destinations": [target]}}


def _differences(now: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    changed = []
    if json.loads(now["definition"]) != json.loads(wanted["definition"]):
        changed.append("its definition")
    if now["roleArn"] != wanted["roleArn"]:
        changed.append("its role")
    for key, value in wanted.get("loggingConfiguration", {}).items():
        if now.get("loggingConfiguration", {}).get(key) != value:
            changed.append("its logging")
            break
    return changed


def _digest(definition: str) -> str:
    """Of what a definition means, however it is written."""
    text = json.dumps(json.loads(definition), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
