"""Run recorded cases against the simulator: python -m tests.asl [--corpus DIR] [--json]."""

from __future__ import annotations

import argparse
import collections
import json
import sys
from pathlib import Path

from tests.asl.cases import CORPUS, Verdict, judge, load


def main() -> int:
    """Print a table by area; fails if any result differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.asl", description=__doc__)
    parser.add_argument("--corpus", type=Path, default=CORPUS, metavar="DIR")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--failures", action="store_true", help="show what differs")
    given = parser.parse_args()
    verdicts = [judge(case) for case in load(given.corpus)]
    if not verdicts:
        print(f"no cases in {given.corpus}", file=sys.stderr)
        return 2
    areas = _areas(verdicts)
    if given.json:
        print(json.dumps({"areas": areas, "different": _different(verdicts)}))
    else:
        _table(areas)
        if given.failures:
            _failures(verdicts)
    return 0 if all(verdict.result for verdict in verdicts) else 1


def _areas(verdicts: list[Verdict]) -> dict[str, dict[str, float]]:
    groups: dict[str, list[Verdict]] = collections.defaultdict(list)
    for verdict in verdicts:
        groups[verdict.case.area].append(verdict)
    rows = {name: _row(group) for name, group in sorted(groups.items())}
    mean = {
        key: round(sum(row[key] for row in rows.values()) / len(rows), 2)
        for key in ("result", "cause", "trace")
    }
    rows["all cases"] = _row(verdicts)
    rows["mean of areas"] = {"cases": len(verdicts), **mean}
    return rows


def _row(group: list[Verdict]) -> dict[str, float]:
    return {
        "cases": len(group),
        **{
            key: round(100 * sum(getattr(v, key) for v in group) / len(group), 2)
            for key in ("result", "cause", "trace")
        },
    }


def _different(verdicts: list[Verdict]) -> list[dict[str, str]]:
    return [{"case": v.case.id, "note": v.note} for v in verdicts if not (v.result and v.cause)]


def _table(areas: dict[str, dict[str, float]]) -> None:
    print(f"{'area':<20}{'cases':>6}{'result %':>10}{'+ cause %':>11}{'history %':>11}")
    for name, row in areas.items():
        print(
            f"{name:<20}{row['cases']:>6}{row['result']:>10.1f}{row['cause']:>11.1f}"
            f"{row['trace']:>11.1f}"
        )


def _failures(verdicts: list[Verdict]) -> None:
    for verdict in verdicts:
        if not (verdict.result and verdict.cause):
            print(f"\n{verdict.case.id} {verdict.case.data.get('name', '')}\n    {verdict.note}")
        elif not verdict.trace:
            print(f"\n{verdict.case.id}: the history differs")


if __name__ == "__main__":
    sys.exit(main())
