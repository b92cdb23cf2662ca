"""What a project's functions depend on, as the project says it.

It stands in `functions/requirements.txt`, else under `[project] dependencies` in pyproject.toml,
else in `requirements.txt`.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from agentflow.errors import UsageError

LEFT_OUT = ("inferloop-agentflow", "ray")
"""AgentFlow's kit is in every bundle already, and Ray is no part of any."""

_INCLUDED = re.compile(r"^\s*(?:-r|-c|--requirement|--constraint)[\s=]*(\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Requirements:
    """The dependencies of a project."""

    lines: tuple[str, ...]
    """Requirements, as PEP 508 writes them."""
    file: Path | None
    """A requirements file that has them instead."""
    origin: str
    """What messages call the place to change: `pyproject.toml`."""

    def __bool__(self) -> bool:
        return bool(self.lines) or self.file is not None

    def digest(self) -> str:
        """The same for the same requirements, those in included files too."""
        digest = hashlib.sha256("\n".join(self.lines).encode())
        if self.file is not None:
            _add(self.file, digest, set())
        return digest.hexdigest()


def read(
    root: Path, extra: tuple[str, ...] = (), *, is_declared_needed: bool = True
) -> Requirements:
    """The requirements of a project, and extra ones of the bundle's own.

    What the project declares is left out where nothing can import it.

    Raises:
        UsageError: pyproject.toml is not TOML.
    """
    own = root / "functions" / "requirements.txt"
    if own.is_file():
        shown = own.relative_to(root).as_posix()
        return Requirements(extra, own if is_declared_needed else None, shown)
    if not is_declared_needed:
        return Requirements(extra, None, "requirements.txt")
    project = root / "pyproject.toml"
    declared = _declared(project) if project.is_file() else None
    if declared is not None:
        return Requirements((*declared, *extra), None, "pyproject.toml")
    file = root / "requirements.txt"
    if file.is_file():
        return Requirements(extra, file, "requirements.txt")
    return Requirements(extra, None, "requirements.txt")


def _declared(file: Path) -> tuple[str, ...] | None:
    """The dependencies in a pyproject.toml; `None` if it does not describe a project's."""
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file.name} cannot be read: {error}") from None
    project = data.get("project")
    if not isinstance(project, dict) or "dependencies" not in project:
        return None
    if _normal(str(project.get("name", ""))) == LEFT_OUT[0]:
        return ()  # AgentFlow's own repository is a project, too; its kit is in every bundle
    kept = (str(each) for each in project["dependencies"])
    return tuple(each for each in kept if _name(each) not in LEFT_OUT)


def _name(requirement: str) -> str:
    found = re.match(r"\s*([A-Za-z0-9._-]+)", requirement)
    return _normal(found[1]) if found else ""


def _normal(name: str) -> str:
    """A distribution's name as registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _add(file: Path, digest: hashlib._Hash, seen: set[Path]) -> None:
    if file in seen or not file.is_file():
        return
    seen.add(file)
    data = file.read_bytes()
    digest.update(data)
    for included in _INCLUDED.findall(data.decode(errors="replace")):
        _add(file.parent / included, digest, seen)
