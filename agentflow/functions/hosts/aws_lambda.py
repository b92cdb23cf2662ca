"""Functions on AWS Lambda: one handler for all functions of a bundle, or for one of them.

A named error leaves as an exception whose class has the error's name and whose message is the
error's value as JSON, so that `Retry` and `Catch` of a state machine match by name and nothing of
the error is lost. Settings come from the function's environment:

    AGENTFLOW_WORKFLOW   the workflow's name
    AGENTFLOW_SECRETS    the names of its secrets, with commas
    AGENTFLOW_FUNCTION   the only function this Lambda runs, where each has a Lambda of its own
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from agentflow.errors import Fault, Json
from agentflow.functions.context import LOGGER
from agentflow.functions.encoding import dump
from agentflow.functions.hosts.calls import Helper, Host, Setting, WriteLine

if TYPE_CHECKING:
    from agentflow.functions.hosts.agents import Agents

PAYLOAD = 262_144
"""Bytes that Step Functions takes from a task.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
"""
CAUSE = 24_000
"""Bytes of an error's value. Step Functions keeps 32,768 characters, in which Lambda puts the value
as a text of a text, with a trace."""


class LambdaContext(Protocol):
    """What Lambda tells about an invocation."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the invocation is stopped."""
        ...


class Handler:
    """What Lambda calls with an event; `functions` are those that the bundle was made for."""

    def __init__(
        self,
        functions: Collection[str],
        root: Path,
        *,
        helper: Helper | None = None,
        agents: Agents | None = None,
        write: WriteLine | None = None,
    ) -> None:
        only = os.environ.get("AGENTFLOW_FUNCTION")
        secrets = os.environ.get("AGENTFLOW_SECRETS", "")
        setting = Setting(
            functions=(only,) if only else tuple(functions),
            root=str(root),
            workflow=os.environ.get("AGENTFLOW_WORKFLOW", ""),
            secrets=tuple(name for name in secrets.split(",") if name),
        )
        self.host = Host(setting, helper=helper, agents=agents, write=write)
        _take_over_logs()

    def __call__(self, event: Json, context: LambdaContext) -> Json:
        """Answer an event.

        Raises:
            Exception: of a class named like the error.
        """
        left = context.get_remaining_time_in_millis() / 1000
        is_task = isinstance(event, dict) and "execution" in event
        try:
            value = self.host.answer(
                event,
                deadline=time.time() + left,
                request=context.aws_request_id,
                check=_check_size if is_task else None,
            )
            if is_task:
                _check_size(value, is_batch="batch" in event)
        except Fault as fault:
            raise named(fault) from None
        return value


def _take_over_logs() -> None:
    """Have what is logged become lines of calls, where Lambda's runtime would write it past them.

    The runtime's own handler knows neither execution nor step, and would write a second time what
    is logged through the context.
    """
    root = logging.getLogger()
    theirs = [each for each in root.handlers if type(each).__module__.startswith("awslambdaric")]
    for each in theirs:
        root.removeHandler(each)
    if theirs:
        ours = logging.StreamHandler(sys.stderr)  # which is that of the call that writes
        ours.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
        ours.addFilter(lambda record: record.name != LOGGER.name)
        root.addHandler(ours)


def named(fault: Fault) -> Exception:
    """The error as an exception that Step Functions knows by the error's name."""
    kind: type[Any] = type(fault.name, (Exception,), {})
    error: Exception = kind(_text(fault.value()))
    return error


def _check_size(value: Json, *, is_batch: bool = False) -> None:
    """Refuse what Step Functions would not take: a value, or all that a batch gave."""
    size = len(dump(value))
    if size <= PAYLOAD:
        return
    what, remedy = "result is", "store it and return where it is"
    if is_batch:
        what, remedy = "results of the batch are", "let a batch have fewer items"
    raise Fault(
        "PayloadTooLarge",
        f"{what} {size:,} bytes, Step Functions takes {PAYLOAD:,}; {remedy}",
        data={"limit": PAYLOAD},
    )


def _text(value: dict[str, Json]) -> str:
    """The value as JSON that fits; what has to be left out is said in the message."""
    for part in ("cause", "data"):
        text = _json(value)
        if len(text) <= CAUSE:
            return text
        if value[part] is not None:
            size = len(_json(value[part]))
            note = f"{value['message']} (its {part} of {size:,} bytes is left out)"
            value = {**value, part: None, "message": note}
    return _json(value)


def _json(value: Json) -> str:
    # In ASCII: then characters are bytes, whatever the service counts.
    return json.dumps(value, separators=(",", ":"))
