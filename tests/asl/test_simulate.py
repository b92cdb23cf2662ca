from __future__ import annotations

import collections
import json
import threading
from typing import Any

import pytest

from agentflow.adapters.aws.asl.read import read
from agentflow.adapters.aws.asl.simulate import Outcome, TaskCall, TaskError, simulate
from agentflow.adapters.aws.asl.simulate.handlers import Later, by_name

LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:"
INVOKE = "arn:aws:states:::lambda:invoke"


def machine(state: dict[str, Any], *others: dict[str, Any], **top: Any) -> dict[str, Any]:
    """States `S`, `S1`, `S2`…; each leads to the end unless it says otherwise."""
    states = {}
    for number, given in enumerate((state, *others)):
        free = given["Type"] in ("Choice", "Succeed", "Fail") or "Next" in given
        states["S" + (str(number) if number else "")] = given if free else {**given, "End": True}
    return {"StartAt": "S", "States": states, **top}


def jsonata(*states: dict[str, Any], **top: Any) -> dict[str, Any]:
    return machine(*states, QueryLanguage="JSONata", **top)


def passing(output: Any) -> dict[str, Any]:
    return {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True, **output}}}


def failing(error: str = "Boom") -> dict[str, Any]:
    return {"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": error, "Cause": "why"}}}


def counts(outcome: Outcome) -> collections.Counter[str]:
    return collections.Counter(event.type for event in outcome.history)


class Flaky(Exception):
    """Raised by functions of the tests."""


def flaky(times: int) -> Any:
    """A function that fails a number of times before it gives its event back."""
    left = [times]

    def call(event: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise Flaky("not yet")
        return event

    return call


# --- input and output ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "given", "expected"),
    [
        pytest.param({"InputPath": None}, {"a": 1}, {}, id="InputPath null is an empty object"),
        pytest.param({"OutputPath": None}, {"a": 1}, {}, id="OutputPath null too"),
        pytest.param({"Result": 5, "ResultPath": None}, {"a": 1}, {"a": 1}, id="result dropped"),
        pytest.param(
            {"Result": 5, "ResultPath": "$.x.y"}, {"a": 1}, {"a": 1, "x": {"y": 5}}, id="path made"
        ),
        pytest.param(
            {"Result": 5, "ResultPath": "$.a[1]"}, {"a": [1, 2]}, {"a": [1, 5]}, id="into a list"
        ),
        pytest.param(
            {"InputPath": "$.a", "Result": 5, "ResultPath": "$.x"},
            {"a": {"b": 1}},
            {"a": {"b": 1}, "x": 5},
            id="the result is put into the whole input",
        ),
        pytest.param({"Result": {"x.$": "$"}}, {}, {"x.$": "$"}, id="Result is literal"),
        pytest.param(
            {"Parameters": {"v": [{"w.$": "$.a"}], "x": "$.a"}},
            {"a": 1},
            {"v": [{"w": 1}], "x": "$.a"},
            id="templates inside lists",
        ),
        pytest.param({"Parameters": {"x.$": "$.a[1:]"}}, {}, {"x": []}, id="a slice of nothing"),
        pytest.param(
            {"Parameters": {"x.$": "$..b"}},
            {"a": [{"b": 1}, {"b": 2}]},
            {"x": [1, 2]},
            id="descent",
        ),
        pytest.param(
            {"Parameters": {"x.$": "$.a[?(@.b > 1 && @.c == 'q')].b"}},
            {"a": [{"b": 2, "c": "q"}, {"b": 3, "c": "r"}, {"b": 1, "c": "q"}]},
            {"x": [2]},
            id="a filter",
        ),
        pytest.param({"Parameters": {"x.$": "$.a.length()"}}, {"a": [1, 2]}, {"x": 2}, id="length"),
        pytest.param({"Parameters": {"x.$": "$$.State.Name"}}, {}, {"x": "S"}, id="context"),
        pytest.param(
            {"Parameters": {"x.$": "$['a b']['c.d']"}}, {"a b": {"c.d": 1}}, {"x": 1}, id="quoted"
        ),
    ],
)
def test_a_pass_state_places_its_result(state: Any, given: Any, expected: Any) -> None:
    outcome = simulate(machine({"Type": "Pass", **state}), given)

    assert (outcome.status, outcome.output) == ("SUCCEEDED", expected)


