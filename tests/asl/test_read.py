from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agentflow.adapters.aws.asl.model import Map, Reference, Task
from agentflow.adapters.aws.asl.read import load, read
from agentflow.errors import SpecError
from tests.asl.cases import CORPUS
from tests.asl.definitions import machine, mistakes, one, task


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
        ("workflow: w\ndo: []", "this is a workflow", "without `--from`"),
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
