"""The workflows that `run` steps name: where they are, and what they take."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from agentflow.errors import Diagnostic
from agentflow.functions.suggestions import closest
from agentflow.spec.diagnostics import did_you_mean
from agentflow.spec.fields import listed
from agentflow.spec.model import Run, Workflow
from agentflow.spec.survey import steps
from agentflow.spec.tree import MAX_BYTES

SUFFIXES = (".yaml", ".yml", ".json")
_NAME = re.compile(
    r"""^[ \t{]*["']?workflow["']?[ \t]*:[ \t]*["']?([A-Za-z0-9_.-]+)""", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class NotThere:
    """Why a child cannot be found."""

    code: str
    message: str
    help: str


def runs(workflow: Workflow) -> list[Run]:
    """The first `run` of each child, in the order of the spec."""
    first: dict[str, Run] = {}
    for step in steps(workflow.do):
        if isinstance(step.action, Run) and step.action.workflow:
            first.setdefault(step.action.workflow, step.action)
    return list(first.values())


def find_file(reference: str, parent: Path) -> Path | NotThere:
    """The file of a child: a path relative to its parent's, or a name in the same folder."""
    folder = parent.parent
    if "/" in reference or reference.endswith(SUFFIXES):
        path = folder / reference
        if os.path.isfile(path):  # noqa: PTH113  # False, not an error, for any odd name
            return path
        beside = [entry.name for entry in _specs(path.parent)]
        remedy = did_you_mean(path.name, beside) or "the path is relative to this file"
        return NotThere("AF411", f"there is no file `{reference}`", remedy)
    named = {path: _name_in(path) for path in _specs(folder)}
    found = [path for path, name in named.items() if name == reference]
    if len(found) == 1:
        return found[0]
    if found:
        files = " and ".join(f"`{path.name}`" for path in found)
        remedy = f"say which file: run: {found[0].name}"
        return NotThere("AF413", f"{files} are both named `{reference}`", remedy)
    remedy = did_you_mean(reference, [name for name in named.values() if name])
    remedy = remedy or "name a workflow in this folder, or a file relative to this one"
    return NotThere("AF411", f"there is no workflow `{reference}` in this folder", remedy)


def find_text(reference: str, texts: Mapping[str, object]) -> str | NotThere:
    """The key of a child among texts that are at hand."""
    if reference in texts:
        return reference
    remedy = did_you_mean(reference, texts) or "give its text with `children`"
    return NotThere("AF411", f"there is no workflow `{reference}`", remedy)


def check_input(run: Run, child: Workflow) -> Iterator[Diagnostic]:
    """What a child surely refuses of the input it is given."""
    schema, given = child.input, run.input
    if not isinstance(schema, dict) or not isinstance(given, dict):
        return
    missing = [name for name in schema.get("required", ()) if name not in given]
    known = schema.get("properties", {})
    if schema.get("additionalProperties") is False and "patternProperties" not in schema:
        for name in given:
            if name not in known:
                meant = closest(name, missing or known)
                if meant in missing:
                    missing.remove(meant)
                remedy = f"did you mean `{meant}`?" if meant else ""
                message = f"`{child.name}` takes no `{name}`"
                yield Diagnostic("AF414", message, run.span, "unknown input", remedy)
    if missing:
        message = f"`{child.name}` needs {listed(missing)}"
        yield Diagnostic("AF414", message, run.span, "input missing", "give it under `with`")


def _specs(folder: Path) -> list[Path]:
    if not os.path.isdir(folder):  # noqa: PTH112  # as above
        return []
    return sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES)


def _name_in(path: Path) -> str | None:
    """The name a file gives its workflow, without reading all of it as a spec."""
    try:
        with path.open(encoding="utf-8") as file:
            match = _NAME.search(file.read(MAX_BYTES))
    except (OSError, UnicodeDecodeError):
        return None
    return match[1] if match else None
