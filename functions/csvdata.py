"""Tables in CSV files: reading them, and what their columns hold."""

from __future__ import annotations

import csv
from collections import Counter
from typing import TypedDict

from agentflow.functions import function
from functions.project import existing_file


class Column(TypedDict):
    """What one column of a table holds."""

    name: str
    type: str
    """`integer`, `number` or `text`: the narrowest that fits every cell with content."""
    empty: int
    distinct: int
    most_common: str


@function
def read_rows(path: str) -> list[dict[str, str]]:
    """Read a CSV file with a header line: one object per row, every value a string."""
    with existing_file(path).open(encoding="utf-8", newline="") as file:
        return [dict(row) for row in csv.DictReader(file, restval="")]


@function
def profile(path: str) -> list[Column]:
    """Describe each column of a CSV file."""
    rows = read_rows(path)
    return [_describe(name, [row[name] for row in rows]) for name in rows[0]] if rows else []


def _describe(name: str, cells: list[str]) -> Column:
    filled = [cell for cell in cells if cell]
    counts = Counter(filled)
    return {
        "name": name,
        "type": _narrowest(filled),
        "empty": len(cells) - len(filled),
        "distinct": len(counts),
        "most_common": min(counts, key=lambda cell: (-counts[cell], cell), default=""),
    }


def _narrowest(cells: list[str]) -> str:
    for name, convert in (("integer", int), ("number", float)):
        try:
            for cell in cells:
                convert(cell)
        except ValueError:
            continue
        return name
    return "text"
