"""Compiling workflows for the clouds: `compile`, and what `validate --target` asks of a target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from agentflow.adapters.target import Options, find
from agentflow.cli import exits, specs, terminal
from agentflow.cli.options import AsJson, Spec, TargetSettings
from agentflow.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agentflow.adapters.target import Compiled
    from agentflow.errors import Json
    from agentflow.spec.load import Loaded


def compile(  # the verb's name
    spec: Spec,
    /,
    *,
    target: Annotated[str, Parameter(metavar="aws", help="The cloud to compile for.")],
    out: Annotated[
        str | None,
        Parameter(
            metavar="DIR",
            show_default=False,
            help="Where the files go. [default: build/TARGET/WORKFLOW]",
        ),
    ] = None,
    option: TargetSettings = (),
    as_json: AsJson = False,
) -> int:
    """Write a workflow in the language of a cloud, and report how each step is done.

    What the cloud cannot express is refused, all of it at once. Nothing is deployed.
    """
    loaded = specs.named(spec)
    options = Options(settings(option))
    compiled = find(target).compile(loaded, options)
    packed = package(loaded, compiled, options)
    folder = Path(out) if out is not None else Path("build") / target / loaded.workflow.name
    write(compiled, folder, packed)
    if as_json:
        terminal.result_json(_as_json(compiled, folder, packed))
    else:
        terminal.note(compiled.report.as_text())
        for name in dict.fromkeys([*compiled.files, *packed]):
            terminal.result(str(folder / name))
    return exits.OK


def check(loaded: Loaded, targets: Iterable[str]) -> None:
    """Compile for each of the targets and write nothing.

    Raises:
        CannotExpress: one of them cannot express the workflow.
    """
    for name in targets:
        find(name).compile(loaded, Options())


def package(loaded: Loaded, compiled: Compiled, options: Options) -> dict[str, bytes]:
    """The bundle of functions and the infrastructure, as files by name.

    Raises:
        SpecError, CannotBundle, Unavailable: the functions cannot be bundled.
    """
    from agentflow.adapters.aws.deploy.package import assemble, outputs

    return outputs(assemble(loaded, compiled, options))


def write(compiled: Compiled, folder: Path, packed: Mapping[str, bytes]) -> None:
    """Write the files of a compile, and nothing else, into a folder that may be there.

    Raises:
        UsageError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in compiled.files.items():
            (folder / name).write_text(text, encoding="utf-8")
        for name, data in packed.items():
            (folder / name).write_bytes(data)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(
            f"cannot write to {folder}: {reason}", help="choose another folder with --out"
        ) from error


def settings(options: Sequence[str]) -> dict[str, Json]:
    """Settings that are written NAME=VALUE.

    Raises:
        UsageError: one is not.
    """
    chosen: dict[str, Json] = {}
    for option in options:
        name, equals, value = option.partition("=")
        if not name or not equals:
            raise UsageError(f"`{option}` is no setting", help="write it as --option NAME=VALUE")
        chosen[name.replace("-", "_")] = _WORDS.get(value, value)
    return chosen


_WORDS: dict[str, Json] = {"true": True, "false": False}


def _as_json(compiled: Compiled, folder: Path, packed: Mapping[str, bytes]) -> dict[str, Json]:
    return {
        "files": [str(folder / name) for name in dict.fromkeys([*compiled.files, *packed])],
        "report": compiled.report.as_json(),
    }
