from __future__ import annotations

from typing import Any

import pytest

from agentflow.adapters.aws.asl.simulate import simulate
from tests.asl.machines import counts, failing, machine, passing


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


def test_an_inline_map_takes_lists_only() -> None:
    state = {"Type": "Map", "ItemsPath": "$.o", "ItemProcessor": passing({})}

    outcome = simulate(machine(state), {"o": {"a": 1}})

    assert (outcome.error, 'Reference path "$.o" must point to array.' in str(outcome.cause)) == (
        "States.Runtime",
        True,
    )