@pytest.mark.parametrize(
    ("state", "given", "cause"),
    [
        pytest.param(
            {"InputPath": "$.a.b"}, {}, "Missing property in path $['a']", id="on the way"
        ),
        pytest.param({"InputPath": "$.a"}, {}, "No results for path: $['a']", id="at the end"),
        pytest.param(
            {"Parameters": {"x.$": "$.a"}},
            {},
            "The JSONPath '$.a' specified for the field 'x.$' could not be found in the input '{}'",
            id="in a template",
        ),
        pytest.param(
            {"Parameters": {"x.$": "States.ArrayGetItem($.a, 3)"}},
            {"a": [1]},
            "The function 'States.ArrayGetItem($.a, 3)' had the following error",
            id="in an intrinsic function",
        ),
    ],
)
def test_a_path_that_leads_nowhere_is_a_runtime_error(state: Any, given: Any, cause: str) -> None:
    outcome = simulate(machine({"Type": "Pass", **state}), given)

    assert (outcome.status, outcome.error) == ("FAILED", "States.Runtime")
    assert cause in str(outcome.cause)
    assert "executing the state 'S' (entered at the event id #2)" in str(outcome.cause)


def test_a_result_that_cannot_be_placed_has_its_own_error() -> None:
    outcome = simulate(machine({"Type": "Pass", "Result": 1, "ResultPath": "$.x"}), "text")

    assert outcome.error == "States.ResultPathMatchFailure"


def test_assign_and_output_see_the_variables_of_before() -> None:
    first = {"Type": "Pass", "Assign": {"a": 1, "b": 2}, "Next": "S1"}
    swap = {"Type": "Pass", "Assign": {"a.$": "$b", "b.$": "$a"}, "OutputPath": "$a", "Next": "S2"}
    last = {"Type": "Pass", "Parameters": {"a.$": "$a", "b.$": "$b", "in.$": "$"}}

    outcome = simulate(machine(first, swap, last), {})

    assert outcome.output == {"a": 2, "b": 1, "in": 1}


def test_branches_read_outer_variables_and_write_their_own() -> None:
    branch = {
        "StartAt": "A",
        "States": {
            "A": {"Type": "Pass", "Assign": {"x": 9}, "Next": "B"},
            "B": {"Type": "Pass", "Parameters": {"x.$": "$x", "y.$": "$y"}, "End": True},
        },
    }
    outcome = simulate(
        machine(
            {"Type": "Pass", "Assign": {"x": 1, "y": 2}, "Next": "S1"},
            {"Type": "Parallel", "Branches": [branch], "ResultPath": "$.r", "Next": "S2"},
            {"Type": "Pass", "Parameters": {"x.$": "$x", "r.$": "$.r"}},
        ),
        {},
    )

    assert outcome.output == {"x": 1, "r": [{"x": 9, "y": 2}]}


# --- tasks, retry, catch -------------------------------------------------------------------


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


# --- tokens, activities, children ----------------------------------------------------------

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


# --- parallel and map ----------------------------------------------------------------------


def test_the_error_of_a_branch_stops_the_others() -> None:
    slow = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 50, "End": True}}}
    state = {"Type": "Parallel", "Branches": [slow, failing()]}

    outcome = simulate(machine(state), {}, started_at=0)

    assert (outcome.error, outcome.cause, outcome.ended_at) == ("Boom", "why", 0)
    assert counts(outcome)["WaitStateAborted"] == 1


