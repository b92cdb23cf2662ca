"""Run generated workflows: `python -m tests.conformance.generated [--seeds N] [--first SEED] …`.

--seeds N          how many (default 1000)
--first SEED       the first seed (default 0)
--against NAME     what the machine is compared with: aws (default), distributed, import, sfnx
--shrink           make each workflow small that differs
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence

import yaml

from tests.conformance.generated.maker import Made
from tests.conformance.generated.shrink import shrunk
from tests.conformance.generated.sides import ELSEWHERE, Verdict, judge
from tests.conformance.generated.workflows import workflow

WRONG = ("differs", "broken")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 1 if anything differs."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance.generated", description=__doc__
    )
    parser.add_argument("--seeds", type=int, default=1000, metavar="N")
    parser.add_argument("--first", type=int, default=0, metavar="SEED")
    parser.add_argument("--against", choices=list(ELSEWHERE), default="aws", metavar="NAME")
    parser.add_argument("--shrink", action="store_true")
    given = parser.parse_args(arguments)
    counts: Counter[str] = Counter()
    for seed in range(given.first, given.first + given.seeds):
        made = workflow(seed)
        verdict = judge(made, given.against)
        counts[verdict.kind] += 1
        if verdict.kind in WRONG:
            _tell(seed, made, verdict, against=given.against, shrink=given.shrink)
    print(", ".join(f"{number} {kind}" for kind, number in counts.most_common()))
    return 1 if any(counts[kind] for kind in WRONG) else 0


def _tell(seed: int, made: Made, verdict: Verdict, *, against: str, shrink: bool) -> None:
    print(f"seed {seed}: {verdict.kind}", file=sys.stderr)
    if shrink:
        made = shrunk(made, lambda smaller: _same(judge(smaller, against), verdict))
        verdict = judge(made, against)
        shown = {"spec": made.spec, "children": made.children}
        print(
            yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, width=100), file=sys.stderr
        )
    for detail in verdict.details:
        print(f"    {detail}", file=sys.stderr)


def _same(one: Verdict, other: Verdict) -> bool:
    """Whether two workflows fail alike, as far as that can be said without their data."""
    return one.kind == other.kind and one.details[0][:5] == other.details[0][:5]


if __name__ == "__main__":
    sys.exit(main())
