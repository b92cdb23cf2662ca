"""Taking back what only older versions needed: the versions, and what their role allowed them.

A version is needed while an alias leads to it or may go back to it, while a workflow runs it as a
child, and while an execution of it is under way or may be retried. What is needed stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from agentflow.adapters.aws.deploy import iam, machines
from agentflow.adapters.aws.deploy.client import Cloud, told
from agentflow.adapters.aws.deploy.executions import deployed, listed
from agentflow.adapters.aws.deploy.ledger import Ledger
from agentflow.adapters.aws.deploy.package import CloudFunction, Machine, Package
from agentflow.adapters.aws.deploy.roles import narrow

RETRIED = timedelta(days=14)
"""For how long AWS continues an execution that failed, by the definition it began with.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
"""
KNOWN = timedelta(minutes=1)
"""After which executions surely begin with a new definition: AWS speaks of a few seconds."""
_RUNNING = "RUNNING"
_UNSUCCESSFUL = ("FAILED", "TIMED_OUT", "ABORTED")
_LOOKED_AT = 5000
"""Executions of a status; where there are more, nothing is deleted."""


@dataclass(frozen=True, slots=True)
class Fresh:
    """What has just been deployed, or would be."""

    version: str
    definition: str
    alias: str | None
    led_to: frozenset[str]
    """The versions that the alias leads to, or goes back to."""


def prune(cloud: Cloud, ledger: Ledger, package: Package, fresh: Fresh) -> None:
    """Delete what nothing needs beside what has just been deployed.

    Raises:
        NotAllowed, Unavailable, Conflict, Refused: AWS refuses; what is needed is as it was.
    """
    machine = package.machine
    with told(f"versions of {machine.name}"):
        there = machines.versions(cloud, machine.name)
        texts = [fresh.definition, *_definitions_beside(cloud, machine.name)]
        kept = {fresh.version, *fresh.led_to}
        kept |= machines.led_to(cloud, machine.name, beside=fresh.alias)
        kept |= {arn for arn in there if _is_named(arn, texts)}
        try:
            kept |= _needed(cloud, machine, there, fresh.version)
        except _Unknown as unknown:
            ledger.notes.append(f"{unknown}: nothing is deleted; prune again later")
            return
        _delete_versions(cloud, ledger, machine, [arn for arn in there if arn not in kept])
        texts += [_text(cloud, arn) for arn in there if arn in kept]
        for function in machine.functions:
            _delete_unnamed(cloud, ledger, function, texts)
    if kept == {fresh.version} and package.settings.role is None:
        role = iam.machine_role(machine, cloud.arns)
        narrow(cloud, ledger, role, iam.machine_policy(machine, cloud.arns))


class _Unknown(Exception):
    """It cannot be told which versions are needed, and why."""


def _definitions_beside(cloud: Cloud, name: str) -> Iterator[str]:
    """The definitions of all other state machines and of their versions."""
    for other in deployed(cloud):
        if other != name:
            for arn in (cloud.arns.machine(other), *machines.versions(cloud, other)):
                yield _text(cloud, arn)


def _text(cloud: Cloud, arn: str) -> str:
    return str(cloud.machines.describe_state_machine(stateMachineArn=arn)["definition"])


def _is_named(arn: str, definitions: list[str]) -> bool:
    return any(f'"{arn}"' in text for text in definitions)


def _needed(cloud: Cloud, machine: Machine, there: list[str], version: str) -> set[str]:
    """The versions that executions need.

    Raises:
        _Unknown: one began with an older definition, and AWS does not tell its version.
    """
    if machine.kind == "express":  # not listed, and over in 5 minutes: one before may be under way
        return set([arn for arn in there if arn != version][:1])
    found = set()
    begun = _begin(cloud, version) if version in there else None
    for each in _executions(cloud, machine.name):
        own = each.get("stateMachineVersionArn")
        if own is not None:
            found.add(str(own))
        elif begun is None or each["startDate"] < begun:
            raise _Unknown(f"execution {each['name']} may need an older version")
    return found


def _begin(cloud: Cloud, version: str) -> datetime:
    """From when on executions that name no version have this one."""
    there = cloud.machines.describe_state_machine(stateMachineArn=version)
    made: datetime = there["creationDate"]
    return made + KNOWN


def _executions(cloud: Cloud, name: str) -> Iterator[dict[str, Any]]:
    """The executions that are under way or may be retried."""
    since = datetime.now(UTC) - RETRIED
    for status in (_RUNNING, *_UNSUCCESSFUL):
        every = listed(cloud, cloud.arns.machine(name), _LOOKED_AT, statusFilter=status)
        if len(every) == _LOOKED_AT:
            raise _Unknown(f"there are too many executions that are {status}")
        yield from (e for e in every if status == _RUNNING or e["stopDate"] > since)


def _delete_versions(cloud: Cloud, ledger: Ledger, machine: Machine, arns: list[str]) -> None:
    for arn in reversed(arns):  # the oldest first
        if ledger.may("delete", "version", f"{machine.name}:{machines.number(arn)}"):
            cloud.machines.delete_state_machine_version(stateMachineVersionArn=arn)


def _delete_unnamed(
    cloud: Cloud, ledger: Ledger, function: CloudFunction, definitions: list[str]
) -> None:
    """Delete the versions of a Lambda that no definition names."""
    pages = cloud.functions.get_paginator("list_versions_by_function").paginate(
        FunctionName=function.name
    )
    numbers = [each["Version"] for page in pages for each in page["Versions"]]
    for number in filter(str.isdecimal, numbers):
        name = f"{function.name}:{number}"
        if not _is_named(cloud.arns.function(name), definitions) and ledger.may(
            "delete", "version", name
        ):
            cloud.functions.delete_function(FunctionName=function.name, Qualifier=number)
