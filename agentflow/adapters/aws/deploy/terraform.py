"""A package as Terraform, in its JSON syntax: one file beside the definitions and the bundle.

Definitions are read from their files, with the names of functions and children replaced by the
resources that Terraform makes, so that it knows the order and each version names versions.

Source: https://developer.hashicorp.com/terraform/language/syntax/json
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from agentflow.adapters.aws.deploy import iam
from agentflow.adapters.aws.deploy.bundling import BUNDLE, ENTRY
from agentflow.adapters.aws.deploy.events import STATEMENT
from agentflow.adapters.aws.deploy.ledger import MANAGED_TAG, TAG, TERRAFORM
from agentflow.adapters.aws.deploy.package import (
    CloudFunction,
    Machine,
    Package,
    Table,
)
from agentflow.adapters.aws.waits import machine_beside
from agentflow.errors import Json

PROVIDER = ">= 5.40"
RETENTION_DAYS = 30
_FILE = f"${{path.module}}/{BUNDLE}"
_BUNDLE = "bundle"

_ARNS = iam.Arns(
    "${data.aws_partition.current.partition}",
    "${data.aws_region.current.id}",
    "${data.aws_caller_identity.current.account_id}",
)


def terraform(package: Package) -> str:
    """The text of `main.tf.json`."""
    resources: dict[str, dict[str, Json]] = {}
    for kind, name, body in _resources(package):
        resources.setdefault(kind, {})[name] = body
    root = package.machine
    secrets = sorted({name for each in package.functions for name in each.secrets})
    whole: dict[str, Json] = {
        "//": f"The infrastructure of workflow {root.name}; written by `agentflow compile`.",
        "terraform": {
            "required_version": ">= 1.5",
            "required_providers": {"aws": {"source": "hashicorp/aws", "version": PROVIDER}},
        },
        "provider": {"aws": {"region": package.settings.region} if package.settings.region else {}},
        "data": {
            "aws_caller_identity": {"current": {}},
            "aws_partition": {"current": {}},
            "aws_region": {"current": {}},
        },
        **({"variable": {_variable(name): _secret(name) for name in secrets}} if secrets else {}),
        "resource": {
            kind: dict(sorted(named.items())) for kind, named in sorted(resources.items())
        },
        "output": {
            "state_machine_arn": {"value": f"${{aws_sfn_state_machine.{label(root.name)}.arn}}"}
        },
    }
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def label(name: str) -> str:
    """A name as Terraform labels resources."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", name)
    return plain if plain[:1].isalpha() or plain[:1] == "_" else f"_{plain}"


def _resources(package: Package) -> Iterator[tuple[str, str, Json]]:
    """Resources by kind and label."""
    if package.stored is not None:
        bucket, key = package.stored
        yield "aws_s3_object", _BUNDLE, {"bucket": bucket, "key": key, "source": _FILE}
    for function in package.functions:
        yield from _function(function, package)
        if function.hears:
            yield from _rule(function)
    for machine in package.machines:
        yield from _machine(machine, package)


def _function(function: CloudFunction, package: Package) -> Iterator[tuple[str, str, Json]]:
    name, settings, tags = label(function.name), package.settings, _tags(function.workflow)
    yield "aws_cloudwatch_log_group", name, _group(iam.function_logs(function), tags)
    role = settings.role
    if role is None:
        title, policy = iam.function_role(function, _ARNS), iam.function_policy(function, _ARNS)
        yield from _role(f"{name}-lambda", title, iam.function_trust(), policy, tags)
        role = f"${{aws_iam_role.{name}-lambda.arn}}"
    for each in function.tables:
        yield "aws_dynamodb_table", label(each.name), _table(each, tags)
    variables = function.environment()
    variables |= {
        f"AGENTFLOW_SECRET_{each}": f"${{var.{_variable(each)}}}" for each in function.secrets
    }
    architecture = "arm64" if settings.platform.architecture == "arm64" else "x86_64"
    yield (
        "aws_lambda_function",
        name,
        {
            "function_name": function.name,
            "description": f"Functions of workflow {function.workflow}",
            "role": role,
            "runtime": f"python{settings.platform.python}",
            "architectures": [architecture],
            "handler": f"{ENTRY}.handle",
            **_code(package),
            "source_code_hash": f'${{filebase64sha256("{_FILE}")}}',
            "memory_size": settings.memory,
            "timeout": settings.timeout,
            "publish": True,
            "environment": {"variables": variables},
            "tags": tags,
            "depends_on": [f"aws_cloudwatch_log_group.{name}"],
        },
    )


