"""What a target is: an engine that workflows are compiled for, in one folder beside this file.

A target states what it can do as tables (`Capabilities`), rewrites a workflow until that is
enough (`lower`, which hands its tables to `lowering.lower`), and prints what is left in its own
dialect (`compile`). What a table does not name is refused, and a test holds that every kind of step
and every function of the language is named.

To add one: a folder with the tables, a writer for each kind of step that they call native, the
expressions, and a module with `TARGET`, which is named in `_MODULES`. Reading the dialect back and
deploying are in the folder too, and the verbs `import` and `deploy` call them by name: what clouds
have in common there is for the second one to show.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from importlib import import_module
from typing import Literal, Protocol, TypeAlias

from agentflow.adapters.report import Report
from agentflow.errors import Json, UsageError
from agentflow.spec.load import Loaded
from agentflow.spec.model import Action, Workflow

Feature: TypeAlias = Literal[
    "condition",
    "handlers",
    "attempts",
    "block timeout",
    "tolerance",
    "reduce",
    "recorded arguments",
]
"""What a step may carry or a map may have, beside its kind: done by the target, or by a pass."""


class Support(Enum):
    """How a target comes by something."""

    NATIVE = "native"
    LOWERED = "lowered"
    HELPER = "helper hop"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Capability:
    """How a target does one thing; `how` names what it becomes, or why it is refused."""

    support: Support
    how: str


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Everything the language has, and how a target does it."""

    steps: Mapping[type[Action], Capability]
    features: Mapping[Feature, Capability]
    functions: Mapping[str, Capability]
    """By name; methods as `string.upper`, `list.count`, `object.get`."""

    def lowers(self, what: type[Action] | Feature) -> bool:
        """Whether a pass has to replace something before it is written; unknown is refused."""
        found = self.features.get(what) if isinstance(what, str) else self.steps.get(what)
        return found is not None and found.support is Support.LOWERED


@dataclass(frozen=True, slots=True)
class Options:
    """What the user chooses about a compile; each target reads what concerns it."""

    service: Mapping[str, Json] = field(default_factory=dict)
    """The target's own settings: `targets.NAME` of the spec, then those of the command line."""


@dataclass(frozen=True, slots=True)
class Resource:
    """Something of the cloud that the workflow uses, for roles and infrastructure."""

    kind: str
    """`function`, `workflow`, `event bus`, `bucket`, …"""
    name: str
    action: str
    """What the workflow does with it, in the cloud's words: `lambda:InvokeFunction`."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """What has to be there for the compiled workflow to run."""

    name: str
    """Of the workflow on the target."""
    functions: tuple[str, ...]
    """Import paths of the functions that the bundle must hold, and agents as calls name them."""
    handler: str
    """The cloud function that runs them, and evaluates what the dialect cannot."""
    needs_helper: bool
    """Whether the bundle must be able to evaluate expressions and keep task tokens."""
    resources: tuple[Resource, ...]
    """For least privilege, sorted."""
    settings: Mapping[str, Json] = field(default_factory=dict)
    agents: Mapping[str, str] = field(default_factory=dict)
    """Import paths of the methods of agents, by what calls name."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """The result of a compile; the workflow's own comes first, then those it runs."""

    files: Mapping[str, str]
    """Texts by name, relative to the output folder."""
    report: Report
    deployments: tuple[Deployment, ...]


def family(loaded: Loaded) -> Iterator[Loaded]:
    """A workflow and those it runs, each once, parents first: what one compile writes."""
    seen: set[str] = set()
    ahead = [loaded]
    while ahead:
        each = ahead.pop(0)
        if each.workflow.name not in seen:
            seen.add(each.workflow.name)
            yield each
            ahead.extend(each.children.values())


class Target(Protocol):
    """An engine to compile for."""

    name: str
    capabilities: Capabilities

    def lower(self, workflow: Workflow) -> Workflow:
        """The same workflow, of nothing but what `write` takes."""
        ...

    def compile(self, loaded: Loaded, options: Options) -> Compiled:
        """Lower and write a workflow and those it runs.

        Raises:
            CannotExpress: with everything the target refuses, each with its place.
        """
        ...


_MODULES = {"aws": "agentflow.adapters.aws.compile"}

TARGETS = tuple(_MODULES)
"""The names of the targets there are."""


def find(name: str) -> Target:
    """The target of a name; its module is imported now.

    Raises:
        UsageError: there is no such target.
    """
    if name not in _MODULES:
        listed = ", ".join(TARGETS)
        raise UsageError(f"there is no target `{name}`", help=f"the targets are: {listed}")
    target: Target = import_module(_MODULES[name]).TARGET
    return target
