"""Starting a project: `new` copies a template."""

from __future__ import annotations

import shutil
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from agentflow.cli import exits, terminal, text
from agentflow.cli.options import (
    AsJson,
)
from agentflow.errors import Conflict, NotFound, UsageError
from agentflow.spec.diagnostics import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator


_DEFAULT = "default"


def new(
    folder: Annotated[
        Path | None, Parameter(name="DIR", help="Where the project goes; must be empty.")
    ] = None,
    /,
    *,
    template: Annotated[
        str, Parameter(metavar="NAME", help="What to start from; --list shows the choice.")
    ] = _DEFAULT,
    list_: Annotated[
        bool, Parameter(name="--list", negative="", show_default=False, help="List the templates.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Start a project: specs/, functions/, tests/."""
    if list_:
        return _list(as_json=as_json)
    if folder is None:
        raise UsageError("new needs a folder", help="agentflow new my-project")
    found = {source.name: source for source in _templates()}
    if template not in found:
        raise NotFound(
            f"there is no template `{template}`",
            help=did_you_mean(template, found) or f"there are {', '.join(found)}",
        )
    _copy(found[template], folder)
    if as_json:
        files = sorted(str(path) for path in folder.rglob("*") if path.is_file())
        terminal.result_json({"folder": str(folder), "template": template, "files": files})
        return exits.OK
    terminal.note(f"Made {folder} from the template `{template}`. Next:\n")
    for command in [f"cd {folder}", *_commands(folder)]:
        terminal.note(f"  {command}")
    return exits.OK


def _templates() -> Iterator[Path]:
    root = Path(str(resources.files("agentflow"))) / "templates"
    yield from sorted(path for path in root.iterdir() if (path / "README.md").is_file())


def _list(*, as_json: bool) -> int:
    listed = [(source.name, _summary(source)) for source in _templates()]
    if as_json:
        templates = [{"name": name, "description": summary} for name, summary in listed]
        terminal.result_json({"templates": templates})
    else:
        terminal.result(text.columns(listed))
    return exits.OK


def _summary(source: Path) -> str:
    """What a template holds, in the words of its workflow's first line."""
    spec = next(iter(sorted((source / "specs").glob("*.yaml"))), None)
    return spec.read_text(encoding="utf-8").split("\n", 1)[0].lstrip("# ") if spec else ""


def _commands(folder: Path) -> Iterator[str]:
    """The commands that the template's README shows."""
    for line in (folder / "README.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("$ "):
            yield line.removeprefix("$ ")


def _copy(source: Path, folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        what = "is not empty" if folder.is_dir() else "is a file"
        raise Conflict(f"{folder} {what}", help="choose another folder; nothing was changed")
    try:
        shutil.copytree(
            source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
        )
    except OSError as error:
        raise Conflict(f"{folder} cannot be written: {error.strerror or error}") from error
