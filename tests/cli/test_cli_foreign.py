"""`run --from aws`: a state machine runs as the service would run it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

ORDER = {
    "StartAt": "Check",
    "States": {
        "Check": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {
                "FunctionName": "prod-CheckStockFunction",
                "Payload": {"item.$": "$.item", "count.$": "$.count"},
            },
            "ResultSelector": {"ok.$": "$.Payload.ok"},
            "ResultPath": "$.stock",
            "Next": "In stock?",
        },
        "In stock?": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.stock.ok", "BooleanEquals": True, "Next": "Charge"}],
            "Default": "Sold out",
        },
        "Charge": {
            "Type": "Task",
            "Resource": "${ChargeArn}",
            "TimeoutSeconds": 10,
            "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 60}],
            "ResultPath": "$.charge",
            "Next": "Save",
        },
        "Save": {
            "Type": "Task",
            "Resource": "arn:aws:states:::dynamodb:putItem",
            "Parameters": {"TableName": "orders"},
            "End": True,
        },
        "Sold out": {"Type": "Fail", "Error": "OutOfStock", "Cause": "try tomorrow"},
    },
}

FUNCTIONS = """
class CardDeclined(Exception):
    pass


def check_stock(item: str, count: int) -> dict:
    print("checking", item)
    return {"ok": count < 5}


def charge(event, context):
    if event["amount"] > 100:
        raise CardDeclined("no funds")
    return {"receipt": 7, "step": context.step}
"""

STUBS = """
dynamodb:putItem: {return: {saved: true}}
Charge:
  - {error: Busy}
  - {return: {receipt: 8}, delay: 5s}
