"""Agents on Lambda: made anew for each call, with what a table keeps of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from agentflow.adapters.aws import agents
from agentflow.adapters.aws.agents import LARGEST, Table
from agentflow.adapters.aws.deploy.iam import Arns, function_policy
from agentflow.adapters.aws.deploy.package import assemble
from agentflow.adapters.aws.deploy.terraform import terraform
from agentflow.adapters.target import Options, find
from agentflow.cli.dispatch import dispatch
from agentflow.errors import Fault, Json, UsageError
from agentflow.functions.context import Context
from agentflow.functions.hosts.agents import Agents, InProcess, Instances, Taken
from agentflow.functions.instances import AgentState
from agentflow.spec.load import load
from tests.aws_deploy.moto_cloud import account
from tests.aws_deploy.projects import project, write

AGENT = """\
from agentflow import agent


@agent(name="clerk")
class Clerk:
    def __init__(self) -> None:
        self.seen = []

    def see(self, name: str) -> int:
        self.seen.append(name)
        if name == "bad":
            raise ValueError("seen, and bad")
        return len(self.seen)

    async def later(self, name: str) -> int:
        return self.see(name)

    def grow(self, size: int) -> str:
        self.seen = ["x" * size]
        return "y" * 1000

    def snapshot(self) -> list[str]:
        return self.seen

    def restore(self, state: list[str]) -> None:
        self.seen = state


@agent
class Forgetful:
    def see(self, name: str) -> int:
        return 1
"""


@pytest.fixture(params=["in process", "a table"])
def instances(request: pytest.FixtureRequest, monkeypatch: Any) -> Iterator[Instances]:
    if request.param == "in process":
        yield InProcess()
        return
    monkeypatch.setenv("AGENTFLOW_AGENTS", "kept")
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.setenv(f"AWS_{name}", "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")
    with mock_aws():
        boto3.client("dynamodb").create_table(
            TableName="kept",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "instance", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "instance", "AttributeType": "S"}],
        )
        yield Table()


Call = Callable[..., Json]


@pytest.fixture
def call(instances: Instances, tmp_path: Path) -> Call:
    """Calls an agent; gives the value, or raises the error."""
    root = project(tmp_path, shop__clerks=AGENT)
    paths = {"clerk": "shop.clerks.Clerk", "Forgetful": "shop.clerks.Forgetful"}

    def find(function: str) -> str:
        name, _, method = function.removeprefix("agent:").partition(".")
        return f"{paths[name]}.{method}"

    host = Agents(find, str(root), instances)

    def called(function: str, step: str, key: Json = "k", **arguments: Json) -> Json:
        context = Context("e1", step=step, deadline=time.time() + 60)
        outcome = host.call(function, key, arguments, context, printed=lambda line: None)
        if outcome.error is not None:
            raise Fault(outcome.error["name"], outcome.error["message"])
        return json.loads(outcome.value or b"")

    return called


def test_each_key_has_a_state_of_its_own_and_so_has_each_execution(call: Call) -> None:
    assert call("agent:clerk.see", "a", name="x") == 1
    assert call("agent:clerk.later", "b", name="y") == 2
    assert call("agent:clerk.see", "c", key="other", name="z") == 1
    assert call("agent:clerk.see", "d", key=None, name="z") == 1
    assert call("agent:clerk.see", "e", key=None, name="z") == 2


def test_a_call_whose_answer_got_lost_is_not_made_twice(call: Call) -> None:
    assert call("agent:clerk.see", "a", name="x") == 1
    assert call("agent:clerk.see", "a", name="x") == 1
    assert call("agent:clerk.see", "b", name="x") == 2


def test_a_call_that_failed_is_made_again_on_the_state_it_left(call: Call) -> None:
    for _ in range(2):
        with pytest.raises(Fault) as caught:
            call("agent:clerk.see", "a", name="bad")
        assert caught.value.name == "ValueError"
    assert call("agent:clerk.see", "b", name="x") == 3


def test_an_instance_serves_one_call_at_a_time(
    call: Call, instances: Instances, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentflow.functions.hosts.agents._PATIENCE", 0.05)
    taken = instances.take("agent:clerk/k", "other", time.time() + 60)
    assert taken == Taken()
    with pytest.raises(Fault) as caught:
        call("agent:clerk.see", "a", name="x")
    assert caught.value.name == "AgentBusy"
    assert instances.give_back("agent:clerk/k", "other", taken)
    assert call("agent:clerk.see", "a", name="x") == 1


def test_an_instance_whose_holder_is_late_goes_to_the_next_and_stays_there(
    instances: Instances,
) -> None:
    late = instances.take("i", "late", time.time() - 1)
    assert late is not None
    mine = instances.take("i", "mine", time.time() + 60)
    assert mine == late
    assert not instances.give_back("i", "late", replace(late, state=AgentState(1, b"1")))
    assert instances.give_back("i", "mine", replace(late, state=AgentState(1, b"2")))
    again = instances.take("i", "third", time.time() + 60)
    assert again is not None
    assert again.state == AgentState(1, b"2")


def test_an_agent_that_keeps_its_state_in_memory_is_refused(call: Call) -> None:
    with pytest.raises(Fault) as caught:
        call("agent:Forgetful.see", "a", name="x")
    assert caught.value.name == "AgentNotStarted"


@pytest.mark.parametrize(("key", "name"), [("", "LimitExceeded"), (5, "TypeMismatch")])
def test_a_key_is_a_text_that_is_not_too_long(call: Call, key: Json, name: str) -> None:
    with pytest.raises(Fault) as caught:
        call("agent:clerk.see", "a", key=key, name="x")
    assert caught.value.name == name


@pytest.mark.parametrize("instances", ["a table"], indirect=True)
def test_a_state_that_is_too_large_for_a_table_fails_the_call_and_changes_nothing(
    call: Call,
) -> None:
    assert call("agent:clerk.see", "a", name="x") == 1
    with pytest.raises(Fault) as caught:
        call("agent:clerk.grow", "b", size=LARGEST)
    assert caught.value.name == "PayloadTooLarge"
    assert call("agent:clerk.see", "c", name="x") == 2


@pytest.mark.parametrize("instances", ["a table"], indirect=True)
def test_an_answer_that_does_not_fit_beside_the_state_is_left_out(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agents, "LARGEST", 500)
    assert len(call("agent:clerk.grow", "a", size=10)) == 1000
    assert call("agent:clerk.see", "b", name="x") == 2


SPEC = """\
workflow: visits
input: {type: object}
do:
  - {id: shared, call: agent:clerk.see, key: "${ input.house }", with: {name: "${ input.name }"}}
  - {id: own, call: agent:clerk.see, with: {name: "${ input.name }"}}
