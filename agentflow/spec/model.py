"""A workflow as data: what every front end produces and every engine and compiler consumes.

Only shapes live here. Reading is in `parse`, rules in `check`, meaning in `runtime.machine`.
Values that may hold `${…}` are `Template`s; see `expressions.template`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from agentflow.errors import Json, Span
from agentflow.spec.expressions.template import Expression, Template

Duration: TypeAlias = "float | Expression"
"""Seconds, or an expression that gives seconds or a duration text such as ``1m30s``."""


@dataclass(frozen=True, slots=True)
class Retry:
    """When and how a failed attempt is made again; times are in seconds."""

    on: tuple[str, ...] = ("*",)
    max_attempts: int = 3
    """Attempts in all, the first one included."""
    interval: float = 1.0
    backoff: float = 2.0
    max_interval: float = 60.0
    jitter: Literal["full", "none"] = "none"


@dataclass(frozen=True, slots=True)
class Resources:
    """What a call asks of the cluster; any of them makes it a Ray task of its own."""

    num_cpus: float | None = None
    num_gpus: float | None = None
    memory: int | None = None
    """Bytes."""
    runtime_env: Json = None


@dataclass(frozen=True, slots=True)
class Block:
    """Steps in order. Its value is what it returns, else the result of its last executed step."""

    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Catch:
    """What to do about an error: the first handler whose `on` matches runs."""

    on: tuple[str, ...]
    do: Block
    span: Span
    bind: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """Invoke a function; the result is bound to the step's id."""

    function: str
    """Import path (`functions.text.count_words`) after short names are resolved, or an agent:
    `agent:NAME` or `agent:NAME.METHOD`."""
    arguments: dict[str, Template]
    span: Span
    """Where the function is named."""
    resources: Resources | None = None
    compensate: Compensation | None = None
    at_most_once: bool = False
    """Never invoked again while it is unknown whether an invocation took effect."""
    key: Template = None
    """Which instance of an agent it reaches; `None`: the one of the execution."""


@dataclass(frozen=True, slots=True)
class Compensation:
    """How a saga undoes a completed call; `arguments` may read the call's own result."""

    function: str
    arguments: dict[str, Template]
    span: Span
    retry: Retry | None = None
    timeout: Duration | None = None
    key: Template = None


@dataclass(frozen=True, slots=True)
class Set:
    """Bind names to values; all of them are evaluated before any is bound."""

    names: dict[str, Template]


@dataclass(frozen=True, slots=True)
class Case:
    """One case of a switch."""

    when: Expression
    do: Block


@dataclass(frozen=True, slots=True)
class Switch:
    """The first case whose condition holds, else `otherwise`, else nothing."""

    cases: tuple[Case, ...]
    otherwise: Block | None = None


@dataclass(frozen=True, slots=True)
class Fork:
    """Branches side by side; the result is an object by branch name."""

    branches: dict[str, Block]
    join: int
    """How many branches must succeed; the number of branches means all."""


@dataclass(frozen=True, slots=True)
class Reduce:
    """Combine the items' results, `arity` at a time, in item order, until one value is left."""

    function: str
    arguments: dict[str, Template]
    """Reads the partial results as `items`; `{"items": ${ items }}` when the spec has no `with`."""
    span: Span
    arity: int = 16
    retry: Retry | None = None
    timeout: Duration | None = None
    key: Template = None


@dataclass(frozen=True, slots=True)
class Map:
    """Run `body` for each item; the result is the list in item order, or what `reduce` gives."""

    items: Template
    body: Call | Block
    bind: str = "item"
    index: str | None = None
    concurrency: int | None = None
    batch: int | Literal["auto"] | None = None
    """Items that one invocation carries and one event records; only where `body` is a call."""
    tolerate: int | float = 0
    """Failed items that are accepted: an int is a count, a float a share between 0 and 1."""
    reduce: Reduce | None = None


@dataclass(frozen=True, slots=True)
class Loop:
    """Repeat `do` while a condition holds, until one holds, or for each item in turn."""

    do: Block
    condition: Expression | None = None
    until: bool = False
    """False: checked before each round; True: checked after it, and ends the loop when true."""
    items: Template = None
    bind: str | None = None
    index: str | None = None
    max: int = 1000


