"""Calls of agents: Lambda makes the object anew for each, and a table keeps its state.

See `functions.hosts.agents` for what happens there, and `agents` for the table.
"""

from __future__ import annotations

from typing import Final

from agentflow.adapters.aws.graph import State
from agentflow.adapters.aws.templates import Templates
from agentflow.adapters.aws.writer import Writer
from agentflow.functions.agents import PREFIX
from agentflow.functions.hosts.agents import BUSY
from agentflow.spec.model import Call, Compensation, Reduce
from agentflow.spec.signatures import Missing

WAITING: Final[State] = {
    "ErrorEquals": [BUSY],
    "IntervalSeconds": 1,
    "MaxAttempts": 1000,
    "BackoffRate": 1.5,
    "MaxDelaySeconds": 30,
    "JitterStrategy": "FULL",
}
"""Has a call wait for its turn in an instance; a Lambda that waits costs as much as one at work."""


def is_agent(function: str) -> bool:
    """Whether a call reaches an agent."""
    return function.startswith(PREFIX)


def reach(w: Writer, call: Call | Reduce | Compensation) -> None:
    """Note the method that a call reaches; refuse it where nothing can keep the state."""
    found = w.project.resolve(call.function)
    if isinstance(found, Missing):
        w.refusals.refuse(
            "AF601",
            f"`{call.function}` is not there: {found.message}",
            call.span,
            "the Lambda needs its class",
            found.help,
        )
        return
    agent, method = found
    if not agent.keeps_state:
        w.refusals.refuse(
            "AF601",
            f"`{call.function}` keeps its state in memory only",
            call.span,
            "a Lambda function keeps nothing between calls",
            f"give {agent.reference} `snapshot` and `restore`: then a table keeps its state",
        )
    if agent.options.max_concurrency > 1:
        w.note(f"calls of agent `{agent.name}` with the same key run one after the other")
    w.agents[call.function] = f"{agent.reference}.{method}"


def key(call: Call | Reduce | Compensation, templates: Templates) -> str:
    """The key of the instance as JSONata, which checks it: a wrong one is no failed attempt."""
    return f"$instance({templates.text(call.key)})"