output: ${ [shared, own] }
"""
PARENT = """\
workflow: parent
do:
  - {id: own, call: agent:clerk.see, key: all, with: {name: parent}}
  - {id: below, run: visits.yaml, with: {house: all, name: child}}
output: ${ own }
"""


@pytest.mark.parametrize("each", [False, True], ids=["one Lambda", "a Lambda each"])
def test_workflows_that_run_each_other_share_a_table(each: bool, tmp_path: Path) -> None:
    root = project(tmp_path, shop__clerks=AGENT)
    write(root / "specs" / "visits.yaml", SPEC)
    write(root / "specs" / "parent.yaml", PARENT)
    options = Options({"per_function": each})
    loaded = load(root / "specs" / "parent.yaml")
    package = assemble(loaded, find("aws").compile(loaded, options), options)
    keeping = [function for function in package.functions if function.agents]
    assert {function.agents for function in keeping} == {"parent-agents"}
    assert {function.workflow for function in keeping} == {"parent", "visits"}
    (table,) = json.loads(terraform(package))["resource"]["aws_dynamodb_table"].values()
    assert (table["name"], table["hash_key"]) == ("parent-agents", "instance")
    policy = json.dumps(function_policy(keeping[0], Arns("aws", "eu-north-1", "1")))
    assert "dynamodb:UpdateItem" in policy


def test_the_table_is_chosen_by_a_setting(tmp_path: Path) -> None:
    root = project(tmp_path, shop__clerks=AGENT)
    write(root / "specs" / "visits.yaml", SPEC)
    loaded = load(root / "specs" / "visits.yaml")
    options = Options({"agents": "everybody"})
    package = assemble(loaded, find("aws").compile(loaded, options), options)
    assert [function.agents for function in package.functions] == ["everybody"]
    with pytest.raises(UsageError, match="`agents` is the name of a table"):
        assemble(loaded, find("aws").compile(loaded, options), Options({"agents": "no name"}))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("option", [(), ("--option", "per_function=true")], ids=["one", "each"])
def test_executions_of_a_deployed_workflow_share_what_has_a_key(
    option: tuple[str, ...], tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    root = project(tmp_path / "shop", shop__clerks=AGENT)
    write(root / "specs" / "visits.yaml", SPEC)
    monkeypatch.chdir(root)
    with account(tmp_path / "lambdas", executes=True) as aws:

        def line(*words: str) -> Json:
            code = dispatch([*words, "--target", "aws", "--endpoint-url", aws.url, "--json"])
            printed = capsys.readouterr()
            assert code == 0, printed.err
            return json.loads(printed.out)

        made = line("deploy", "specs/visits.yaml", *option)
        assert "visits-agents" in [each["name"] for each in made["changes"]]
        given = json.dumps({"house": "north", "name": "Ada"})
        outputs = [line("invoke", "specs/visits.yaml", "--data", given)["output"] for _ in range(2)]
        assert outputs == [[1, 1], [2, 1]]
        assert not line("deploy", "specs/visits.yaml", *option)["changed"]
        called = line("invoke", "agent:clerk.see", "--key", "north", "--data", '{"name": "Bob"}')
        assert called["output"] == 3
        called = line("invoke", "agent:clerk.see", "--key", "north", "--data", '{"name": "Bob"}')
        assert called["output"] == 4
