"""Log groups, tables and Lambdas: each made, brought up to date, or left as it is."""

from __future__ import annotations

from typing import Any

from agentflow.adapters.aws.deploy.bundling import ENTRY
from agentflow.adapters.aws.deploy.client import Cloud, found, told, with_new_role
from agentflow.adapters.aws.deploy.ledger import TAG, Ledger, check_own
from agentflow.adapters.aws.deploy.package import CloudFunction, Package, Table
from agentflow.adapters.aws.deploy.terraform import RETENTION_DAYS
from agentflow.errors import Conflict, NotAllowed

UNKNOWN = "next"
"""Stands for a version that a plan cannot know."""
_OURS = "AGENTFLOW_"
_SECRET = f"{_OURS}SECRET_"


def put_log_group(cloud: Cloud, ledger: Ledger, name: str, owner: str) -> None:
    """Have a log group; one that is there keeps the retention that somebody gave it.

    It gets its tag last: one without has been made by Lambda, or was not completed.
    """
    with told(f"log group {name}"):
        groups = cloud.logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        there = next((each for each in groups if each["logGroupName"] == name), None)
        if there is None:
            if ledger.may("create", "log group", name):
                found(
                    lambda: cloud.logs.create_log_group(logGroupName=name), "ResourceAlreadyExists"
                )
                _retain(cloud, name, owner)
            return
        tags = cloud.logs.list_tags_for_resource(resourceArn=cloud.arns.log_group(name))["tags"]
        if TAG in tags or "retentionInDays" in there:
            ledger.keep("log group", name)
        elif ledger.may("update", "log group", name, "what is old expires"):
            _retain(cloud, name, owner)


def _retain(cloud: Cloud, name: str, owner: str) -> None:
    cloud.logs.put_retention_policy(logGroupName=name, retentionInDays=RETENTION_DAYS)
    cloud.logs.tag_resource(resourceArn=cloud.arns.log_group(name), tags={TAG: owner})


def put_table(cloud: Cloud, ledger: Ledger, table: Table, owner: str) -> None:
    """Have a table; one that is there keeps what is in it."""
    name = table.name
    with told(f"table {name}"):
        there = found(lambda: cloud.tables.describe_table(TableName=name), "ResourceNotFound")
        if there is not None:
            arn = there["Table"]["TableArn"]
            tags = cloud.tables.list_tags_of_resource(ResourceArn=arn)["Tags"]
            check_own("table", name, {each["Key"]: each["Value"] for each in tags})
            _expiring(cloud, ledger, name)
        elif ledger.may("create", "table", name):
            keys = dict(zip(table.key, ("HASH", "RANGE"), strict=False))
            cloud.tables.create_table(
                TableName=name,
                BillingMode="PAY_PER_REQUEST",
                KeySchema=[{"AttributeName": k, "KeyType": kind} for k, kind in keys.items()],
                AttributeDefinitions=[{"AttributeName": k, "AttributeType": "S"} for k in keys],
                Tags=[{"Key": TAG, "Value": owner}],
            )
            _expire(cloud, name)


def _expiring(cloud: Cloud, ledger: Ledger, name: str) -> None:
    """Have a table that is there forget what is old; a deployment may have ended before."""
    there = cloud.tables.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    if there["TimeToLiveStatus"] in ("ENABLED", "ENABLING"):
        ledger.keep("table", name)
    elif ledger.may("update", "table", name, "what is old expires"):
        _expire(cloud, name)


