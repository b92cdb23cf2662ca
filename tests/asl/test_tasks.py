from __future__ import annotations

import asyncio
import json
import time as clocks
from typing import Any

import pytest

from agentflow.adapters.aws.asl.read import read
from agentflow.adapters.aws.asl.simulate import TaskCall, TaskError, run, simulate
from agentflow.adapters.aws.asl.simulate.driver import World
from agentflow.adapters.aws.asl.simulate.execution import Identity
from agentflow.adapters.aws.asl.simulate.handlers import Later, by_name
from tests.asl.machines import INVOKE, LAMBDA, counts, flaky, jsonata, machine


def test_a_function_is_called_with_its_event_and_its_result_selected() -> None:
    state = {
        "Type": "Task",
        "Resource": INVOKE,
        "Parameters": {"FunctionName": "f", "Payload": {"n.$": "$.n"}},
        "ResultSelector": {"got.$": "$.Payload.n", "code.$": "$.StatusCode"},
        "ResultPath": "$.r",
    }

    outcome = simulate(machine(state), {"n": 3}, by_name({"f": lambda event: event}))

    assert outcome.output == {"n": 3, "r": {"got": 3, "code": 200}}


@pytest.mark.parametrize(
    ("retriers", "failures", "calls"),
    [
        pytest.param([{"ErrorEquals": ["States.ALL"]}], 9, 4, id="three retries unless it says"),
        pytest.param([{"ErrorEquals": ["Flaky"], "MaxAttempts": 0}], 9, 1, id="none"),
        pytest.param([{"ErrorEquals": ["Other"]}], 9, 1, id="another error"),
        pytest.param([{"ErrorEquals": ["States.TaskFailed"]}], 2, 3, id="until it succeeds"),
        pytest.param(
            [{"ErrorEquals": ["Flaky"], "MaxAttempts": 1}, {"ErrorEquals": ["States.ALL"]}],
            9,
            2,
            id="only the first that matches counts",
        ),
    ],
)
def test_a_task_is_retried(retriers: Any, failures: int, calls: int) -> None:
    state = {"Type": "Task", "Resource": LAMBDA + "f", "Retry": retriers}

    outcome = simulate(machine(state), {}, by_name({"f": flaky(failures)}))

    assert counts(outcome)["LambdaFunctionScheduled"] == calls
    assert outcome.status == ("SUCCEEDED" if calls > failures else "FAILED")


def test_delays_grow_up_to_their_limit() -> None:
    retrier = {
        "ErrorEquals": ["Flaky"],
        "IntervalSeconds": 2,
        "BackoffRate": 3,
        "MaxAttempts": 4,
        "MaxDelaySeconds": 10,
    }
    state = {"Type": "Task", "Resource": LAMBDA + "f", "Retry": [retrier]}

    outcome = simulate(machine(state), {}, by_name({"f": flaky(4)}), started_at=0)

    assert outcome.ended_at == 2 + 6 + 10 + 10


def test_jitter_shortens_delays() -> None:
    retrier = {"ErrorEquals": ["Flaky"], "IntervalSeconds": 100, "JitterStrategy": "FULL"}
    state = {"Type": "Task", "Resource": LAMBDA + "f", "Retry": [retrier]}

    outcome = simulate(machine(state), {}, by_name({"f": flaky(1)}), started_at=0, name="x")

    assert 0 < outcome.ended_at < 100


def test_a_catcher_gets_the_name_and_the_report_of_an_exception() -> None:
    state = {
        "Type": "Task",
        "Resource": LAMBDA + "f",
        "Catch": [{"ErrorEquals": ["Flaky"], "ResultPath": "$.e", "Next": "S1"}],
        "Next": "S1",
    }

    outcome = simulate(machine(state, {"Type": "Pass"}), {"a": 1}, by_name({"f": flaky(1)}))

    report = json.loads(outcome.output["e"].pop("Cause"))
    assert outcome.output == {"a": 1, "e": {"Error": "Flaky"}}
    assert (report["errorType"], report["errorMessage"]) == ("Flaky", "not yet")


