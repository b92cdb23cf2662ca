"""`python -m benchmarks [--only NAME …] [--json]`: run the benchmarks and print what they found.

Absolute figures depend on the machine and its load; what counts is a ratio to a baseline from the
same run, and whether it keeps its goal. Exit 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys

from benchmarks.goals import GOALS, Goal

NAMES = (
    "startup",
    "machine",
    "expressions",
    "hello",
    "journal",
    "recovery",
    "waiting",
    "dispatch",
    "wordcount",
    "pipeline",
)


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=NAMES, help="run this one; repeatable")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    results: dict[str, dict[str, float]] = {}
    for name in options.only or NAMES:
        if not options.json:
            print(name, file=sys.stderr)
        results[name] = importlib.import_module(f"benchmarks.{name}").run()
    missed = [
        goal
        for name, figures in results.items()
        for figure, value in figures.items()
        if (goal := GOALS.get(f"{name}: {figure}")) is not None and not goal.kept(value)
    ]
    if options.json:
        print(json.dumps(results, indent=2))
    else:
        for name, figures in results.items():
            for figure, value in figures.items():
                print(line(f"{name}: {figure}", value, GOALS.get(f"{name}: {figure}")))
    return 1 if missed else 0


def line(what: str, value: float, goal: Goal | None) -> str:
    """One figure, with its goal if it has one."""
    text = f"{what:72} {value:12,.2f}"
    return text if goal is None else f"{text}   {'ok  ' if goal.kept(value) else 'MISS'} {goal}"


if __name__ == "__main__":
    sys.exit(main())
