"""Mistakes in the fields of states: paths, calls, expressions, numbers, times, rules."""

from __future__ import annotations

from typing import Any

import pytest

from agentflow.adapters.aws.asl.read import read
from tests.asl.definitions import choosing, distributed, machine, mapped, mistakes, one, task


@pytest.mark.parametrize(
    ("definition", "code", "message"),
    [
        pytest.param(
            choosing({"Condition": 1}, QueryLanguage="JSONata"),
            "AF122",
            "`Condition` is true, false or an expression in {% %}, not `1`",
            id="a condition that decides nothing",
        ),
        pytest.param(
            mapped(QueryLanguage="JSONata", Items="$.a"),
            "AF122",
            "`Items` is a list, an object or an expression in {% %}, not `$.a`",
            id="items that are a path in JSONata",
        ),
        pytest.param(
            distributed(InputType="XML"),
            "AF126",
            "`InputType` is JSON or JSONL",
            id="a type of items",
        ),
        pytest.param(
            distributed(InputType="CSV", CSVHeaders="a"), "AF122", "is a list", id="CSV headers"
        ),
        pytest.param(
            distributed(MaxItems="2"), "AF122", "`MaxItems` is a whole number", id="how many items"
        ),
        pytest.param(one(InputPath="$.a["), "AF200", "`InputPath`: an index or", id="bad path"),
        pytest.param(one(InputPath="a"), "AF200", "a path begins with `$`", id="no path"),
        pytest.param(
            choosing({"Variable": "States.UUID()", "IsString": True}),
            "AF200",
            "`Variable`: a path begins with `$`",
            id="a call compared",
        ),
        pytest.param(one(ResultPath="$.a[*]"), "AF200", "has to name one place", id="no reference"),
        pytest.param(
            one(Parameters={"x.$": "text"}),
            "AF200",
            "`Parameters/x.$` is a path or",
            id="no path in",
        ),
        pytest.param(
            one(Parameters={"x.$": "States.Formt('a')"}),
            "AF202",
            "no intrinsic function `States.Formt`",
            id="unknown intrinsic",
        ),
        pytest.param(
            one(Parameters={"x.$": "States.ArrayLength()"}),
            "AF200",
            "takes one argument",
            id="arguments",
        ),
        pytest.param(
            one(Parameters={"x.$": r"States.Format('\n')"}),
            "AF200",
            r"`\n` is no escape",
            id="escape",
        ),
        pytest.param(
            one(Parameters={"x.$": "States.Array(" * 11 + ")" * 11}),
            "AF200",
            "more than 10 functions",
            id="nesting",
        ),
        pytest.param(
            one(QueryLanguage="JSONata", Output={"x": "{% 1 + %}"}),
            "AF200",
            "`Output/x`: S0207",
            id="bad JSONata",
        ),
        pytest.param(
            one(QueryLanguage="JSONata", Output="{% a ?? b %}"),
            "AF200",
            "newer than",
            id="newer JSONata",
        ),
        pytest.param(
            one(QueryLanguage="JSONata", Output="{% $ %}"), "AF200", "means nothing here", id="root"
        ),
        pytest.param(
            one(Assign={"states": 1}), "AF127", "`states` cannot be", id="reserved variable"
        ),
        pytest.param(one(Assign=[1]), "AF122", "`Assign` is an object", id="Assign a list"),
        pytest.param(
            one(Type="Wait", Seconds=1, Timestamp="2020-01-01T00:00:00Z"),
            "AF129",
            "both `Seconds` and `Timestamp`",
            id="two waits",
        ),
        pytest.param(one(Type="Wait"), "AF121", "has no `Seconds` or", id="no wait"),
        pytest.param(
            one(Type="Wait", Seconds=1.5), "AF122", "is a whole number", id="half a second"
        ),
        pytest.param(one(Type="Wait", Seconds=-1), "AF126", "is at least 0", id="negative wait"),
        pytest.param(
            one(Type="Wait", Timestamp="2020-01-01 00:00:00"),
            "AF125",
            "is not a time",
            id="no time",
        ),
        pytest.param(
            one(Type="Wait", Timestamp=""), "AF125", "is not a time", id="a time that is empty"
        ),
        pytest.param(
            task(TimeoutSeconds=5, HeartbeatSeconds=5), "AF126", "is less than", id="slow heartbeat"
        ),
        pytest.param(
            task(Retry=[{"ErrorEquals": ["States.ALL", "X"]}]),
            "AF129",
            "stands alone",
            id="ALL and",
        ),
        pytest.param(task(Retry=[{}]), "AF121", "`ErrorEquals` is missing", id="no ErrorEquals"),
        pytest.param(
            task(Retry=[{"ErrorEquals": ["X"], "BackoffRate": 0.5}]),
            "AF126",
            "`BackoffRate` is at least 1",
            id="backoff",
        ),
        pytest.param(
            mapped(Label="x"), "AF129", "`Label` needs a distributed map", id="inline label"
        ),
        pytest.param(
            choosing({"Variable": "$.a", "StringEqual": "b"}),
            "AF126",
            "no comparison `StringEqual`",
            id="unknown comparison",
        ),
        pytest.param(
            choosing({"Variable": "$.a", "StringMatchesPath": "$.b"}),
            "AF126",
            "no comparison `StringMatchesPath`",
            id="a pattern from a path",
        ),
        pytest.param(
            choosing({"StringEquals": "b"}),
            "AF121",
            "no `Variable`",
            id="no variable",
        ),
        pytest.param(
            choosing({"Variable": "$", "NumericEquals": "1"}),
            "AF122",
            "`NumericEquals` is a number",
            id="wrong operand",
        ),
    ],
)
def test_a_mistake_in_a_field_is_named(definition: Any, code: str, message: str) -> None:
    assert [item.code for item in mistakes(definition) if message in item.message] == [code]


