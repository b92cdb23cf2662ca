"""What the user chooses for AWS: `targets.aws` of the spec, or options of the command line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final, Literal, TypeAlias

from agentflow.errors import Json, UsageError

Kind: TypeAlias = Literal["standard", "express"]


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one state machine."""

    handler: str
    """The Lambda function that runs the workflow's functions."""
    kind: Kind = "standard"
    event_bus: str = "default"
    distributed: bool = False
    """Whether maps of more than 40 items at once run as child executions."""
    keep_spec: bool = False
    """Whether the definition's `Comment` holds the spec, so that it can be imported as it was."""
    results: str | None = None
    """`BUCKET` or `BUCKET/PREFIX`: where distributed maps with a `reduce` keep their results."""


GUARANTEES: Mapping[Kind, str] = {
    "standard": "Standard: every state runs exactly once, up to a year; a task is invoked again "
    "only by its Retry",
    "express": "Express: the execution runs at most once where its end is waited for, as `invoke` "
    "does, and else may run more than once (at least once); up to 5 minutes; no task tokens, no "
    "child executions that are waited for",
}
"""What each kind of workflow promises.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/choosing-workflow-type.html
"""


_OTHERS: Final = frozenset(
    [
        "agents",
        "architecture",
        "bundles",
        "memory",
        "per_function",
        "python",
        "region",
        "role",
        "timeout",
    ]
)
"""What belongs to the functions, not to the state machine: see `deploy.settings`."""


def settings(workflow: str, given: Mapping[str, Json]) -> Settings:
    """The settings of a workflow.

    Raises:
        UsageError: one that does not exist, or a value it cannot have.
    """
    known = {each.name for each in fields(Settings)}
    for name in given:
        if name not in known | _OTHERS:
            listed = ", ".join(sorted(known | _OTHERS))
            raise UsageError(f"AWS has no setting `{name}`", help=f"there are: {listed}")
    kind = given.get("kind", "standard")
    if kind not in GUARANTEES:
        raise UsageError(f"`kind` is standard or express, got `{kind}`")
    chosen = {name: given[name] for name in known & given.keys()}
    for name in chosen.keys() & {"handler", "event_bus"}:
        if not isinstance(chosen[name], str):
            raise UsageError(f"`{name}` is a name, got `{chosen[name]}`")
    if not isinstance(chosen.get("distributed", False), bool):
        raise UsageError(f"`distributed` is true or false, got `{chosen['distributed']}`")
    if "results" in chosen:
        chosen["results"] = bucket("results", chosen["results"])
        if not chosen.setdefault("distributed", True):
            raise UsageError("`results` is for distributed maps, which `distributed` turns off")
    handler = f"{workflow.replace('.', '-')}-functions"  # Lambda takes no dots
    return Settings(**{"handler": handler, **chosen})


_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9!_.*'()/-]+)?")
"""Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html"""


def bucket(name: str, given: Json) -> str:
    """The value of a setting that is a bucket in S3, or a bucket with a prefix.

    Raises:
        UsageError: it is no such thing.
    """
    plain = str(given).removeprefix("s3://").rstrip("/")
    if _BUCKET.fullmatch(plain) is None:
        raise UsageError(f"`{name}` is BUCKET or BUCKET/PREFIX, got `{given}`")
    return plain
