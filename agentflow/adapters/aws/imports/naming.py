"""Names of workflows from names of states: identifiers, each given once."""

from __future__ import annotations

import keyword
import re
from typing import Final

from agentflow.adapters.aws.tasks.words import words
from agentflow.spec.expressions import FUNCTIONS

_TAKEN: Final = frozenset(
    {*keyword.kwlist, *FUNCTIONS, "input", "execution", "true", "false", "null", "items"}
)
_LONGEST: Final = 60


def identifier(name: str) -> str:
    """A name in small words joined by `_`: `check_stock` for `Check Stock?`."""
    joined = "_".join(words(name))[:_LONGEST].rstrip("_")
    if not joined:
        return "state"
    return joined if not joined[0].isdigit() else f"state_{joined}"


def workflow_name(name: str) -> str:
    """A name that a workflow may have."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.") or "imported"


class Namer:
    """Gives names that no other step or variable of the workflow has."""

    def __init__(self) -> None:
        self._given: set[str] = set(_TAKEN)

    def fresh(self, wanted: str) -> str:
        """The name, or with the first number that makes it new."""
        base = identifier(wanted)
        name, number = base, 1
        while name in self._given:
            number += 1
            name = f"{base}_{number}"
        self._given.add(name)
        return name
