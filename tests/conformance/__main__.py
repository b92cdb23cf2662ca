"""Run the conformance suite: `python -m tests.conformance [--engine E …] [--json] [--write]`.

--engine NAME   only this engine; may be repeated
--case TEXT     only cases whose name contains this; their outcomes are shown when they differ
--json          the matrix as JSON
--write         also write docs/reference/conformance.md, if nothing differs
--check         run nothing: is the page what the cases say?
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from tests.conformance import matrix, report
from tests.conformance.matrix import ENGINES


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--engine", action="append", choices=list(ENGINES), metavar="NAME")
    parser.add_argument("--case", default="", metavar="TEXT")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args(arguments)
    if given.check:
        return _check()
    engines = given.engine or list(ENGINES)
    results = list(matrix.run(engines, given.case))
    differing = [each for each in results if each.verdict == "differs"]
    if given.json:
        print(json.dumps(report.as_json(results), ensure_ascii=False))
    else:
        print(report.as_text(results, engines))
    for each in differing:
        print(f"{each.engine}: {each.check}\n    {each.detail}", file=sys.stderr)
    if given.write and not differing:
        report.PAGE.write_text(report.page(), encoding="utf-8")
    return 1 if differing else 0


def _check() -> int:
    if report.PAGE.is_file() and report.PAGE.read_text(encoding="utf-8") == report.page():
        return 0
    print("run: python -m tests.conformance --write", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
