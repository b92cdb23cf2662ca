"""Every row of the evaluator's own tables as a check: many rows in one workflow.

A row is an expression with the names it reads. The workflow keeps the value of each, or the name of
its fault, so a whole table costs a few executions. It is not checked before it runs, because many
rows are mistakes that a check would find.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby

from agentflow.errors import Diagnostic, Fault, Json
from agentflow.spec.load import Loaded
from agentflow.spec.parse import parse
from agentflow.spec.read import read
from tests.aws.cases_expressions import ALL, NAMES
from tests.conformance.cases import PROJECT, Run
from tests.conformance.engines import Engine
from tests.conformance.outcomes import Outcome, Refused, canonical, shown
from tests.expressions.language import evaluate

SIZE = 40
"""Rows in one workflow."""

AREAS = {
    frozenset[str](): "functions and arithmetic",
    frozenset({"a", "b"}): "operators, every pair of types",
    frozenset({"far"}): "characters beyond U+FFFF",
    frozenset({"odd"}): "found by random expressions; what is equal",
    frozenset({"missing"}): "what is not needed is not evaluated",
    frozenset({"order", "x", "nowhere"}): "reading data, and its faults",
}
"""What a row is about, by the names that it may read."""


@dataclass(frozen=True)
class Row:
    """An expression with the names it reads."""

    source: str
    names: dict[str, Json]

    @property
    def area(self) -> str:
        """What it is about."""
        return AREAS[frozenset(self.names)]

    @property
    def check(self) -> str:
        """The name of its check."""
        if self.names.keys() != {"a", "b"}:
            return f"expressions: {self.source}"
        given = ", ".join(f"{name} = {json.dumps(value)}" for name, value in self.names.items())
        return f"expressions: {self.source} with {given}"

    @cached_property
    def expected(self) -> dict[str, Json]:
        """The value, or the fault's name."""
        try:
            return {"value": evaluate(self.source, **self.names)}
        except Fault as fault:
            return {"fault": fault.name}


def rows() -> list[Row]:
    """All rows: examples and edges of every function, operators, reading, faults."""
    found = [Row(source, NAMES[key]) for source, key in ALL]
    return sorted(found, key=lambda row: (row.area, canonical(row.names), "fault" in row.expected))


def tables() -> Iterator[list[Row]]:
    """The rows, as many at a time as one workflow takes."""
    found = rows()
    for start in range(0, len(found), SIZE):
        yield found[start : start + SIZE]


def verdicts(engine: Engine, table: Sequence[Row]) -> list[tuple[Row, list[str]]]:
    """What is different for each row; if the engine breaks off, every row is tried alone."""
    outcome = engine.run(workflow(table), Run("", None, Outcome("succeeded")))
    if isinstance(outcome, Refused):
        return [(row, [f"refused: {outcome.reason}"]) for row in table]
    if outcome.status == "succeeded":
        pairs = zip(table, outcome.output, strict=True)
        return [(row, _differences(row, found)) for row, found in pairs]
    if len(table) == 1:
        return [(table[0], outcome.differences(Outcome("succeeded", [table[0].expected])))]
    return [verdict for row in table for verdict in verdicts(engine, [row])]


def _differences(row: Row, found: Json) -> list[str]:
    if canonical(found) == canonical(row.expected):
        return []
    return [f"{shown(found)} instead of {shown(row.expected)}"]


def workflow(table: Sequence[Row]) -> Loaded:
    """The workflow that evaluates the rows: values together, what must fail one by one."""
    steps: list[Json] = [{"id": "begin", "set": {"found": []}}]
    for names, group in groupby(table, key=lambda row: canonical(row.names)):
        same = list(group)
        if names != "{}":
            steps.append({"id": f"names{len(steps)}", "set": same[0].names})
        for fails, each in groupby(same, key=lambda row: "fault" in row.expected):
            if fails:
                steps += [_caught(len(steps) + n, row) for n, row in enumerate(each)]
            else:
                steps.append({"id": f"values{len(steps)}", **_keep(*each)})
    return unchecked({"workflow": "expressions", "do": steps, "output": "${ found }"})


def _caught(number: int, row: Row) -> Json:
    fault = {"id": "fault", "set": {"found": "${ found + [{'fault': e.name}] }"}}
    value = {"id": "value", **_keep(row)}
    return {"id": f"row{number}", "try": {"do": [value], "catch": [{"as": "e", "do": [fault]}]}}


def _keep(*rows: Row) -> Json:
    values = ", ".join(f"{{'value': {row.source}}}" for row in rows)
    return {"set": {"found": f"${{ found + [{values}] }}"}}


def unchecked(spec: Json) -> Loaded:
    """A workflow that is read, but not checked."""
    mistakes: list[Diagnostic] = []
    text = json.dumps(spec)
    parsed = parse(read(text, "expressions.json", mistakes), mistakes)
    assert not mistakes, mistakes
    digest = f"{hash(text) & (2**64 - 1):064x}"
    return Loaded(replace(parsed.workflow, digest=digest), text, "expressions.json", PROJECT)
