"""What a deployment changes, resource by resource; a plan is one that changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from agentflow.errors import Conflict, Json

Action: TypeAlias = Literal["create", "update", "publish", "shift", "delete", "keep"]

TAG = "agentflow:workflow"
"""On everything that a deployment makes; what does not have it is not touched."""
DIGEST_TAG = "agentflow:digest"
"""The SHA-256 of what was deployed."""
MANAGED_TAG = "agentflow:managed-by"
"""On what somebody else keeps as it is, such as Terraform."""
TERRAFORM = "terraform"


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one resource."""

    action: Action
    kind: str
    name: str
    detail: str = ""

    def as_json(self) -> dict[str, Json]:
        """The change as plain data."""
        return {
            "action": self.action,
            "kind": self.kind,
            "name": self.name,
            "detail": self.detail,
        }


@dataclass(slots=True)
class Ledger:
    """The changes so far; with `is_plan` they are only noted."""

    is_plan: bool = False
    changes: list[Change] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What remains to be done by hand."""
    tell: Callable[[Change], None] = lambda change: None
    """Hears of each change when it is about to be made."""

    def may(self, action: Action, kind: str, name: str, detail: str = "") -> bool:
        """Note a change; whether it is to be made."""
        change = Change(action, kind, name, detail)
        self.changes.append(change)
        self.tell(change)
        return not self.is_plan

    def keep(self, kind: str, name: str, detail: str = "") -> None:
        """Note that something is as it should be."""
        self.changes.append(Change("keep", kind, name, detail))

    @property
    def changed(self) -> bool:
        """Whether anything changes."""
        return any(change.action != "keep" for change in self.changes)


def check_own(kind: str, name: str, tags: dict[str, str]) -> None:
    """Refuse to touch what somebody else made, or keeps as it is.

    Raises:
        Conflict: it has not our tag, or that of somebody else.
    """
    if MANAGED_TAG in tags:
        raise Conflict(
            f"the {kind} `{name}` is managed by {tags[MANAGED_TAG]}, which would undo the change",
            help=f"change it there, or take the tag `{MANAGED_TAG}` away to hand it over",
        )
    if TAG not in tags:
        raise Conflict(
            f"there is a {kind} `{name}` that AgentFlow did not make",
            help=f"rename the workflow, or give it the tag `{TAG}` to hand it over",
        )
