"""`python -m benchmarks.page FIGURES.json`: a table of what `python -m benchmarks --json` found.

The table is written into docs/explanation/performance.md, in the place of the one that is there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.figures import Figures
from benchmarks.goals import GOALS, misses

PAGE = Path(__file__).resolve().parent.parent / "docs" / "explanation" / "performance.md"
BEGIN, END = "<!-- figures: begin -->\n", "<!-- figures: end -->\n"

HEAD = "| benchmark | figure | measured | goal | kept |\n|---|---|--:|--:|---|\n"


def table(results: Mapping[str, Figures]) -> str:
    """The figures as a Markdown table."""
    rows = [
        f"| `{name}` | {figure} | {written(value)} | {_goal(f'{name}: {figure}', value)} |\n"
        for name, figures in results.items()
        for figure, value in figures.items()
    ]
    return HEAD + "".join(rows)


def written(value: float | str) -> str:
    """A figure with three significant digits, or why there is none.

    >>> [written(value) for value in (0.01234, 1.2, 345.6, 12345.6, "not measured: why")]
    ['0.0123', '1.20', '346', '12,346', 'not measured: why']
    """
    if isinstance(value, str):
        return value
    whole = len(str(int(abs(value)))) if abs(value) >= 1 else 0
    return f"{value:,.{max(0, 3 - whole)}f}" if whole else f"{value:.3g}"


def replaced(page: str, new: str) -> str:
    """A page with another table between the marks."""
    before, _, rest = page.partition(BEGIN)
    _, mark, after = rest.partition(END)
    assert mark, "the page has no marks for the table"
    return f"{before}{BEGIN}{new}{END}{after}"


def _goal(what: str, value: float | str) -> str:
    goal = GOALS.get(what)
    if goal is None:
        return "| "
    verdict = "" if isinstance(value, str) else "no" if misses(what, value) else "yes"
    return f"{str(goal).replace('>=', '≥').replace('<=', '≤')} | {verdict}"


if __name__ == "__main__":
    found = json.loads(Path(sys.argv[1]).read_text())
    PAGE.write_text(replaced(PAGE.read_text(), table(found)))
