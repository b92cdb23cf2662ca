"""Reading workflows without running them: `validate`, `graph` and `export`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from agentflow.cli import exits, places, terminal, text
from agentflow.cli.options import (
    AsJson,
    Spec,
)
from agentflow.errors import AgentFlowError, NotFound, SpecError, UsageError
from agentflow.spec.load import load

if TYPE_CHECKING:
    from agentflow.errors import Json
    from agentflow.spec.load import Loaded

_SUFFIXES = (".yaml", ".yml", ".json", ".py")


def read(spec: str) -> Loaded:
    """The workflow that a command line names.

    Raises:
        SpecError: it has mistakes.
        NotFound: there is no such file.
    """
    return load(spec)


def validate(
    *specs: Annotated[str, Parameter(name="SPEC", help="Workflow files.")],
    target: Annotated[
        Sequence[str],
        Parameter(
            metavar="aws",
            negative="",
            show_default=False,
            help="Whether this cloud can express it, too; may be repeated.",
        ),
    ] = (),
    as_json: AsJson = False,
) -> int:
    """Report every mistake in every file at once.

    The functions that a workflow calls are not imported.
    """
    if not specs:
        raise UsageError("validate needs a workflow's file", help="agentflow validate specs/*.yaml")
    valid: list[tuple[str, Loaded]] = []
    refused: list[AgentFlowError] = []
    for spec in specs:
        try:
            loaded = read(spec)
            if target:
                from agentflow.cli import compiling

                compiling.check(loaded, target)
            valid.append((spec, loaded))
        except AgentFlowError as error:
            refused.append(error)
    if as_json:
        terminal.result_json(_as_json(valid, refused))
    else:
        _tell(valid, refused)
    return (
        max((error.exit_code == exits.INVALID, error.exit_code) for error in refused)[1]
        if refused
        else exits.OK
    )


def graph(
    spec: Annotated[str, Parameter(name="SPEC|ID", help="A workflow's file, or an execution.")],
    /,
    *,
    as_json: AsJson = False,
) -> int:
    """Draw a workflow as Mermaid text."""
    from agentflow.spec.graph import mermaid

    workflow = (read(spec) if names_file(spec) else _stored(spec)).workflow
    drawing = mermaid(workflow)
    if as_json:
        terminal.result_json({"workflow": workflow.name, "mermaid": drawing})
    else:
        terminal.result(drawing.rstrip("\n"))
    return exits.OK


def export(
    spec: Spec,
    /,
    *,
    out: Annotated[
        Path | None,
        Parameter(metavar="FILE", help="Where to write it; the workflows it runs go beside it."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Write a workflow as YAML: what a function means, or a spec in its shortest form."""
    from agentflow.spec.write import to_yaml

    loaded = named(spec)
    texts = {name: to_yaml(each.workflow) for name, each in _family(loaded).items()}
    own, *others = texts
    written = [] if out is None else _write(out, texts)
    if as_json:
        terminal.result_json({"workflow": own, "files": written, "text": texts[own]})
    elif out is None:
        terminal.result(texts[own].rstrip("\n"))
        if others:
            runs = ", ".join(f"`{name}`" for name in others)
            terminal.note(f"It runs {runs}; `--out FILE` writes what it runs beside it.")
    return exits.OK


def _family(loaded: Loaded) -> dict[str, Loaded]:
    """A workflow and those it runs that are written in Python, by name."""
    found = {loaded.workflow.name: loaded}
    for child in loaded.children.values():
        if child.is_python:
            found |= _family(child)
    return found


def _write(out: Path, texts: dict[str, str]) -> list[str]:
    own, *others = texts
    files = {out: texts[own]} | {out.with_name(f"{name}.yaml"): texts[name] for name in others}
    for file, text_ in files.items():
        terminal.write(file, text_)
    return [str(file) for file in files]


def names_file(spec: str) -> bool:
    """Whether a word means a file or a function, rather than something in the journal."""
    suffix = Path(spec).suffix.partition(":")[0]
    return "/" in spec or ":" in spec or suffix in _SUFFIXES or Path(spec).exists()


def named(spec: str) -> Loaded:
    """The workflow that a word means: in a file, or the one of this name that ran last."""
    return read(spec) if names_file(spec) else stored(spec)


def stored(name: str) -> Loaded:
    """The workflow of this name that ran last.

    Raises:
        NotFound: none has.
    """
    from agentflow.cli import stores
    from agentflow.runtime.catalog import restored

    with stores.open_journal() as journal:
        spec = journal.find_spec(name)
        if spec is None:
            meant = stores.project_root() / "specs" / f"{name}.yaml"
            shown = os.path.relpath(meant) if meant.is_file() else "specs/FILE.yaml"
            raise NotFound(
                f"there is no file `{name}`, and no workflow of that name has run here",
                help=f"name the workflow's file: {shown}",
            )
        return restored(journal, spec.digest, stores.project_root())


def _stored(word: str) -> Loaded:
    """What an execution runs, or a workflow by its name."""
    from agentflow.cli import stores
    from agentflow.runtime.catalog import restored

    with stores.open_journal() as journal:
        try:
            record = journal.execution(journal.resolve(word))
        except NotFound:
            if journal.find_spec(word) is None:
                raise
        else:
            return restored(journal, record.digest, Path(record.root))
    return stored(word)


def _as_json(valid: list[tuple[str, Loaded]], refused: list[AgentFlowError]) -> dict[str, Json]:
    files = [
        {
            "file": spec,
            "workflow": loaded.workflow.name,
            "version": loaded.workflow.version,
            "steps": places.count(loaded.workflow),
        }
        for spec, loaded in valid
    ]
    answer: dict[str, Json] = {"valid": not refused, "files": files}
    if refused:
        parts = [exits.as_json(error) for error in refused]
        answer["error"] = parts[0]["error"]
        answer["errors"] = [e for part in parts for e in part.get("errors", [part["error"]])]
    return answer


def _tell(valid: list[tuple[str, Loaded]], refused: list[AgentFlowError]) -> None:
    for error in refused:
        terminal.note(exits.as_text(error) + "\n")
    if valid:
        width = max(len(spec) for spec, _ in valid)
        for spec, loaded in valid:
            workflow = loaded.workflow
            steps = text.counted(places.count(workflow), "step")
            what = f"(workflow {workflow.name} {workflow.version}, {steps})"
            terminal.result(f"{spec:<{width}}  ok  {what}")
    for error in refused:
        if isinstance(error, SpecError):
            found = text.counted(len(error.diagnostics), "error")
            terminal.note(f"{found} in {error.diagnostics[0].span.file}")
