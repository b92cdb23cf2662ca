"""`run --from aws`: what a program reads of an outcome, and what stands in for services."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:"
FUNCTIONS = """
class Custom(Exception):
    pass


def as_bytes(event):
    print("not the result")
    return b'"sent"'


def fails(event, context):
    raise Custom
"""


@pytest.fixture(autouse=True)
def _functions(project):
    Path("functions/lambdas.py").write_text(FUNCTIONS)


def ran(agentflow: Any, state: dict[str, Any], *options: str, **top: Any) -> Any:
    states = {"S": {**state, "End": True}} if state["Type"] != "Fail" else {"S": state}
    Path("m.asl.json").write_text(json.dumps({"StartAt": "S", "States": states, **top}))
    arguments = ("m.asl.json", "--from", "aws", "--functions", "functions.lambdas", "--quiet")
    return agentflow("run", *arguments, *options)


def test_the_output_alone_goes_to_stdout(agentflow):
    done = ran(agentflow, {"Type": "Task", "Resource": LAMBDA + "as-bytes"})

    assert (done.code, done.out) == (0, '"sent"\n')


@pytest.mark.parametrize(
    ("state", "top", "told"),
    [
        pytest.param(
            {"Type": "Fail"},
            {},
            {"Status": "FAILED", "Error": None, "Cause": None},
            id="an error without a name",
        ),
        pytest.param(
            {"Type": "Wait", "Seconds": 9},
            {"TimeoutSeconds": 5},
            {"Status": "TIMED_OUT", "Error": None, "Cause": None},
            id="the machine takes too long",
        ),
        pytest.param(
            {"Type": "Fail", "Error": "E", "Cause": ""},
            {},
            {"Status": "FAILED", "Error": "E", "Cause": ""},
            id="an empty cause",
        ),
    ],
)
def test_the_data_of_an_error_are_the_words_of_the_service(agentflow, state, top, told):
    done = ran(agentflow, state, "--json", **top)

    assert (done.code, done.json["status"], done.json["error"]["data"]) == (1, "failed", told)


def test_a_lambda_function_that_no_handler_is_does_not_exist(agentflow):
    done = ran(agentflow, {"Type": "Task", "Resource": LAMBDA + "gone"}, "--json")

    assert done.json["error"]["name"] == "Lambda.ResourceNotFoundException"
    assert "Function not found: arn:aws:lambda:" in done.json["error"]["message"]
    assert "note: " in done.err
    assert "`gone: {return: …}`" in done.err


def test_stubs_give_the_objects_that_a_map_reads(agentflow):
    Path("stubs.yaml").write_text('s3:getObject: {return: "a,b\\n1,2\\n"}\n')
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"},
        "Parameters": {"Bucket": "b", "Key": "k.csv"},
    }
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "P",
        "States": {"P": {"Type": "Pass", "End": True}},
    }
    state = {"Type": "Map", "ItemReader": reader, "ItemProcessor": processor}

    done = ran(agentflow, state, "--stubs", "stubs.yaml")

    assert json.loads(done.out) == [{"a": "1", "b": "2"}]
