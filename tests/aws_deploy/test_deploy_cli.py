"""The verbs of deployments, with an account whose state machines and Lambdas run for real."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agentflow.adapters.aws.deploy.executions import describe, start, wait
from agentflow.cli.dispatch import dispatch
from tests.aws_deploy.command_line import AWS, Line
from tests.aws_deploy.moto_cloud import Account, account
from tests.aws_deploy.projects import write
from tests.aws_deploy.workflows import SHOPPING

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with account(tmp_path_factory.mktemp("lambdas"), executes=True) as made:
        yield made


SPEC = "specs/shopping.yaml"


def test_a_workflow_is_deployed_invoked_listed_and_retried(line: Line, aws: Account) -> None:
    code, plan, told = line("deploy", SPEC, *AWS, "--plan")
    assert (code, plan["plan"], plan["changed"]) == (0, True, True)
    assert "+ create  state machine shopping" in told
    code, done, _ = line("deploy", SPEC, *AWS, "--alias", "live")
    assert (code, done["changed"]) == (0, True)
    assert done["start"].endswith(":stateMachine:shopping:live")
    code, again, told = line("deploy", SPEC, *AWS, "--alias", "live")
    assert (code, again["changed"]) == (0, False)
    assert "everything is as it should be" in told

    given = '{"items": ["tea", "cup"]}'
    code, ended, _ = line("invoke", SPEC, *AWS, "--data", given, "--alias", "live")
    assert (code, ended["status"], ended["output"]) == (0, "succeeded", {"sum": 8})
    assert aws.invoked == ["shopping-functions:1"]

    code, failed, _ = line("invoke", "shopping", *AWS, "--data", '{"items": ["pen"]}', "--id", "x1")
    assert (code, failed["status"], failed["error"]["name"]) == (1, "failed", "KeyError")
    code, listed, _ = line("executions", *AWS, "--status", "failed")
    found = [(each["id"], each["error"]["name"]) for each in listed["executions"]]
    assert (code, found) == (0, [("x1", "KeyError")])
    code, listed, _ = line("executions", *AWS, "--status", "running")
    assert (code, listed["executions"]) == (0, [])
    code, retried, _ = line("retry", "x1", *AWS)
    assert (code, retried["id"], retried["error"]["name"]) == (1, "x1", "KeyError")
    assert len(aws.invoked) == 3

    called = ("invoke", "shop.orders.total", *AWS)
    code, value, _ = line(*called, "--data", '{"items": ["cup"]}')
    assert (code, value["output"]) == (0, 5)
    code, value, _ = line(*called, "--data", '{"items": [1]}')
    assert (code, value["error"]["name"]) == (1, "InvalidInput")


SEPARATE = """\
workflow: separate
input: {type: object}
do:
  - id: sum
    call: shop.orders.total
    with: {items: "${ input.items }"}
  - id: text
    call: shop.orders.large
    with: {size: "${ sum }"}
output: ${ text + str(sum / 2) }
"""


def test_each_function_runs_in_a_lambda_of_its_own_by_option(
    line: Line, aws: Account, shop: Path
) -> None:
    spec = "specs/separate.yaml"
    write(shop / spec, SEPARATE)
    option = ("--option", "per_function=true")
    code, done, _ = line("deploy", spec, *AWS, *option)
    made = [each["name"] for each in done["changes"] if each["kind"] == "Lambda function"]
    own = ["separate-functions-shop-orders-large", "separate-functions-shop-orders-total"]
    assert (code, made) == (0, ["separate-functions", *own])  # one is for what JSONata cannot do
    aws.invoked.clear()
    code, ended, _ = line("invoke", spec, *AWS, "--data", '{"items": ["tea"]}')
    assert (code, ended["output"]) == (0, "xxx1.5")
    assert aws.invoked == [f"{own[1]}:1", f"{own[0]}:1", "separate-functions:1"]
    code, value, _ = line("invoke", "shop.orders.large", *AWS, "--data", '{"size": 2}')
    assert (code, value["output"]) == (0, "xx")
    assert aws.invoked[-1].startswith(own[0])
    code, again, _ = line("deploy", spec, *AWS, *option)
    assert (code, again["changed"]) == (0, False)
    code, shared, _ = line("deploy", spec, *AWS)
    changed = [each["name"] for each in shared["changes"] if each["action"] != "keep"]
    assert own[0] not in changed  # an older version may need it
    aws.invoked.clear()
    code, ended, _ = line("invoke", spec, *AWS, "--data", '{"items": ["tea"]}')
    assert ended["output"] == "xxx1.5"
    assert {each.partition(":")[0] for each in aws.invoked} == {"separate-functions"}


APPROVAL = """\
workflow: asking
do:
  - id: review
    approve: {message: Well, form: {type: object, required: [ok]}}
