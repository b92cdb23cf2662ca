"""Cases as data: a workflow, inputs, and for each the outcome and the calls that it must have.

A file in `cases/` is a list of cases. A case is

    name: a retry helps
    steps: |                        the text under `do`; or `workflow`, a whole one; or `spec`, a
      - {id: a, call: f.flaky}      file in project/specs
    children: {name: text}          the workflows that its `run` steps name, unless they are files
    refused: {aws: AF602}           targets that cannot express it, with the diagnostic's code
    moto: true                      whether the slowest interpreter runs it too
    slow: true                      whether it takes more than a second

and either one run or a list under `runs`, each with a `name` of its own:

    input: …                        null when not given
    messages: {name: data}          what comes to those who listen
    output: …                       or `error: Name`, perhaps with `data: …`
    calls: [{f.flaky: {}}, …]       every attempt counts, the order does not
    loose: [f.other]                functions whose calls are not compared: they may be cancelled
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from agentflow.errors import Json
from agentflow.spec.load import Loaded, load, loads
from tests.conformance.outcomes import Calls, Outcome, counted

HERE = Path(__file__).resolve().parent
PROJECT = HERE / "project"
SOURCES = ("steps", "workflow", "spec", "children")
FILES = sorted((HERE / "cases").glob("*.yaml"))


@dataclass(frozen=True)
class Run:
    """One execution of a case's workflow."""

    name: str
    input: Json
    expected: Outcome
    messages: Mapping[str, Json] = field(default_factory=dict)
    loose: frozenset[str] = frozenset()
    """Functions whose calls are not compared."""


@dataclass(frozen=True)
class Case:
    """A workflow, and how it must run."""

    group: str
    name: str
    runs: tuple[Run, ...]
    source: Mapping[str, Json]
    """What the workflow is read from: `steps`, `workflow` or `spec`, and `children`."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Diagnostic codes by the target that cannot express it."""
    moto: bool = False
    slow: bool = False

    @cached_property
    def loaded(self) -> Loaded:
        """The workflow, read and checked against the project's functions."""
        if "spec" in self.source:
            return load(PROJECT / "specs" / self.source["spec"], root=PROJECT)
        text = self.source.get("workflow")
        if text is None:
            text = f"workflow: case\ndo:\n{textwrap.indent(self.source['steps'], '  ')}"
        children = self.source.get("children")
        return loads(text, path=self.name, root=PROJECT, functions=True, children=children)

    def checks(self) -> Iterator[tuple[str, Run]]:
        """Each run with the name of its check."""
        for run in self.runs:
            name = f"{self.name}, {run.name}" if run.name else self.name
            yield f"{self.group}: {name}", run


def read(file: Path) -> list[Case]:
    """The cases of a file."""
    rows = yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return [_case(file.stem, row) for row in rows]


def all_cases() -> list[Case]:
    """The cases of all files, in order."""
    return [case for file in FILES for case in read(file)]


def _case(group: str, row: dict[str, Any]) -> Case:
    source: dict[str, Json] = {key: row[key] for key in SOURCES if key in row}
    runs = row.get("runs", [{**row, "name": ""}])
    return Case(
        group,
        row.get("name") or row["spec"].removesuffix(".yaml"),
        tuple(map(_run, runs)),
        source,
        row.get("refused", {}),
        row.get("moto", False),
        row.get("slow", False),
    )


def _run(row: dict[str, Any]) -> Run:
    error = row.get("error")
    expected = Outcome(
        "succeeded" if error is None else "failed",
        row.get("output"),
        error,
        row.get("data"),
        _calls(row.get("calls", [])),
    )
    return Run(
        row.get("name", ""),
        row.get("input"),
        expected,
        row.get("messages", {}),
        frozenset(row.get("loose", ())),
    )


def _calls(rows: list[dict[str, Json]]) -> Calls:
    return Calls(counted(function, given) for row in rows for function, given in row.items())