def _expire(cloud: Cloud, name: str) -> None:
    cloud.tables.get_waiter("table_exists").wait(
        TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    ttl = {"Enabled": True, "AttributeName": "expires"}
    cloud.tables.update_time_to_live(TableName=name, TimeToLiveSpecification=ttl)


def put_function(
    cloud: Cloud, ledger: Ledger, function: CloudFunction, package: Package, role: str
) -> str:
    """Have a published version of a Lambda with the bundle; gives the version's ARN.

    Versions that are there are never changed, so whatever is live keeps what it runs.
    """
    assert package.bundle is not None
    with told(f"Lambda function {function.name}"):
        there = _existing(cloud, ledger, function.name)
        if there is None:
            _note_secrets(ledger, function, {})
            return _create(cloud, ledger, function, package, role)
        if "TagsError" in there:
            raise NotAllowed(
                f"the tags of Lambda function {function.name} cannot be read, nor whose it is: "
                f"{there['TagsError']['Message']}",
                help="the user or role of these credentials needs `lambda:ListTags`",
            )
        check_own("Lambda function", function.name, there.get("Tags", {}))
        _note_secrets(ledger, function, _variables(there["Configuration"]))
        wanted = _configuration(function, package, role, there["Configuration"])
        return _renew(cloud, ledger, there["Configuration"], wanted, package)


def _existing(cloud: Cloud, ledger: Ledger, name: str) -> dict[str, Any] | None:
    """A Lambda as it is, when what an earlier deployment began has come to its end."""

    def get() -> dict[str, Any] | None:
        return found(
            lambda: dict(cloud.functions.get_function(FunctionName=name)), "ResourceNotFound"
        )

    there = get()
    if there is None or ledger.is_plan:
        return there
    now = there["Configuration"]
    if now.get("State") == "Pending":
        _wait(cloud, "function_active_v2", name)
    elif now.get("LastUpdateStatus") == "InProgress":
        _wait(cloud, "function_updated_v2", name)
    else:
        return there
    return get()


def _create(
    cloud: Cloud, ledger: Ledger, function: CloudFunction, package: Package, role: str
) -> str:
    arn = cloud.arns.function(function.name)
    code = _code(cloud, ledger, package)
    if not ledger.may("create", "Lambda function", function.name):
        return f"{arn}:1"
    arguments = {
        **_configuration(function, package, role, {}),
        "Code": code,
        "Architectures": [_architecture(package)],
        "Tags": {TAG: function.workflow},
        "Publish": True,
    }
    made = with_new_role(cloud, lambda: cloud.functions.create_function(**arguments))
    _wait(cloud, "function_active_v2", function.name)
    return f"{arn}:{made['Version']}"


def _code(cloud: Cloud, ledger: Ledger, package: Package) -> dict[str, Any]:
    """Where Lambda takes the bundle from: the request itself, or an object in S3."""
    assert package.bundle is not None
    if package.stored is None:
        return {"ZipFile": package.bundle.data}
    bucket, key = package.stored
    place = f"{bucket}/{key}"
    with told(f"object {place}"):
        there = found(lambda: cloud.objects.head_object(Bucket=bucket, Key=key), "404")
        if there is None and ledger.may("create", "object", place):
            cloud.objects.put_object(Bucket=bucket, Key=key, Body=package.bundle.data)
    return {"S3Bucket": bucket, "S3Key": key}


def _renew(
    cloud: Cloud, ledger: Ledger, now: dict[str, Any], wanted: dict[str, Any], package: Package
) -> str:
    bundle, name = package.bundle, wanted["FunctionName"]
    assert bundle is not None
    arn = cloud.arns.function(name)
    is_new = False
    is_other = [_architecture(package)] != now.get("Architectures", ["x86_64"])
    if now["CodeSha256"] != bundle.digest or is_other:
        is_new = True
        code = _code(cloud, ledger, package)
        if ledger.may("update", "Lambda function", name, "its code"):
            cloud.functions.update_function_code(
                FunctionName=name, Architectures=[_architecture(package)], **code
            )
            _wait(cloud, "function_updated_v2", name)
    changed = _differences(now, wanted)
    if changed:
        is_new = True
        if ledger.may("update", "Lambda function", name, ", ".join(changed)):
            with_new_role(cloud, lambda: cloud.functions.update_function_configuration(**wanted))
            _wait(cloud, "function_updated_v2", name)
    published = None if is_new else _published(cloud, wanted, package)
    if published is not None:
        ledger.keep("Lambda function", name, f"version {published}")
        return f"{arn}:{published}"
    if not ledger.may("publish", "version of Lambda function", name):
        return f"{arn}:{UNKNOWN}"
    return f"{arn}:{_publish(cloud, wanted, bundle.digest)}"


def _publish(cloud: Cloud, wanted: dict[str, Any], digest: str) -> str:
    """Publish a version, of exactly what is wanted: somebody else may be deploying, too."""
    name = wanted["FunctionName"]
    now = cloud.functions.get_function_configuration(FunctionName=name)
    if now["CodeSha256"] != digest or _differences(now, wanted):
        raise Conflict(
            f"Lambda function `{name}` has been changed by somebody else meanwhile",
            help="deploy once more",
        )
    revision = {key: now[key] for key in now.keys() & {"RevisionId"}}  # emulators have none
    made = cloud.functions.publish_version(FunctionName=name, CodeSha256=digest, **revision)
    return str(made["Version"])


def _published(cloud: Cloud, wanted: dict[str, Any], package: Package) -> str | None:
    """The newest version that is what is wanted."""
    assert package.bundle is not None
    pages = cloud.functions.get_paginator("list_versions_by_function").paginate(
        FunctionName=wanted["FunctionName"]
    )
    fitting = [
        int(each["Version"])
        for page in pages
        for each in page["Versions"]
        if each["Version"].isdecimal()
        and each["CodeSha256"] == package.bundle.digest
        and each.get("Architectures", ["x86_64"]) == [_architecture(package)]
        and not _differences(each, wanted)
    ]
    return str(max(fitting)) if fitting else None


def _configuration(
    function: CloudFunction, package: Package, role: str, now: dict[str, Any]
) -> dict[str, Any]:
    """The configuration that a Lambda should have; variables that are not ours stay."""
    kept = {
        name: value
        for name, value in _variables(now).items()
        if not name.startswith(_OURS) or name.startswith(_SECRET)
    }
    return {
        "FunctionName": function.name,
        "Description": f"Functions of workflow {function.workflow}",
        "Role": role,
        "Runtime": f"python{package.settings.platform.python}",
        "Handler": f"{ENTRY}.handle",
        "MemorySize": package.settings.memory,
        "Timeout": package.settings.timeout,
        "Environment": {"Variables": {**kept, **function.environment()}},
    }


def _variables(configuration: dict[str, Any]) -> dict[str, str]:
    """The environment of a Lambda."""
    found: dict[str, str] = configuration.get("Environment", {}).get("Variables", {})
    return found


def _note_secrets(ledger: Ledger, function: CloudFunction, variables: dict[str, str]) -> None:
    """Tell of secrets that nobody has set; a version keeps the environment that it began with."""
    for secret in function.secrets:
        if not {secret, f"{_SECRET}{secret}"} & variables.keys():
            ledger.notes.append(
                f"secret {secret} is not set: make it the variable {_SECRET}{secret} in the "
                f"environment of Lambda function {function.name}, then deploy again"
            )


def _differences(now: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    named = {
        "Role": "role",
        "Runtime": "runtime",
        "Handler": "handler",
        "MemorySize": "memory",
        "Timeout": "timeout",
        "Environment": "environment",
    }
    return [word for key, word in named.items() if _plain(now.get(key)) != _plain(wanted[key])]


def _plain(value: Any) -> Any:
    """A part of a configuration to compare; an empty environment is none."""
    return value.get("Variables", {}) if isinstance(value, dict) else (value or {})


def _architecture(package: Package) -> str:
    return "arm64" if package.settings.platform.architecture == "arm64" else "x86_64"


def _wait(cloud: Cloud, waiter: str, name: str) -> None:
    cloud.functions.get_waiter(waiter).wait(
        FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 300}
    )
