"""Recorded cases there and back: python -m tests.aws_import [--corpus DIR] [--edited] [--json]."""

from __future__ import annotations

import argparse
import collections
import json
import sys
from pathlib import Path

from tests.asl.cases import CORPUS, load
from tests.aws_import.round_trip import PARTS, Trip, travel


def main() -> int:
    """Print how many come back as they went; fails if any that can be imported does not."""
    parser = argparse.ArgumentParser(prog="python -m tests.aws_import", description=__doc__)
    parser.add_argument("--corpus", type=Path, default=CORPUS, metavar="DIR")
    parser.add_argument(
        "--edited",
        action="store_true",
        help="without the spec in the Comment, as if a definition was changed after its compile",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--failures", action="store_true", help="show what differs")
    given = parser.parse_args()
    trips = [travel(case, recorded=not given.edited) for case in load(given.corpus)]
    if not trips:
        print(f"no cases in {given.corpus}", file=sys.stderr)
        return 2
    counts = count(trips)
    different = [trip for trip in trips if not trip.refused and not trip.stable]
    if given.json:
        print(json.dumps({**counts, "different": [trip.case.id for trip in different]}))
    else:
        for name, number in counts.items():
            print(f"{name:<56}{number:>6}")
    if given.failures:
        for trip in different:
            print(f"\n{trip.case.id}: {', '.join(trip.differences)}", file=sys.stderr)
            for name, note in trip.notes.items():
                print(f"    {name}: {note[:500]}", file=sys.stderr)
    return 1 if different else 0


def count(trips: list[Trip]) -> dict[str, int]:
    """How many of the cases have each property."""
    there = [trip for trip in trips if not trip.refused]
    found = collections.Counter({"cases": len(trips), "imported": len(there)})
    found["imported again as the same workflow"] = sum(trip.same_workflow for trip in there)
    found["compiled again to the same definition"] = sum(trip.same_definition for trip in there)
    for part, told in PARTS.items():
        found[f"{told} ends as recorded"] = sum(trip.outcomes[part] for trip in there)
    found["only AWS can do their work"] = sum(trip.only_on_aws for trip in there)
    return dict(found)


if __name__ == "__main__":
    sys.exit(main())
