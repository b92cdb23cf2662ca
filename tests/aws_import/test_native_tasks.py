"""Work that only AWS does, compiled: one Task again, with its token, heartbeats and role."""

from __future__ import annotations

import json

import pytest

from agentflow.adapters.aws.asl.simulate import TaskCall, simulate
from agentflow.adapters.aws.causes import error_of
from agentflow.adapters.aws.compile import TARGET, definition
from agentflow.adapters.refusals import CannotExpress
from agentflow.adapters.target import Options
from agentflow.errors import Json
from agentflow.runtime import virtual
from agentflow.spec.load import loads
from tests.aws_import.cases import EPOCH
from tests.aws_import.machines import catch, machine
from tests.aws_import.native import (
    ACTIVITY,
    FOREIGN,
    QUEUE,
    ending,
    imported,
    jsonata,
    passing,
    states_of,
)


def test_work_of_another_service_is_written_as_it_was() -> None:
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:s3:headObject",
        "Parameters": {"Bucket": "b", "Key.$": "$.key"},
        "TimeoutSeconds": 9,
        "Retry": [{"ErrorEquals": ["S3.Busy"], "MaxAttempts": 2}],
        "Catch": [catch("States.ALL", to="B")],
        "End": True,
    }
    there = definition(imported(machine(A=task, B=passing(Result="caught"))))
    (written,) = [state for state in states_of(there) if state["Type"] == "Task"]
    assert written["Resource"] == task["Resource"]
    assert written["Arguments"]["Bucket"] == "b"
    assert written["TimeoutSeconds"] == 9
    assert [each["ErrorEquals"] for each in written["Retry"]] == [["S3.Busy"]]

    def handle(call: TaskCall) -> Json:
        return {"ETag": call.arguments["Key"]}

    assert ending(there, {"key": "k"}, handle)[:2] == ["SUCCEEDED", {"ETag": "k"}]


@pytest.mark.parametrize(
    ("resource", "arguments"),
    [
        pytest.param(QUEUE, {"QueueUrl": "q", "MessageBody": {"t.$": "$$.Task.Token"}}, id="queue"),
        pytest.param(
            QUEUE,
            {"MessageBody": {"t.$": "States.Format('{}-{}', $$.Task.Token, $.colour)"}},
            id="token in JSONPath",
        ),
        pytest.param(ACTIVITY, {"colour.$": "$.colour"}, id="activity"),
    ],
)
def test_a_task_that_waits_is_one_task_again(resource: str, arguments: Json) -> None:
    task = {"Type": "Task", "Resource": resource, "Parameters": arguments, "TimeoutSeconds": 60}
    there = definition(imported(machine(A={**task, "End": True})))
    (written,) = [state for state in states_of(there) if state["Type"] == "Task"]
    assert written["Resource"] == resource
    assert written["TimeoutSeconds"] == 60
    if "Arguments" not in written:
        assert written["Parameters"]["MessageBody"] == {
            "t.$": "States.Format('{}-{}', $$.Task.Token, $.data.colour)"
        }
    elif resource == QUEUE:
        assert written["Arguments"]["MessageBody"] == {"t": "{% $states.context.Task.Token %}"}

    def handle(call: TaskCall) -> None:
        assert call.callback is not None
        call.callback.succeed({"painted": True})

    assert ending(there, {"colour": "red"}, handle)[:2] == ["SUCCEEDED", {"painted": True}]


def test_a_function_gets_the_token_that_its_answer_names() -> None:
    resource = "arn:aws:states:::lambda:invoke.waitForTaskToken"
    payload = {"around.$": "$$", "token.$": "$$.Task.Token"}
    given = {"FunctionName": "ask", "Payload": payload}
    task = {"Type": "Task", "Resource": resource, "Parameters": given, "End": True}
    seen: list[Json] = []

    def handle(call: TaskCall) -> Json:
        if call.callback is not None:
            call.callback.succeed("done")
        else:
            seen.append(call.arguments["arguments"]["event"])
        return None

    assert ending(definition(imported(machine(A=task))), {}, handle)[:2] == ["SUCCEEDED", "done"]
    assert seen[0]["token"] == seen[0]["around"]["Task"]["Token"]
    assert seen[0]["around"]["Execution"]["Id"].startswith("arn:aws:states:")


