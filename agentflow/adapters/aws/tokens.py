"""The tokens of steps that wait for a message: kept by the handler, found by who sends it.

A table has two items for each step that waits, one to find it by its execution and one by the
message's name: `execution` and `place` are the key, `token` is what Step Functions wants back,
`request` what the step asked for, `expires` when it is of no more use. This module is part of
bundles; boto3 is part of Lambda.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from typing import Any

from agentflow.errors import Json
from agentflow.functions.context import Context

YEAR = 366 * 24 * 3600
"""Seconds: no execution takes longer."""


class Tokens:
    """The table that the environment of the Lambda names."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def keep(self, request: Json, context: Context) -> None:
        """See `agentflow.adapters.bundle.helper.Waiting`."""
        known = {key: request.get(key) for key in ("correlation", "form", "prompt")}
        expires = {"N": str(int(time.time()) + YEAR)}
        for key in keys(context.execution_id, str(request["name"]), context.step):
            texts = {**key, **texts_of({"token": request["token"], "request": json.dumps(known)})}
            item = {**texts, "expires": expires}
            self._client("dynamodb").put_item(TableName=os.environ["AGENTFLOW_TOKENS"], Item=item)

    def hear(self, kind: str, event: dict[str, Json]) -> int:
        """See `agentflow.adapters.bundle.helper.Waiting`."""
        machines = self._client("stepfunctions")
        gone = (
            machines.exceptions.TaskTimedOut,
            machines.exceptions.TaskDoesNotExist,
            machines.exceptions.InvalidToken,
        )
        heard = 0
        for item in self._waiting(kind):
            if json.loads(item["request"])["correlation"] not in (None, event.get("subject")):
                continue
            try:
                machines.send_task_success(
                    taskToken=item["token"], output=json.dumps(event.get("data"))
                )
                heard += 1
            except gone:
                pass  # it waits no longer
            execution, _, step = item["place"].partition(" ")
            for key in keys(execution, kind, step):
                self._client("dynamodb").delete_item(
                    TableName=os.environ["AGENTFLOW_TOKENS"], Key=key
                )
        return heard

    def _waiting(self, kind: str) -> Iterator[dict[str, str]]:
        pages = (
            self._client("dynamodb")
            .get_paginator("query")
            .paginate(
                TableName=os.environ["AGENTFLOW_TOKENS"],
                KeyConditionExpression="execution = :name",
                ExpressionAttributeValues={":name": {"S": by_name(kind)}},
            )
        )
        for page in pages:
            for item in page["Items"]:
                yield {name: next(iter(value.values())) for name, value in item.items()}

    def _client(self, service: str) -> Any:
        if service not in self._made:
            import boto3  # type: ignore[import-untyped]  # it has no types

            self._made[service] = boto3.client(service)
        return self._made[service]


def keys(execution: str, name: str, step: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The keys of the items of a step: by its execution, and by the message's name."""
    return (
        texts_of({"execution": execution, "place": place(name, step)}),
        texts_of({"execution": by_name(name), "place": f"{execution} {step}"}),
    )


def texts_of(item: dict[str, Json]) -> dict[str, Any]:
    """Attributes as DynamoDB has them."""
    return {key: {"S": str(value)} for key, value in item.items()}


def place(name: str, step: str) -> str:
    """The second part of a key; steps that wait for the same message stand together."""
    return f"{name} {step}"


def by_name(name: str) -> str:
    """The first part of a key by the message's name: with a blank it is no execution's id."""
    return f"message {name}"
