"""Messages to executions in an account: the tokens of the steps that wait are in a table.

The handler keeps them (`tokens`). Whoever sends a message takes the token of a step that waits for
it by name, and gives it back to Step Functions with the message's data.
"""

from __future__ import annotations

import json
from typing import Any

from agentflow.adapters.aws.deploy.client import Cloud, found, told
from agentflow.adapters.aws.deploy.definition import invocations
from agentflow.adapters.aws.deploy.executions import Execution
from agentflow.adapters.aws.tokens import keys, place, texts_in
from agentflow.errors import Conflict, InputError, Json, NotFound


def answer(cloud: Cloud, execution: Execution, name: str, data: Json) -> str:
    """Answer the first step of an execution that waits for a message; gives the step.

    Raises:
        NotFound: no step waits for a message of this name.
        InputError: the message does not match the step's form.
        Conflict: the step waits no longer.
    """
    with told(f"sending `{name}` to {execution.id}"):
        table = _table(cloud, execution)
        items = _waiting(cloud, table, execution.id) if table is not None else []
        fitting = [item for item in items if item["place"].startswith(place(name, ""))]
        if not fitting:
            waiting = sorted({item["place"].rpartition(" ")[0] for item in items})
            listed = f"it waits for: {', '.join(waiting)}" if waiting else ""
            raise NotFound(
                f"no step of execution {execution.id} waits for `{name}`",
                help=listed or "in a cloud, a message is not kept until a step waits for it",
            )
        item = min(fitting, key=lambda each: each["place"])
        _check(json.loads(item["request"])["form"], data, name)
        sent = found(
            lambda: cloud.machines.send_task_success(
                taskToken=item["token"], output=json.dumps(data)
            ),
            "TaskTimedOut",
            "TaskDoesNotExist",
            "InvalidToken",
        )
        step = item["place"].rpartition(" ")[2]
        for key in keys(execution.id, name, step):
            cloud.tables.delete_item(TableName=table, Key=key)
        if sent is None:
            raise Conflict(f"no step of execution {execution.id} waits for `{name}` any longer")
        return step


def _table(cloud: Cloud, execution: Execution) -> str | None:
    """The table that the handler keeps tokens in, which the execution's steps wait by."""
    machine = cloud.machines.describe_state_machine_for_execution(executionArn=execution.arn)
    for arguments in invocations(machine["definition"]):
        if "listen" in arguments["Payload"]:
            there = cloud.functions.get_function_configuration(
                FunctionName=arguments["FunctionName"]
            )
            table: str | None = there["Environment"]["Variables"].get("AGENTFLOW_TOKENS")
            return table
    return None


def _waiting(cloud: Cloud, table: str, execution: str) -> list[dict[str, str]]:
    pages: Any = cloud.tables.get_paginator("query").paginate(
        TableName=table,
        KeyConditionExpression="execution = :execution",
        ExpressionAttributeValues={":execution": {"S": execution}},
    )
    return [
        texts_in(item)
        for page in pages
        for item in page["Items"]
        if "token" in item  # else it is an event that was taken
    ]


def _check(form: Json, data: Json, name: str) -> None:
    if form is None:
        return
    from jsonschema import Draft202012Validator

    errors = Draft202012Validator(form).iter_errors(data)
    problems = [f"{error.json_path}: {error.message}" for error in errors]
    if problems:
        raise InputError(
            f"the answer does not match the form of `{name}`:\n  " + "\n  ".join(problems),
            help="give it with --data JSON",
        )