output: ${ review.ok }
"""


def test_a_step_that_waits_in_the_cloud_is_answered(line: Line, aws: Account, shop: Path) -> None:
    write(shop / "specs" / "asking.yaml", APPROVAL)
    code, done, _ = line("deploy", "specs/asking.yaml", *AWS)
    assert code == 0
    assert "asking-functions-tokens" in [each["name"] for each in done["changes"]]
    cloud = aws.connect()
    started = start(cloud, cloud.arns.machine("asking"), "a1", {})
    while not cloud.tables.scan(TableName="asking-functions-tokens")["Items"]:
        assert describe(cloud, started.arn).status == "running"
    code, refused, _ = line("approve", "a1", "other", *AWS)
    assert (code, refused["error"]["help"]) == (5, "it waits for: review")
    code, refused, _ = line("approve", "a1", "review", *AWS, "--data", "{}")
    assert (code, refused["error"]["code"]) == (3, "AF004")
    code, sent, _ = line("approve", "a1", "review", *AWS, "--data", '{"ok": 7}')
    assert (code, sent["message"]) == (0, "review")
    ended = wait(cloud, describe(cloud, started.arn))
    assert (ended.status, ended.output) == ("succeeded", 7)
    code, _, _ = line("approve", "a1", "review", *AWS, "--data", '{"ok": 7}')
    assert code == 5


def test_ctrl_c_leaves_an_execution_in_the_cloud_to_itself(
    line: Line, aws: Account, shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    spec = "specs/left.yaml"
    write(shop / spec, "workflow: left\ndo:\n  - {id: answer, listen: go}\noutput: ${ answer }\n")
    assert line("deploy", spec, *AWS)[0] == 0

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        clock = SimpleNamespace(sleep=interrupt)
        patched.setattr("agentflow.adapters.aws.deploy.executions.time", clock)
        code = dispatch(["invoke", spec, *AWS, "--id", "c1", "--endpoint-url", aws.url])
    assert code == 130
    assert "c1 goes on in the cloud; `agentflow executions" in capsys.readouterr().err
    cloud = aws.connect()
    left = describe(cloud, cloud.arns.of("states", "execution:left:c1"))
    assert left.status == "running"
    while not cloud.tables.scan(TableName="left-functions-tokens")["Items"]:
        assert describe(cloud, left.arn).status == "running"
    assert line("signal", "c1", "go", *AWS, "--data", "1")[0] == 0
    assert wait(cloud, left).output == 1


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        pytest.param(("invoke", "nothing", *AWS), 5, "no state machine `nothing`", id="workflow"),
        pytest.param(("retry", "nobody", *AWS), 5, "no execution `nobody`", id="execution"),
        pytest.param(("deploy", SPEC, "--target", "moon"), 2, "no target `moon`", id="target"),
        pytest.param(("deploy", SPEC, *AWS, "--shift", "10%"), 2, "needs the alias", id="shift"),
        pytest.param(("deploy", SPEC, *AWS, "--rollback"), 2, "needs the alias", id="rollback"),
        pytest.param(
            ("deploy", SPEC, *AWS, "--alias", "x", "--rollback", "--option", "memory=256"),
            2,
            "takes no --option",
            id="a rollback with settings",
        ),
        pytest.param(
            ("deploy", SPEC, *AWS, "--alias", "x", "--rollback", "--prune"),
            2,
            "takes no --prune",
            id="a rollback that prunes",
        ),
        pytest.param(
            ("deploy", SPEC, *AWS, "--alias", "live", "--shift", "0%"), 2, "1% to 100%", id="none"
        ),
        pytest.param(  # as of a variable that is not set
            ("deploy", SPEC, *AWS, "--alias", "live", "--shift", ""), 2, "1% to 100%", id="empty"
        ),
        pytest.param(("deploy", SPEC, *AWS, "--alias", "7"), 2, "no name for an alias", id="7"),
        pytest.param(("invoke", "shop.orders.total"), 2, "where", id="nowhere"),
        pytest.param(
            ("deploy", SPEC, *AWS, "--option", "memory=1"), 2, "`memory` is from", id="memory"
        ),
        pytest.param(
            ("invoke", SPEC, *AWS, "--data", "[]"), 3, "does not match", id="a wrong input"
        ),
        pytest.param(
            ("invoke", SPEC, *AWS, "--data", "{}", "--id", "x" * 81),
            2,
            "up to 80 characters",
            id="a long id",
        ),
        pytest.param(
            ("invoke", SPEC, *AWS, "--data", json.dumps({"a": "é" * 131_072})),
            3,
            "262,152 bytes",
            id="a large input",
        ),
        pytest.param(
            ("retry", "x", *AWS, "--ray", "auto"), 2, "--ray and --target", id="two places"
        ),
        pytest.param(
            ("retry", "x", *AWS, "--executor", "ray"), 2, "--executor and", id="an executor there"
        ),
        *(
            pytest.param(("invoke", *words), 2, f"{words[-2]} has no effect", id=f"no {words[-2]}")
            for words in (
                ("shop.orders.total", "--local", "--alias", "live"),
                ("shop.orders.total", "--local", "--handler", "x"),
                ("agent:clerk.see", "--local", "--key", "x"),
                ("shop.orders.total", *AWS, "--id", "x"),
                (SPEC, *AWS, "--handler", "x"),
                (SPEC, *AWS, "--secret", "TOKEN"),
            )
        ),
    ],
)
def test_mistakes_are_told(line: Line, words: tuple[str, ...], code: int, message: str) -> None:
    got, answer, _ = line(*words)
    assert got == code
    assert message in answer["error"]["message"]


@pytest.mark.parametrize("option", ["--region", "--endpoint-url"])
@pytest.mark.parametrize(
    "words",
    [("executions",), ("retry", "x"), ("signal", "x", "go"), ("approve", "x", "go")],
    ids=str,
)
def test_the_way_to_a_cloud_is_refused_where_no_cloud_is_meant(
    local: Line, words: tuple[str, ...], option: str
) -> None:
    code, answer, _ = local(*words, option, "http://127.0.0.1:9")
    assert code == 2
    assert f"{option} has no effect here" in answer["error"]["message"]


SAID = """\
+ create  log group /aws/lambda/said-functions
+ create  role said-functions-lambda-us-east-1
+ create  permissions said-functions-lambda-us-east-1
+ create  Lambda function said-functions
+ create  role said-states-us-east-1
+ create  permissions said-states-us-east-1
+ create  state machine said
+ create  alias live: 100 % to version 1
  note: secret TOKEN is not set"""


NONE = (
    "No executions: `agentflow invoke SPEC --target aws` starts one. "
    "Of Express workflows AWS keeps no list."
)


def test_what_is_done_is_told_line_by_line(
    aws: Account, shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(shop)
    spec, where = "specs/said.yaml", (*AWS, "--endpoint-url", aws.url)

    def say(*words: str) -> tuple[int, str, str]:
        code = dispatch([*words, *where])
        return code, *capsys.readouterr()

    write(shop / spec, SHOPPING.format(name="said", more=""))
    code, start, told = say("deploy", spec, "--alias", "live")
    assert (code, start) == (0, "arn:aws:states:us-east-1:123456789012:stateMachine:said:live\n")
    assert SAID in told
    assert told.endswith("\n8 changes made.\n")
    assert say("executions", "--workflow", "said")[1:] == (
        "",
        f"{NONE}\n",
    )
    given = ("--data", '{"items": ["tea"]}', "--id", "s1")
    assert say("invoke", spec, *given) == (0, '{"sum": 3}\n', "Started s1.\n")
    code, failed, told = say("invoke", spec, "--data", '{"items": ["pen"]}', "--id", "s2")
    assert (code, failed) == (1, "")
    assert told == (
        "Started s2.\nerror[KeyError]: 'pen'\n  help: agentflow retry s2 --target aws\n"
    )
    listed = say("executions", "--workflow", "said")[1].splitlines()
    assert [line.split()[:3] for line in listed] == [
        ["ID", "WORKFLOW", "STATUS"],
        ["s2", "said", "failed"],
        ["s1", "said", "succeeded"],
    ]
    write(shop / spec, SHOPPING.format(name="said", more=", more: 1"))
    assert say("deploy", spec, "--alias", "live")[0] == 0
    code, nothing, told = say("deploy", spec, "--alias", "live", "--rollback", "--plan")
    assert (code, nothing) == (0, "")
    assert told == (
        "~ shift   alias live: 100 % to version 2 → 100 % to version 1\n"
        "1 change would be made; this was a plan.\n"
    )


def test_an_account_that_cannot_be_reached_is_told(
    local: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentflow.adapters.aws.deploy.client.FIRST_ATTEMPTS", 1)
    code, answer, _ = local("deploy", SPEC, *AWS, "--endpoint-url", "http://127.0.0.1:9")
    assert code == 7
    assert "endpoint-url" in answer["error"]["help"]


# --- here -----------------------------------------------------------------------------------------


def test_a_function_is_tried_alone_with_the_checks_of_a_workflow(
    local: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "s3cret")
    invoke = ("invoke", "shop.orders.total", "--local")
    code, value, told = local(*invoke, "--data", '{"items": ["tea"]}')
    assert (code, value["output"]) == (0, 3)
    assert "adding 1" in told
    code, value, told = local(*invoke, "--data", '{"items": ["pen"]}')
    assert (code, value["error"]["name"]) == (1, "KeyError")
    assert "shop/orders.py:" in told
    code, value, _ = local(*invoke, "--data", '{"itms": []}')
    assert (code, value["error"]["name"]) == (1, "InvalidInput")
    code, value, _ = local("invoke", "shop.orders.ttal", "--local")
    assert (code, value["error"]["name"]) == (5, "FunctionNotFound")
    code, value, _ = local("invoke", "shop.orders.whoami", "--local", "--secret", "TOKEN")
    assert value["output"]["secret"] == "s3cret"


def test_compile_writes_the_bundle_and_the_infrastructure(local: Line, tmp_path: Path) -> None:
    code, answer, _ = local("compile", SPEC, *AWS, "--out", str(tmp_path))
    assert code == 0
    names = sorted(Path(file).name for file in answer["files"])
    assert names == [
        "deployment.json",
        "functions.zip",
        "main.tf.json",
        "report.txt",
        "shopping.asl.json",
    ]
    assert sorted(each.name for each in tmp_path.iterdir()) == names
    limits = {each["limit"]: each["used"] for each in answer["report"]["limits"]}
    assert limits["bundle, bytes of the zip"] == (tmp_path / "functions.zip").stat().st_size
    assert "bundle, bytes unpacked" in (tmp_path / "report.txt").read_text()
