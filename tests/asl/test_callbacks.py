from __future__ import annotations

import json
from typing import Any

import pytest

from agentflow.adapters.aws.asl.read import read
from agentflow.adapters.aws.asl.simulate import TaskCall, simulate
from tests.asl.machines import counts, failing, jsonata, machine

WAITING = {
    "Type": "Task",
    "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
    "Parameters": {"MessageBody": {"token.$": "$$.Task.Token"}},
    "HeartbeatSeconds": 10,
    "TimeoutSeconds": 100,
}


def test_a_task_waits_for_its_token() -> None:
    def handle(call: TaskCall) -> Any:
        assert call.callback is not None
        assert call.arguments["MessageBody"]["token"] == call.token
        call.callback.beat(after=8)
        call.callback.beat(after=16)
        call.callback.succeed({"ok": True}, after=25)
        return {"MessageId": "1"}

    outcome = simulate(machine(WAITING), {}, handle, started_at=0)

    assert (outcome.output, outcome.ended_at) == ({"ok": True}, 25)
    assert counts(outcome)["TaskSubmitted"] == 1


@pytest.mark.parametrize(
    ("name", "caught"), [("States.Timeout", True), ("States.HeartbeatTimeout", True), ("X", False)]
)
def test_a_missing_heartbeat_is_a_timeout(name: str, caught: bool) -> None:
    state = {**WAITING, "Catch": [{"ErrorEquals": [name], "Next": "S1"}], "Next": "S1"}

    outcome = simulate(machine(state, {"Type": "Pass"}), {}, lambda call: None, started_at=0)

    assert outcome.ended_at == 10
    assert (outcome.status == "SUCCEEDED") is caught
    assert (outcome.output or {"Error": outcome.error})["Error"] == "States.Timeout"


def test_a_token_can_be_answered_with_an_error() -> None:
    def handle(call: TaskCall) -> Any:
        assert call.callback is not None
        call.callback.fail("Refused", "no")

    outcome = simulate(machine(WAITING), {}, handle)

    assert (outcome.error, outcome.cause) == ("Refused", "no")


def test_an_activity_is_completed_by_its_worker() -> None:
    def work(call: TaskCall) -> Any:
        assert call.callback is not None
        call.callback.succeed({"did": call.arguments}, after=3)

    state = {"Type": "Task", "Resource": "arn:aws:states:us-east-1:123456789012:activity:a"}
    outcome = simulate(machine(state), 1, work)

    assert outcome.output == {"did": 1}
    assert counts(outcome)["ActivitySucceeded"] == 1
    assert not counts(outcome)["TaskSubmitted"]


@pytest.mark.parametrize(
    ("pattern", "output"),
    [
        pytest.param(".sync", '{"twice":4}', id="as text"),
        pytest.param(".sync:2", {"twice": 4}, id="as JSON"),
    ],
)
def test_a_child_execution_is_waited_for(pattern: str, output: Any) -> None:
    child = read(jsonata({"Type": "Pass", "Output": {"twice": "{% $states.input.n * 2 %}"}}))
    state = {
        "Type": "Task",
        "Resource": f"arn:aws:states:::states:startExecution{pattern}",
        "Parameters": {
            "StateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:child",
            "Input": {"n.$": "$.n"},
        },
    }

    outcome = simulate(machine(state), {"n": 2}, machines={"child": child})

    assert (outcome.output["Status"], outcome.output["Output"]) == ("SUCCEEDED", output)


def test_a_child_that_fails_fails_its_task_with_a_description() -> None:
    child = read(failing())
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Parameters": {"StateMachineArn": "child"},
    }

    outcome = simulate(machine(state), {}, machines={"child": child})

    assert outcome.error == "States.TaskFailed"
    assert json.loads(str(outcome.cause))["Error"] == "Boom"


@pytest.mark.parametrize("pattern", [".sync", ".sync:2", ".waitForTaskToken"])
def test_a_task_that_waits_has_a_token_and_others_have_none(pattern: str) -> None:
    resource = f"arn:aws:states:::batch:submitJob{pattern}"
    state = {"Type": "Task", "Resource": resource, "Parameters": {"token.$": "$$.Task.Token"}}
    asked: list[Any] = []

    def handle(call: TaskCall) -> Any:
        asked.append(call.arguments["token"])
        if call.callback is not None:
            call.callback.succeed(1)
        return 1

    outcome = simulate(machine(state), {}, handle)

    assert (outcome.output, len(asked[0])) == (1, 64)
    without = {**state, "Resource": "arn:aws:states:::batch:submitJob"}
    assert simulate(machine(without), {}, handle).error == "States.Runtime"
