"""Events on the bus and the steps that listen for them, in an account that runs them for real."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentflow.adapters.aws.deploy.executions import describe, start, wait
from agentflow.errors import Json
from tests.aws_deploy.command_line import AWS, Line
from tests.aws_deploy.moto_cloud import Account, account
from tests.aws_deploy.projects import write

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with account(tmp_path_factory.mktemp("lambdas"), executes=True) as made:
        yield made


HEARING = """\
workflow: hearing
input: {type: object}
do:
  - id: answer
    listen: order.paid
    correlation: ${ input.order }
output: ${ answer.amount }
"""


def test_an_event_on_the_bus_answers_the_steps_that_listen_for_it(
    line: Line, aws: Account, shop: Path
) -> None:
    write(shop / "specs" / "hearing.yaml", HEARING)
    code, done, _ = line("deploy", "specs/hearing.yaml", *AWS)
    assert code == 0
    assert ("rule", "hearing-functions-events") in [(e["kind"], e["name"]) for e in done["changes"]]
    assert not line("deploy", "specs/hearing.yaml", *AWS)[1]["changed"]
    cloud = aws.connect()
    machine = cloud.arns.machine("hearing")
    (target,) = cloud.events.list_targets_by_rule(Rule="hearing-functions-events")["Targets"]

    def publish(id: str, order: str, amount: int) -> Json:
        detail = {"subject": order, "data": {"amount": amount}}
        event = {"detail-type": "order.paid", "id": id, "detail": detail}
        answer = cloud.functions.invoke(FunctionName=target["Arn"], Payload=json.dumps(event))
        return json.loads(answer["Payload"].read())

    assert publish("e0", "o2", 1) == 0  # it came before the execution
    started = [start(cloud, machine, f"h{n}", {"order": f"o{n}"}) for n in (1, 2)]
    waiting = {"TableName": "hearing-functions-tokens", "FilterExpression": "attribute_exists(#t)"}
    waiting |= {"ExpressionAttributeNames": {"#t": "token"}}  # type: ignore[dict-item]
    while len(cloud.tables.scan(**waiting)["Items"]) < 4:
        assert describe(cloud, started[0].arn).status == "running"
    assert [publish("e1", "o2", 7), publish("e1", "o2", 7)] == [1, 0]
    ended = wait(cloud, describe(cloud, started[1].arn))
    assert (ended.status, ended.output) == ("succeeded", 7)
    code, _, _ = line("signal", "h1", "order.paid", *AWS, "--data", '{"amount": 8}')
    assert code == 0
    assert wait(cloud, describe(cloud, started[0].arn)).output == 8
    assert cloud.tables.scan(**waiting)["Items"] == []


LATE = """\
workflow: late
do:
  - {id: first, listen: go}
  - {id: second, listen: paid}
output: ${ second }
"""


def test_an_event_that_came_before_its_step_is_kept_for_it(
    line: Line, aws: Account, shop: Path
) -> None:
    write(shop / "specs" / "late.yaml", LATE)
    assert line("deploy", "specs/late.yaml", *AWS)[0] == 0
    cloud = aws.connect()
    started = start(cloud, cloud.arns.machine("late"), "l1", {})
    for id, name in (("e1", "paid"), ("e2", "go")):
        event = {"detail-type": name, "id": id, "detail": {"subject": None, "data": name}}
        cloud.functions.invoke(FunctionName="late-functions", Payload=json.dumps(event))
    ended = wait(cloud, describe(cloud, started.arn))
    assert (ended.status, ended.output) == ("succeeded", "paid")
