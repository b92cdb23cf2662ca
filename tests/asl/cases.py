"""Recorded cases: reading them, running them, comparing."""

from __future__ import annotations

import collections
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentflow.adapters.aws.asl.simulate import Outcome, simulate
from agentflow.errors import SpecError
from tests.asl.behaviours import handler
from tests.asl.equality import equal, normalised

CORPUS = Path(__file__).parent / "corpus"
_NUMBER = re.compile(r"-\d+$")


@dataclass(frozen=True)
class Case:
    """A definition and what the service made of it."""

    id: str
    area: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Verdict:
    """How an outcome compares: the result, the cause of an error, and the history."""

    case: Case
    result: bool
    cause: bool
    trace: bool
    note: str = ""


def load(folder: Path) -> list[Case]:
    """The cases of a folder, in the order of their names."""
    return [
        Case(file.stem, _NUMBER.sub("", file.stem), json.loads(file.read_text()))
        for file in sorted(folder.glob("*.json"))
    ]


def judge(case: Case) -> Verdict:
    """Run a case and compare."""
    data = case.data
    try:
        outcome = simulate(
            data["definition"],
            data["input"],
            handler(data["lambdas"]),
            # Recorded as aborted is what somebody stopped while it ran.
            stop_after=1 if data["expected_status"] == "ABORTED" else None,
        )
    except SpecError as error:
        return Verdict(case, False, False, False, f"refused: {error}")
    pairs = sorted(map(tuple, data.get("normalise", [])), key=lambda pair: -len(pair[0]))
    result, cause = _compare(data, outcome, pairs)
    note = "" if result and cause else _difference(data, outcome)
    return Verdict(case, result, cause, _same_trace(data, outcome), note)


def _compare(data: dict[str, Any], outcome: Outcome, pairs: Any) -> tuple[bool, bool]:
    if outcome.status != data["expected_status"]:
        return False, False
    if outcome.status == "SUCCEEDED":
        same = equal(data.get("expected_output"), normalised(outcome.output, pairs))
        return same, same
    same = equal(data.get("expected_error"), normalised(outcome.error, pairs))
    return same, same and equal(data.get("expected_cause"), normalised(outcome.cause, pairs))


def _same_trace(data: dict[str, Any], outcome: Outcome) -> bool:
    trace = data.get("trace")
    if trace is None:
        return True
    counts = collections.Counter(event.type for event in outcome.history)
    return bool(list(outcome.entered) == trace["entered"] and counts == trace["events"])


def _difference(data: dict[str, Any], outcome: Outcome) -> str:
    keys = ("expected_status", "expected_output", "expected_error", "expected_cause")
    expected = {key.removeprefix("expected_"): data[key] for key in keys if key in data}
    actual = {key: getattr(outcome, key) for key in ("status", "output", "error", "cause")}
    return f"expected {json.dumps(expected)[:600]}\n     got {json.dumps(actual)[:600]}"