@pytest.mark.parametrize("language", ["JSONPath", "JSONata"])
def test_arns_are_those_of_the_service(language: str) -> None:
    read_ = {"id": "{% $states.context.Execution.Id %}"}
    fields: Json = {"QueryLanguage": "JSONata", "Output": read_}
    if language == "JSONPath":
        fields = {"Parameters": {"id.$": "$$.Execution.Id"}}
    given = machine(A=passing(**fields))
    id = "arn:aws:states:us-east-1:123456789012:execution:{}:execution"
    done = [simulate(each, {}, name="execution") for each in (given, definition(imported(given)))]
    assert [each.output["id"].split(":")[:6] for each in done] == [id.split(":")[:6]] * 2


def test_a_token_inside_jsonata_is_the_service_s_own() -> None:
    task = {
        "Type": "Task",
        "Resource": QUEUE,
        "Arguments": {"MessageBody": "{% 'token ' & $states.context.Task.Token %}"},
        "End": True,
    }
    there = definition(imported(jsonata(A=task)))
    seen: list[str] = []

    def handle(call: TaskCall) -> None:
        assert call.callback is not None
        assert call.token is not None
        seen.append(call.arguments["MessageBody"].removeprefix("token "))
        assert seen == [call.token]
        call.callback.succeed("done")

    assert ending(there, {}, handle)[:2] == ["SUCCEEDED", "done"]
    assert len(seen) == 1


TOKEN = {"Resource": QUEUE, "Parameters": {"MessageBody": {"t.$": "$$.Task.Token"}}}
BEATING: dict[str, dict[str, Json]] = {
    "written out": {**TOKEN, "HeartbeatSeconds": 10},
    "at a path": {**TOKEN, "HeartbeatSecondsPath": "$.every"},
    "beside a token in JSONPath": {
        "Resource": QUEUE,
        "Parameters": {"MessageBody": {"t.$": "States.Format('{}!', $$.Task.Token)"}},
        "HeartbeatSeconds": 10,
    },
    "in JSONata": {
        "QueryLanguage": "JSONata",
        "Resource": QUEUE,
        "Arguments": {"MessageBody": "{% 'token ' & $states.context.Task.Token %}"},
        "HeartbeatSeconds": "{% $states.input.every %}",
    },
    "of an activity": {"Resource": ACTIVITY, "HeartbeatSeconds": 10},
}


@pytest.mark.parametrize("name", BEATING)
def test_heartbeats_are_expected_as_before(name: str) -> None:
    given = machine(A={"Type": "Task", "TimeoutSeconds": 100, "End": True, **BEATING[name]})
    first = imported(given)
    there = definition(first)
    assert imported(there).text == first.text
    edited = definition(imported({**there, "Comment": "changed"}))
    assert awaited(given, 8, 16) == ["SUCCEEDED", "done", "", 25]
    assert awaited(given) == ["FAILED", None, "Timeout", 10]
    for compiled in (there, edited):
        assert awaited(compiled, 8, 16) == awaited(given, 8, 16)
        assert awaited(compiled) == awaited(given)


APART = {
    "missed heartbeats alone": [catch("States.HeartbeatTimeout", to="H")],
    "both": [catch("States.HeartbeatTimeout", to="H"), catch("States.Timeout", to="T")],
    "both by one": [catch("States.Timeout", to="T"), catch("States.HeartbeatTimeout", to="H")],
    "everything after the time limit": [
        catch("States.TaskFailed", to="T"),
        catch("States.HeartbeatTimeout", to="H"),
        catch("States.ALL", to="T"),
    ],
}


@pytest.mark.parametrize("handlers", APART.values(), ids=APART.keys())
@pytest.mark.parametrize("beats", [(), (8, 16, 24, 32)], ids=["silent", "too slow"])
def test_missed_heartbeats_are_caught_apart_from_other_timeouts(
    handlers: list[Json], beats: tuple[float, ...]
) -> None:
    waiting = {**TOKEN, "HeartbeatSeconds": 10, "TimeoutSeconds": 20, "Catch": handlers}
    to = {each["Next"] for each in handlers}
    ends = {
        name: {"Type": "Pass", "Parameters": {"at": name, "e.$": "$.Error"}, "End": True}
        for name in sorted(to)
    }
    given = machine(A={"Type": "Task", "End": True, **waiting}, **ends)
    there = definition(imported(given))
    assert awaited(there, *beats) == awaited(given, *beats)


