"""Fields whose values are found by paths, and what is wrong with them in the service's words."""

from __future__ import annotations

from typing import Any

import pytest

from agentflow.adapters.aws.asl.read import read
from agentflow.adapters.aws.asl.simulate import simulate
from tests.asl.machines import LAMBDA, distributed, machine, passing

MAP: dict[str, Any] = {"Type": "Map", "ItemsPath": "$.l", "ItemProcessor": passing({})}


@pytest.mark.parametrize(
    ("state", "given", "cause"),
    [
        pytest.param(
            {**MAP, "MaxConcurrencyPath": "$.v"},
            1.0,
            'The MaxConcurrencyPath field refers to value "1.0" which is not a valid integer: $.v',
            id="a fraction of nothing",
        ),
        pytest.param(
            {**MAP, "MaxConcurrencyPath": "$.v"},
            True,
            'The MaxConcurrencyPath field refers to value "true" which is not a valid integer: $.v',
            id="a boolean",
        ),
        pytest.param(
            distributed(passing({}), ItemsPath="$.l", ToleratedFailureCountPath="$.v"),
            {"a": 1},
            'The ToleratedFailureCountPath field refers to value "{"a":1}" which is not a valid '
            "integer: $.v",
            id="an object",
        ),
        pytest.param(
            distributed(passing({}), ItemsPath="$.l", ToleratedFailureCountPath="$.v"),
            -1,
            "ToleratedFailureCount cannot be negative.",
            id="less than nothing",
        ),
        pytest.param(
            distributed(passing({}), ItemsPath="$.l", ToleratedFailurePercentagePath="$.v"),
            None,
            'The ToleratedFailurePercentagePath field refers to value "null" which is not a valid '
            "float: $.v",
            id="null",
        ),
        pytest.param(
            {"Type": "Task", "Resource": LAMBDA + "f", "TimeoutSecondsPath": "$.v"},
            "soon",
            'The TimeoutSecondsPath field refers to value "soon" which is not a valid integer: $.v',
            id="a time limit",
        ),
        pytest.param(
            {**MAP, "ItemsPath": "$.v"},
            "abc",
            'Reference path "$.v" must point to array.',
            id="items that are a text",
        ),
        pytest.param(
            {"Type": "Wait", "SecondsPath": "$.zz"},
            1,
            "The SecondsPath parameter does not reference an input value: $.zz",
            id="no seconds",
        ),
    ],
)
def test_a_wrong_value_is_named_by_its_field(state: Any, given: Any, cause: str) -> None:
    outcome = simulate(machine(state), {"l": [1], "v": given})

    assert outcome.error == "States.Runtime"
    assert str(outcome.cause).endswith(cause)


@pytest.mark.parametrize("given", [1, "1", "+1"])
def test_a_text_of_digits_is_a_number(given: Any) -> None:
    outcome = simulate(machine({**MAP, "MaxConcurrencyPath": "$.v"}), {"l": [1], "v": given})

    assert outcome.output == [1]


@pytest.mark.parametrize("path", ["$", "$.a"])
def test_no_path_leads_anywhere_from_null(path: str) -> None:
    """As a user met it after a function that returned nothing."""
    outcome = simulate(machine({"Type": "Pass", "Parameters": {"x.$": path}}), None)

    assert outcome.error == "States.Runtime"
    assert str(outcome.cause).endswith(
        "Unable to apply Path transformation to null or empty input."
    )


def test_null_as_input_is_passed_on() -> None:
    assert simulate(machine({"Type": "Pass"}), None).status == "SUCCEEDED"


@pytest.mark.parametrize(
    "state",
    [
        pytest.param({**MAP, "Comment": "c"}, id="a state"),
        pytest.param(
            {**MAP, "ItemProcessor": {**passing({}), "Comment": "c"}}, id="a map's processor"
        ),
        pytest.param(
            {
                **MAP,
                "ItemProcessor": {
                    **passing({}),
                    "ProcessorConfig": {"Mode": "INLINE", "Comment": "c"},
                },
            },
            id="how it runs",
        ),
        pytest.param(
            distributed(passing({}), ItemBatcher={"MaxItemsPerBatch": 2, "Comment": "c"}),
            id="batches",
        ),
        pytest.param(
            {"Type": "Parallel", "Branches": [{**passing({}), "Comment": "c"}]}, id="a branch"
        ),
        pytest.param(
            {
                **MAP,
                "Retry": [{"ErrorEquals": ["E"], "Comment": "c"}],
                "Catch": [{"ErrorEquals": ["E"], "Comment": "c", "Next": "S"}],
            },
            id="retriers and catchers",
        ),
        pytest.param(
            {
                "Type": "Choice",
                "Choices": [
                    {
                        "Or": [{"Variable": "$", "NumericLessThan": -1e19, "Comment": "c"}],
                        "Comment": "c",
                        "Next": "S1",
                    }
                ],
            },
            id="rules and their parts",
        ),
    ],
)
def test_a_comment_stands_anywhere(state: Any) -> None:
    others = [{"Type": "Succeed"}] if state["Type"] == "Choice" else []

    assert read(machine(state, *others)).states
