"""State machines in the same folder, for those that start others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from agentflow.adapters.aws.asl.model import Machine
from agentflow.adapters.aws.asl.read import load
from agentflow.adapters.aws.tasks.words import meant

_KIND: Final = re.compile(r"[-_.]?(state[-_]?machine)?[-_.]?(arn)?\}$", re.IGNORECASE)
"""What the name of a symbol says of the thing, not of what it does."""
_SUFFIXES: Final = (".asl.json", ".asl.yaml", ".asl.yml", ".json", ".yaml", ".yml")


def machine_name(file: str | Path) -> str:
    """The name of a state machine whose definition is in a file: `order` of `order.asl.json`."""
    name = Path(file).name
    return next((name.removesuffix(end) for end in _SUFFIXES if name.endswith(end)), name)


class Siblings(Mapping[str, Machine]):
    """The definitions beside a file by name; each is read when it is started.

    A symbol that a deployment puts in means the one that it is called after: `${ShipStateMachine}`
    the definition in `ship.asl.json`.
    """

    def __init__(self, file: str | Path) -> None:
        folder = Path(file).parent
        asl = (each for each in sorted(folder.glob("*.asl.*")) if machine_name(each) != each.name)
        self._files = {machine_name(each): each for each in asl}

    def __getitem__(self, name: str) -> Machine:
        found: str | None = name
        if name not in self._files:
            found = meant(_KIND.sub("", name), self._files) if name.startswith("${") else None
        if found is None:
            raise KeyError(name)
        return load(self._files[found])

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)
