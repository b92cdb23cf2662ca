from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agentflow.adapters.aws.asl.model import Map, Reference, Task
from agentflow.adapters.aws.asl.read import load, read
from agentflow.errors import Diagnostic, SpecError
from tests.asl.cases import CORPUS

LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:f"


def machine(**states: dict[str, Any]) -> dict[str, Any]:
    return {"StartAt": next(iter(states)), "States": states}


def one(**fields: Any) -> dict[str, Any]:
    """A machine of one Pass state with more fields, or of another type."""
    return machine(S={"Type": "Pass", "End": True, **fields})


def task(**fields: Any) -> dict[str, Any]:
    return one(Type="Task", Resource=LAMBDA, **fields)


def mistakes(definition: Any, **options: Any) -> list[Diagnostic]:
    with pytest.raises(SpecError) as caught:
        read(definition, **options)
    return caught.value.diagnostics


def mapped(**fields: Any) -> dict[str, Any]:
    inner = machine(P={"Type": "Pass", "End": True})
    return one(Type="Map", ItemProcessor=inner, **fields)


def distributed(**config: Any) -> dict[str, Any]:
    """A map over the items of an object; `config` is how to read it."""
    inner = {**machine(P={"Type": "Pass", "End": True}), "ProcessorConfig": {"Mode": "DISTRIBUTED"}}
    reader = {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": config, "Parameters": {}}
    return one(Type="Map", ItemProcessor=inner, ItemReader=reader)


@pytest.mark.parametrize(
    ("definition", "code", "message"),
    [
        pytest.param("{", "AF101", "expected a key", id="not JSON"),
        pytest.param("", "AF112", "the file is empty", id="empty"),
        pytest.param("[]", "AF122", "the definition is an object", id="no object"),
        pytest.param({}, "AF121", "the definition has no `StartAt`", id="no StartAt"),
        pytest.param({"StartAt": "S"}, "AF121", "the definition has no `States`", id="no States"),
        pytest.param({"StartAt": "S", "States": {}}, "AF130", "`States` is empty", id="no state"),
        pytest.param({**one(), "Statess": {}}, "AF120", "no field `Statess`", id="unknown at top"),
        pytest.param(
            machine(S={"Type": "Pass", "End": True}, **{"T" * 81: {"Type": "Succeed"}}),
            "AF127",
            "at most 80 characters",
            id="long name",
        ),
        pytest.param(one(Type="Pas"), "AF126", "no type of state `Pas`", id="unknown type"),
        pytest.param(machine(S={"End": True}), "AF121", "state `S` has no `Type`", id="no type"),
        pytest.param(one(Parametres={}), "AF120", "no field `Parametres`", id="unknown field"),
        pytest.param(
            one(TimeoutSeconds=3), "AF120", "no field `TimeoutSeconds`", id="other type's"
        ),
        pytest.param(
            machine(S={"Type": "Pass"}), "AF121", "neither `Next` nor `End`", id="no way on"
        ),
        pytest.param(one(Next="S"), "AF129", "both `Next` and `End`", id="Next and End"),
        pytest.param(
            machine(S={"Type": "Pass", "Next": "Tt"}, T={"Type": "Succeed"}),
            "AF309",
            "no state `Tt`",
            id="dangling Next",
        ),
        pytest.param({**one(), "StartAt": "X"}, "AF309", "no state `X`", id="dangling StartAt"),
        pytest.param(
            machine(
                S={
                    "Type": "Choice",
                    "QueryLanguage": "JSONata",
                    "Choices": [{"Condition": 1, "Next": "T"}],
                },
                T={"Type": "Succeed"},
            ),
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
        pytest.param(
            task(Catch=[{"ErrorEquals": ["States.ALL"], "Next": "X"}]),
            "AF309",
            "no state `X`",
            id="dangling Catch",
        ),
        pytest.param(
            machine(S={"Type": "Pass", "End": True}, T={"Type": "Succeed"}),
            "AF310",
            "nothing leads to the state `T`",
            id="unreachable",
        ),
        pytest.param(
            machine(S={"Type": "Pass", "Next": "T"}, T={"Type": "Pass", "Next": "S"}),
            "AF311",
            "no way leads to an end",
            id="endless loop",
        ),
        pytest.param(
            one(Type="Parallel", Branches=[one(), one()]),
            "AF305",
            "two states called `S`",
            id="duplicate name",
        ),
        pytest.param(one(Arguments={}), "AF120", "no field `Arguments`", id="no such field at all"),
        pytest.param(task(Arguments={}), "AF129", "`Arguments` belongs to JSONata", id="JSONata's"),
        pytest.param(
            {**task(Parameters={}), "QueryLanguage": "JSONata"},
            "AF129",
            "`Parameters` belongs to JSONPath",
            id="JSONPath's",
        ),
        pytest.param(
            {**one(QueryLanguage="JSONPath"), "QueryLanguage": "JSONata"},
            "AF129",
            "cannot use JSONPath in a machine that uses JSONata",
            id="JSONPath within JSONata",
        ),
        pytest.param(one(InputPath="$.a["), "AF200", "`InputPath`: an index or", id="bad path"),
        pytest.param(one(InputPath="a"), "AF200", "a path begins with `$`", id="no path"),
        pytest.param(
            machine(
                S={
                    "Type": "Choice",
                    "Choices": [{"Variable": "States.UUID()", "IsString": True, "Next": "T"}],
                },
                T={"Type": "Succeed"},
            ),
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
            machine(
                S={
                    "Type": "Choice",
                    "Choices": [{"Variable": "$.a", "StringEqual": "b", "Next": "T"}],
                },
                T={"Type": "Succeed"},
            ),
            "AF126",
            "no comparison `StringEqual`",
            id="unknown comparison",
        ),
        pytest.param(
            machine(
                S={
                    "Type": "Choice",
                    "Choices": [{"Variable": "$.a", "StringMatchesPath": "$.b", "Next": "T"}],
                },
                T={"Type": "Succeed"},
            ),
            "AF126",
            "no comparison `StringMatchesPath`",
            id="a pattern from a path",
        ),
        pytest.param(
            machine(
                S={"Type": "Choice", "Choices": [{"StringEquals": "b", "Next": "T"}]},
                T={"Type": "Succeed"},
            ),
            "AF121",
            "no `Variable`",
            id="no variable",
        ),
        pytest.param(
            machine(
                S={
                    "Type": "Choice",
                    "Choices": [{"Variable": "$", "NumericEquals": "1", "Next": "T"}],
                },
                T={"Type": "Succeed"},
            ),
            "AF122",
            "`NumericEquals` is a number",
            id="wrong operand",
        ),
    ],
)
def test_a_mistake_is_named_with_its_place(definition: Any, code: str, message: str) -> None:
    found = mistakes(definition)

    assert (code, True) in [(item.code, message in item.message) for item in found]
    assert all(item.span.line >= 1 for item in found)


def test_all_mistakes_are_found_at_once_in_the_order_of_the_text() -> None:
    text = json.dumps(
        {
            "StartAt": "A",
            "States": {
                "A": {"Type": "Task", "Next": "Nowhere", "Retri": []},
                "B": {"Type": "Pass", "InputPath": "x", "End": True},
            },
        },
        indent=2,
    )

    found = mistakes(text, path="m.asl.json")

    assert [item.code for item in found] == ["AF121", "AF309", "AF120", "AF200"]
    assert [str(item.span) for item in found][1] == "m.asl.json:6:15"
    assert found[2].help == "did you mean `Retry`?"


@pytest.mark.parametrize(
    ("text", "said", "remedy"),
    [
        ("workflow: w\ndo: []", "this is a workflow", "no `--from`"),
        ("Transform: t\nResources: {M: {Role: !GetAtt R.Arn}}", "CloudFormation", "--symbol"),
        ("stateMachineArn: a\ndefinition: '{}'", "describe-state-machine", "--query definition"),
    ],
)
def test_a_file_of_another_kind_is_one_mistake(text: str, said: str, remedy: str) -> None:
    [found] = mistakes(text, path="m.yaml")

    assert found.code == "AF122"
    assert said in found.message
    assert remedy in found.help


def test_a_mistake_in_a_field_names_its_state() -> None:
    rule = {"Variable": "$.[", "IsNull": True, "Next": "In"}
    branch = machine(Deep={"Type": "Pass", "OutputPath": "$[", "End": True})
    definition = machine(
        Out={"Type": "Choice", "Choices": [rule], "Default": "All"},
        In={"Type": "Wait", "Seconds": "soon", "Next": "All"},
        All={"Type": "Parallel", "Branches": [branch], "End": True},
    )

    said = [item.message.split(":")[0] for item in mistakes(definition)]

    assert said == ["state `Out`", "state `In`", "state `Deep`"]


def test_a_state_that_does_not_go_on_is_one_mistake() -> None:
    [found] = mistakes(machine(A={"Type": "Pass", "Next": "B"}, B={"Type": "Pass"}))

    assert (found.code, found.help) == ("AF121", "name the state that follows, or say `End`")


@pytest.mark.parametrize("end", [{"End": False}, {"End": False, "Next": "A"}, {"Next": "A"}])
def test_a_state_that_says_it_is_no_end_is_none(end: dict[str, Any]) -> None:
    [found] = mistakes(machine(A={"Type": "Pass", **end}))

    assert found.code == "AF311"


def test_the_place_within_an_expression_is_shown() -> None:
    text = '{"StartAt": "S", "States": {"S": {"Type": "Pass", "End": true,\n"Parameters": {"x.$": "$.a.b[?]"}}}}'

    [found] = mistakes(text)

    assert (found.span.line, text.split("\n")[1][found.span.column - 1 :][0]) == (2, "]")


@pytest.mark.parametrize(
    ("resource", "reason"),
    [
        pytest.param(
            "arn:aws:states:::sqs:sendMessage.waitForTaskToken", ".waitForTaskToken", id="token"
        ),
        pytest.param("arn:aws:states:::states:startExecution.sync", ".sync", id="sync"),
        pytest.param(
            "arn:aws:states:us-east-1:123456789012:activity:a", "activities", id="activity"
        ),
    ],
)
def test_express_workflows_refuse_what_they_cannot_wait_for(resource: str, reason: str) -> None:
    definition = one(Type="Task", Resource=resource)

    assert read(definition).states["S"]
    [found] = mistakes(definition, express=True)
    assert reason in found.message


def test_a_definition_of_ten_megabytes_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "large.asl.json"
    file.write_text(json.dumps(one(Result="x" * 10_000_000)))

    with pytest.raises(SpecError) as caught:
        load(file)

    assert "larger than" in caught.value.diagnostics[0].message


@pytest.mark.parametrize("file", sorted(CORPUS.glob("*.json")), ids=lambda file: file.stem)
def test_what_the_service_accepts_is_accepted(file: Path) -> None:
    definition = json.loads(file.read_text())["definition"]

    assert read(definition).definition == definition


@pytest.mark.parametrize(
    "state",
    [
        pytest.param({"Type": "Wait", "Seconds": "${Delay}"}, id="a number"),
        pytest.param({"Type": "Wait", "Timestamp": "${When}"}, id="a time"),
        pytest.param({"Parameters": {"x.$": "$.${Key}.y", "z.$": "${Path}"}}, id="a path"),
        pytest.param({"Type": "Task", "Resource": "${Function}"}, id="a resource"),
        pytest.param({"Parameters": {"x.$": "$.a[?(@.b=='${Value}')]"}}, id="in a filter"),
    ],
)
def test_symbols_of_the_deployment_are_kept(state: dict[str, Any]) -> None:
    definition = one(**state)

    assert read(definition).definition == definition


def test_older_names_mean_the_same() -> None:
    inner = machine(P={"Type": "Pass", "End": True})
    state = read(one(Type="Map", Iterator=inner, Parameters={"a": 1})).states["S"]

    assert isinstance(state, Map)
    assert (state.item_selector, state.processor.start_at) == ({"a": 1}, "P")


def test_fields_with_paths_are_references() -> None:
    state = read(task(TimeoutSecondsPath="$.t", HeartbeatSeconds=3)).states["S"]

    assert isinstance(state, Task)
    assert (state.timeout_seconds, state.heartbeat_seconds) == (Reference("$.t"), 3)


def test_yaml_is_read_too(tmp_path: Path) -> None:
    file = tmp_path / "m.asl.yaml"
    file.write_text("StartAt: S\nStates:\n  S: {Type: Succeed}\n")

    assert load(file).start_at == "S"
