"""Invocations of the shop's functions, as Lambda makes them."""

from __future__ import annotations

from agentflow.errors import Json
from agentflow.functions.hosts.aws_lambda import Handler

NAMES = ("total", "reserve", "whoami", "count", "large", "fails_largely", "later")
OURS = r'^{"name":'
FUNCTIONS = [f"shop.orders.{name}" for name in NAMES]


class Invocation:
    """What Lambda tells about an invocation."""

    aws_request_id = "request-1"

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


def call(handler: Handler, function: str, **arguments: Json) -> Json:
    about = {"execution": "e1", "step": "items[3].total"}
    payload = {"function": f"shop.orders.{function}", "arguments": arguments, **about}
    return handler(payload, Invocation())
