"""Deployments that stopped half-way: what is live is untouched, and the next completes them."""

from __future__ import annotations

from pathlib import Path

import pytest
from botocore.stub import Stubber

from agentflow.adapters.aws.deploy.client import Cloud, Refused
from agentflow.adapters.aws.deploy.functions import put_function
from agentflow.adapters.aws.deploy.ledger import Ledger
from tests.aws_deploy.moto_cloud import Account, Killed, dying_at, refusal, requests
from tests.aws_deploy.workflows import BOTH, LARGE, LISTENING, LIVE, TOTAL, packed, put, shares

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def test_what_is_live_is_untouched_when_a_deployment_fails_and_the_next_goes_on(
    aws: Account, cloud: Cloud, name: str, tmp_path: Path
) -> None:
    first, _ = put(cloud, packed(tmp_path, name), LIVE)
    before = cloud.machines.describe_state_machine(stateMachineArn=first.version)["definition"]
    new = packed(tmp_path, name, more=", more: 4", memory=1024)
    aws.refusals["update_state_machine"] = [refusal("ValidationException", "not today")]
    with pytest.raises(Refused, match="not today"):
        put(cloud, new, LIVE)
    assert shares(cloud, name) == {1: 100}
    live = cloud.machines.describe_state_machine(stateMachineArn=first.version)
    assert live["definition"] == before
    pinned = cloud.functions.get_function(FunctionName=f"{name}-functions", Qualifier="1")
    assert pinned["Configuration"]["MemorySize"] == 512
    _, changes = put(cloud, new, LIVE)
    assert changes == [("update", "state machine"), ("shift", "alias")]
    assert shares(cloud, name) == {2: 100}


def test_a_version_that_was_not_published_is_published_by_the_next(
    aws: Account, cloud: Cloud, name: str, tmp_path: Path
) -> None:
    put(cloud, packed(tmp_path, name))
    new = packed(tmp_path, name, memory=2048)
    aws.refusals["publish_version"] = [refusal("ServiceException", "gone")]
    with pytest.raises(Refused):
        put(cloud, new)
    _, changes = put(cloud, new)
    assert changes == [
        ("publish", "version of Lambda function"),
        ("update", "state machine"),
    ]


def test_a_lambda_that_is_still_being_changed_is_waited_for(aws: Account, tmp_path: Path) -> None:
    cloud, package = aws.connect(), packed(tmp_path, "changing")
    assert package.bundle is not None
    (function,) = package.functions
    role = cloud.arns.role("given")
    configuration = {
        "FunctionName": function.name,
        "Version": "1",
        "CodeSha256": package.bundle.digest,
        "Role": role,
        "Runtime": "python3.12",
        "Handler": "agentflow_handler.handle",
        "MemorySize": 512,
        "Timeout": 900,
        "Environment": {"Variables": function.environment()},
    }
    ledger = Ledger()
    with Stubber(cloud.functions) as stub:
        for status in ("InProgress", "InProgress", "Successful", "Successful"):
            there = {**configuration, "LastUpdateStatus": status}
            tags = {"agentflow:workflow": "changing"}
            stub.add_response("get_function", {"Configuration": there, "Tags": tags})
        stub.add_response("list_versions_by_function", {"Versions": [configuration]})
        version = put_function(cloud, ledger, function, package, role)
    assert version.endswith(":function:changing-functions:1")
    assert not ledger.changed


def test_a_table_whose_making_was_cut_short_is_completed(
    cloud: Cloud, name: str, tmp_path: Path
) -> None:
    package = packed(tmp_path, name, text=LISTENING.format(name=name))
    put(cloud, package)
    off = {"Enabled": False, "AttributeName": "expires"}
    table = f"{name}-functions-tokens"
    cloud.tables.update_time_to_live(TableName=table, TimeToLiveSpecification=off)
    assert put(cloud, package)[1] == [("update", "table")]
    assert put(cloud, package)[1] == []


@pytest.mark.parametrize(
    "operation",
    [
        "CreateTable",
        "UpdateTimeToLive",
        "CreateLogGroup",
        "PutRetentionPolicy",
        "TagResource",
        "CreateRole",
        "PutRolePolicy",
        "CreateFunction",
        "CreateStateMachine",
        "CreateStateMachineAlias",
    ],
)
def test_a_first_deployment_that_was_killed_is_completed_by_the_next(
    cloud: Cloud, name: str, tmp_path: Path, operation: str
) -> None:
    package = packed(tmp_path, name, text=BOTH.format(name=name, called=TOTAL))
    with dying_at(cloud, operation), pytest.raises(Killed):
        put(cloud, package, LIVE)
    put(cloud, package, LIVE)
    assert shares(cloud, name) == {1: 100}
    group = f"/aws/lambda/{name}-functions"
    (there,) = cloud.logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert there["retentionInDays"] == 30
    with requests(cloud) as asked:
        assert put(cloud, package, LIVE)[1] == []
    assert all(operation.startswith(("Get", "Describe", "List")) for _, operation in asked)


@pytest.mark.parametrize(
    "operation",
    [
        "UpdateFunctionCode",
        "UpdateFunctionConfiguration",
        "PublishVersion",
        "UpdateStateMachine",
        "TagResource",
        "UpdateStateMachineAlias",
    ],
)
def test_an_update_that_was_killed_leaves_what_is_live_and_is_completed_by_the_next(
    cloud: Cloud, name: str, tmp_path: Path, operation: str
) -> None:
    first, _ = put(cloud, packed(tmp_path, name, text=BOTH.format(name=name, called=TOTAL)), LIVE)
    new = packed(tmp_path, name, text=BOTH.format(name=name, called=LARGE), memory=256)
    with dying_at(cloud, operation), pytest.raises(Killed):
        put(cloud, new, LIVE)
    assert shares(cloud, name) == {1: 100}
    live = cloud.machines.describe_state_machine(stateMachineArn=first.version)["definition"]
    assert f":function:{name}-functions:1" in live
    pinned = cloud.functions.get_function(FunctionName=f"{name}-functions", Qualifier="1")
    assert pinned["Configuration"]["MemorySize"] == 512
    put(cloud, new, LIVE)
    assert shares(cloud, name) == {2: 100}
    assert put(cloud, new, LIVE)[1] == []
