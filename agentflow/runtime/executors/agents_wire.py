"""An agent's call as a job, and its answer as reports; see `wire` for the bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from agentflow.errors import Json
from agentflow.functions.encoding import decode, dump
from agentflow.functions.instances import AgentState
from agentflow.runtime.executors.agents import Reached
from agentflow.runtime.executors.protocol import KeptState, Report, Task
from agentflow.runtime.executors.reports import job_of, report_of
from agentflow.runtime.executors.wire import VERSION, Job, Kind, frame, frames

RETURNED = frame(Kind.RETURNED, 0)
"""The answer to a call that has not begun: it is to be made again."""


@dataclass(frozen=True, slots=True)
class AgentCall:
    """What the worker must know beside the call itself."""

    agent: str
    max_concurrency: int
    reference: str
    method: str
    arguments: Json
    known: AgentState | None
    """The last recorded state."""


def packed(task: Task, reached: Reached, known: AgentState | None) -> bytes:
    """A task as a job for the host of an instance."""
    job = job_of(0, task)
    options = reached.options
    about = [options.name, options.max_concurrency, reached.reference, reached.method]
    state = None if known is None else [known.version, decode(known.value)]
    job.body = dump([*about, task.calls[0], state])
    return job.pack()


def agent_call(job: Job) -> AgentCall:
    """What was packed."""
    agent, most, reference, method, arguments, known = decode(job.body)
    state = None if known is None else AgentState(known[0], dump(known[1]))
    return AgentCall(agent, most, reference, method, arguments, state)


def asked_before(job: Job) -> str:
    """What is the same for each time a call is asked for: execution, key and attempt."""
    _, _, execution, _, key, attempt, *_ = decode(job.about)
    return f"{execution}/{key}/{attempt}"


def asked_for(task: Task) -> str:
    """The same, of a task."""
    return f"{task.execution}/{task.key}/{task.attempt}"


def state_frame(id: int, state: AgentState) -> tuple[Kind, int, bytes]:
    """The frame that carries a state."""
    return Kind.STATE, id, VERSION.pack(state.version) + state.value


def reports_of(task: Task, reached: Reached, answer: bytes) -> Iterator[Report]:
    """What an answer says about a task; the state goes with the report that ends it."""
    kept: KeptState | None = None
    for kind, _, payload in frames(answer):
        if kind is Kind.STATE:
            (version,) = VERSION.unpack_from(payload)
            kept = reached.kept(task, AgentState(version, payload[VERSION.size :]))
        else:
            report = report_of(task, kind, payload)
            yield report if report.kind == "printed" else replace(report, state=kept)
