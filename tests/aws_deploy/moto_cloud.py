"""An AWS account on loopback: moto's server, with what it lacks for deployments.

- Versions of state machines can be listed, published and deleted; moto only makes them, at create
  and update.
- Executions start by alias and by version, of the version's own definition.
- Executions are listed by status as far as the service does.
- A failed execution can be redriven: it runs again from its start, as moto keeps no place.
- A Lambda runs its own zip, in a process of its own, with the Python that runs the tests.
- `refusals` are raised instead of what an operation would do.
"""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from moto import mock_aws
from moto.awslambda_simple.models import LambdaSimpleBackend
from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.server import ThreadedMotoServer
from moto.stepfunctions.models import StepFunctionBackend
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import (
    CustomErrorName,
)
from moto.stepfunctions.parser.asl.component.common.string.string_expression import StringJSONata
from moto.stepfunctions.parser.asl.parse import preprocessor
from moto.stepfunctions.parser.models import StepFunctionsParserBackend
from moto.stepfunctions.responses import StepFunctionResponse

from agentflow.adapters.aws.deploy.client import Cloud, connect
from tests.conformance import moto_asl

REGION = "us-east-1"
_RUN = """
import json, sys
from agentflow_handler import handle
class Context:
    aws_request_id = "request"
    def get_remaining_time_in_millis(self): return 30000
try:
    answer = {"value": handle(json.load(sys.stdin), Context())}
except Exception as error:
    answer = {"error": {"errorType": type(error).__name__, "errorMessage": str(error)}}
json.dump(answer, open("/dev/fd/3", "w"))
"""


@dataclass
class Account:
    """The account, and what tests do to it."""

    url: str
    refusals: dict[str, list[Exception]] = field(default_factory=dict)
    """What the next calls of operations raise, by method of moto's backends."""
    invoked: list[str] = field(default_factory=list)
    """The Lambdas that were invoked, with their versions."""

    def connect(self, **changes: Any) -> Cloud:
        """Clients that do not wait long."""
        cloud = connect(REGION, self.url)
        return Cloud(**{**vars(cloud), "patience": 60.0, "delay": 0.01, **changes})


class Killed(BaseException):
    """The process that deploys is no more."""


@contextmanager
def dying_at(cloud: Cloud, operation: str) -> Iterator[None]:
    """Whoever uses the clients meanwhile is killed when they are about to ask for an operation."""

    def die(**about: object) -> None:
        raise Killed

    clients = (cloud.functions, cloud.machines, cloud.iam, cloud.logs, cloud.tables, cloud.objects)
    for each in clients:
        each.meta.events.register(f"before-call.*.{operation}", die)
    try:
        yield
    finally:
        for each in clients:
            each.meta.events.unregister(f"before-call.*.{operation}", die)


@contextmanager
def requests(cloud: Cloud) -> Iterator[list[tuple[str, str]]]:
    """The operations that the clients ask for meanwhile, each with its service."""
    asked: list[tuple[str, str]] = []

    def note(model: Any, **about: object) -> None:
        asked.append((model.service_model.signing_name, model.name))

    clients = (cloud.functions, cloud.machines, cloud.iam, cloud.logs, cloud.tables, cloud.objects)
    for each in clients:
        each.meta.events.register("before-call", note)
    try:
        yield asked
    finally:
        for each in clients:
            each.meta.events.unregister("before-call", note)


def refusal(code: str, message: str) -> Exception:
    """What a service answers when it refuses."""
    return JsonRESTError(code, message)


def _published(self: Any) -> Any:
    machine = self.stepfunction_backend.describe_state_machine(self._get_param("stateMachineArn"))
    newest = machine.latest_version
    if newest is None or newest.definition != machine.definition:
        machine.publish(self._get_param("description"))
    return ActionResult({"stateMachineVersionArn": machine.latest_version.arn})


def _versions(self: Any) -> Any:
    machine = self.stepfunction_backend.describe_state_machine(self._get_param("stateMachineArn"))
    listed = [
        {"stateMachineVersionArn": each.arn, "creationDate": each.creation_date}
        for each in reversed(machine.versions.values())
    ]
    return ActionResult({"stateMachineVersions": listed})


def _listing(original: Any) -> Any:
    def list_executions(self: Any) -> Any:
        if self._get_param("statusFilter") == "PENDING_REDRIVE" and self._get_param(
            "stateMachineArn"
        ):
            raise refusal("ValidationException", "PENDING_REDRIVE needs a mapRunArn")
        return original(self)

    return list_executions


def _version_deleted(self: Any) -> Any:
    arn, number = self._get_param("stateMachineVersionArn").rsplit(":", 1)
    del self.stepfunction_backend.describe_state_machine(arn).versions[int(number)]
    return ActionResult({})


def _redriven(self: Any) -> Any:
    backend, arn = self.stepfunction_backend, self._get_param("executionArn")
    execution = backend.describe_execution(arn)
    machine = next(each for each in backend.state_machines if execution in each.executions)
    machine.executions.remove(execution)
    backend.start_execution(machine.arn, execution.name, execution.execution_input)
    return ActionResult({"redriveDate": machine.creation_date})


