from __future__ import annotations

import threading
from typing import Any

import pytest

from agentflow.adapters.aws.asl.simulate import simulate
from agentflow.adapters.aws.asl.simulate.handlers import Later, by_name
from tests.asl.machines import LAMBDA, counts, failing, jsonata, machine


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
        pytest.param(
            {"Variable": "$.x", "NumericGreaterThanPath": "$.y"},
            {"x": 7, "y": [6]},
            True,
            id="more than a list",
        ),
        pytest.param(
            {"Variable": "$.x", "NumericLessThanPath": "$.y"},
            {"x": 7, "y": "8"},
            True,
            id="less than a text",
        ),
        pytest.param(
            {"Variable": "$.x", "NumericLessThanEqualsPath": "$.y"},
            {"x": 8, "y": {"value": 8}},
            False,
            id="not below an object",
        ),
        pytest.param(
            {"Variable": "$.x", "NumericEqualsPath": "$.y"},
            {"x": 0, "y": None},
            False,
            id="no number equals null",
        ),
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


def test_texts_are_ordered_by_texts_only() -> None:
    rule = {"Variable": "$.x", "StringGreaterThanPath": "$.y", "Next": "S1"}
    state = {"Type": "Choice", "Choices": [rule], "Default": "S1"}

    outcome = simulate(machine(state, {"Type": "Succeed"}), {"x": 1, "y": 1})

    assert (outcome.error, "value provided at path '$.y'" in str(outcome.cause)) == (
        "States.Runtime",
        True,
    )


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
        pytest.param(
            {"TimestampPath": "$.t"}, {"t": "1970-01-01t00:01:00z"}, 60, id="small letters"
        ),
    ],
)
def test_a_wait_ends_at_its_time(state: Any, given: Any, until: float) -> None:
    outcome = simulate(machine({"Type": "Wait", **state}), given, started_at=0)

    assert (outcome.output, outcome.ended_at) == (given, until)


@pytest.mark.parametrize(
    "given", ["soon", "1_0", " 1", "NaN", "1e400", 10**400, 1.5, 1.0, "1.0", True, None, []]
)
def test_what_is_no_whole_number_is_no_time_to_wait(given: Any) -> None:
    outcome = simulate(machine({"Type": "Wait", "SecondsPath": "$.s"}), {"s": given})

    assert outcome.error == "States.Runtime"
    assert "SecondsPath parameter cannot be parsed as a long value: $.s == " in str(outcome.cause)


@pytest.mark.parametrize(
    "state",
    [
        pytest.param({"SecondsPath": "$.s"}, id="seconds"),
        pytest.param({"TimestampPath": "$.t"}, id="a time"),
    ],
)
def test_no_execution_lasts_longer_than_a_year(state: Any) -> None:
    given = {"s": 10**21, "t": "9999-12-31T23:59:59Z"}

    outcome = simulate(machine({"Type": "Wait", **state}), given, started_at=0)

    assert (outcome.status, outcome.ended_at) == ("TIMED_OUT", 365 * 24 * 3600)


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


@pytest.mark.parametrize(
    ("way", "field"),
    [
        pytest.param({"Output": {"x": "{% $n %}"}}, "Choices[1]/Output/x", id="an output"),
        pytest.param({"Assign": {"x": ["{% $n %}"]}}, "Choices[1]/Assign/x[0]", id="a variable"),
    ],
)
def test_a_jsonata_failure_says_which_rule(way: Any, field: str) -> None:
    rules = [{"Condition": "{% false %}", "Next": "S1"}, {"Condition": True, "Next": "S1", **way}]

    outcome = simulate(jsonata({"Type": "Choice", "Choices": rules}, {"Type": "Succeed"}), {})

    assert outcome.error == "States.QueryEvaluationError"
    assert f"specified for the field '{field}'" in str(outcome.cause)


@pytest.mark.parametrize("member", ["Output", "Assign"])
def test_a_jsonata_failure_says_which_catcher(member: str) -> None:
    catchers = [
        {"ErrorEquals": ["Other"], "Next": "S1"},
        {"ErrorEquals": ["Boom"], "Next": "S1", member: {"x": "{% $n %}"}},
    ]
    state = {"Type": "Parallel", "Branches": [failing()], "Catch": catchers, "Next": "S1"}

    outcome = simulate(jsonata(state, {"Type": "Succeed"}), {})

    assert outcome.error == "States.QueryEvaluationError"
    assert f"specified for the field 'Catch[1]/{member}/x'" in str(outcome.cause)


def test_a_jsonata_failure_is_no_failure_of_the_task() -> None:
    state = {
        "Type": "Task",
        "Resource": LAMBDA + "f",
        "Arguments": "{% $states.input.zz %}",
        "Catch": [{"ErrorEquals": ["States.TaskFailed"], "Next": "S1"}],
        "Next": "S1",
    }

    outcome = simulate(jsonata(state, {"Type": "Pass"}), {})

    assert outcome.error == "States.QueryEvaluationError"


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
