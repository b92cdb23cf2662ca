"""Deployments into an account on loopback: again, halfway, refused, shifted and rolled back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from botocore.stub import Stubber

from agentflow.adapters.aws.deploy.client import Cloud, Refused, connect
from agentflow.adapters.aws.deploy.deployment import Alias, Deployed, deploy
from agentflow.adapters.aws.deploy.executions import redrive
from agentflow.adapters.aws.deploy.functions import put_function
from agentflow.adapters.aws.deploy.ledger import Ledger
from agentflow.adapters.aws.deploy.machines import alias_routes, number, roll_back
from agentflow.adapters.aws.deploy.package import Package
from agentflow.errors import Conflict, NotAllowed, NotFound, Unavailable, UsageError
from tests.aws_deploy.moto_cloud import REGION, Account, account, refusal
from tests.aws_deploy.workflows import packed

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with account(tmp_path_factory.mktemp("lambdas")) as made:
        yield made


@pytest.fixture(scope="module")
def cloud(aws: Account) -> Cloud:
    return aws.connect()


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A name for the test's own workflow: all share one account."""
    return "w" + "".join(c if c.isalnum() else "_" for c in request.node.name)[5:50]


def put(
    cloud: Cloud, package: Package, alias: Alias | None = None, *, plan: bool = False
) -> tuple[Deployed, list[tuple[str, str]]]:
    """A deployment, and what it changed."""
    ledger = Ledger(plan)
    deployed = deploy(package, cloud, ledger, alias)
    return deployed, [(e.action, e.kind) for e in ledger.changes if e.action != "keep"]


LIVE = Alias("live")


def shares(cloud: Cloud, name: str) -> dict[int, int]:
    """The weights of versions behind the alias."""
    routes = alias_routes(cloud, name, "live")
    assert routes is not None
    return {number(arn): weight for arn, weight in routes.items()}


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


def test_a_new_version_takes_over_by_shares_and_goes_back(
    cloud: Cloud, name: str, tmp_path: Path
) -> None:
    put(cloud, packed(tmp_path, name), LIVE)
    new = packed(tmp_path, name, more=", more: 2")
    put(cloud, new, Alias("live", 10))
    assert shares(cloud, name) == {1: 90, 2: 10}
    _, changes = put(cloud, new, Alias("live", 10))
    assert changes == []
    put(cloud, new, Alias("live", 50))
    assert shares(cloud, name) == {1: 50, 2: 50}
    put(cloud, new, LIVE)
    assert shares(cloud, name) == {2: 100}
    roll_back(cloud, Ledger(), name, "live")
    assert shares(cloud, name) == {1: 100}


def test_a_rollback_from_two_versions_goes_to_the_older(
    cloud: Cloud, name: str, tmp_path: Path
) -> None:
    put(cloud, packed(tmp_path, name), LIVE)
    put(cloud, packed(tmp_path, name, more=", more: 3"), Alias("live", 10))
    ledger = Ledger(is_plan=True)
    roll_back(cloud, ledger, name, "live")
    assert shares(cloud, name) == {1: 90, 2: 10}
    assert ledger.changes[0].detail == "90 % to version 1, 10 % to version 2 → 100 % to version 1"
    roll_back(cloud, Ledger(), name, "live")
    assert shares(cloud, name) == {1: 100}


def test_a_rollback_needs_something_to_go_back_to(cloud: Cloud, name: str, tmp_path: Path) -> None:
    put(cloud, packed(tmp_path, name), LIVE)
    with pytest.raises(NotFound, match="no version"):
        roll_back(cloud, Ledger(), name, "live")
    with pytest.raises(NotFound, match="no alias `other`"):
        roll_back(cloud, Ledger(), name, "other")


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


LISTENING = "workflow: {name}\ndo:\n  - {{id: answer, listen: go}}\n"


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


def test_a_role_that_is_too_new_is_waited_for(
    aws: Account, cloud: Cloud, name: str, tmp_path: Path
) -> None:
    words = "The role defined for the function cannot be assumed by Lambda."
    aws.refusals["create_function"] = [refusal("InvalidParameterValueException", words)] * 2
    put(cloud, packed(tmp_path, name))
    assert aws.refusals["create_function"] == []


def test_permissions_that_are_too_new_are_waited_for(
    aws: Account, cloud: Cloud, name: str, tmp_path: Path
) -> None:
    words = "The state machine IAM Role is not authorized to access the Log Destination"
    aws.refusals["create_state_machine"] = [refusal("AccessDeniedException", words)] * 2
    put(cloud, packed(tmp_path, name, kind="express"))
    assert aws.refusals["create_state_machine"] == []


def test_a_role_that_cannot_be_assumed_is_told_after_a_while(
    aws: Account, name: str, tmp_path: Path
) -> None:
    words = "The role defined for the function cannot be assumed by Lambda."
    aws.refusals["create_function"] = [refusal("InvalidParameterValueException", words)] * 99
    try:
        with pytest.raises(NotAllowed, match="cannot be assumed") as refused:
            put(aws.connect(patience=0.1), packed(tmp_path, name))
    finally:
        aws.refusals.clear()
    assert refused.value.exit_code == 6
    assert "trust policy" in refused.value.help