def _starting(original: Any) -> Any:
    def start(self: Any, arn: str, name: str, given: str) -> Any:
        *parts, last = arn.split(":")
        if len(parts) < 7:
            return original(self, arn, name, given)
        machine = self.describe_state_machine(":".join(parts))
        version = last
        if not last.isdecimal():
            routes = machine.aliases[last].routing_configuration
            heaviest = max(routes, key=lambda route: route["weight"])
            version = heaviest["stateMachineVersionArn"].rpartition(":")[2]
        latest, machine.definition = machine.definition, machine.versions[int(version)].definition
        try:
            return original(self, machine.arn, name, given)
        finally:
            machine.definition = latest

    return start


def _invoking(account: Account, folder: Path) -> Any:
    def invoke(
        self: Any, function_name: str, qualifier: Any, body: Any, headers: Any, response: Any
    ) -> bytes:
        function = self.get_function(function_name, qualifier)
        account.invoked.append(f"{function.function_name}:{function.version}")
        place = folder / function.code_sha_256.replace("/", "_")
        if not place.exists():
            content = function.code["ZipFile"]
            zipped = base64.b64decode(content) if isinstance(content, str) else content
            zipfile.ZipFile(io.BytesIO(zipped)).extractall(place)
        # As in Lambda, boto3 is there; what it reaches is this account.
        own = {"PYTHONPATH": sysconfig.get_path("purelib"), "AWS_ENDPOINT_URL": account.url}
        known = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        answer = _run(place, body, {**known, **own, **function.environment_vars})
        if "error" in answer:
            response["x-amz-function-error"] = "Unhandled"
            return json.dumps(answer["error"]).encode()
        return json.dumps(answer["value"]).encode()

    return invoke


def _run(place: Path, body: Any, variables: dict[str, str]) -> Any:
    reading, writing = os.pipe()
    text = body.decode() if isinstance(body, bytes) else body
    done = subprocess.run(
        ["bash", "-c", f'exec 3>&{writing}; exec "$0" -S -c "$1"', sys.executable, _RUN],
        input=text, cwd=place, env={"PATH": os.environ["PATH"], **variables}, text=True,
        pass_fds=(writing,), capture_output=True, check=False,
    )  # fmt: skip
    os.close(writing)
    with os.fdopen(reading) as answer:
        told = answer.read()
    assert told, done.stderr
    return json.loads(told)


def _refusing(account: Account, name: str, original: Any) -> Any:
    def refuse(self: Any, *arguments: Any, **named: Any) -> Any:
        if account.refusals.get(name):
            raise account.refusals[name].pop(0)
        return original(self, *arguments, **named)

    return refuse


@contextmanager
def account(folder: Path, *, executes: bool = False) -> Iterator[Account]:
    """An empty account; with `executes` its state machines run for real."""
    config: Any = {
        "stepfunctions": {"execute_state_machine": executes},
        "lambda": {"use_docker": False},
    }
    with ExitStack() as stack:
        stack.enter_context(
            mock.patch.dict(
                os.environ,
                AWS_ACCESS_KEY_ID="x",
                AWS_SECRET_ACCESS_KEY="x",
                AWS_REGION=REGION,
                AWS_DEFAULT_REGION=REGION,
            )
        )
        stack.enter_context(mock_aws(config=config))
        server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        server.start()
        stack.callback(server.stop)
        host, port = server.get_host_and_port()
        made = Account(f"http://{host}:{port}")
        for kind, name, method in (
            (StepFunctionResponse, "publish_state_machine_version", _published),
            (StepFunctionResponse, "list_state_machine_versions", _versions),
            (StepFunctionResponse, "delete_state_machine_version", _version_deleted),
            (
                StepFunctionResponse,
                "list_executions",
                _listing(StepFunctionResponse.list_executions),
            ),
            (StepFunctionResponse, "redrive_execution", _redriven),
            (LambdaSimpleBackend, "invoke", _invoking(made, folder)),
            (StringJSONata, "_eval_body", moto_asl._evaluate),
            (CustomErrorName, "__init__", moto_asl._any_name),
            (preprocessor.Preprocessor, "__init__", moto_asl._own_languages),
        ):
            stack.enter_context(mock.patch.object(kind, name, method, create=True))
        for kind, name in (
            (LambdaSimpleBackend, "create_function"),
            (LambdaSimpleBackend, "publish_version"),
            (LambdaSimpleBackend, "update_function_code"),
            (StepFunctionBackend, "create_state_machine"),
            (StepFunctionBackend, "update_state_machine"),
            (StepFunctionBackend, "update_state_machine_alias"),
        ):
            refusing = _refusing(made, name, getattr(kind, name))
            stack.enter_context(mock.patch.object(kind, name, refusing))
        for kind in (StepFunctionBackend, StepFunctionsParserBackend):
            starting = _starting(kind.start_execution)
            stack.enter_context(mock.patch.object(kind, "start_execution", starting))
        yield made