def test_a_parallel_state_is_retried_and_caught_as_a_whole() -> None:
    state = {
        "Type": "Parallel",
        "Branches": [failing()],
        "Retry": [{"ErrorEquals": ["Boom"], "MaxAttempts": 2}],
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "S1"}],
        "Next": "S1",
    }

    outcome = simulate(machine(state, {"Type": "Pass"}), {})

    assert outcome.output == {"Error": "Boom", "Cause": "why"}
    assert counts(outcome)["ParallelStateStarted"] == 3


def test_iterations_run_at_most_so_many_at_once() -> None:
    state = {
        "Type": "Map",
        "MaxConcurrency": 2,
        "ItemProcessor": {
            "StartAt": "W",
            "States": {"W": {"Type": "Wait", "Seconds": 10, "End": True}},
        },
    }

    outcome = simulate(machine(state), [1, 2, 3, 4, 5], started_at=0)

    assert (outcome.output, outcome.ended_at) == ([1, 2, 3, 4, 5], 30)


@pytest.mark.parametrize(
    ("fields", "given", "expected"),
    [
        pytest.param({}, [], [], id="no items"),
        pytest.param({"ItemsPath": "$.a"}, {"a": [1]}, [1], id="a path"),
        pytest.param(
            {"ItemsPath": "$.a", "ItemSelector": {"v.$": "$$.Map.Item.Value", "b.$": "$.b"}},
            {"a": [1], "b": 2},
            [{"v": 1, "b": 2}],
            id="a selector",
        ),
        pytest.param(
            {"QueryLanguage": "JSONata", "Items": "{% $states.input.a %}"},
            {"a": [1, 2]},
            [1, 2],
            id="an expression",
        ),
        pytest.param(
            {
                "QueryLanguage": "JSONata",
                "Items": [5, 6],
                "ItemSelector": {"i": "{% $states.context.Map.Item.Index %}"},
            },
            None,
            [{"i": 0}, {"i": 1}],
            id="an index",
        ),
    ],
)
@pytest.mark.parametrize("mode", ["INLINE", "DISTRIBUTED"])
def test_a_map_runs_its_processor_for_each_item(
    fields: Any, given: Any, expected: Any, mode: str
) -> None:
    processor = {**passing({}), "ProcessorConfig": {"Mode": mode}}
    if mode == "DISTRIBUTED":
        processor["ProcessorConfig"]["ExecutionType"] = "STANDARD"
    state = {"Type": "Map", "ItemProcessor": processor, **fields}

    assert simulate(machine(state), given).output == expected


def test_a_distributed_map_takes_the_entries_of_an_object() -> None:
    outcome = simulate(machine(distributed(passing({}), ItemsPath="$.o")), {"o": {"a": 1}})

    assert outcome.output == [{"Key": "a", "Value": 1}]


def test_an_inline_map_takes_lists_only() -> None:
    state = {"Type": "Map", "ItemsPath": "$.o", "ItemProcessor": passing({})}

    outcome = simulate(machine(state), {"o": {"a": 1}})

    assert (outcome.error, 'Reference path "$.o" must point to array.' in str(outcome.cause)) == (
        "States.Runtime",
        True,
    )


def distributed(processor: dict[str, Any], **fields: Any) -> dict[str, Any]:
    config = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}}
    return {"Type": "Map", "ItemProcessor": {**processor, **config}, **fields}


ODD = {
    "StartAt": "C",
    "States": {
        "C": {
            "Type": "Choice",
            "Choices": [{"Variable": "$", "NumericGreaterThan": 1, "Next": "F"}],
            "Default": "P",
        },
        "P": {"Type": "Pass", "End": True},
        "F": {"Type": "Fail", "Error": "Big", "Cause": "too big"},
    },
}
FAILED = {"Status": "FAILED", "Error": "Big", "Cause": "too big"}


