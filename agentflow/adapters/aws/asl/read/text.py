"""From text to a checked state machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from agentflow.adapters.aws.asl.model import Machine
from agentflow.adapters.aws.asl.read.flow import check_flow
from agentflow.adapters.aws.asl.read.machines import MachineReader
from agentflow.errors import Diagnostic, Json, Span, SpecError
from agentflow.spec.diagnostics import in_order
from agentflow.spec.read import decode
from agentflow.spec.read_json import read_json
from agentflow.spec.read_yaml import read_yaml
from agentflow.spec.source import Source
from agentflow.spec.tree import Builder, Unreadable

MAX_CHARACTERS: Final = 1_048_576
"""The service takes no longer definition."""
_YAML: Final = (".yaml", ".yml")


def load(file: str | Path, *, express: bool = False) -> Machine:
    """Read a definition from a file, as YAML if its name ends so and as JSON otherwise.

    Raises:
        SpecError: with every mistake.
    """
    path = Path(file)
    try:
        text = decode(path, str(file))
    except Unreadable as stop:
        raise SpecError([stop.diagnostic]) from None
    return read(text, path=str(file), express=express)


def read(
    definition: str | dict[str, Json], *, path: str = "definition.asl.json", express: bool = False
) -> Machine:
    """Read and check a definition; `express` adds what Express workflows forbid.

    Raises:
        SpecError: with every mistake.
    """
    text = definition if isinstance(definition, str) else json.dumps(definition)
    diagnostics: list[Diagnostic] = []
    machine: Machine | None = None
    try:
        machine = _read(text.removeprefix("\ufeff"), path, diagnostics, express=express)
    except Unreadable as stop:
        diagnostics.append(stop.diagnostic)
    if diagnostics or machine is None:
        raise SpecError(in_order(diagnostics), source=text)
    return machine


def _read(text: str, path: str, diagnostics: list[Diagnostic], *, express: bool) -> Machine | None:
    if len(text) > MAX_CHARACTERS:
        raise _stop(
            path,
            "AF104",
            f"a definition has at most {MAX_CHARACTERS:,} characters, this has {len(text):,}",
            "move parts to state machines of their own and start them with "
            "`states:startExecution.sync`",
        )
    source = Source(text, path)
    builder = Builder(source, diagnostics)
    (read_yaml if path.endswith(_YAML) else read_json)(source, builder)
    if builder.root is None:
        raise _stop(path, "AF112", "the file is empty", "a definition has StartAt and States")
    reader = MachineReader(diagnostics, express=express)
    machine = reader.machine(builder.root)
    check_flow(reader, builder.root)
    return machine


def _stop(path: str, code: str, message: str, remedy: str) -> Unreadable:
    return Unreadable(Diagnostic(code, message, Span(path, 1, 1, 1, 2), help=remedy))
