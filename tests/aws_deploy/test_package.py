"""Packages: their Lambdas, least privilege, and Terraform."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agentflow.adapters.aws.deploy import iam
from agentflow.adapters.aws.deploy.bundling import LIMITS
from agentflow.adapters.aws.deploy.definition import payloads
from agentflow.adapters.aws.deploy.package import Package, outputs
from agentflow.adapters.aws.deploy.settings import function_settings
from agentflow.adapters.bundle.mistakes import CannotBundle
from agentflow.errors import Json, UsageError
from tests.aws_deploy.projects import write
from tests.aws_deploy.workflows import EVERYTHING, packed

ARNS = iam.Arns("aws", "eu-north-1", "123456789012")


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Package:
    """A workflow that uses everything of AWS; what it depends on is not fetched here."""
    folder = tmp_path_factory.mktemp("everything")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("agentflow.adapters.bundle.dependencies.install", lambda *given: folder)
        return packed(folder / "p", "everything", text=EVERYTHING)


def test_children_come_before_those_that_run_them(everything: Package) -> None:
    assert [each.name for each in everything.machines] == ["child", "everything"]
    assert everything.machine.children == ("child",)


def test_one_lambda_runs_all_functions_of_a_workflow(everything: Package) -> None:
    assert [each.name for each in everything.functions] == [
        "child-functions",
        "everything-functions",
    ]
    assert everything.functions[0].environment() == {
        "AGENTFLOW_WORKFLOW": "child",
        "AGENTFLOW_SECRETS": "TOKEN",
    }


def test_each_function_has_a_lambda_of_its_own_by_option(tmp_path: Path) -> None:
    package = packed(tmp_path, per_function=True)
    (function,) = package.functions
    assert function.name == "shopping-functions-shop-orders-total"
    assert function.environment()["AGENTFLOW_FUNCTION"] == "shop.orders.total"
    assert f'"FunctionName": "{function.name}"' in package.machine.definition


def test_a_lambda_that_only_computes_knows_no_secrets(tmp_path: Path) -> None:
    more = ', more: "${ str(sum / 3) }"'
    helper, own = packed(tmp_path, more=more, per_function=True).functions
    assert helper.environment() == {"AGENTFLOW_WORKFLOW": "shopping"}
    assert own.secrets == ("TOKEN",)


def test_what_functions_are_asked_is_found_everywhere(everything: Package) -> None:
    asked = [next(iter(each)) for each in payloads(everything.machine.definition)]
    assert sorted(asked) == ["check", "function", "function", "listen"]


def test_a_machine_may_do_what_its_definition_uses_and_no_more(everything: Package) -> None:
    allowed = {
        action: each["Resource"]
        for each in iam.machine_policy(everything.machine, ARNS)["Statement"]
        for action in each["Action"]
    }
    own = "arn:aws:lambda:eu-north-1:123456789012:function:everything-functions"
    states = "arn:aws:states:eu-north-1:123456789012"
    assert allowed["lambda:InvokeFunction"] == [own, f"{own}:*"]
    assert allowed["events:PutEvents"] == [
        "arn:aws:events:eu-north-1:123456789012:event-bus/default"
    ]
    child = f"{states}:stateMachine:child"
    assert allowed["states:StartExecution"] == [child, f"{child}:*"]
    assert allowed["states:DescribeExecution"] == [f"{states}:execution:child:*"]
    assert set(allowed) == {
        "lambda:InvokeFunction",
        "events:PutEvents",
        "states:StartExecution",
        "states:DescribeExecution",
        "states:StopExecution",
        "events:PutRule",
        "events:PutTargets",
        "events:DescribeRule",
    }
    assert not any("*" in each for each in allowed["events:PutRule"])


def test_a_lambda_may_write_its_log_and_keep_tokens_if_steps_wait(everything: Package) -> None:
    child, own = everything.functions
    (logs,) = iam.function_policy(child, ARNS)["Statement"]
    assert logs["Resource"] == [
        "arn:aws:logs:eu-north-1:123456789012:log-group:/aws/lambda/child-functions:*"
    ]
    _, table, answers = iam.function_policy(own, ARNS)["Statement"]
    assert table["Action"] == ["dynamodb:PutItem", "dynamodb:Query", "dynamodb:DeleteItem"]
    assert answers["Action"] == ["states:SendTaskSuccess"]


def test_a_lambda_of_a_workflow_that_asks_and_does_not_listen_hears_nothing(
    tmp_path: Path,
) -> None:
    text = "workflow: asking\ndo:\n  - {id: review, approve: Well}\n"
    (function,) = packed(tmp_path, "asking", text=text).functions
    assert (function.hears, function.tokens) == ((), "asking-functions-tokens")
    _, table = iam.function_policy(function, ARNS)["Statement"]
    assert table["Action"] == ["dynamodb:PutItem"]


BIG = """
workflow: shopping
do:
  - id: totals
    map: ${ input.orders }
    as: order
    call: shop.orders.total
    with: {items: "${ order }"}
    batch: 10
    reduce: {call: shop.orders.large, with: {size: "${ sum(items) }"}}