@dataclass(frozen=True, slots=True)
class Try:
    """Run `do`; handle its errors; run `finally` whatever happened."""

    do: Block
    catch: tuple[Catch, ...] = ()
    final: Block | None = None


@dataclass(frozen=True, slots=True)
class Saga:
    """Run `do`; when it fails, undo its completed calls in reverse order and pass the error on."""

    do: Block


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a pipeline; reads the item under the pipeline's `as` name."""

    id: str
    body: Call | Block
    span: Span
    concurrency: int = 1
    retry: Retry | None = None
    timeout: Duration | None = None


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Items flow through stages; the result is the list in source order, or what `reduce` gives."""

    source: Template | Call
    """A list, or a call whose function may be a generator."""
    stages: tuple[Stage, ...]
    bind: str = "item"
    buffer: int = 16
    """How many items may wait before each stage."""
    reduce: Reduce | None = None


@dataclass(frozen=True, slots=True)
class Transition:
    """Where a state goes next; without a condition, always."""

    to: str
    span: Span
    when: Expression | None = None


@dataclass(frozen=True, slots=True)
class State:
    """A state: what it does, and where it goes; no transition means it is an end."""

    do: Block
    next: tuple[Transition, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class States:
    """A state machine; its value is the value of the end state's block."""

    start: str
    states: dict[str, State]
    max: int = 1000
    """How many states may be entered before it fails with `LoopLimit`."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait for a time: seconds, a duration text, or an RFC 3339 time."""

    until: Template


@dataclass(frozen=True, slots=True)
class Listen:
    """Wait for a message by name and correlation; its data is the result.

    An `approve` step is one with a `form` (a JSON Schema the data must match) and a `prompt`.
    """

    name: str | None
    """`None`: the step's own path, which is how approvals are addressed."""
    correlation: Template = None
    form: Json = None
    prompt: Template = None


@dataclass(frozen=True, slots=True)
class Emit:
    """Publish a CloudEvent."""

    type: Template
    data: Template = None
    source: Template = None
    subject: Template = None


@dataclass(frozen=True, slots=True)
class Run:
    """Run another workflow as a child; its output is the result."""

    workflow: str
    """A file, relative to this one, or the name of a workflow in the same folder."""
    input: Template
    span: Span


@dataclass(frozen=True, slots=True)
class Raise:
    """Fail with a named error: an object with `name` and perhaps `message` and `data`."""

    error: Template


@dataclass(frozen=True, slots=True)
class Return:
    """End the nearest branch or item, or else the workflow, with a value."""

    value: Template


Action: TypeAlias = (
    Call
    | Set
    | Switch
    | Fork
    | Map
    | Loop
    | Try
    | Saga
    | Pipeline
    | States
    | Wait
    | Listen
    | Emit
    | Run
    | Raise
    | Return
)


@dataclass(frozen=True, slots=True)
class Step:
    """One node of a workflow: an id, one action, and what any step may carry."""

    id: str
    action: Action
    span: Span
    """Where the step begins (its `id` value)."""
    when: Expression | None = None
    timeout: Duration | None = None
    """Bounds one attempt."""
    retry: Retry | None = None
    catch: tuple[Catch, ...] = ()
    description: str = ""


@dataclass(frozen=True, slots=True)
class Workflow:
    """A named, versioned definition."""

    name: str
    do: Block
    span: Span
    version: str = "1.0.0"
    description: str = ""
    input: Json = None
    """JSON Schema of the input; `None` accepts anything."""
    output: Template = None
    has_output: bool = False
    timeout: Duration | None = None
    retry: Retry | None = None
    """Default for calls that state none (`defaults.retry`)."""
    call_timeout: Duration | None = None
    """Default for calls that state none (`defaults.timeout`)."""
    secrets: tuple[str, ...] = ()
    concurrency: int | None = None
    """Calls in flight at once, in one execution."""
    labels: dict[str, str] = field(default_factory=dict)
    targets: Json = None
    digest: str = ""
    """SHA-256 of the spec's data, independent of formatting and comments."""
    children: dict[str, Workflow] = field(default_factory=dict)
    """What `run` steps name, resolved; keys are as written in the spec."""