def test_runtime_errors_are_never_caught() -> None:
    state = {
        "Type": "Task",
        "Resource": LAMBDA + "f",
        "InputPath": "$.missing",
        "Catch": [{"ErrorEquals": ["States.Runtime"], "Next": "S1"}],
        "Retry": [{"ErrorEquals": ["States.ALL"]}],
        "Next": "S1",
    }

    outcome = simulate(machine(state, {"Type": "Pass"}), {})

    assert (outcome.status, outcome.error) == ("FAILED", "States.Runtime")


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        pytest.param({"TimeoutSeconds": 5}, 5, id="a number"),
        pytest.param({"TimeoutSecondsPath": "$.t"}, 7, id="a path"),
        pytest.param(
            {"TimeoutSeconds": "{% $states.input.t %}", "QueryLanguage": "JSONata"}, 7, id="JSONata"
        ),
    ],
)
def test_a_task_has_a_time_limit(fields: Any, seconds: int) -> None:
    state = {"Type": "Task", "Resource": LAMBDA + "f", **fields}
    slow = by_name({"f": lambda event: Later(event, 60)})

    outcome = simulate(machine(state), {"t": 7}, slow, started_at=0)

    assert (outcome.error, outcome.cause, outcome.ended_at) == ("States.Timeout", None, seconds)
    assert counts(outcome)["LambdaFunctionTimedOut"] == 1


@pytest.mark.parametrize("field", ["TimeoutSeconds", "HeartbeatSeconds"])
@pytest.mark.parametrize("value", [-1, 10**12])
def test_a_time_limit_that_is_none_is_an_error(field: str, value: int) -> None:
    task = {"Type": "Task", "Resource": LAMBDA + "f"}
    echo = by_name({"f": lambda event: event})
    by_path = machine({**task, f"{field}Path": "$.t"})
    by_query = jsonata({**task, field: "{% $states.input.t %}"})

    found = [simulate(each, {"t": value}, echo) for each in (by_path, by_query)]

    assert [each.error for each in found] == ["States.Runtime", "States.QueryEvaluationError"]
    assert all(f"{field} must be between 0 and 99999999" in str(each.cause) for each in found)


@pytest.mark.slow
async def test_work_that_hangs_is_late_in_virtual_time_too() -> None:
    async def hang(call: TaskCall) -> Any:
        await asyncio.Event().wait()

    slow = read(machine({"Type": "Task", "Resource": LAMBDA + "f", "TimeoutSeconds": 5}))
    world = World(hang, patience=0.02)

    outcome = await run(slow, {}, world, identity=Identity("e", "m"), started_at=0)

    assert (outcome.error, outcome.ended_at) == ("States.Timeout", 5)


@pytest.mark.slow
@pytest.mark.parametrize("fails", [False, True])
async def test_work_that_takes_long_is_late_though_it_ends(fails: bool) -> None:
    def sleep(event: Any) -> Any:
        clocks.sleep(1.1)
        return 1 / 0 if fails else event

    slow = read(machine({"Type": "Task", "Resource": LAMBDA + "f", "TimeoutSeconds": 1}))
    world = World(by_name({"f": sleep}), patience=0.02)

    outcome = await run(slow, {}, world, identity=Identity("e", "m"), started_at=0)

    assert (outcome.error, outcome.ended_at) == ("States.Timeout", 1)


