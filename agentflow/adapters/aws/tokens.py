"""The tokens of steps that wait for a message: kept by the handler, found by who sends it.

A table has one item for each step that waits: `execution` and `place` (the message's name and the
step) are its key, `token` is what Step Functions wants back, `expires` when it is of no more use.
This module is part of bundles; boto3 is part of Lambda.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

from agentflow.errors import Json
from agentflow.functions.context import Context

YEAR = 366 * 24 * 3600
"""Seconds: no execution takes longer."""


class Tokens:
    """The table that the environment of the Lambda names."""

    def __init__(self) -> None:
        self._client: Any = None

    def keep(self, request: Json, context: Context) -> None:
        """See `agentflow.adapters.bundle.helper.Waiting`."""
        if self._client is None:
            import boto3  # type: ignore[import-untyped]  # it has no types

            self._client = boto3.client("dynamodb")
        item = {
            "execution": context.execution_id,
            "place": place(str(request["name"]), context.step),
            "token": request["token"],
            "request": json.dumps(
                {key: request.get(key) for key in ("correlation", "form", "prompt")}
            ),
        }
        texts = {key: {"S": str(value)} for key, value in item.items()}
        expires = {"N": str(int(time.time()) + YEAR)}
        self._client.put_item(
            TableName=os.environ["AGENTFLOW_TOKENS"], Item={**texts, "expires": expires}
        )


def place(name: str, step: str) -> str:
    """The second part of a key; steps that wait for the same message stand together."""
    return f"{name} {step}"
