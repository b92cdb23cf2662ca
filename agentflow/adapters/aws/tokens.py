"""The tokens of steps that wait for a message, and the events that may come before such a step.

A table has these items, found by `execution` and `place`, and gone after `expires`:

| `execution`    | `place`        |                                                            |
|----------------|----------------|------------------------------------------------------------|
| EXECUTION      | NAME STEP      | a step that waits: its `token`, and the `request` it made  |
| `message NAME` | EXECUTION STEP | the same                                                   |
| `event NAME`   | SECONDS ID     | an `event` that came, and when                             |
| EXECUTION      | `taken` ID     | an event that the execution was given                      |

Who begins to wait is written before events are looked for, and an event before those who wait: so
one of the two finds the other, and only who can write that the event is taken gives it. This module
is part of bundles; boto3 is part of Lambda.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from agentflow.errors import Json
from agentflow.functions.context import Context

YEAR = 366 * 24 * 3600
"""Seconds: no execution takes longer."""
KEPT = 30 * 24 * 3600
"""Seconds that an event is kept for steps that are not waiting yet."""


class Tokens:
    """The table that the environment of the Lambda names."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def keep(self, request: Json, context: Context) -> None:
        """See `agentflow.adapters.bundle.helper.Waiting`."""
        name, token = str(request["name"]), str(request["token"])
        known = {key: request.get(key) for key in ("correlation", "form", "prompt")}
        step = {"token": token, "request": json.dumps(known)}
        for key in keys(context.execution_id, name, context.step):
            self._put({**key, **texts_of(step)}, YEAR)
        if "since" not in request:
            return
        since = datetime.fromisoformat(request["since"]).timestamp()
        for item in self._items(_events(name), f"{since:.3f}"):
            event = json.loads(item["event"])
            id = item["place"].partition(" ")[2]
            is_meant = request["correlation"] in (None, event["subject"])
            if is_meant and self._take(context.execution_id, id):
                self._answer(token, event["data"], keys(context.execution_id, name, context.step))
                return

    def hear(self, name: str, id: str, event: dict[str, Json]) -> int:
        """See `agentflow.adapters.bundle.helper.Waiting`."""
        known = {"subject": event.get("subject"), "data": event.get("data")}
        key = texts_of({"execution": _events(name), "place": f"{time.time():.3f} {id}"})
        self._put({**key, **texts_of({"event": json.dumps(known)})}, KEPT)
        heard = 0
        for item in self._items(by_name(name)):
            if json.loads(item["request"])["correlation"] not in (None, known["subject"]):
                continue
            execution, _, step = item["place"].partition(" ")
            if self._take(execution, id):
                heard += self._answer(item["token"], known["data"], keys(execution, name, step))
        return heard

    def _take(self, execution: str, id: str) -> bool:
        """Whether an execution has not been given an event; from now on it has."""
        tables = self._client("dynamodb")
        key = texts_of({"execution": execution, "place": f"taken {id}"})
        try:
            self._put(key, KEPT, ConditionExpression="attribute_not_exists(place)")
        except tables.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def _answer(self, token: str, data: Json, places: tuple[dict[str, Any], ...]) -> bool:
        """End the task of a step; false if it waits no longer."""
        machines = self._client("stepfunctions")
        gone = machines.exceptions
        try:
            machines.send_task_success(taskToken=token, output=json.dumps(data))
            is_there = True
        except (gone.TaskTimedOut, gone.TaskDoesNotExist, gone.InvalidToken):
            is_there = False
        for key in places:
            self._client("dynamodb").delete_item(TableName=_table(), Key=key)
        return is_there

    def _put(self, item: dict[str, Any], seconds: int, **condition: str) -> None:
        expires = {"N": str(int(time.time()) + seconds)}
        self._client("dynamodb").put_item(
            TableName=_table(), Item={**item, "expires": expires}, **condition
        )

    def _items(self, first: str, least: str = " ") -> Iterator[dict[str, str]]:
        """The items of one `execution`, from a `place` on, by place."""
        pages = self._client("dynamodb").get_paginator("query")
        for page in pages.paginate(
            TableName=_table(),
            ConsistentRead=True,
            KeyConditionExpression="execution = :first AND place >= :least",
            ExpressionAttributeValues=texts_of({":first": first, ":least": least}),
        ):
            for item in page["Items"]:
                yield texts_in(item)

    def _client(self, service: str) -> Any:
        if service not in self._made:
            import boto3  # type: ignore[import-untyped]  # it has no types

            self._made[service] = boto3.client(service)
        return self._made[service]


def _table() -> str:
    return os.environ["AGENTFLOW_TOKENS"]


def keys(execution: str, name: str, step: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The keys of the items of a step: by its execution, and by the message's name."""
    return (
        texts_of({"execution": execution, "place": place(name, step)}),
        texts_of({"execution": by_name(name), "place": f"{execution} {step}"}),
    )


def texts_of(item: dict[str, Json]) -> dict[str, Any]:
    """Attributes as DynamoDB has them."""
    return {key: {"S": str(value)} for key, value in item.items()}


def texts_in(attributes: dict[str, Any]) -> dict[str, str]:
    """What attributes of DynamoDB say; numbers are texts there, too."""
    return {key: next(iter(value.values())) for key, value in attributes.items()}


def place(name: str, step: str) -> str:
    """The second part of a key; steps that wait for the same message stand together."""
    return f"{name} {step}"


def by_name(name: str) -> str:
    """The first part of a key by the message's name: with a blank it is no execution's id."""
    return f"message {name}"


def _events(name: str) -> str:
    return f"event {name}"
