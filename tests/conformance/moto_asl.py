"""moto's Step Functions in this process, repaired, with our functions behind Lambda.

moto 5.2.5 executes definitions for real. What is wrong with it for us is repaired here, and only
here:

- JSONata is not wired (getmoto/moto#10105): expressions are evaluated by jsonata-python, with
  variables bound as values instead of pasted into the text.
- The parser keeps its query language in a class attribute, so one refused definition spoils the
  next: each parser gets a list of its own.
- An error of the service (`States.…`) cannot leave a branch or an item: its name is accepted.
- Invocations of Lambda functions go to a function of the test.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import boto3
from moto import mock_aws
from moto.awslambda_simple.models import LambdaSimpleBackend
from moto.stepfunctions.parser.api import EvaluationFailedEventDetails, HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import (
    CustomErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.error_name import ErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import (
    StatesErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType,
)
from moto.stepfunctions.parser.asl.component.common.string.string_expression import StringJSONata
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.parse import preprocessor
from sfnx.testing import Failure, evaluate

from agentflow.errors import Json
from tests.aws import repairs  # noqa: F401  # of jsonata-python

ROLE = "arn:aws:iam::123456789012:role/workflow"
REGION = "us-east-1"

Answer = Callable[[Json], Json]
"""From a Lambda payload to its result; raises `sfnx.testing.Failure` for a function's error."""


@dataclass(frozen=True)
class Ended:
    """How an execution ended, as DescribeExecution tells it."""

    status: str
    output: Json = None
    error: str | None = None
    cause: str = ""
    events: tuple[str, ...] = ()


def _evaluate(self: StringJSONata, env: Any) -> None:
    store = env.variable_store
    variables = {**store._outer_scope, **store._inner_scope}
    states = {
        key: value
        for key, value in env.states._states_data.items()
        if value is not None or key == "input"
    }
    states = json.loads(json.dumps(states, default=str))
    try:
        env.stack.append(evaluate(self.expression, variables, states))
    except Failure as failure:
        name = StatesErrorName(typ=StatesErrorNameType.StatesQueryEvaluationError)
        cause = f"The JSONata expression '{self.expression}' failed: {failure.cause}"
        details = EvaluationFailedEventDetails(error=name.error_name, cause=cause)
        raise FailureEventException(
            FailureEvent(
                env=env,
                error_name=name,
                event_type=HistoryEventType.EvaluationFailed,
                event_details=EventDetails(evaluationFailedEventDetails=details),
            )
        ) from None


def _any_name(self: Any, error_name: str | None) -> None:
    ErrorName.__init__(self, error_name=error_name)


def _own_languages(self: Any, *arguments: Any, **named: Any) -> None:
    self._query_language_per_scope = []


@contextmanager
def service(answer: Answer) -> Iterator[Any]:
    """A client of a Step Functions service of its own, with `answer` behind every Lambda function."""
    logging.getLogger("moto").setLevel(logging.CRITICAL)  # it logs a tree for each error

    def invoke(
        self: Any, function_name: str, qualifier: Any, body: Any, headers: Any, response: Any
    ) -> bytes:
        try:
            return json.dumps(answer(json.loads(body))).encode()
        except Failure as failure:
            response["x-amz-function-error"] = "Unhandled"
            told = json.loads(failure.cause) if failure.cause else {}
            return json.dumps({"errorMessage": "", **told, "errorType": failure.error}).encode()

    config: Any = {
        "stepfunctions": {"execute_state_machine": True},
        "lambda": {"use_docker": False},
    }
    with (
        mock.patch.dict(
            "os.environ", AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x", AWS_REGION=REGION
        ),
        mock.patch.object(LambdaSimpleBackend, "invoke", invoke),
        mock.patch.object(StringJSONata, "_eval_body", _evaluate),
        mock.patch.object(CustomErrorName, "__init__", _any_name),
        mock.patch.object(preprocessor.Preprocessor, "__init__", _own_languages, create=True),
        mock_aws(config=config),
    ):
        yield boto3.client("stepfunctions", region_name=REGION)


def run(client: Any, definition: Json, given: Json, *, name: str = "machine") -> Ended:
    """Create a state machine, run it to its end, and remove it."""
    machine = client.create_state_machine(
        name=name, definition=json.dumps(definition), roleArn=ROLE
    )["stateMachineArn"]
    started = client.start_execution(stateMachineArn=machine, input=json.dumps(given))
    for _ in range(12_000):
        told = client.describe_execution(executionArn=started["executionArn"])
        if told["status"] != "RUNNING":
            break
        time.sleep(0.01)
    history = client.get_execution_history(executionArn=started["executionArn"], maxResults=1000)
    client.delete_state_machine(stateMachineArn=machine)
    output = told.get("output")
    return Ended(
        told["status"],
        None if output is None else _output(output),
        told.get("error"),
        told.get("cause") or "",
        tuple(event["type"] for event in history["events"]),
    )


def _output(text: str) -> Json:
    """The output; moto gives one that is a string without its quotes."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def send(client: Any, token: str, data: Json) -> None:
    """Answer a task token from outside, as soon as the task waits for it."""

    def later() -> None:
        client.send_task_success(taskToken=token, output=json.dumps(data))

    threading.Timer(0.05, later).start()
