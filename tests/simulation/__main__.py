"""The command line: `python -m tests.simulation --runs 25000`."""

from __future__ import annotations

import argparse
import json
import sys
import time

from tests.simulation import campaign
from tests.simulation.campaign import Summary, quiet
from tests.simulation.seeds import run_seed
from tests.simulation.store import Store


def main() -> int:
    """Do what the arguments say; 1 when something is wrong with the engine."""
    arguments = _parser().parse_args()
    if arguments.replay is not None:
        return _replay(arguments.replay)
    return _campaign(arguments.runs, arguments.seed, arguments.jobs, as_json=arguments.json)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--runs", type=int, default=1000, help="executions to simulate")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--jobs", type=int, default=2, help="processes to use")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--replay", type=int, metavar="SEED", help="print a seed's trace")
    return parser


def _campaign(runs: int, seed: int, jobs: int, *, as_json: bool) -> int:
    summary = campaign.simulate(campaign.seeds_for(runs, seed), jobs, _progress())
    print(file=sys.stderr)
    if as_json:
        print(json.dumps(summary.as_json()))
    else:
        _print(summary)
    if not summary.violations:
        return 0
    first = min(summary.violations)
    print(f"replay it with: python -m tests.simulation --replay {first}", file=sys.stderr)
    return 1


def _progress() -> object:
    last = time.monotonic()

    def show(summary: Summary) -> None:
        nonlocal last
        if time.monotonic() - last > 1:
            last = time.monotonic()
            print(
                f"\r{summary.executions} executions, {summary.crashes} crashes, "
                f"{len(summary.violations)} seeds with violations, {summary.seconds:.0f} s",
                end="",
                file=sys.stderr,
                flush=True,
            )

    return show


def _print(summary: Summary) -> None:
    print(f"{summary.runs} seeds, {summary.executions} executions, {summary.crashes} crashes "
          f"in {summary.seconds:.0f} s")  # fmt: skip
    for fault, count in sorted(summary.faults.items()):
        print(f"  {fault:18} {count}")
    for seed, problems in sorted(summary.violations.items()):
        print(f"seed {seed}:")
        for problem in problems:
            print(f"  {problem}")
    print(f"{len(summary.violations)} violations")


def _replay(seed: int) -> int:
    with quiet(), Store() as store:
        verdict = run_seed(seed, store, keeps_trace=True)
    print("\n".join(verdict.trace))
    print(f"trace {verdict.digest}")
    for problem in verdict.problems:
        print(f"violation: {problem}")
    return 1 if verdict.problems else 0


if __name__ == "__main__":
    sys.exit(main())
