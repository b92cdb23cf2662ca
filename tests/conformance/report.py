"""The matrix as text for a terminal, and as the page docs/reference/conformance.md.

The page is made of what the cases and the table of faults declare, so it is the same every time; a
run holds that the declarations are true.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from agentflow.errors import Json
from tests.conformance import expressions, faults
from tests.conformance.cases import Case, all_cases
from tests.conformance.matrix import ABOUT, ENGINES, TARGETS, Result, declared, is_run

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "reference" / "conformance.md"
MARKS: Final = {"equal": "=", "refused": "refused", "fault": "fault", "differs": "DIFFERS"}

INTRODUCTION: Final = """\
# Conformance

A case is a workflow with inputs, and for each the outcome and the calls that it must have: the
output or the error's name, and which function is called how often with which arguments.
A check is one input of a case, or one expression.
Every engine runs the same checks, except that moto, which takes seconds for one, runs a selection.
[Portability](../explanation/portability.md) says what is the same everywhere, and what is not.

In the tables `=` is the same outcome with the same calls.
`refused` is an error at compile time, with its code; `fault` is explained below.
What is blank is not run.

This page is written by `python -m tests.conformance --write`.
The cases are in `tests/conformance/cases`, the workflows in `tests/conformance/project/specs`.
"""


def everything_declared() -> Iterator[Result]:
    """What every check must come to on every engine that runs it."""
    cases, rows = all_cases(), expressions.rows()
    for name in ENGINES:
        for case in cases:
            if is_run(case, name):
                refused = case.refused.get(TARGETS.get(name, ""))
                yield from (declared(check, refused, name) for check, _ in case.checks())
        if name != "moto":
            yield from (declared(row.check, None, name) for row in rows)


def totals(results: Iterable[Result]) -> dict[str, Counter[str]]:
    """How many checks came to what, by engine."""
    found: dict[str, Counter[str]] = {}
    for result in results:
        found.setdefault(result.engine, Counter())[result.verdict] += 1
    return found


def confirmed(results: Iterable[Result]) -> tuple[int, int]:
    """Of the checks that can be compiled, how many an independent interpreter confirms."""
    rows = [each for each in results if each.engine in {"sfnx", "moto"}]
    compiled = {each.check for each in rows if each.verdict != "refused"}
    return len({each.check for each in rows if each.verdict == "equal"}), len(compiled)


def as_json(results: list[Result]) -> Json:
    """The matrix as data."""
    return {
        "engines": {name: dict(count) for name, count in totals(results).items()},
        "checks": [
            {
                "check": each.check,
                "engine": each.engine,
                "verdict": each.verdict,
                "detail": each.detail,
            }
            for each in results
        ],
    }


def as_text(results: list[Result], engines: Iterable[str]) -> str:
    """The matrix for a terminal: a line for each case, then the totals."""
    shown = list(engines)
    by_check: dict[str, dict[str, Result]] = {}
    for each in results:
        by_check.setdefault(each.check, {})[each.engine] = each
    lines = [f"{'':64}" + "".join(f"{name:>10}" for name in shown)]
    for check, found in by_check.items():
        if check.startswith("expressions: ") and all(r.verdict == "equal" for r in found.values()):
            continue
        marks = (MARKS[found[name].verdict] if name in found else "" for name in shown)
        lines.append(f"{check[:63]:64}" + "".join(f"{mark:>10}" for mark in marks))
    lines.append("")
    for name, count in totals(results).items():
        told = ", ".join(f"{count[verdict]} {verdict}" for verdict in MARKS if count[verdict])
        lines.append(f"{name:>10}  {count.total()} checks: {told}")
    return "\n".join(lines)


def page() -> str:
    """The page of the documentation."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    results = list(everything_declared())
    cases = all_cases()
    yield INTRODUCTION
    yield "## Totals\n"
    yield "| engine | what it is | checks | equal | refused | interpreter's fault |"
    yield "|---|---|---:|---:|---:|---:|"
    for name, count in totals(results).items():
        numbers = " | ".join(str(count[verdict]) for verdict in ("equal", "refused", "fault"))
        yield f"| {name} | {ABOUT[name]} | {count.total()} | {numbers} |"
    right, all_ = confirmed(results)
    yield ""
    yield f"An independent interpreter confirms {right} of the {all_} checks that can be compiled."
    yield "A refusal is an error at compile time, with the place, the reason and the way out."
    yield from _faults(results)
    yield from _expressions()
    for group in dict.fromkeys(case.group for case in cases):
        yield from _group(group, [case for case in cases if case.group == group])


def _faults(results: list[Result]) -> Iterator[str]:
    yield "\n## Faults of the interpreters\n"
    yield "Here an interpreter does otherwise than the service, as far as is known."
    yield "When it is repaired, the suite fails until its row is gone.\n"
    yield "| interpreter | fault | checks | evidence |"
    yield "|---|---|---:|---|"
    for fault in faults.FAULTS:
        met = sum(r.engine == fault.engine and r.detail == fault.name for r in results)
        yield f"| {fault.engine} | {fault.name} | {met} | {fault.evidence} |"


def _expressions() -> Iterator[str]:
    names = [name for name in ENGINES if name != "moto"]
    yield "\n## Expressions\n"
    yield "Every function, operator and kind of access, with its edges and its faults by name.\n"
    yield f"| about | checks | {' | '.join(names)} |"
    yield "|---|---:|" + "---:|" * len(names)
    rows = expressions.rows()
    for area in expressions.AREAS.values():
        found = [row.check for row in rows if row.area == area]
        equal = (sum(declared(c, None, name).verdict == "equal" for c in found) for name in names)
        yield f"| {area} | {len(found)} | {' | '.join(map(str, equal))} |"


def _group(group: str, cases: list[Case]) -> Iterator[str]:
    yield f"\n## {group.replace('-', ' ').capitalize()}\n"
    yield f"| check | {' | '.join(ENGINES)} |"
    yield "|---|" + "---|" * len(ENGINES)
    for case in cases:
        for check, _ in case.checks():
            marks = (_mark(case, check, name) for name in ENGINES)
            yield f"| {check.partition(': ')[2]} | {' | '.join(marks)} |"


def _mark(case: Case, check: str, engine: str) -> str:
    if not is_run(case, engine):
        return ""
    found = declared(check, case.refused.get(TARGETS.get(engine, "")), engine)
    return f"refused, {found.detail}" if found.verdict == "refused" else MARKS[found.verdict]