@pytest.mark.parametrize(
    ("fields", "result"),
    [
        pytest.param({"ToleratedFailureCount": 1}, [1, FAILED, 0], id="a count"),
        pytest.param({"ToleratedFailurePercentage": 34}, [1, FAILED, 0], id="a percentage"),
        pytest.param({"ToleratedFailurePercentage": 33}, None, id="too small a percentage"),
        pytest.param({"ToleratedFailureCount": 0}, None, id="zero counts as unset"),
        pytest.param({}, None, id="nothing is tolerated"),
    ],
)
def test_a_distributed_map_tolerates_failures(fields: Any, result: Any) -> None:
    outcome = simulate(machine(distributed(ODD, **fields)), [1, 2, 0])

    assert outcome.output == result
    assert outcome.error == (None if result else "States.ExceedToleratedFailureThreshold")


@pytest.mark.parametrize(
    ("config", "content", "items"),
    [
        pytest.param({"InputType": "JSON"}, "[1, 2]", [1, 2], id="JSON"),
        pytest.param(
            {"InputType": "JSON", "ItemsPointer": "/a/b"}, '{"a":{"b":[3]}}', [3], id="pointer"
        ),
        pytest.param(
            {"InputType": "JSONL"}, '{"a":1}\n{"a":2}\n', [{"a": 1}, {"a": 2}], id="JSONL"
        ),
        pytest.param(
            {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"},
            'a,b\n1,"x,y"\n',
            [{"a": "1", "b": "x,y"}],
            id="CSV",
        ),
        pytest.param(
            {
                "InputType": "CSV",
                "CSVHeaderLocation": "GIVEN",
                "CSVHeaders": ["p", "q"],
                "CSVDelimiter": "PIPE",
                "MaxItems": 1,
            },
            "1|2\n3|4\n",
            [{"p": "1", "q": "2"}],
            id="CSV with headers of its own",
        ),
    ],
)
def test_items_are_read_from_an_object(config: Any, content: str, items: Any) -> None:
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": config,
        "Parameters": {"Bucket": "b", "Key.$": "$.key"},
    }

    outcome = simulate(
        machine(distributed(passing({}), ItemReader=reader)), {"key": "k"}, objects={"b/k": content}
    )

    assert outcome.output == items


@pytest.mark.parametrize(
    ("config", "content", "cause"),
    [
        pytest.param({"InputType": "JSON"}, "5", "non-iterable", id="no list"),
        pytest.param(
            {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"},
            "a,a\n",
            "duplicates",
            id="twice",
        ),
        pytest.param({"InputType": "JSON", "MaxItems": -1}, "[]", "positive", id="negative"),
        pytest.param({"InputType": "JSON"}, None, "does not exist", id="no object"),
    ],
)
def test_items_that_cannot_be_read_fail_the_map(config: Any, content: Any, cause: str) -> None:
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": config,
        "Parameters": {"Bucket": "b", "Key": "k"},
    }
    objects = {} if content is None else {"b/k": content}

    outcome = simulate(machine(distributed(passing({}), ItemReader=reader)), {}, objects=objects)

    assert outcome.error == "States.ItemReaderFailed"
    assert cause in str(outcome.cause)


def test_objects_of_a_bucket_are_listed() -> None:
    reader = {
        "Resource": "arn:aws:states:::s3:listObjectsV2",
        "Parameters": {"Bucket": "b", "Prefix": "in/"},
    }
    state = distributed(passing({"InputPath": "$.Key"}), ItemReader=reader)

    outcome = simulate(machine(state), {}, objects={"b/in/1": "x", "b/in/2": "y", "b/out": "z"})

    assert outcome.output == ["in/1", "in/2"]


def test_the_files_of_an_inventory_are_read() -> None:
    manifest = {
        "destinationBucket": "arn:aws:s3:::b",
        "fileSchema": "Bucket, Key",
        "files": [{"key": "one.csv"}, {"key": "two.csv"}],
    }
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "MANIFEST"},
        "Parameters": {"Bucket": "b", "Key": "manifest.json"},
    }
    objects = {"b/manifest.json": json.dumps(manifest), "b/one.csv": "x,1\n", "b/two.csv": "x,2\n"}

    outcome = simulate(
        machine(distributed(passing({}), ItemReader=reader)), {}, objects={**objects}
    )

    assert outcome.output == [{"Bucket": "x", "Key": "1"}, {"Bucket": "x", "Key": "2"}]


