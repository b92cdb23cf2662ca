"""State machines in the same folder, for those that start others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from agentflow.adapters.aws.asl.model import Machine
from agentflow.adapters.aws.asl.read import load

_SUFFIXES: Final = (".asl.json", ".asl.yaml", ".asl.yml", ".json", ".yaml", ".yml")


def machine_name(file: str | Path) -> str:
    """The name of a state machine whose definition is in a file: `order` of `order.asl.json`."""
    name = Path(file).name
    return next((name.removesuffix(end) for end in _SUFFIXES if name.endswith(end)), name)


class Siblings(Mapping[str, Machine]):
    """The definitions beside a file by name; each is read when it is started."""

    def __init__(self, file: str | Path) -> None:
        folder = Path(file).parent
        asl = (each for each in sorted(folder.glob("*.asl.*")) if machine_name(each) != each.name)
        self._files = {machine_name(each): each for each in asl}

    def __getitem__(self, name: str) -> Machine:
        return load(self._files[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)
