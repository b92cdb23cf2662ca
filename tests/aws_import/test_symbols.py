"""Symbols that a deployment puts values in for: `${Table}`, `${AWS::Region}`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentflow.adapters.aws.asl.read import load, read
from agentflow.adapters.aws.asl.simulate import simulate
from agentflow.adapters.aws.asl.simulate.handlers import by_name
from agentflow.adapters.aws.compile import definition
from agentflow.adapters.aws.imports import import_machine
from agentflow.adapters.aws.tasks.siblings import Siblings
from agentflow.errors import Json, SpecError
from agentflow.spec.load import loads
from agentflow.spec.write import to_yaml
from tests.aws_import.machines import ECHO, machine, task
from tests.aws_import.worlds import compiled, ours, theirs


def imported(definition: Json, **symbols: str) -> str:
    return to_yaml(import_machine(read(definition, symbols=symbols), "made").workflow)


# --- names of work -----------------------------------------------------------------------------

ARN = "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:CheckStock"
SYMBOLS = {
    "of a function": ({"Resource": ARN}, "call: functions.check_stock"),
    "of the function that is invoked": (
        {
            "Resource": "arn:${AWS::Partition}:states:::lambda:invoke",
            "Parameters": {"FunctionName": ARN, "Payload.$": "$"},
        },
        "call: functions.check_stock",
    ),
    "of a function that is a symbol, with a version": (
        {"Resource": "${CheckStockFunction.Arn}:$LATEST"},
        "call: functions.check_stock",
    ),
    "of a function whose name begins with the stack's": (
        {"Resource": "arn:aws:lambda:${Region}:${Account}:function:${AWS::StackName}-CheckStock:3"},
        "call: functions.check_stock",
    ),
    "of an activity": (
        {"Resource": "arn:aws:states:${AWS::Region}:${AWS::AccountId}:activity:Paint"},
        "listen: Paint",
    ),
    "of a queue that is waited for": (
        {
            "Resource": "arn:${AWS::Partition}:states:::sqs:sendMessage.waitForTaskToken",
            "Parameters": {"MessageBody.$": "$$.Task.Token"},
        },
        "listen: task_token",
    ),
}


@pytest.mark.parametrize(("fields", "written"), SYMBOLS.values(), ids=SYMBOLS.keys())
def test_an_arn_that_a_deployment_completes_is_read_as_what_it_is(
    fields: Json, written: str
) -> None:
    assert written in imported(machine(A={"Type": "Task", **fields, "End": True}))


def test_a_function_that_is_a_symbol_is_found_by_its_name() -> None:
    given = machine(A={"Type": "Task", "Resource": "${Fn}", "End": True})
    done = simulate(given, {"x": 1}, by_name({"${Fn}": lambda event: event["x"]}))
    assert done.output == 1


def test_a_symbol_starts_the_state_machine_that_it_is_called_after(tmp_path: Path) -> None:
    (tmp_path / "ship.asl.json").write_text(json.dumps(machine(A=ECHO)))
    start = {
        "Type": "Task",
        "Resource": "arn:${AWS::Partition}:states:::states:startExecution.sync:2",
        "Parameters": {"StateMachineArn": "${ShipStateMachineArn}", "Input": {"x": 1}},
        "OutputPath": "$.Output",
        "End": True,
    }
    done = simulate(machine(A=start), {}, machines=Siblings(tmp_path / "order.asl.json"))
    assert done.output == {"x": 1}


# --- values ------------------------------------------------------------------------------------

OPEN = """{"StartAt": "A", "States": {
  "A": {"Type": "Wait", "Seconds": ${Pause}, "Next": "B"},
  "B": {"Type": "Choice", "Default": "D", "Choices": [
    {"Variable": "$.n", "NumericGreaterThan": "${Most}", "Next": "C"}]},
  "C": {"Type": "Pass", "Result": {"${Key}": "of ${Most}", "n": "${Most}"}, "End": true},
  "D": {"Type": "Fail"}
}}"""


def test_values_are_put_in_as_a_deployment_does() -> None:
    symbols = {"Pause": "7", "Most": "3", "Key": "max"}
    done = simulate(read(OPEN, symbols=symbols), {"n": 4}, started_at=0)
    assert (done.output, done.ended_at) == ({"max": "of 3", "n": "3"}, 7)


def test_yaml_takes_values_too(tmp_path: Path) -> None:
    file = tmp_path / "m.yaml"
    file.write_text("StartAt: A\nStates: {A: {Type: Wait, Seconds: '${Pause}', End: true}}")
    assert simulate(load(file, symbols={"Pause": "5"}), {}, started_at=0).ended_at == 5


def test_a_value_for_no_symbol_is_refused_with_the_one_that_is_meant() -> None:
    with pytest.raises(SpecError) as caught:
        read(OPEN, symbols={"Pauze": "1"})
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.message == "there is no symbol `${Pauze}`"
    assert diagnostic.help == "did you mean `Pause`?"


NEEDED = machine(
    A=task("x", TimeoutSeconds="${Limit}", Next="M"),
    M={
        "Type": "Map",
        "MaxConcurrency": "${Width}",
        "ItemProcessor": machine(
            I=task("x", Retry=[{"ErrorEquals": ["Busy"], "MaxAttempts": "${Often}"}], End=True)
        ),
        "End": True,
    },
)


def test_an_import_names_every_number_that_it_needs_and_how_to_give_it() -> None:
    with pytest.raises(SpecError) as caught:
        imported(NEEDED)
    assert [(each.message, each.help) for each in caught.value.diagnostics] == [
        ("`TimeoutSeconds` of `A` is `${Limit}`", "give one: --symbol Limit=VALUE"),
        ("`MaxConcurrency` of `M` is `${Width}`", "give one: --symbol Width=VALUE"),
        ("`MaxAttempts` of `I` is `${Often}`", "give one: --symbol Often=VALUE"),
    ]
    written = imported(NEEDED, Limit="30", Width="4", Often="2")
    assert all(each in written for each in ("timeout: 30s", "concurrency: 4", "max_attempts: 3"))


# --- what stays --------------------------------------------------------------------------------

QUEUE = "arn:aws:states:::sqs:sendMessage.waitForTaskToken"


def test_numbers_that_only_aws_reads_stay_symbols() -> None:
    job = {"Resource": "arn:aws:states:::glue:startJobRun.sync", "HeartbeatSeconds": "${Every}"}
    more = {"Variable": "$.n", "NumericGreaterThan": "${Most}", "Next": "C"}
    given = machine(
        A=task("x", Next="B") | job,
        B={"Type": "Choice", "Choices": [more], "Default": "C"},
        C=ECHO,
    )
    there = json.dumps(definition(loads(imported(given))))
    assert '"HeartbeatSeconds": "${Every}"' in there
    assert '"NumericGreaterThan": "${Most}"' in there


KEYS = {
    "where we evaluate": {"Parameters": {"${Name}": {"n.$": "$.n"}}},
    "where JSONPath alone evaluates": {
        "Parameters": {"in": [{"${Name}": -1}], "n.$": "States.MathAdd($.n, 1)"}
    },
    "where JSONata alone evaluates": {
        "QueryLanguage": "JSONata",
        "Output": {"${Name}": "{% $sum([$states.input.n, 1]) %}"},
    },
}


@pytest.mark.parametrize("fields", KEYS.values(), ids=KEYS.keys())
def test_a_key_that_is_a_symbol_stays_one(fields: dict[str, Json]) -> None:
    given = machine(A={"Type": "Pass", "End": True, **fields})
    wanted = theirs(given, {"n": 1})[0]
    assert "${Name}" in json.dumps(wanted)
    assert (ours(given, {"n": 1})[0], compiled(given, {"n": 1})[0]) == (wanted, wanted)
    first = imported(given)
    assert imported(definition(loads(first))) == first


def test_a_request_with_a_token_keeps_a_key_that_is_a_symbol() -> None:
    body = {"${Name}.$": "States.Format('{}!', $$.Task.Token)"}
    state = {"Type": "Task", "Resource": QUEUE, "Parameters": {"MessageBody": body}, "End": True}
    there = definition(loads(imported(machine(A=state))))
    (written,) = (each for each in there["States"].values() if each["Type"] == "Task")
    assert written["Parameters"]["MessageBody"] == body


def test_a_key_that_is_a_symbol_is_refused_among_more_than_an_expression_holds() -> None:
    fields = {"${Name}": "long " * 500, "n.$": "States.MathAdd($.n, 1)"}
    with pytest.raises(SpecError) as caught:
        imported(machine(A={"Type": "Pass", "Parameters": fields, "End": True}))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.message == "`A` has a key with a symbol in much that only AWS evaluates"
    assert "--symbol NAME=VALUE" in diagnostic.help
