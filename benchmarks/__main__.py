"""`python -m benchmarks [--only NAME …] [--json]`: run the benchmarks and print what they found.

Absolute figures depend on the machine and its load; what counts is a ratio to a baseline from the
same run, and whether it keeps its goal. Exit 1 when a goal is missed. `python -m benchmarks.page`
makes a table of what `--json` prints.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys

from benchmarks.figures import Figures, NotMeasured
from benchmarks.goals import GOALS, misses

NAMES = (
    "startup",
    "compile",
    "machine",
    "expressions",
    "hello",
    "journal",
    "recovery",
    "waiting",
    "overhead",
    "cold",
    "crash",
    "chain",
    "fanout",
    "crowd",
    "dispatch",
    "wordcount",
    "batch",
    "arrays",
    "pipeline",
)

ONE_SIZE = frozenset({"pipeline"})
"""These have no smaller size; `--small` leaves them out."""

SMALL = 0.01
"""The share of its size in which `--small` runs each benchmark."""


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=NAMES, help="run this one; repeatable")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--small", action="store_true", help="only see that all of it runs; figures mean nothing"
    )
    options = parser.parse_args()
    results: dict[str, Figures] = {}
    for name in options.only or NAMES:
        if options.small and name in ONE_SIZE:
            continue
        print(name, file=sys.stderr)
        results[name] = _found(name, *((SMALL,) if options.small else ()))
    rows = [
        (f"{name}: {figure}", value)
        for name, figures in results.items()
        for figure, value in figures.items()
    ]
    if options.json:
        print(json.dumps(results, indent=2))
    else:
        for what, value in rows:
            print(line(what, value))
    missed = any(misses(what, value) for what, value in rows)
    return 1 if missed and not options.small else 0


def _found(name: str, *scale: float) -> Figures:
    try:
        figures: Figures = importlib.import_module(f"benchmarks.{name}").run(*scale)
    except NotMeasured as reason:
        return {"every figure": f"not measured: {reason}"}
    return figures


def line(what: str, value: float | str) -> str:
    """One figure, with its goal if it has one."""
    if isinstance(value, str):
        return f"{what:72} {value}"
    goal = GOALS.get(what)
    verdict = "" if goal is None else f"   {'MISS' if misses(what, value) else 'ok  '} {goal}"
    return f"{what:72} {value:12,.2f}{verdict}"


if __name__ == "__main__":
    sys.exit(main())