"""


@pytest.mark.parametrize("per_function", [False, True], ids=["one Lambda", "a Lambda each"])
def test_results_in_s3_may_be_written_by_the_map_and_read_by_who_combines_them(
    tmp_path: Path, *, per_function: bool
) -> None:
    package = packed(tmp_path, text=BIG, results="lake/maps", per_function=per_function)
    machine = iam.machine_policy(package.machine, ARNS)["Statement"]
    (writes,) = (each for each in machine if "s3:PutObject" in each["Action"])
    assert writes["Resource"] == ["arn:aws:s3:::lake/maps/*"]
    assert any("arn:aws:states:eu-north-1:123456789012:stateMachine:shopping" in each["Resource"]
               for each in machine if each["Action"] == ["states:StartExecution"])  # fmt: skip
    reading = {
        function.name: statement["Resource"]
        for function in package.functions
        for statement in iam.function_policy(function, ARNS)["Statement"]
        if statement["Action"] == ["s3:GetObject"]
    }
    own = "shopping-functions-shop-orders-large" if per_function else "shopping-functions"
    assert reading == {own: ["arn:aws:s3:::lake/maps/*"]}
    assert "Helper(stored=Objects())" in entry(package)
    assert "lake/maps/*" in outputs(package)["main.tf.json"].decode()


def entry(package: Package) -> str:
    """The module that Lambda imports."""
    assert package.bundle is not None
    with zipfile.ZipFile(io.BytesIO(package.bundle.data)) as bundle:
        return bundle.read("agentflow_handler.py").decode()


def test_an_express_machine_may_write_logs(tmp_path: Path) -> None:
    package = packed(tmp_path, kind="express")
    policy = iam.machine_policy(package.machine, ARNS)
    assert "logs:CreateLogDelivery" in json.dumps(policy)


def test_a_state_machine_takes_its_role_for_its_own_account_only(everything: Package) -> None:
    (statement,) = iam.machine_trust(ARNS)["Statement"]
    assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": "123456789012"}
    assert statement["Condition"]["ArnLike"] == {
        "aws:SourceArn": "arn:aws:states:eu-north-1:123456789012:stateMachine:*"
    }
    roles = written(everything)["resource"]["aws_iam_role"]
    assert "${data.aws_caller_identity.current.account_id}" in json.dumps(
        json.loads(roles["everything-states"]["assume_role_policy"])
    )


def test_a_bundle_that_is_too_large_for_a_request_may_go_through_a_bucket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentflow.adapters.aws.deploy.bundling.LIMITS", replace(LIMITS, packed=9))
    with pytest.raises(CannotBundle, match="as a zip, Lambda takes 0") as refused:
        packed(tmp_path)
    assert "`bundles: BUCKET`" in refused.value.help
    package = packed(tmp_path, bundles="lake")
    limits = {each.name: each.allowed for each in package.report.limits}
    assert limits["bundle, bytes of the zip"] == LIMITS.unpacked


def test_a_name_that_is_too_long_for_a_state_machine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"up to 80 characters, `x+` has 81") as refused:
        packed(tmp_path, "x" * 81, handler="short")
    assert refused.value.help


def test_a_name_with_a_dot_is_told_where_a_service_does_not_take_it(tmp_path: Path) -> None:
    package = packed(tmp_path, "my.shop")
    assert any("Terraform makes no state machine" in note for note in package.report.notes)
    with pytest.raises(UsageError, match=r"cannot be named `my\.shop`") as refused:
        packed(tmp_path, "my.shop", kind="express")
    assert "give the workflow a name" in refused.value.help


def test_of_two_names_that_are_too_long_the_workflows_own_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the name of a state machine"):
        packed(tmp_path, "x" * 81)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"memory": 64}, "from 128 to 10240 MiB"),
        ({"memory": "lots"}, "from 128 to 10240 MiB"),
        ({"timeout": 901}, "from 1 to 900 seconds"),
        ({"timeout": True}, "from 1 to 900 seconds"),
        ({"architecture": "mips"}, "x86-64 or arm64"),
        ({"per_function": "yes"}, "true or false"),
        ({"role": "admin"}, "the ARN of a role"),
        ({"bundles": "My Bucket"}, "`bundles` is BUCKET or BUCKET/PREFIX"),
    ],
    ids=str,
)
def test_settings_that_lambda_has_not_are_refused(given: dict[str, Json], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        function_settings(given)


def test_numbers_of_the_command_line_are_texts() -> None:
    assert function_settings({"memory": "1024", "timeout": "30"}).memory == 1024


def test_a_handler_that_lambda_cannot_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no name for a Lambda function") as refused:
        packed(tmp_path, handler="no spaces please")
    assert "handler" in refused.value.help


LISTENING = "workflow: below\ndo:\n  - {id: answer, listen: go}\n"


def test_workflows_that_share_a_lambda_each_have_what_they_need(tmp_path: Path) -> None:
    root = tmp_path / "specs" / "below.yaml"
    write(root, LISTENING)
    text = "workflow: above\nsecrets: [TOKEN]\ndo:\n  - {id: b, run: below.yaml}\n"
    text += "  - {id: sum, call: shop.orders.total, with: {items: []}}\n"
    package = packed(tmp_path, "above", text=text, handler="shared")
    (function,) = package.functions
    assert function.environment() == {
        "AGENTFLOW_WORKFLOW": "above",
        "AGENTFLOW_SECRETS": "TOKEN",
        "AGENTFLOW_TOKENS": "shared-tokens",
    }


# --- Terraform ------------------------------------------------------------------------------------

REFERENCE = re.compile(r"\b(aws_[a-z_]+)\.([A-Za-z0-9_-]+)\.([a-z_]+)")
REQUIRED = {
    "aws_lambda_function": {"function_name", "role", "runtime", "handler", "filename"},
    "aws_sfn_state_machine": {"name", "role_arn", "definition", "type"},
    "aws_iam_role": {"name", "assume_role_policy"},
    "aws_iam_role_policy": {"role", "policy"},
    "aws_cloudwatch_log_group": {"name", "retention_in_days"},
    "aws_dynamodb_table": {"name", "hash_key", "range_key", "attribute", "billing_mode"},
    "aws_cloudwatch_event_rule": {"name", "event_bus_name", "event_pattern"},
    "aws_cloudwatch_event_target": {"rule", "event_bus_name", "arn"},
    "aws_lambda_permission": {"action", "function_name", "principal", "source_arn"},
}


def written(package: Package) -> Json:
    return json.loads(outputs(package)["main.tf.json"])


def texts(value: Json) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for each in value.values():
                yield from texts(each)
        case list():
            for each in value:
                yield from texts(each)


def test_terraform_has_the_resources_with_what_they_require(everything: Package) -> None:
    resources = written(everything)["resource"]
    assert set(resources) == set(REQUIRED)
    for kind, named in resources.items():
        for body in named.values():
            assert REQUIRED[kind] <= set(body), kind


@pytest.fixture(params=[False, True], ids=["one Lambda", "a Lambda each"])
def any_package(everything: Package, tmp_path: Path, request: pytest.FixtureRequest) -> Package:
    if not request.param:
        return everything
    more = ', more: "${ str(sum / 3) }"'
    return packed(tmp_path, more=more, per_function=True)


def test_terraform_refers_only_to_what_it_declares(any_package: Package) -> None:
    whole = written(any_package)
    resources = whole["resource"]
    found = 0
    for text in texts(whole):
        for kind, label, _ in REFERENCE.findall(text):
            place = whole["data"] if f"data.{kind}" in text else resources
            assert label in place[kind], text
            found += 1
        assert text.count("${") - text.count("$${") == len(re.findall(r"(?<!\$)\$\{", text))
    assert found > 10
    for named in resources.values():
        for body in named.values():
            for each in body.get("depends_on", ()):
                kind, label = each.split(".")
                assert label in resources[kind]


def test_terraform_replaces_names_that_stand_in_the_definitions(everything: Package) -> None:
    files = outputs(everything)
    machine = written(everything)["resource"]["aws_sfn_state_machine"]["everything"]
    replaced = re.findall(r', ("(?:[^"\\]|\\.)*"), "', machine["definition"])
    assert len(replaced) == 2
    for literal in replaced:
        plain = json.loads(literal).replace("$${", "${")
        assert plain in files["everything.asl.json"].decode()


def test_terraform_puts_a_bundle_into_a_bucket_by_option(tmp_path: Path) -> None:
    resources = written(packed(tmp_path, bundles="lake/code"))["resource"]
    (function,) = resources["aws_lambda_function"].values()
    assert (function["s3_bucket"], "filename" in function) == ("lake", False)
    assert function["s3_key"] == "${aws_s3_object.bundle.key}"
    stored = resources["aws_s3_object"]["bundle"]
    assert (stored["bucket"], stored["source"]) == ("lake", "${path.module}/functions.zip")
    assert re.fullmatch(r"code/[0-9a-f]{64}\.zip", stored["key"])


def test_terraform_takes_the_secrets_as_variables(everything: Package) -> None:
    whole = written(everything)
    assert whole["variable"]["secret_TOKEN"]["sensitive"] is True
    functions = whole["resource"]["aws_lambda_function"]
    variables = functions["child-functions"]["environment"]["variables"]
    assert variables["AGENTFLOW_SECRET_TOKEN"] == "${var.secret_TOKEN}"


UNTAGGED = ("aws_iam_role_policy", "aws_lambda_permission", "aws_cloudwatch_event_target")


def test_what_terraform_makes_says_which_workflow_it_is_of(everything: Package) -> None:
    for kind, named in written(everything)["resource"].items():
        for body in named.values():
            if kind not in UNTAGGED:
                assert body["tags"]["agentflow:workflow"] in ("child", "everything")


def test_policies_of_terraform_are_json_with_references(everything: Package) -> None:
    for body in written(everything)["resource"]["aws_iam_role_policy"].values():
        assert json.loads(body["policy"])["Version"] == "2012-10-17"


def test_the_same_package_gives_the_same_files(tmp_path: Path) -> None:
    one, two = packed(tmp_path / "a"), packed(tmp_path / "b")
    assert outputs(one) == outputs(two)