def _rule(function: CloudFunction) -> Iterator[tuple[str, str, Json]]:
    """What brings a Lambda the events that steps listen for."""
    name, lambda_ = label(function.rule), f"aws_lambda_function.{label(function.name)}"
    rule = f"aws_cloudwatch_event_rule.{name}"
    yield (
        "aws_cloudwatch_event_rule",
        name,
        {
            "name": function.rule,
            "description": f"Events for steps of workflow {function.workflow}",
            "event_bus_name": function.event_bus,
            "event_pattern": json.dumps(function.pattern),
            "tags": _tags(function.workflow),
        },
    )
    yield (
        "aws_lambda_permission",
        name,
        {
            "statement_id": STATEMENT,
            "action": "lambda:InvokeFunction",
            "function_name": f"${{{lambda_}.function_name}}",
            "principal": "events.amazonaws.com",
            "source_arn": f"${{{rule}.arn}}",
        },
    )
    yield (
        "aws_cloudwatch_event_target",
        name,
        {
            "rule": f"${{{rule}.name}}",
            "event_bus_name": function.event_bus,
            "target_id": "handler",
            "arn": f"${{{lambda_}.arn}}",
        },
    )


def _code(package: Package) -> Json:
    """Where Lambda takes the bundle from."""
    if package.stored is None:
        return {"filename": _FILE}
    bucket, _ = package.stored
    return {"s3_bucket": bucket, "s3_key": f"${{aws_s3_object.{_BUNDLE}.key}}"}


def _table(table: Table, tags: Json) -> Json:
    return {
        "name": table.name,
        "tags": tags,
        "billing_mode": "PAY_PER_REQUEST",
        **dict(zip(("hash_key", "range_key"), table.key, strict=False)),
        "attribute": [{"name": name, "type": "S"} for name in table.key],
        "ttl": {"attribute_name": "expires", "enabled": True},
    }


def _machine(machine: Machine, package: Package) -> Iterator[tuple[str, str, Json]]:
    name, role, tags = label(machine.name), package.settings.role, _tags(machine.name)
    body: dict[str, Json] = {
        "name": machine.name,
        "type": machine.kind.upper(),
        "definition": _definition(machine, {each.name for each in package.machines}),
        "publish": True,
        "tags": tags,
    }
    group = iam.machine_logs(machine)
    if group is not None:
        yield "aws_cloudwatch_log_group", f"{name}_states", _group(group, tags)
        destination = f"${{aws_cloudwatch_log_group.{name}_states.arn}}:*"
        body["logging_configuration"] = {"level": "ERROR", "log_destination": destination}
    if role is None:
        title, policy = iam.machine_role(machine, _ARNS), iam.machine_policy(machine, _ARNS)
        yield from _role(f"{name}-states", title, iam.machine_trust(_ARNS), policy, tags)
        role = f"${{aws_iam_role.{name}-states.arn}}"
        if policy["Statement"]:
            body["depends_on"] = [f"aws_iam_role_policy.{name}-states"]
    yield "aws_sfn_state_machine", name, {**body, "role_arn": role}


def _tags(workflow: str) -> Json:
    """So that it is found as a workflow's, and left to Terraform by `agentflow deploy`."""
    return {TAG: workflow, MANAGED_TAG: TERRAFORM}


def _variable(secret: str) -> str:
    """The variable that a secret is given by; with a prefix, as some names are Terraform's own."""
    return f"secret_{secret}"


def _secret(name: str) -> Json:
    return {"type": "string", "sensitive": True, "description": f"The secret {name}"}


def _group(name: str, tags: Json) -> Json:
    return {"name": name, "retention_in_days": RETENTION_DAYS, "tags": tags}


def _role(
    place: str, name: str, trust: Json, policy: Json, tags: Json
) -> Iterator[tuple[str, str, Json]]:
    yield (
        "aws_iam_role",
        place,
        {"name": name, "assume_role_policy": json.dumps(trust), "tags": tags},
    )
    if policy["Statement"]:
        body = {
            "name": "agentflow",
            "role": f"${{aws_iam_role.{place}.id}}",
            "policy": json.dumps(policy),
        }
        yield "aws_iam_role_policy", place, body


def _definition(machine: Machine, known: set[str]) -> str:
    """An expression that reads the definition's file and puts versions in the place of names."""
    text = f'file("${{path.module}}/{machine.name}.asl.json")'
    replaced = [
        ("FunctionName", each.name, f"aws_lambda_function.{label(each.name)}.qualified_arn")
        for each in machine.functions
    ]
    replaced += [
        (
            "StateMachineArn",
            machine_beside(name),
            f"aws_sfn_state_machine.{label(name)}.state_machine_version_arn",
        )
        for name in machine.children
        if name in known
    ]
    for key, value, reference in replaced:
        # Members of objects, as the definition's file has them.
        old = f'"{key}": {json.dumps(value, ensure_ascii=False)}'
        text = f'replace({text}, {_literal(old)}, "\\"{key}\\": ${{jsonencode({reference})}}")'
    # Without the blanks that are for readers: the service counts them.
    return f"${{jsonencode(jsondecode({text}))}}"


def _literal(text: str) -> str:
    """A text in quotes inside an expression of Terraform."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return '"' + escaped.replace("${", "$${").replace("%{", "%%{") + '"'