def test_items_are_put_together() -> None:
    batcher = {"MaxItemsPerBatch": 2, "BatchInput": {"k.$": "$.k"}}
    state = distributed(passing({}), ItemsPath="$.a", ItemBatcher=batcher)

    outcome = simulate(machine(state), {"a": [1, 2, 3], "k": 9})

    assert outcome.output == [
        {"Items": [1, 2], "BatchInput": {"k": 9}},
        {"Items": [3], "BatchInput": {"k": 9}},
    ]


def test_results_are_written() -> None:
    writer = {
        "Resource": "arn:aws:states:::s3:putObject",
        "Parameters": {"Bucket": "out", "Prefix": "p"},
    }
    objects: dict[str, str | bytes] = {}

    outcome = simulate(
        machine(distributed(passing({}), ResultWriter=writer)), [1, 2], objects=objects
    )

    details = outcome.output["ResultWriterDetails"]
    manifest = json.loads(objects[f"{details['Bucket']}/{details['Key']}"])
    [file] = manifest["ResultFiles"]["SUCCEEDED"]
    rows = json.loads(objects[f"out/{file['Key']}"])
    assert [row["Output"] for row in rows] == ["1", "2"]


# --- the rest ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "given", "taken"),
    [
        pytest.param({"Variable": "$.x", "IsPresent": True}, {"x": None}, True, id="null is there"),
        pytest.param({"Variable": "$.x", "IsPresent": True}, {}, False, id="missing"),
        pytest.param(
            {"Variable": "$.x", "StringMatches": r"a\*b*"}, {"x": "a*bc"}, True, id="escape"
        ),
        pytest.param(
            {"Variable": "$.x", "StringMatches": r"a\*b*"}, {"x": "axbc"}, False, id="star"
        ),
        pytest.param(
            {"Variable": "$.x", "TimestampLessThanPath": "$.y"},
            {"x": "2024-01-01T00:00:00+02:00", "y": "2024-01-01T00:00:00Z"},
            True,
            id="times with offsets",
        ),
        pytest.param(
            {
                "And": [
                    {"Not": {"Variable": "$.x", "IsNull": True}},
                    {"Variable": "$.x", "NumericEquals": 1},
                ]
            },
            {"x": 1.0},
            True,
            id="joined",
        ),
        pytest.param({"Variable": "$.x", "NumericEquals": 1}, {"x": True}, False, id="no number"),
    ],
)
def test_a_choice_follows_its_rule(rule: Any, given: Any, taken: bool) -> None:
    state = {"Type": "Choice", "Choices": [{**rule, "Next": "S1"}], "Default": "S2"}

    outcome = simulate(
        machine(state, {"Type": "Pass", "Result": True}, {"Type": "Pass", "Result": False}), given
    )

    assert outcome.output is taken


@pytest.mark.parametrize(
    ("given", "cause"),
    [
        pytest.param({}, "condition path references an invalid value", id="no variable"),
        pytest.param({"x": 2}, "does not point to a next state", id="no default"),
    ],
)
def test_a_choice_without_a_way_out_fails(given: Any, cause: str) -> None:
    state = {
        "Type": "Choice",
        "Choices": [{"Variable": "$.x", "NumericEquals": 1, "Next": "S1"}],
    }

    outcome = simulate(machine(state, {"Type": "Succeed"}), given)

    assert outcome.error == "States.Runtime"
    assert cause in str(outcome.cause)


def test_jsonata_choices_assign_and_give_outputs_of_their_own() -> None:
    rule = {
        "Condition": "{% $states.input.n > 1 %}",
        "Assign": {"big": True},
        "Output": "{% $states.input.n %}",
        "Next": "S1",
    }
    outcome = simulate(
        jsonata(
            {"Type": "Choice", "Choices": [rule], "Default": "S1", "Assign": {"big": False}},
            {"Type": "Pass", "Output": ["{% $big %}", "{% $states.input %}"]},
        ),
        {"n": 2},
    )

    assert outcome.output == [True, 2]


