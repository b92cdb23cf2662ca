"""Deployments into an account on loopback: what they make, keep and change."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from botocore.stub import Stubber

from agentflow.adapters.aws.deploy.client import Cloud, Refused, connect
from agentflow.adapters.aws.deploy.deployment import deploy
from agentflow.adapters.aws.deploy.executions import start
from agentflow.adapters.aws.deploy.ledger import Ledger
from agentflow.errors import Json
from tests.aws_deploy.moto_cloud import Account
from tests.aws_deploy.workflows import LIVE, packed, put, shares

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def test_the_first_deployment_makes_everything_and_the_second_nothing(
    cloud: Cloud, name: str, tmp_path: Path
) -> None:
    package = packed(tmp_path, name)
    first, changes = put(cloud, package, LIVE)
    assert changes == [
        ("create", "log group"),
        ("create", "role"),
        ("create", "permissions"),
        ("create", "Lambda function"),
        ("create", "role"),
        ("create", "permissions"),
        ("create", "state machine"),
        ("create", "alias"),
    ]
    again, changes = put(cloud, packed(tmp_path, name), LIVE)
    assert changes == []
    assert again == first


def test_definitions_name_versions_of_functions(cloud: Cloud, name: str, tmp_path: Path) -> None:
    deployed, _ = put(cloud, packed(tmp_path, name))
    there = cloud.machines.describe_state_machine(stateMachineArn=deployed.version)
    assert f":function:{name}-functions:1" in there["definition"]
    function = cloud.functions.get_function(FunctionName=f"{name}-functions", Qualifier="1")
    assert function["Configuration"]["Runtime"] == "python3.12"
    assert function["Configuration"]["Environment"]["Variables"]["AGENTFLOW_SECRETS"] == "TOKEN"


def test_a_plan_changes_nothing_and_lists_what_would(
    cloud: Cloud, name: str, tmp_path: Path
) -> None:
    package = packed(tmp_path, name)
    _, planned = put(cloud, package, LIVE, plan=True)
    _, done = put(cloud, package, LIVE)  # nothing was there yet
    assert planned == done
    changed = packed(tmp_path, name, more=", more: 1", memory=256)
    _, planned = put(cloud, changed, LIVE, plan=True)
    assert planned == [
        ("update", "Lambda function"),
        ("publish", "version of Lambda function"),
        ("update", "state machine"),
        ("shift", "alias"),
    ]
    assert shares(cloud, name) == {1: 100}
    _, done = put(cloud, changed, LIVE)
    assert done == planned


def test_variables_that_somebody_set_on_a_lambda_stay(
    cloud: Cloud, name: str, tmp_path: Path
) -> None:
    put(cloud, packed(tmp_path, name))
    kept = {"AGENTFLOW_WORKFLOW": name, "AGENTFLOW_SECRETS": "TOKEN", "TOKEN": "s3cret"}
    cloud.functions.update_function_configuration(
        FunctionName=f"{name}-functions", Environment={"Variables": kept}
    )
    put(cloud, packed(tmp_path, name, memory=256))
    there = cloud.functions.get_function(FunctionName=f"{name}-functions")["Configuration"]
    assert there["Environment"]["Variables"]["TOKEN"] == "s3cret"


def test_a_secret_that_nobody_has_set_is_told(cloud: Cloud, name: str, tmp_path: Path) -> None:
    package, function = packed(tmp_path, name), f"{name}-functions"
    for ledger in (Ledger(is_plan=True), Ledger()):
        deploy(package, cloud, ledger)
        (note,) = ledger.notes
        assert f"AGENTFLOW_SECRET_TOKEN in the environment of Lambda function {function}" in note
    there = cloud.functions.get_function_configuration(FunctionName=function)["Environment"]
    cloud.functions.update_function_configuration(
        FunctionName=function,
        Environment={"Variables": {**there["Variables"], "AGENTFLOW_SECRET_TOKEN": "s3cret"}},
    )
    ledger = Ledger()
    deploy(package, cloud, ledger)
    assert ledger.notes == []
    assert ("publish", "version of Lambda function") in [(e.action, e.kind) for e in ledger.changes]


def test_permissions_only_grow_as_older_versions_need_theirs(
    cloud: Cloud, name: str, tmp_path: Path
) -> None:
    put(cloud, packed(tmp_path, name), LIVE)
    one = packed(tmp_path, name, per_function=True)
    put(cloud, one)  # the alias leads to the older version
    policy = cloud.iam.get_role_policy(
        RoleName=cloud.arns.here(f"{name}-states"), PolicyName="agentflow"
    )
    allowed = json.dumps(policy["PolicyDocument"])
    assert f"{name}-functions:*" in allowed
    assert f"{name}-functions-shop-orders-total:*" in allowed
    assert allowed.count("lambda:InvokeFunction") == 1
    assert put(cloud, one)[1] == []


def test_a_deployment_in_another_region_leaves_the_permissions_of_the_first(
    aws: Account, cloud: Cloud, name: str, tmp_path: Path
) -> None:
    put(cloud, packed(tmp_path, name))
    role = cloud.arns.here(f"{name}-states")
    before = cloud.iam.get_role_policy(RoleName=role, PolicyName="agentflow")["PolicyDocument"]
    _, changes = put(connect("eu-north-1", aws.url), packed(tmp_path, name))
    assert changes.count(("create", "role")) == 2
    after = cloud.iam.get_role_policy(RoleName=role, PolicyName="agentflow")["PolicyDocument"]
    assert after == before


def test_a_role_that_is_given_is_used_and_none_is_made(
    cloud: Cloud, name: str, tmp_path: Path
) -> None:
    role = cloud.arns.role("given")
    cloud.iam.create_role(RoleName="given", AssumeRolePolicyDocument="{}")
    deployed, changes = put(cloud, packed(tmp_path, name, role=role))
    assert ("create", "role") not in changes
    there = cloud.machines.describe_state_machine(stateMachineArn=deployed.machine)
    assert there["roleArn"] == role


def test_a_parent_names_the_version_of_its_child(cloud: Cloud, tmp_path: Path) -> None:
    text = "workflow: parent\ndo:\n  - id: below\n    run: child.yaml\n    with: {items: []}\n"
    deployed, changes = put(cloud, packed(tmp_path, "parent", text=text))
    there = cloud.machines.describe_state_machine(stateMachineArn=deployed.version)
    assert f'"StateMachineArn":"{cloud.arns.machine("child")}:1"' in there["definition"]
    _, changes = put(cloud, packed(tmp_path, "parent", text=text))
    assert changes == []


def test_a_bundle_goes_through_a_bucket_by_option(cloud: Cloud, name: str, tmp_path: Path) -> None:
    package = packed(tmp_path, name, bundles="lake/code")
    with pytest.raises(Refused, match=r"PutObject .*does not exist") as refused:
        put(cloud, package)
    assert "aws s3 mb" in refused.value.help
    cloud.objects.create_bucket(Bucket="lake")
    planned = put(cloud, package, plan=True)[1]
    assert planned[0] == ("create", "object")
    assert put(cloud, package)[1] == planned
    assert put(cloud, package)[1] == []
    bucket, key = package.stored or ("", "")
    cloud.objects.delete_object(Bucket=bucket, Key=key)  # as its lifecycle may say
    assert put(cloud, package)[1] == []


@pytest.mark.parametrize(
    ("ended", "status", "output", "error"),
    [
        ({"status": "SUCCEEDED", "output": '{"sum": 3}'}, "succeeded", {"sum": 3}, None),
        ({"status": "FAILED", "error": "KeyError"}, "failed", None, "KeyError"),
        ({"status": "TIMED_OUT"}, "failed", None, "Timeout"),
    ],
    ids=lambda value: value.get("status", "") if isinstance(value, dict) else "",
)
def test_an_express_execution_ends_with_the_request_that_starts_it(
    aws: Account, ended: dict[str, str], status: str, output: Json, error: str | None
) -> None:
    waiting = aws.connect().machines
    cloud = aws.connect(patient=lambda service: waiting)
    arn, at = cloud.arns.machine("quick"), datetime(2026, 1, 1, tzinfo=UTC)
    machine = {"stateMachineArn": arn, "name": "quick", "definition": "{}", "roleArn": "r"}
    answer = {"executionArn": f"{cloud.arns.of('states', 'express:quick:q1')}:u1", **ended}
    with Stubber(cloud.machines) as asked, Stubber(waiting) as started:
        express = {**machine, "type": "EXPRESS", "creationDate": at}
        asked.add_response("describe_state_machine", express)
        expected = {"stateMachineArn": arn, "name": "q1", "input": "{}"}
        took = {"startDate": at, "stopDate": at}
        started.add_response("start_sync_execution", {**answer, **took}, expected)
        execution = start(cloud, arn, "q1", {})
    assert (execution.id, execution.workflow, execution.is_kept) == ("q1", "quick", False)
    assert (execution.status, execution.output) == (status, output)
    assert (execution.error and execution.error["name"]) == error


def test_an_express_machine_has_a_log(cloud: Cloud, name: str, tmp_path: Path) -> None:
    deployed, _ = put(cloud, packed(tmp_path, name, kind="express"))
    there = cloud.machines.describe_state_machine(stateMachineArn=deployed.machine)
    assert there["type"] == "EXPRESS"
    assert f"/aws/vendedlogs/states/{name}" in json.dumps(there["loggingConfiguration"])
    _, changes = put(cloud, packed(tmp_path, name, kind="express"))
    assert changes == []
