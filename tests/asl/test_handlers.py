"""Functions and stubs in the place of Lambda functions, as the command line gives them."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import Any

import pytest

from agentflow.adapters.aws.asl.read import read
from agentflow.adapters.aws.asl.simulate import run, simulate
from agentflow.adapters.aws.asl.simulate.driver import World
from agentflow.adapters.aws.asl.simulate.execution import Identity
from agentflow.adapters.aws.tasks import chain
from agentflow.adapters.aws.tasks.functions import Functions
from tests.asl.machines import INVOKE, LAMBDA, machine

MODULE = """
class Custom(Exception):
    pass


def as_bytes(event):
    return b'{"sent": "as it is"}'


async def as_bytes_later(event):
    return b"no JSON"


def lambda_style(event, context):
    return [event, context.step]


def fails(event):
    raise Custom
"""


@pytest.fixture(name="functions")
def _functions(tmp_path: Path, request: pytest.FixtureRequest) -> Functions:
    name = "lambdas_" + re.sub(r"\W", "_", request.node.name)
    (tmp_path / f"{name}.py").write_text(MODULE)
    return Functions.of(str(tmp_path / f"{name}.py"), tmp_path)


@pytest.mark.parametrize(
    ("name", "output"),
    [
        ("as-bytes", {"sent": "as it is"}),
        ("AsBytesLaterFunction", "no JSON"),
        ("prod-lambda_style", [{"n": 1}, "S"]),
    ],
)
def test_a_function_stands_for_a_lambda_function(
    functions: Functions, name: str, output: Any
) -> None:
    state = {"Type": "Task", "Resource": LAMBDA + name}
    outcome = simulate(machine(state), {"n": 1}, chain(functions.find))

    assert outcome.output == output


def test_an_exception_without_words_is_told_by_its_class(functions: Functions) -> None:
    state = {"Type": "Task", "Resource": LAMBDA + "fails"}
    outcome = simulate(machine(state), {}, chain(functions.find))

    report = json.loads(str(outcome.cause))
    assert outcome.error == "Custom"
    assert (report["errorType"], report["errorMessage"]) == ("Custom", "")
    assert "lambdas_" in report["stackTrace"][-1]


@pytest.mark.parametrize("resource", [LAMBDA + "gone", INVOKE])
def test_a_lambda_function_that_nobody_is_does_not_exist(
    functions: Functions, resource: str
) -> None:
    noted: list[str] = []
    state = {
        "Type": "Task",
        "Resource": resource,
        "Parameters": {"FunctionName": "gone"},
        "Retry": [{"ErrorEquals": ["States.TaskFailed"], "MaxAttempts": 2}],
        "Catch": [{"ErrorEquals": ["Lambda.ResourceNotFoundException"], "Next": "S1"}],
        "Next": "S1",
    }

    outcome = simulate(
        machine(state, {"Type": "Pass"}), {}, chain(functions.find, note=noted.append)
    )

    assert outcome.output["Error"] == "Lambda.ResourceNotFoundException"
    assert outcome.output["Cause"].startswith("Function not found: arn:aws:lambda:us-east-1:")
    assert [("'gone'" in each, "--functions MODULE" in each) for each in noted] == [(True, True)]


@pytest.mark.slow
async def test_nobody_waits_for_a_function_that_is_too_late() -> None:
    release = threading.Event()
    task = {"Type": "Task", "Resource": LAMBDA + "f", "TimeoutSeconds": 1}
    world = World(chain(lambda _: lambda: release.wait(60)), patience=0.01)

    try:
        outcome = await run(read(machine(task)), {}, world, identity=Identity("e", "m"))
    finally:
        release.set()

    assert outcome.error == "States.Timeout"