@pytest.mark.parametrize(
    ("code", "kind", "exit_code"),
    [
        ("ThrottlingException", Unavailable, 7),
        ("TooManyRequestsException", Unavailable, 7),
        ("AccessDeniedException", NotAllowed, 6),
        ("ExpiredTokenException", NotAllowed, 6),
        ("UnrecognizedClientException", NotAllowed, 6),
        ("InternalFailure", Refused, 7),
    ],
)
def test_refusals_of_aws_are_one_clear_error(
    aws: Account, name: str, tmp_path: Path, code: str, kind: type[Exception], exit_code: int
) -> None:
    cloud = aws.connect()
    with Stubber(cloud.logs) as stub:
        stub.add_client_error("describe_log_groups", code, "said so")
        with pytest.raises(kind, match=r"DescribeLogGroups.*said so") as refused:
            put(cloud, packed(tmp_path, name))
    assert refused.value.exit_code == exit_code  # type: ignore[attr-defined]
    assert refused.value.help  # type: ignore[attr-defined]


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


def test_what_somebody_else_made_is_not_touched(cloud: Cloud, name: str, tmp_path: Path) -> None:
    cloud.machines.create_state_machine(
        name=name,
        definition=json.dumps({"StartAt": "a", "States": {"a": {"Type": "Succeed"}}}),
        roleArn=cloud.arns.role("theirs"),
    )
    with pytest.raises(Conflict, match="did not make"):
        put(cloud, packed(tmp_path, name))


def test_a_kind_cannot_change(cloud: Cloud, name: str, tmp_path: Path) -> None:
    put(cloud, packed(tmp_path, name))
    ledger = Ledger()
    with pytest.raises(Conflict, match="kind cannot change"):
        deploy(packed(tmp_path, name, kind="express"), cloud, ledger)
    assert ledger.changes == []


def test_permissions_grow_while_an_alias_may_lead_to_older_versions(
    cloud: Cloud, name: str, tmp_path: Path
) -> None:
    put(cloud, packed(tmp_path, name), LIVE)
    one = packed(tmp_path, name, per_function=True)

    def allowed() -> str:
        policy = cloud.iam.get_role_policy(
            RoleName=cloud.arns.here(f"{name}-states"), PolicyName="agentflow"
        )
        return json.dumps(policy["PolicyDocument"])

    put(cloud, one, LIVE)
    assert f"{name}-functions:*" in allowed()
    assert allowed().count("lambda:InvokeFunction") == 1
    assert put(cloud, one, LIVE)[1] == []
    put(cloud, one)
    assert f"{name}-functions:*" not in allowed()


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


def test_what_terraform_manages_is_left_to_it(cloud: Cloud, name: str, tmp_path: Path) -> None:
    tags = {"agentflow:workflow": name, "agentflow:managed-by": "terraform"}
    cloud.machines.create_state_machine(
        name=name,
        definition=json.dumps({"StartAt": "a", "States": {"a": {"Type": "Succeed"}}}),
        roleArn=cloud.arns.role("theirs"),
        tags=[{"key": key, "value": value} for key, value in tags.items()],
    )
    with pytest.raises(Conflict, match="is managed by terraform"):
        put(cloud, packed(tmp_path, name))


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


def test_an_express_machine_has_a_log(cloud: Cloud, name: str, tmp_path: Path) -> None:
    deployed, _ = put(cloud, packed(tmp_path, name, kind="express"))
    there = cloud.machines.describe_state_machine(stateMachineArn=deployed.machine)
    assert there["type"] == "EXPRESS"
    assert f"/aws/vendedlogs/states/{name}" in json.dumps(there["loggingConfiguration"])
    _, changes = put(cloud, packed(tmp_path, name, kind="express"))
    assert changes == []


def test_a_retry_that_aws_cannot_make_is_told(aws: Account) -> None:
    cloud = aws.connect()
    arn = cloud.arns.of("states", "execution:old:e1")
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    machine = cloud.arns.machine("old")
    ended = {"executionArn": arn, "stateMachineArn": machine, "status": "FAILED"}
    with Stubber(cloud.machines) as stub:
        stub.add_response("describe_execution", {**ended, "startDate": begun})
        stub.add_client_error("redrive_execution", "ExecutionNotRedrivable", "too old")
        with pytest.raises(Conflict, match="cannot continue execution e1") as refused:
            redrive(cloud, arn)
    assert "14 days" in refused.value.help


# --- connecting -----------------------------------------------------------------------------------


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment that knows nothing of AWS."""
    for variable in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",
    ):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return monkeypatch


def test_missing_credentials_are_told_with_the_remedy(
    bare: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(NotAllowed, match="credentials") as refused:
        connect(REGION, "http://127.0.0.1:9")
    assert "aws configure" in refused.value.help


def test_a_missing_region_is_told_with_the_remedy(bare: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="region"):
        connect()


def test_the_region_and_the_endpoint_may_come_from_the_environment(
    bare: pytest.MonkeyPatch, aws: Account
) -> None:
    bare.setenv("AWS_REGION", "eu-north-1")
    bare.setenv("AWS_ENDPOINT_URL", aws.url)
    bare.setenv("AWS_ACCESS_KEY_ID", "x")
    bare.setenv("AWS_SECRET_ACCESS_KEY", "x")
    assert connect().arns.region == "eu-north-1"
    assert connect("eu-west-1").arns.region == "eu-west-1"


@pytest.mark.parametrize("url", ["notaurl", "localhost:4566", "http://"])
def test_an_endpoint_that_is_no_url_is_told(bare: pytest.MonkeyPatch, url: str) -> None:
    with pytest.raises(UsageError, match="no URL of an endpoint"):
        connect(REGION, url)


def test_a_missing_profile_is_told(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(UsageError, match="nobody") as refused:
        connect(REGION)
    assert refused.value.help


def test_a_call_that_takes_long_is_waited_for_and_not_made_twice(cloud: Cloud) -> None:
    config = cloud.patient("lambda").meta.config
    assert config.read_timeout > 900  # as long as Lambda lets an invocation take
    assert config.retries["total_max_attempts"] == 1