"""


@pytest.fixture(autouse=True)
def _order(project):
    Path("order.asl.json").write_text(json.dumps(ORDER))
    Path("functions/lambdas.py").write_text(FUNCTIONS)
    Path("stubs.yaml").write_text(STUBS)
    Path("save.json").write_text('{"Save": {"return": {"saved": true}}}')


RUN = ("run", "order.asl.json", "--from", "aws", "--functions", "functions.lambdas")


def order(**fields: object) -> str:
    return json.dumps({"item": "pen", "count": 1, "amount": 5} | fields)


def test_functions_do_the_work_of_lambda_functions_and_stubs_the_rest(agentflow):
    done = agentflow(*RUN, "--stubs", "save.json", "--input", order())
    assert (done.code, done.out) == (0, '{"saved": true}\n')
    lines = done.err.splitlines()
    assert [line.split()[1] for line in lines if line.startswith(" ")] == [
        "Check",
        "In",
        "Charge",
        "Save",
    ]
    assert "Check │ checking pen" in lines


def test_stubs_answer_first_one_by_one_and_time_is_virtual(agentflow):
    done = agentflow(*RUN, "--stubs", "stubs.yaml", "--input", order(amount=500))
    assert (done.code, done.out) == (0, '{"saved": true}\n')
    assert "Succeeded in 1m 05s" in done.err


@pytest.mark.parametrize(
    ("given", "name", "message"),
    [
        pytest.param({"count": 9}, "OutOfStock", "try tomorrow", id="a Fail state"),
        pytest.param({"amount": 500}, "CardDeclined", "no funds", id="an exception"),
        pytest.param({}, "States.Runtime", "--stubs FILE", id="nobody does the work"),
        pytest.param({"count": "x"}, "InvalidInput", "count", id="arguments are checked"),
    ],
)
def test_json_tells_the_error_by_the_name_of_the_service(agentflow, given, name, message):
    done = agentflow(*RUN, "--input", order(**given), "--json")
    told = done.json
    assert done.code == 1
    assert (told["workflow"], told["status"], told["output"]) == ("order", "failed", None)
    assert told["error"]["name"] == name
    assert message in told["error"]["message"]
    assert told.keys() == {
        "id",
        "workflow",
        "version",
        "status",
        "output",
        "error",
        "started_at",
        "ended_at",
    }


def test_a_task_that_nobody_does_names_the_state_the_resource_and_the_remedy(agentflow):
    done = agentflow(*RUN, "--input", order())
    assert "'Save'" in done.err
    assert "'arn:aws:states:::dynamodb:putItem'" in done.err
    assert "`dynamodb_put_item`" in done.err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--functions", "functions.nothing"), 2, "there is no module functions.nothing"),
        (("--functions", "lost/file.py"), 2, "there is no file lost/file.py"),
        (("--stubs", "lost.yaml"), 3, "there is no such file"),
        (("--input", "{"), 3, "is not JSON"),
        (("--id", "mine"), 2, "--id has no meaning"),
    ],
    ids=[
        "no module",
        "no file",
        "no stubs",
        "no JSON",
        "an option of recorded runs",
    ],
)
def test_what_is_wrong_is_said_once_and_clearly(agentflow, arguments, code, message):
    done = agentflow("run", "order.asl.json", "--from", "aws", *arguments)
    assert done.code == code
    assert message in done.err
    assert "Traceback" not in done.err


def test_a_language_that_cannot_be_read_is_a_wrong_use(agentflow):
    refused = agentflow("run", "order.asl.json", "--from", "gcp")
    assert refused.code == 2
    assert "`gcp` cannot be read" in refused.err


def test_options_of_simulations_need_a_language(agentflow):
    refused = agentflow("run", "specs/reviews.yaml", "--stubs", "stubs.yaml")
    assert refused.code == 2
    assert "--from aws" in refused.err


REMIND = {
    "StartAt": "Pause",
    "States": {
        "Pause": {"Type": "Wait", "Seconds": "${Pause}", "Next": "Remind"},
        "Remind": {"Type": "Pass", "Result": "${Topic}", "End": True},
    },
}


def test_symbols_get_values_where_a_definition_runs_and_where_it_is_imported(agentflow):
    Path("remind.asl.json").write_text(json.dumps(REMIND))
    given = ("remind.asl.json", "--from", "aws", "--symbol", "Pause=60", "--symbol", "Topic=new s")
    assert agentflow("run", *given, "--quiet").out == '"new s"\n'
    assert "wait: 60\n" in agentflow("import", *given).out


@pytest.mark.parametrize(
    ("symbol", "code", "message"),
    [
        pytest.param((), 3, "give one: --symbol Pause=VALUE", id="none"),
        pytest.param(("--symbol", "Pause"), 2, "write --symbol NAME=VALUE", id="no value"),
        pytest.param(("--symbol", "Paus=1"), 3, "did you mean `Pause`?", id="of another name"),
    ],
)
def test_a_symbol_without_a_value_is_told_before_anything_runs(agentflow, symbol, code, message):
    Path("remind.asl.json").write_text(json.dumps(REMIND))
    done = agentflow("run", "remind.asl.json", "--from", "aws", *symbol)
    assert (done.code, done.out) == (code, "")
    assert message in done.err


def test_mistakes_in_stubs_are_all_told_with_their_places(agentflow):
    Path("stubs.yaml").write_text("A: {retrun: 1}\nB: []\nC: {error: {cause: y}}\nD: {}\n")
    told = agentflow(*RUN, "--stubs", "stubs.yaml", "--json")
    assert told.code == 3
    assert [(each["line"], each["message"]) for each in told.json["errors"]] == [
        (1, "unknown field `retrun`"),
        (2, "a list of answers has at least one"),
        (3, "an error has a name"),
        (4, "an answer has `return` or `error`"),
    ]
    assert told.json["errors"][3]["help"] == "write `{return: …}` or `{error: {…}}`"


def test_an_empty_file_has_no_stubs(agentflow):
    Path("stubs.yaml").write_text("\n")
    Path("done.asl.json").write_text('{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}')
    done = agentflow("run", "done.asl.json", "--from", "aws", "--stubs", "stubs.yaml")
    assert (done.code, done.out) == (0, "{}\n")


def test_mistakes_in_a_definition_are_told_with_their_places(agentflow):
    Path("bad.asl.json").write_text('{"StartAt": "A", "States": {"B": {"Type": "Succeed"}}}')
    told = agentflow("run", "bad.asl.json", "--from", "aws", "--json")
    assert told.code == 3
    assert told.json["error"]["file"] == "bad.asl.json"


def test_a_state_machine_starts_those_beside_it(agentflow):
    start = {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Parameters": {"StateMachineArn": "arn:aws:states:eu-west-1:1:stateMachine:child"},
        "OutputPath": "$.Output",
        "End": True,
    }
    Path("parent.asl.json").write_text(json.dumps({"StartAt": "S", "States": {"S": start}}))
    child = {"Type": "Pass", "Result": 42, "End": True}
    Path("child.asl.json").write_text(json.dumps({"StartAt": "C", "States": {"C": child}}))
    assert agentflow("run", "parent.asl.json", "--from", "aws").out == "42\n"


# --- import ---------------------------------------------------------------------------------------


def test_an_import_is_a_workflow_that_runs(agentflow, project):
    definition = {**ORDER, "States": {**ORDER["States"]}}
    definition["States"]["Save"] = {"Type": "Pass", "End": True}
    Path("order.asl.json").write_text(json.dumps(definition))
    arguments = ("order.asl.json", "--from", "aws", "--functions", "functions.lambdas")
    done = agentflow("import", *arguments, "--out", "specs/order.yaml", "--json")
    assert done.code == 0
    assert done.json["files"] == ["specs/order.yaml"]
    assert done.json["text"] == Path("specs/order.yaml").read_text()
    ran = agentflow("run", "specs/order.yaml", "--input", order(), "--json").json
    assert (ran["status"], ran["output"]["charge"]["receipt"]) == ("succeeded", 7)


def test_an_import_goes_to_stdout_and_its_notes_to_stderr(agentflow):
    done = agentflow("import", "order.asl.json", "--from", "aws")
    assert done.code == 0
    assert done.out.startswith("workflow: order\n")
    assert "note: `Save` needs arn:aws:states:::dynamodb:putItem" in done.err


def test_what_cannot_be_imported_is_shown_where_it_stands(agentflow):
    state = {**ORDER["States"]["Save"], "TimeoutSeconds": "${Limit}"}
    Path("x.json").write_text(json.dumps({"StartAt": "S", "States": {"S": state}}, indent=1))
    refused = agentflow("import", "x.json", "--from", "aws", "--json")
    assert refused.code == 3
    assert (refused.json["error"]["file"], refused.json["error"]["line"]) == ("x.json", 4)