@pytest.mark.parametrize(
    ("resource", "given", "told"),
    [
        pytest.param(INVOKE, {}, ["The field 'FunctionName' is required but was missing"], id="f"),
        pytest.param(
            INVOKE,
            {"FunctionName": 5},
            ["The value of the field 'FunctionName' has an invalid format"],
            id="no text",
        ),
        pytest.param(
            "arn:aws:states:::states:startExecution.sync:2",
            {"Input": {}},
            ["The field 'StateMachineArn' is required but was missing"],
            id="no machine",
        ),
        pytest.param(
            "arn:aws:states:::http:invoke",
            {"ApiEndpoint": "http://x", "Method": "LOOK", "Headers": []},
            [
                "The value of the field 'ApiEndpoint' has an invalid format",
                "The value of the field 'Method' has an invalid format",
                "The field 'Authentication' is required but was missing",
                "The value of the field 'Headers' has an invalid format",
            ],
            id="no call",
        ),
        pytest.param(
            "arn:aws:states:::http:invoke",
            {"ApiEndpoint": "https://x", "Method": "GET", "InvocationConfig": {}},
            ["The field 'ConnectionArn' is required but was missing"],
            id="no connection",
        ),
    ],
)
@pytest.mark.parametrize("language", ["JSONPath", "JSONata"])
def test_arguments_that_cannot_start_a_task_are_named(
    resource: str, given: Any, told: list[str], language: str
) -> None:
    state: dict[str, Any] = {
        "Type": "Task",
        "Resource": resource,
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "S1"}],
        "Next": "S1",
    }

    outcome = simulate(machine(state, {"Type": "Succeed"}, QueryLanguage=language), given)

    name = "Parameters" if language == "JSONPath" else "Arguments"
    assert outcome.error == "States.Runtime"
    assert outcome.cause == (
        "An error occurred while executing the state 'S' (entered at the event id #2). The "
        f"{name} '{json.dumps(given, separators=(',', ':'))}' could not be used to start the Task: "
        f"[{', '.join(told)}]"
    )


@pytest.mark.parametrize(
    "name",
    ["fun", LAMBDA + "fun", LAMBDA + "fun:7", "123456789012:function:fun", "fun:live"],
)
def test_a_function_is_found_by_any_form_of_its_name(name: str) -> None:
    state = {"Type": "Task", "Resource": INVOKE, "Parameters": {"FunctionName": name}}

    outcome = simulate(machine(state), {}, by_name({"fun": lambda event: b'[1, "sent as it is"]'}))

    assert outcome.output["Payload"] == [1, "sent as it is"]


def test_the_machine_has_a_time_limit() -> None:
    outcome = simulate(
        machine({"Type": "Wait", "Seconds": 100}, TimeoutSeconds=10), {}, started_at=0
    )

    assert (outcome.status, outcome.ended_at) == ("TIMED_OUT", 10)
    assert [event.type for event in outcome.history][-2:] == [
        "WaitStateAborted",
        "ExecutionTimedOut",
    ]


def test_an_execution_is_stopped_from_outside() -> None:
    outcome = simulate(machine({"Type": "Wait", "Seconds": 60}), {}, started_at=0, stop_after=3)

    assert (outcome.status, outcome.output, outcome.ended_at) == ("ABORTED", None, 3)


def test_work_that_nobody_does_fails_and_cannot_be_caught() -> None:
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sns:publish",
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "S1"}],
        "Next": "S1",
    }

    outcome = simulate(machine(state, {"Type": "Pass"}), {})

    assert outcome.status == "FAILED"
    assert "'arn:aws:states:::sns:publish'" in str(outcome.cause)


def test_a_handler_names_errors_as_a_service_does() -> None:
    def handle(call: TaskCall) -> Any:
        raise TaskError("DynamoDB.ConditionalCheckFailedException", "taken")

    state = {"Type": "Task", "Resource": "arn:aws:states:::dynamodb:putItem"}
    outcome = simulate(machine(state), {}, handle)

    assert (outcome.error, outcome.cause) == ("DynamoDB.ConditionalCheckFailedException", "taken")


def test_async_handlers_are_awaited() -> None:
    async def handle(call: TaskCall) -> Any:
        return [call.function, call.arguments]

    outcome = simulate(machine({"Type": "Task", "Resource": LAMBDA + "f"}), 1, handle)

    assert outcome.output == ["f", 1]
