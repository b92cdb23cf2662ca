"""What the user chooses for AWS: `targets.aws` of the spec, or options of the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal, TypeAlias

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
    """Whether maps run as child executions: more than 40 items at once, results over 256 KiB."""
    keep_spec: bool = False
    """Whether the definition's `Comment` holds the spec, so that it can be imported as it was."""


GUARANTEES: Mapping[Kind, str] = {
    "standard": "Standard: every state runs exactly once, up to a year; a task is invoked again "
    "only by its Retry",
    "express": "Express: the execution may run more than once (at least once), up to 5 minutes; "
    "no task tokens, no child executions that are waited for",
}
"""What each kind of workflow promises.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/choosing-workflow-type.html
"""


def settings(workflow: str, given: Mapping[str, Json]) -> Settings:
    """The settings of a workflow.

    Raises:
        UsageError: one that does not exist, or a value it cannot have.
    """
    known = {each.name for each in fields(Settings)}
    # What belongs to the functions, not to the state machine, is for the bundle and the deployment.
    others = {"region", "memory", "architecture", "per_function", "python", "role", "timeout"}
    for name in given:
        if name not in known | others:
            listed = ", ".join(sorted(known | others))
            raise UsageError(f"AWS has no setting `{name}`", help=f"there are: {listed}")
    kind = given.get("kind", "standard")
    if kind not in GUARANTEES:
        raise UsageError(f"`kind` is standard or express, got `{kind}`")
    chosen = {name: given[name] for name in known & given.keys()}
    handler = f"{workflow.replace('.', '-')}-functions"  # Lambda takes no dots
    return Settings(**{"handler": handler, **chosen})
