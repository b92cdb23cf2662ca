"""The instances of agents in a table, where the Lambdas of a workflow find them.

A table has one item for each instance: `instance` is its key, `state` and `version` are the last
state, `call` and `answer` the last call that was answered, `holder` and `until` say which call has
it now, `expires` when an execution's own is of no more use. This module is part of bundles; boto3
is part of Lambda.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agentflow.errors import Fault
from agentflow.functions.hosts.agents import Taken
from agentflow.functions.instances import AgentState

YEAR = 366 * 24 * 3600
"""Seconds: no execution takes longer."""
LARGEST = 400_000
"""Bytes of a state with an answer; an item may have 9,600 more, for its names and numbers.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
"""


class Table:
    """The table that the Lambda's environment names: see `functions.hosts.agents.Instances`."""

    def __init__(self) -> None:
        self._client: Any = None

    def take(self, instance: str, holder: str, until: float) -> Taken | None:
        """Hold an instance until a time in Unix seconds; None while another call holds it."""
        item = self._update(
            instance,
            {"holder": {"S": holder}, "until": _number(until)},
            "attribute_not_exists(#holder) OR #until < :now",
            {":now": _number(time.time())},
        )
        return None if item is None else _taken(item)

    def give_back(self, instance: str, holder: str, taken: Taken) -> bool:
        """Keep what an instance has become; false if it was taken away from its holder.

        Raises:
            Fault: `PayloadTooLarge`; the instance is what it was.
        """
        kept, size = _item(taken), 0 if taken.state is None else len(taken.state.value)
        if size > LARGEST:
            kept = {}
        elif _is_own(instance):
            kept["expires"] = {"N": str(int(time.time()) + YEAR)}
        is_kept = self._update(
            instance,
            {**kept, "holder": None, "until": None},
            "#holder = :me",
            {":me": {"S": holder}},
        )
        if size > LARGEST:
            raise Fault(
                "PayloadTooLarge",
                f"the state of {instance} is {size:,} bytes, its table takes {LARGEST:,}; "
                "keep what is large in S3, and in the state where it is",
                data={"limit": LARGEST},
            )
        return is_kept is not None

    def _update(
        self,
        instance: str,
        changes: Mapping[str, Any],
        condition: str,
        values: Mapping[str, Any],
    ) -> dict[str, Any] | None:
        """Change attributes of an item, or remove those that are None, if a condition holds.

        Gives the item after it, or None if the condition does not hold.
        """
        if self._client is None:
            import boto3  # type: ignore[import-untyped]  # it has no types

            self._client = boto3.client("dynamodb")
        put = {f":{name}": value for name, value in changes.items() if value is not None}
        parts = {
            "SET": ", ".join(f"#{name} = :{name}" for name in changes if f":{name}" in put),
            "REMOVE": ", ".join(f"#{name}" for name in changes if f":{name}" not in put),
        }
        try:
            answer: dict[str, Any] = self._client.update_item(
                TableName=os.environ["AGENTFLOW_AGENTS"],
                Key={"instance": {"S": instance}},
                UpdateExpression=" ".join(f"{verb} {what}" for verb, what in parts.items() if what),
                ConditionExpression=condition,
                ExpressionAttributeNames={f"#{name}": name for name in changes},
                ExpressionAttributeValues={**put, **values},
                ReturnValues="ALL_NEW",
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return None
        found: dict[str, Any] = answer["Attributes"]
        return found


def _number(seconds: float) -> dict[str, str]:
    return {"N": f"{seconds:.3f}"}


def _is_own(instance: str) -> bool:
    """Whether it is an execution's own; a name has neither `@` nor `/`."""
    agent, at, _ = instance.partition("@")
    return bool(at) and "/" not in agent


def _taken(item: Mapping[str, Any]) -> Taken:
    taken = Taken()
    if "state" in item:
        state = AgentState(int(item["version"]["N"]), item["state"]["S"].encode())
        taken = replace(taken, state=state)
    if "answer" in item:
        taken = replace(taken, call=item["call"]["S"], answer=item["answer"]["S"].encode())
    return taken


def _item(taken: Taken) -> dict[str, Any]:
    """The attributes of an instance; an answer that does not fit beside the state is left out.

    It was for the case that the answer is lost on its way: then the call is made again.
    """
    found: dict[str, Any] = {"call": None, "answer": None}
    size = 0
    if taken.state is not None:
        size = len(taken.state.value)
        found["version"] = {"N": str(taken.state.version)}
        found["state"] = {"S": taken.state.value.decode()}
    if taken.answer is not None and size + len(taken.answer) <= LARGEST:
        found |= {"call": {"S": taken.call}, "answer": {"S": taken.answer.decode()}}
    return found
