"""What every executor is: it carries out calls and reports what became of them.

An executor keeps no truth. It may lose everything at any moment; the orchestrator then submits
again what the journal does not know as done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from agentflow.errors import Json
from agentflow.functions.instances import AgentState
from agentflow.spec.model import Resources


@dataclass(frozen=True, slots=True)
class Task:
    """One invocation to carry out: a call, several calls of a batch, or a stream."""

    execution: str
    key: str
    attempt: int
    kind: Literal["call", "batch", "stream"]
    function: str
    """Import path, `package.module.attribute`; or `agent:NAME`, perhaps with `.METHOD`."""
    calls: Sequence[Json]
    """Argument objects: one for a call or a stream, one per item for a batch."""
    root: str
    """The project root; workers put it on `sys.path`."""
    workflow: str = ""
    timeout: float | None = None
    """Seconds each call may take."""
    resources: Resources | None = None
    secrets: tuple[str, ...] = ()
    demand: int = 0
    skip: int = 0
    at_most_once: bool = False
    """Whether a call that may have begun must be reported as lost rather than made once more."""
    in_turn: bool = False
    """Whether a batch's calls are made one after another, also those of a coroutine function."""
    agent_key: str | None = None
    """Which instance of an agent it reaches; `None`: the execution's own."""


@dataclass(frozen=True, slots=True)
class KeptState:
    """The state of one instance of an agent, after one of its calls."""

    agent: str
    key: str | None
    """`None`: the execution's own instance."""
    state: AgentState


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a task.

    `completed`: `value` is the result. `failed`: `error` is the error's value, `trace` the user's
    own frames. `batch`: `values` are outcomes, `{"value"}` or `{"error", "trace"}`. `yielded`:
    `values` are a stream's next values; the stream ends with `completed` or `failed`.
    `printed`: `lines` is what the function printed or logged, for whoever watches.
    """

    execution: str
    key: str
    attempt: int
    kind: Literal["completed", "failed", "batch", "yielded", "printed"]
    value: Json = None
    values: list[Json] | None = None
    error: Json = None
    trace: Json = None
    elapsed: float = 0.0
    lines: tuple[str, ...] = ()
    state: KeptState | None = None
    """Of an agent's call: the instance's state after it, to be recorded with the result."""


Reporter: TypeAlias = Callable[[Sequence[Report]], None]
"""Takes reports; called in the event loop's thread."""


class Memory(Protocol):
    """What is recorded of the state of agents."""

    store: str
    """Names where it is recorded: instances that share a place share a store."""

    async def last(self, task: Task, agent: str) -> AgentState | None:
        """The last recorded state of the instance that a task reaches."""
        ...


@runtime_checkable
class Remembers(Protocol):
    """An executor whose agents can begin with recorded state."""

    memory: Memory


@runtime_checkable
class OnRay(Protocol):
    """An executor whose workers are those of a Ray."""

    @property
    def owns_ray(self) -> bool:
        """Whether Ray was started here, so that its workers are on this machine."""
        ...


class Executor(Protocol):
    """Carries out tasks. All methods are called in the orchestrator's event loop."""

    parallel: int
    """How many calls run at once; the machine sizes batches by it. Known after `start`."""
    phase: str | None
    """What to tell a person while `start` runs, such as "starting Ray"; None when it is quick."""

    async def start(self, report: Reporter) -> None:
        """Get ready; may take seconds. Raises `Unavailable`."""
        ...

    def submit(self, tasks: Sequence[Task]) -> None:
        """Take tasks; return at once. Each is answered by a report, unless withdrawn."""
        ...

    def withdraw(self, execution: str, key: str) -> None:
        """Stop a task for good, also one that loops in C. Its report no longer matters."""
        ...

    def demand(self, execution: str, key: str, count: int) -> None:
        """Allow a stream `count` more values."""
        ...

    async def close(self) -> None:
        """Stop everything that runs and free what `start` took."""
        ...
