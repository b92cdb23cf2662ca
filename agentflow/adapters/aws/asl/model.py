"""State machines of the Amazon States Language as frozen data, with places in the text.

Fields keep the language's names in snake case. Payload templates, choice rules and literal values
are JSON as written; paths and expressions in them have been checked when the machine was read.

Source: https://states-language.net (2024-11) and
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-amazon-states-language.html.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from agentflow.adapters.aws.asl.values import ABSENT, Absent
from agentflow.errors import Json, Span

QueryLanguage: TypeAlias = Literal["JSONPath", "JSONata"]


@dataclass(frozen=True, slots=True)
class Reference:
    """A value found by a path: `TimeoutSecondsPath`, `ErrorPath`."""

    path: str


Setting: TypeAlias = Json | Reference | Absent
"""A literal, an expression in `{% %}`, a path, or nothing."""


@dataclass(frozen=True, slots=True)
class Retrier:
    """One entry of `Retry`."""

    error_equals: tuple[str, ...]
    interval_seconds: int = 1
    max_attempts: int = 3
    backoff_rate: float = 2.0
    max_delay_seconds: int | None = None
    jitter_strategy: Literal["FULL", "NONE"] = "NONE"


@dataclass(frozen=True, slots=True)
class Catcher:
    """One entry of `Catch`."""

    error_equals: tuple[str, ...]
    next: str
    result_path: str | None = "$"
    assign: Json | Absent = ABSENT
    output: Json | Absent = ABSENT


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of `Choices`; `test` is the comparison (JSONPath) or the `Condition` (JSONata)."""

    test: Json
    next: str
    assign: Json | Absent = ABSENT
    output: Json | Absent = ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """What states have in common; a type of state uses the fields that it has."""

    name: str
    span: Span
    query_language: QueryLanguage
    comment: str = ""
    next: str | None = None
    end: bool = False
    input_path: str | None = "$"
    output_path: str | None = "$"
    result_path: str | None = "$"
    parameters: Json | Absent = ABSENT
    arguments: Json | Absent = ABSENT
    result_selector: Json | Absent = ABSENT
    assign: Json | Absent = ABSENT
    output: Json | Absent = ABSENT
    retry: tuple[Retrier, ...] = ()
    catch: tuple[Catcher, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Task(Common):
    """Work that something outside does."""

    resource: str
    timeout_seconds: Setting = ABSENT
    heartbeat_seconds: Setting = ABSENT
    credentials: Json | Absent = ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass(Common):
    """Passes its input on, or a result that is written out."""

    result: Json | Absent = ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(Common):
    """Goes where the first rule that applies says."""

    choices: tuple[Rule, ...]
    default: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(Common):
    """Waits for a time; exactly one of the two is there."""

    seconds: Setting = ABSENT
    timestamp: Setting = ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeed(Common):
    """Ends its machine well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail(Common):
    """Ends its machine with an error."""

    error: Setting = ABSENT
    cause: Setting = ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Parallel(Common):
    """Runs machines side by side on the same input."""

    branches: tuple[Machine, ...]


@dataclass(frozen=True, slots=True)
class ItemReader:
    """Where a distributed map reads its items from."""

    resource: str
    parameters: Json | Absent = ABSENT
    """`Parameters`, or `Arguments` with JSONata."""
    input_type: str | None = None
    max_items: Setting = ABSENT
    config: Mapping[str, Json] = field(default_factory=dict)
    """The rest of `ReaderConfig`: `CSVHeaderLocation`, `CSVHeaders`, `CSVDelimiter`, …"""


@dataclass(frozen=True, slots=True)
class ItemBatcher:
    """How a distributed map puts items together for one child."""

    max_items: Setting = ABSENT
    max_bytes: Setting = ABSENT
    batch_input: Json | Absent = ABSENT


@dataclass(frozen=True, slots=True)
class ResultWriter:
    """Where a distributed map writes its results to."""

    resource: str | None = None
    parameters: Json | Absent = ABSENT
    config: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Map(Common):
    """Runs a machine for each item."""

    processor: Machine
    distributed: bool = False
    express: bool = False
    items: Json | Absent = ABSENT
    items_path: str = "$"
    item_selector: Json | Absent = ABSENT
    max_concurrency: Setting = ABSENT
    tolerated_count: Setting = ABSENT
    tolerated_percentage: Setting = ABSENT
    reader: ItemReader | None = None
    batcher: ItemBatcher | None = None
    writer: ResultWriter | None = None
    label: str = ""


State: TypeAlias = Task | Pass | Choice | Wait | Succeed | Fail | Parallel | Map


@dataclass(frozen=True, slots=True)
class Machine:
    """States and where they start: a whole definition, a branch, or what a map runs."""

    start_at: str
    states: Mapping[str, State]
    query_language: QueryLanguage = "JSONPath"
    comment: str = ""
    version: str = "1.0"
    timeout_seconds: float | None = None
    definition: Json = None
    """The text as data, for writing it again."""