@pytest.mark.parametrize(
    ("state", "given", "until"),
    [
        pytest.param({"Seconds": 5}, None, 5, id="seconds"),
        pytest.param({"SecondsPath": "$.s"}, {"s": 6}, 6, id="a path to seconds"),
        pytest.param({"Timestamp": "1970-01-01T00:01:00Z"}, None, 60, id="a time"),
        pytest.param(
            {"TimestampPath": "$.t"}, {"t": "1970-01-01T01:00:00+00:30"}, 1800, id="offset"
        ),
        pytest.param({"Timestamp": "1960-01-01T00:00:00Z"}, None, 0, id="the past"),
    ],
)
def test_a_wait_ends_at_its_time(state: Any, given: Any, until: float) -> None:
    outcome = simulate(machine({"Type": "Wait", **state}), given, started_at=0)

    assert (outcome.output, outcome.ended_at) == (given, until)


@pytest.mark.parametrize(
    ("expression", "cause"),
    [
        pytest.param("$states.input.zz", "returned nothing (undefined).", id="undefined"),
        pytest.param("1 + 'a'", 'T2002: The right side of the "+" operator', id="an error"),
        pytest.param("$eval('1')", "T1006: Attempted to invoke a non-function", id="no eval"),
    ],
)
def test_a_jsonata_failure_says_which_field(expression: str, cause: str) -> None:
    state = {"Type": "Pass", "Output": {"x": f"{{% {expression} %}}"}}

    outcome = simulate(jsonata(state), {})

    assert outcome.error == "States.QueryEvaluationError"
    assert "specified for the field 'Output/x'" in str(outcome.cause)
    assert cause in str(outcome.cause)
    assert counts(outcome)["EvaluationFailed"] == 1


def test_a_jsonata_failure_of_a_task_can_be_caught() -> None:
    state = {
        "Type": "Task",
        "Resource": LAMBDA + "f",
        "Arguments": "{% $states.input.zz %}",
        "Catch": [
            {
                "ErrorEquals": ["States.QueryEvaluationError"],
                "Output": "{% $states.errorOutput.Error %}",
                "Next": "S1",
            }
        ],
        "Next": "S1",
    }

    assert simulate(jsonata(state, {"Type": "Pass"}), {}).output == "States.QueryEvaluationError"


@pytest.mark.slow
def test_an_endless_loop_ends_with_the_history() -> None:
    choice = {
        "Type": "Choice",
        "Choices": [{"Variable": "$.x", "IsNull": True, "Next": "S1"}],
        "Default": "S2",
    }
    outcome = simulate(
        machine(choice, {"Type": "Succeed"}, {"Type": "Pass", "Next": "S"}), {"x": 1}
    )

    assert outcome.status == "FAILED"
    assert "maximum number of history events" in str(outcome.cause)


def test_the_same_execution_has_the_same_history() -> None:
    state = {"Type": "Pass", "Parameters": {"u.$": "States.UUID()", "t.$": "$$.State.EnteredTime"}}

    first, second = (simulate(machine(state), {}, name="same", started_at=0) for _ in range(2))

    assert first == second
    assert first.output["t"] == "1970-01-01T00:00:00.000Z"


@pytest.mark.slow
def test_a_function_that_blocks_is_timed_out_in_real_time() -> None:
    released = threading.Event()
    state = {"Type": "Task", "Resource": LAMBDA + "f", "TimeoutSeconds": 1}
    handler = by_name({"f": lambda event: released.wait(30)})
    threading.Timer(1.2, released.set).start()

    assert simulate(machine(state), 1, handler, time="real").error == "States.Timeout"


def test_real_time_passes_in_real_time() -> None:
    state = {"Type": "Task", "Resource": LAMBDA + "f"}
    handler = by_name({"f": lambda event: Later(event, 0.05)})

    outcome = simulate(machine(state), 1, handler, time="real")

    assert outcome.output == 1
    assert outcome.ended_at - outcome.started_at >= 0.05
