"""The command line: `python -m tests.chaos --minutes 10 --store postgres`."""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from tests.chaos.campaign import wage
from tests.chaos.result import Plan

FULL_MINUTES = 10
"""From here on a campaign counts, and must have dealt every kind of fault there is."""


def main() -> int:
    """Do what the arguments say; 1 when something is wrong with the engine, or was left out."""
    arguments = _parser().parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # nothing may be left behind
    plan = Plan(
        seconds=60 * arguments.minutes,
        store=arguments.store,
        executor=arguments.executor,
        seed=arguments.seed,
        faults_a_minute=arguments.faults,
    )
    folder = Path(tempfile.mkdtemp(prefix="agentflow-chaos-"))
    result = asyncio.run(wage(plan, folder, _tell))
    print(json.dumps(result.as_json()) if arguments.json else "\n".join(result.lines()))
    if result.verdict.violations:
        print(f"what is left for the curious: {folder}", file=sys.stderr)
        return 1
    shutil.rmtree(folder)
    if result.missing:
        print(f"not exercised: {', '.join(result.missing)}", file=sys.stderr)
    return 1 if result.missing and arguments.minutes >= FULL_MINUTES else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="how long there are faults")
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--executor", choices=("ray", "inline"), default="ray")
    parser.add_argument("--faults", type=float, default=40, help="faults a minute, on average")
    parser.add_argument("--seed", type=int, default=1, help="of what is chosen by chance")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