def test_elsewhere_a_time_limit_is_no_missed_heartbeat() -> None:
    handlers = [catch("States.HeartbeatTimeout", to="H")]
    waiting = {**TOKEN, "HeartbeatSeconds": 10, "TimeoutSeconds": 20, "Catch": handlers}
    given = machine(A={"Type": "Task", "End": True, **waiting}, H=passing())
    ended = virtual.run(imported(given), {}, virtual.World(lambda *_: None, {}, EPOCH))
    assert ended.error is not None
    assert ended.error["name"] == "Timeout"


def awaited(given: Json, *beats: float) -> Json:
    """How a machine ends, and when, whose work sends heartbeats and is done after 25 s."""

    def handle(call: TaskCall) -> None:
        assert call.callback is not None
        for at in beats:
            call.callback.beat(after=at)
        call.callback.succeed("done", after=25)

    done = simulate(given, {"every": 10}, handle, started_at=0)
    name = error_of(done.error or "", done.cause or "")["name"]
    return [done.status, done.output, name, done.ended_at]


REFUSED = {
    "heartbeats that the time limit does not wait for": (
        f"timeout: 5s\n    call: {FOREIGN}.task\n    with: {{resource: 'a:b', heartbeat: 5}}",
        "`heartbeat` of `a` is 5",
    ),
    "a template that is computed": (
        "call: agentflow.adapters.aws.foreign.jsonata\n    with: {template: '${ input }'}",
        "`template` of `a` is computed",
    ),
    "a retry of an expression": (
        f"retry: {{max_attempts: 2}}\n    call: {FOREIGN}.jsonata\n    with: {{template: 1}}",
        "`a` retries or bounds `foreign.jsonata`",
    ),
    "a function that is not there": (
        "call: agentflow.adapters.aws.foreign.nothing",
        "there is no `agentflow.adapters.aws.foreign.nothing`",
    ),
    "an item's own call": (
        "map: [1]\n    call: agentflow.adapters.aws.foreign.jsonata\n    with: {template: 1}",
        "`agentflow.adapters.aws.foreign.jsonata` stands where only a function of yours can",
    ),
    "a token that nobody listens for": (
        f"call: agentflow.adapters.aws.foreign.task\n    with: {{resource: '{QUEUE}'}}",
        "`a` waits for a token that it cannot be given",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_state_can_mean_is_refused(name: str) -> None:
    step, message = REFUSED[name]
    with pytest.raises(CannotExpress) as caught:
        definition(loads(f"workflow: refused\ndo:\n  - id: a\n    {step}\n"))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.message == message
    assert diagnostic.help
    assert diagnostic.span.line > 2


def test_express_workflows_wait_for_nobody() -> None:
    resource = "arn:aws:states:::glue:startJobRun.sync"
    task = {"Type": "Task", "Resource": resource, "Parameters": {"JobName": "j"}, "End": True}
    with pytest.raises(CannotExpress) as caught:
        TARGET.compile(imported(machine(A=task)), Options(service={"kind": "express"}))
    assert {each.code for each in caught.value.diagnostics} == {"AF604"}


ROLES = {
    "at a path": ({"RoleArn.$": "$.role"}, "$at($data, 'role')"),
    "written out": ({"RoleArn": "arn:aws:iam::1:role/r"}, '"arn:aws:iam::1:role/r"'),
}


@pytest.mark.parametrize(("role", "written"), ROLES.values(), ids=ROLES.keys())
def test_the_role_that_work_is_done_with_stays(role: Json, written: str) -> None:
    resource = "arn:aws:states:::aws-sdk:s3:listBuckets"
    given = machine(A={"Type": "Task", "Resource": resource, "Credentials": role, "End": True})
    there = definition(imported(given))
    (found,) = (state for state in states_of(there) if state["Type"] == "Task")
    assert written in json.dumps(found["Credentials"])
    assert imported({**there, "Comment": "changed"}).text.count("credentials:") == 1
    assert ending(there, {"role": "r"}, lambda _: "done")[:2] == ["SUCCEEDED", "done"]