@pytest.mark.parametrize(
    ("definition", "code", "message"),
    [
        pytest.param(
            one(ResultPath="States.UUID()"),
            "AF200",
            "`ResultPath`: a path begins with `$`",
            id="a call where a result goes",
        ),
        pytest.param(
            task(TimeoutSecondsPath="States.MathAdd(1, 1)"),
            "AF200",
            "`TimeoutSecondsPath`: a path begins with `$`",
            id="a call where a number is found",
        ),
        pytest.param(
            task(Retry=[{"ErrorEquals": []}]), "AF130", "`ErrorEquals` is empty", id="no errors"
        ),
        pytest.param(choosing({"And": []}), "AF130", "`And` is empty", id="nothing joined"),
        pytest.param(
            choosing({"Not": []}), "AF122", "a comparison is an object", id="a list denied"
        ),
        pytest.param(
            choosing({"Or": [{"Variable": "$", "IsNull": True, "Next": "T"}]}),
            "AF126",
            "there is no comparison `Next`",
            id="a way on within a comparison",
        ),
        pytest.param(
            choosing({"Variable": "$", "IsNull": True, "Output": 1}),
            "AF129",
            "`Output` belongs to JSONata, the state uses JSONPath",
            id="an output in JSONPath",
        ),
        pytest.param(
            choosing({"Variable": "$", "IsNull": True, "IsString": True}),
            "AF129",
            "a comparison has one operator",
            id="two operators",
        ),
        pytest.param(
            choosing({"Variable": "$", "IsNull": True, "Next": None}),
            "AF122",
            "`Next` is text, not null",
            id="a rule without a way on",
        ),
        pytest.param(one(Type="Task", Resource=""), "AF130", "`Resource` is empty", id="no work"),
    ],
)
def test_one_mistake_is_told_once_with_its_state(definition: Any, code: str, message: str) -> None:
    assert [(each.code, each.message) for each in mistakes(definition)] == [
        (code, f"state `S`: {message}")
    ]


def test_an_error_may_be_named_by_a_call() -> None:
    definition = machine(S={"Type": "Fail", "ErrorPath": "States.Format('{}', $.name)"})

    assert read(definition).definition == definition
