"""The spec that a definition was compiled from, kept in its `Comment`.

With the setting `keep_spec` a definition can be read back as the workflow that it was. What was
changed since is seen, because a record counts only where it compiles to the very definition that
holds it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, Final

from agentflow.adapters.aws.limits import DEFINITION
from agentflow.adapters.aws.settings import Settings
from agentflow.adapters.aws.settings import settings as settings_of
from agentflow.errors import Json
from agentflow.spec.model import Workflow
from agentflow.spec.write import to_yaml

_MARK: Final = "# Compiled from this workflow:"
_SEPARATOR: Final = f"\n\n{_MARK}\n"


def with_spec(definition: dict[str, Any], workflow: Workflow, chosen: Settings) -> dict[str, Any]:
    """The definition with the spec in its comment; as it is where that would be too long."""
    spec = to_yaml(_settled(workflow, chosen))
    kept = {**definition, "Comment": f"{definition['Comment']}{_SEPARATOR}{spec}"}
    size = len(json.dumps(kept, ensure_ascii=False, separators=(",", ":")))
    return kept if size <= DEFINITION else definition


def _settled(workflow: Workflow, chosen: Settings) -> Workflow:
    """The workflow with the settings it is compiled with, wherever they were given."""
    targets = workflow.targets if isinstance(workflow.targets, dict) else {}
    usual = asdict(settings_of(workflow.name, {}))
    given = {key: value for key, value in asdict(chosen).items() if value != usual[key]}
    own = {key: value for key, value in (targets.get("aws") or {}).items() if key not in usual}
    return replace(workflow, targets={**targets, "aws": {**own, **given}})


def split(comment: str) -> tuple[str, str | None]:
    """A comment without the spec, and the spec if there is one."""
    told, separator, spec = comment.partition(_SEPARATOR)
    return told, spec if separator else None


def same(own: Json, found: Json, handler: str) -> bool:
    """Whether a definition is one that was compiled.

    A deployment puts the version of a function where the compiler names the `handler`.
    """
    if isinstance(own, Mapping) and isinstance(found, Mapping):
        return own.keys() == found.keys() and all(
            (key == "FunctionName" and value == handler and isinstance(found[key], str))
            or same(value, found[key], handler)
            for key, value in own.items()
        )
    if isinstance(own, list) and isinstance(found, list):
        return len(own) == len(found) and all(
            same(a, b, handler) for a, b in zip(own, found, strict=True)
        )
    return type(own) is type(found) and own == found
