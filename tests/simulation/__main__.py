"""The command line: `python -m tests.simulation --runs 25000`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict

from tests.simulation import campaign, faults
from tests.simulation.campaign import Summary, in_processes, quiet
from tests.simulation.seeds import run_seed
from tests.simulation.shapes import BY_NAME, SHAPES
from tests.simulation.store import Store
from tests.simulation.sweep import sweep

_PAIRS = ("loop", "states", "events")
"""The shapes with the fewest places to die; every two crashes of theirs are tried."""


def main() -> int:
    """Do what the arguments say; 1 when something is wrong with the engine, or undetected."""
    arguments = _parser().parse_args()
    if arguments.replay is not None:
        return _replay(arguments.replay)
    if arguments.sweep:
        return _sweep(arguments.jobs, as_json=arguments.json)
    if arguments.faults:
        return _faults(arguments.jobs, as_json=arguments.json)
    return _campaign(arguments.runs, arguments.seed, arguments.jobs, as_json=arguments.json)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation",
        description="Simulate the engine with crashes and other faults, and judge what it did.",
    )
    parser.add_argument("--runs", type=int, default=1000, help="executions to simulate")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--jobs", type=int, default=2, help="processes to use")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--sweep", action="store_true", help="a crash at every place, one by one")
    mode.add_argument("--faults", action="store_true", help="plant faults that must be found")
    mode.add_argument("--replay", type=int, metavar="SEED", help="print a seed's trace")
    return parser


def _campaign(runs: int, seed: int, jobs: int, *, as_json: bool) -> int:
    summary = campaign.simulate(campaign.seeds_for(runs, seed), jobs, _progress())
    if as_json:
        print(json.dumps(summary.as_json()))
    else:
        _print(summary)
    if not summary.violations:
        return 0
    first = min(summary.violations)
    print(f"replay it with: python -m tests.simulation --replay {first}", file=sys.stderr)
    return 1


def _progress() -> Callable[[Summary], None]:
    last = time.monotonic()
    told: set[int] = set()

    def show(summary: Summary) -> None:
        nonlocal last
        for seed in summary.violations.keys() - told:
            told.add(seed)
            _say(f"seed {seed}: {summary.violations[seed][0]}")
        if time.monotonic() - last > 5:
            last = time.monotonic()
            _say(
                f"{summary.executions} executions, {summary.crashes} crashes, "
                f"{len(summary.violations)} violations, {summary.seconds:.0f} s"
            )

    return show


def _print(summary: Summary) -> None:
    print(
        f"{summary.runs} seeds, {summary.executions} executions, {summary.crashes} crashes "
        f"in {summary.seconds:.0f} s"
    )
    for fault, number in sorted(summary.faults.items()):
        print(f"  {number:7}  {fault}")
    for seed, problems in sorted(summary.violations.items()):
        print(f"seed {seed}:")
        for problem in problems:
            print(f"  {problem}")
    print(f"{len(summary.violations)} violations")


def _sweep(jobs: int, *, as_json: bool) -> int:
    began = time.monotonic()
    results = []
    for swept in sweep(SHAPES, jobs, pairs=[BY_NAME[name] for name in _PAIRS]):
        results.append(swept)
        _say(f"{swept.shape}: {swept.points} places, {len(swept.problems)} violations")
    problems = [problem for swept in results for problem in swept.problems]
    if as_json:
        print(json.dumps({"shapes": list(map(asdict, results)), "seconds": _since(began)}))
        return 1 if problems else 0
    results.sort(key=lambda swept: swept.shape)
    print(f"{'shape':12} {'places':>7} {'pairs':>7}  ends")
    for swept in results:
        ends = ", ".join(sorted(swept.outcomes))
        print(f"{swept.shape:12} {swept.points:7} {swept.pairs:7}  {ends}")
    points, pairs = sum(s.points for s in results), sum(s.pairs for s in results)
    print(f"{'':12} {points:7} {pairs:7}  in {_since(began)} s")
    for problem in problems:
        print(problem)
    print(f"{len(problems)} violations")
    return 1 if problems else 0


def _faults(jobs: int, *, as_json: bool) -> int:
    began = time.monotonic()
    findings = {}
    for finding in in_processes(faults.find_alone, list(faults.FAULTS), jobs):
        findings[finding.fault] = finding
        _say(f"{'found' if finding.seed else 'NOT FOUND'}: {finding.fault}")
    table = [findings[what] for what in faults.FAULTS]
    missed = [finding for finding in table if finding.seed is None]
    if as_json:
        print(json.dumps({"faults": list(map(asdict, table)), "seconds": _since(began)}))
        return 1 if missed else 0
    print(f"{'seeds':>5} {'seconds':>8}  planted fault: what was found")
    for finding in table:
        found = finding.problem[:100] if finding.seed else "NOT FOUND"
        print(f"{finding.seeds:5} {finding.seconds:8.1f}  {finding.fault}: {found}")
    print(f"{len(table) - len(missed)} of {len(table)} found in {_since(began)} s")
    return 1 if missed else 0


def _replay(seed: int) -> int:
    with quiet(), Store() as store:
        verdict = run_seed(seed, store, keeps_trace=True)
    print("\n".join(verdict.trace))
    print(f"trace {verdict.digest}")
    for problem in verdict.problems:
        print(f"violation: {problem}")
    return 1 if verdict.problems else 0


def _since(began: float) -> float:
    return round(time.monotonic() - began, 1)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
