"""What AWS refuses, and what is not ours: waited for, or one clear error."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from botocore.stub import Stubber

from agentflow.adapters.aws.deploy.client import Cloud, Refused
from agentflow.adapters.aws.deploy.deployment import deploy
from agentflow.adapters.aws.deploy.executions import redrive
from agentflow.adapters.aws.deploy.functions import put_function
from agentflow.adapters.aws.deploy.ledger import Ledger
from agentflow.errors import Conflict, NotAllowed, Unavailable
from tests.aws_deploy.moto_cloud import Account, refusal
from tests.aws_deploy.workflows import LISTENING, packed, put

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.mark.parametrize(
    ("operation", "code", "words"),
    [
        pytest.param(
            "create_function",
            "InvalidParameterValueException",
            "The role defined for the function cannot be assumed by Lambda.",
            id="of a Lambda",
        ),
        pytest.param(
            "create_function",
            "InvalidParameterValueException",
            "Lambda was unable to configure access to your environment variables because the KMS "
            "key is invalid for CreateGrant. KMS Exception: InvalidArnException",
            id="of a Lambda with variables",
        ),
        pytest.param(
            "create_state_machine",
            "AccessDeniedException",
            "Neither the global service principal states.amazonaws.com, nor the regional one is "
            "authorized to assume the provided role.",
            id="of a state machine",
        ),
        pytest.param(
            "create_state_machine",
            "AccessDeniedException",
            "The state machine IAM Role is not authorized to access the Log Destination",
            id="of a state machine with a log",
        ),
        pytest.param(
            "create_state_machine",
            "AccessDeniedException",
            "'arn:aws:iam::1:role/r' is not authorized to create managed-rule.",
            id="of a state machine with children",
        ),
    ],
)
def test_a_role_that_is_too_new_is_waited_for(
    aws: Account, cloud: Cloud, name: str, tmp_path: Path, operation: str, code: str, words: str
) -> None:
    """In the words of AWS."""
    aws.refusals[operation] = [refusal(code, words)] * 2
    put(cloud, packed(tmp_path, name))
    assert aws.refusals[operation] == []


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
        ("ConflictException", Conflict, 5),
        ("ServiceQuotaExceededException", Refused, 7),
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


def test_two_who_deploy_at_once_publish_no_mixture(cloud: Cloud, name: str, tmp_path: Path) -> None:
    put(cloud, packed(tmp_path, name))
    function, new = f"{name}-functions", packed(tmp_path, name, memory=256)

    def interfere(**about: object) -> None:
        cloud.functions.meta.events.unregister(after, interfere)
        cloud.functions.update_function_configuration(FunctionName=function, MemorySize=1024)

    after = "after-call.lambda.UpdateFunctionConfiguration"
    cloud.functions.meta.events.register(after, interfere)
    with pytest.raises(Conflict, match="changed by somebody else") as refused:
        put(cloud, new)
    assert refused.value.help == "deploy once more"
    published = cloud.functions.list_versions_by_function(FunctionName=function)["Versions"]
    assert [each["Version"] for each in published] == ["$LATEST", "1"]
    put(cloud, new)
    there = cloud.functions.get_function(FunctionName=function, Qualifier="2")
    assert there["Configuration"]["MemorySize"] == 256


def test_a_table_that_somebody_else_made_is_not_touched(
    cloud: Cloud, name: str, tmp_path: Path
) -> None:
    cloud.tables.create_table(
        TableName=f"{name}-functions-tokens",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    with pytest.raises(Conflict, match=f"a table `{name}-functions-tokens` that AgentFlow did not"):
        put(cloud, packed(tmp_path, name, text=LISTENING.format(name=name)))


def test_tags_that_may_not_be_read_are_no_sign_of_somebody_else(
    aws: Account, tmp_path: Path
) -> None:
    cloud, package = aws.connect(), packed(tmp_path, "hidden")
    (function,) = package.functions
    words = "User: arn:aws:iam::123456789012:user/deployer is not authorized to perform: lambda:ListTags"
    denied = {"ErrorCode": "AccessDeniedException", "Message": words}
    with Stubber(cloud.functions) as stub:
        stub.add_response("get_function", {"Configuration": {}, "TagsError": denied})
        with pytest.raises(NotAllowed, match="not authorized") as refused:
            put_function(cloud, Ledger(), function, package, "arn:aws:iam::1:role/given")
    assert "lambda:ListTags" in refused.value.help
