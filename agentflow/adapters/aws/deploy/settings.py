"""The settings of Lambda functions: `targets.aws` of the spec, or options of the command line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from agentflow.adapters.aws.settings import bucket
from agentflow.adapters.bundle.platforms import Platform, platform
from agentflow.errors import Json, UsageError

LONGEST = 900
"""Seconds that Lambda lets an invocation take.

Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""


@dataclass(frozen=True, slots=True)
class FunctionSettings:
    """How the functions of a workflow run on Lambda."""

    platform: Platform
    memory: int = 512
    """MiB; processor time grows with it."""
    timeout: int = LONGEST
    """Seconds. A step's own `timeout` is kept by the state machine."""
    per_function: bool = False
    """Whether each function has a Lambda of its own, instead of one for all."""
    role: str | None = None
    """The ARN of a role that is there, for Lambdas and state machines; by default they get roles
    that may do what they need and nothing else."""
    region: str | None = None
    agents: str | None = None
    """The table that keeps the instances of agents; by default the workflow has one of its own."""
    bundles: str | None = None
    """The bucket, or bucket and prefix, that Lambda takes the bundle from; by default it is sent
    with the request."""


def function_settings(given: Mapping[str, Json]) -> FunctionSettings:
    """The settings for functions among all settings of AWS.

    Raises:
        UsageError: one has a value it cannot have.
    """
    per_function = given.get("per_function", False)
    if not isinstance(per_function, bool):
        raise UsageError(f"`per_function` is true or false, got `{per_function}`")
    role = given.get("role")
    if role is not None and not str(role).startswith("arn:"):
        raise UsageError(f"`role` is the ARN of a role, got `{role}`")
    region = given.get("region")
    table = given.get("agents")
    if table is not None and _TABLE.fullmatch(str(table)) is None:
        raise UsageError(f"`agents` is the name of a table, got `{table}`")
    bundles = given.get("bundles")
    return FunctionSettings(
        platform(given.get("architecture"), given.get("python")),
        _whole("memory", given.get("memory", 512), 128, 10_240, "MiB"),
        _whole("timeout", given.get("timeout", LONGEST), 1, LONGEST, "seconds"),
        per_function,
        None if role is None else str(role),
        None if region is None else str(region),
        None if table is None else str(table),
        None if bundles is None else bucket("bundles", bundles),
    )


_TABLE = re.compile(r"[a-zA-Z0-9_.-]{3,255}")
"""Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html"""


def _whole(name: str, given: Json, least: int, most: int, unit: str) -> int:
    """A whole number; options of the command line are texts."""
    text = str(given)
    if isinstance(given, bool) or not text.isdecimal() or not least <= int(text) <= most:
        raise UsageError(f"`{name}` is from {least} to {most} {unit}, got `{given}`")
    return int(text)
