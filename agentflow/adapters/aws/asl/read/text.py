"""From text to a checked state machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from agentflow.adapters.aws.asl.model import Machine
from agentflow.adapters.aws.asl.read.flow import check_flow
from agentflow.adapters.aws.asl.read.machines import MachineReader
from agentflow.adapters.aws.asl.read.symbols import names, put_in, quoted
from agentflow.errors import Diagnostic, Json, Span, SpecError
from agentflow.spec.diagnostics import did_you_mean, in_order
from agentflow.spec.read import decode
from agentflow.spec.read_json import read_json
from agentflow.spec.read_yaml import read_yaml
from agentflow.spec.source import Mapping as Object
from agentflow.spec.source import Node, Source
from agentflow.spec.tree import Builder, Unreadable

MAX_CHARACTERS: Final = 1_048_576
"""The service takes no longer definition."""
_YAML: Final = (".yaml", ".yml")
_TEMPLATE: Final = (
    "a CloudFormation template",
    "put the definition into a file of its own; `--symbol NAME=VALUE` gives its symbols values",
)
_OTHERS: Final = {
    "workflow": ("a workflow", "`run` and `compile` take it as it is, without `--from`"),
    "AWSTemplateFormatVersion": _TEMPLATE,
    "Resources": _TEMPLATE,
    "stateMachineArn": (
        "what `describe-state-machine` answers",
        "save the definition alone: `--query definition --output text`",
    ),
}
"""What else people give, by a field at its top, and what to do then."""


def load(
    file: str | Path, *, express: bool = False, symbols: Mapping[str, str] = MappingProxyType({})
) -> Machine:
    """Read a definition from a file, as YAML if its name ends so and as JSON otherwise.

    `symbols` are values for `${Symbol}` in it, as a deployment puts them in.

    Raises:
        SpecError: with every mistake.
    """
    path = Path(file)
    try:
        text = decode(path, str(file))
    except Unreadable as stop:
        raise SpecError([stop.diagnostic]) from None
    return read(text, path=str(file), express=express, symbols=symbols)


def read(
    definition: str | dict[str, Json],
    *,
    path: str = "definition.asl.json",
    express: bool = False,
    symbols: Mapping[str, str] = MappingProxyType({}),
) -> Machine:
    """Read and check a definition; `express` adds what Express workflows forbid.

    `symbols` are values for `${Symbol}` in it, as a deployment puts them in.

    Raises:
        SpecError: with every mistake.
    """
    text = definition if isinstance(definition, str) else json.dumps(definition)
    text = text.removeprefix("\ufeff")
    if not path.endswith(_YAML):
        text = quoted(text)
    diagnostics: list[Diagnostic] = []
    machine: Machine | None = None
    try:
        root = _tree(Source(text, path), diagnostics)
        if (other := _something_else(root)) is not None:
            raise SpecError([other], source=text)
        reader = MachineReader(diagnostics, express=express)
        root = _filled(root, symbols, path)
        machine = reader.machine(root)
        check_flow(reader, root)
    except Unreadable as stop:
        diagnostics.append(stop.diagnostic)
    if diagnostics or machine is None:
        raise SpecError(in_order(diagnostics), source=text)
    return machine


def _tree(source: Source, diagnostics: list[Diagnostic]) -> Node:
    if len(source.text) > MAX_CHARACTERS:
        raise _stop(
            source.path,
            "AF104",
            f"a definition has at most {MAX_CHARACTERS:,} characters, this has "
            f"{len(source.text):,}",
            "move parts to state machines of their own and start them with "
            "`states:startExecution.sync`",
        )
    builder = Builder(source, diagnostics)
    (read_yaml if source.path.endswith(_YAML) else read_json)(source, builder)
    if builder.root is None:
        raise _stop(
            source.path, "AF112", "the file is empty", "a definition has StartAt and States"
        )
    return builder.root


def _something_else(root: Node) -> Diagnostic | None:
    """What a file is that has no state machine at its top, where that can be told."""
    if not isinstance(root, Object) or {"StartAt", "States"} & root.entries.keys():
        return None
    for key, (what, remedy) in _OTHERS.items():
        if (entry := root.entries.get(key)) is not None:
            message = f"this is {what}, not a state machine"
            return Diagnostic("AF122", message, entry.key.span, help=remedy)
    return None


def _filled(root: Node, symbols: Mapping[str, str], path: str) -> Node:
    """The definition with values for its symbols; each of them has to be there."""
    if not symbols:
        return root
    there = sorted({*names(root)})
    for name in symbols:
        if name not in there:
            listed = ", ".join(there) or "none"
            remedy = did_you_mean(name, there) or f"its symbols are: {listed}"
            raise _stop(path, "AF126", f"there is no symbol `${{{name}}}`", remedy)
    return put_in(root, symbols)


def _stop(path: str, code: str, message: str, remedy: str) -> Unreadable:
    return Unreadable(Diagnostic(code, message, Span(path, 1, 1, 1, 2), help=remedy))
