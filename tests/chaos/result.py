"""What a campaign was asked for and what came of it, in figures."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from agentflow.errors import Json
from tests.chaos.checks import Verdict
from tests.chaos.faults import KILLED_ORCHESTRATOR, Blow
from tests.chaos.ledger import Fact, Mark

_SHOWN = 20
"""Violations that are printed."""


@dataclass(frozen=True)
class Plan:
    """What to do."""

    seconds: float = 600.0
    store: str = "sqlite"
    executor: str = "ray"
    seed: int = 1
    faults_a_minute: float = 40.0
    orchestrators: int = 2
    limit: int = 200
    """Executions open at the same time."""
    starts_a_second: float = 20.0
    healing_seconds: float = 240.0
    """In which everything must end once nothing is killed any more."""
    has_redis: bool = True


class Recoveries(NamedTuple):
    """Seconds until the first call was asked for, sorted."""

    by_successor: list[float]
    """By the process that was started in the place of the one that was killed."""
    by_anybody: list[float]
    """By any orchestrator, after one was killed."""


@dataclass(frozen=True)
class Result:
    """What happened, and what was found."""

    plan: Plan
    faults: Counter[str]
    missing: Sequence[str]
    """Kinds of faults that never came up, although there was what they are for."""
    seconds: float
    """In which there were faults."""
    orders: int
    acknowledged: int
    recoveries: Recoveries
    longest_outage: float
    """Seconds in which no function began, while there were faults."""
    healing: float
    """Seconds from then until everything had ended."""
    verdict: Verdict

    def as_json(self) -> dict[str, Json]:
        """One object with everything."""
        verdict = self.verdict
        return {
            "store": self.plan.store,
            "executor": self.plan.executor,
            "seed": self.plan.seed,
            "seconds": round(self.seconds, 1),
            "faults": dict(self.faults),
            "faults_total": self.faults.total(),
            "faults_never_dealt": list(self.missing),
            "orders": self.orders,
            "acknowledged": self.acknowledged,
            "executions": verdict.executions,
            "completed_steps": verdict.steps,
            "invocations": verdict.invocations,
            "repeated_invocations": verdict.repeated,
            "late_invocations": verdict.late,
            "refused_results": verdict.refused_results,
            "refused_commits": verdict.refused_commits,
            "recovery_seconds": _percentiles(self.recoveries.by_successor),
            "recovery_by_anybody_seconds": _percentiles(self.recoveries.by_anybody),
            "longest_outage_seconds": round(self.longest_outage, 2),
            "healing_seconds": round(self.healing, 1),
            "violations": verdict.violations,
        }

    def lines(self) -> list[str]:
        """The same for people."""
        verdict = self.verdict
        own, any_ = (_percentiles(found) for found in self.recoveries)
        rows = [(kind, str(count)) for kind, count in sorted(self.faults.items())]
        rows += [(kind, "0: never came up") for kind in self.missing]
        rows += [
            ("faults in all", f"{self.faults.total()} in {self.seconds:.0f} s"),
            ("executions", f"{verdict.executions}, {self.acknowledged} acknowledged to clients"),
            ("completed steps", str(verdict.steps)),
            ("invocations", f"{verdict.invocations}, {verdict.repeated} of them repeated"),
            ("begun when done", f"{verdict.late}, by orchestrators that had lost the execution"),
            ("refused", f"{verdict.refused_results} results, {verdict.refused_commits} commits"),
            ("kill to next call, successor", f"p50 {own['p50']} s, p99 {own['p99']} s"),
            ("kill to next call, anybody", f"p50 {any_['p50']} s, p99 {any_['p99']} s"),
            ("longest outage", f"{self.longest_outage:.1f} s"),
            ("all ended after", f"{self.healing:.1f} s of peace"),
            ("violations", str(len(verdict.violations))),
        ]
        width = max(len(name) for name, _ in rows)
        table = [f"{name:{width}}  {value}" for name, value in rows]
        return table + [f"  {violation}" for violation in verdict.violations[:_SHOWN]]


def recoveries(blows: Sequence[Blow], facts: Sequence[Fact]) -> Recoveries:
    """How long it took after each SIGKILL of an orchestrator; those killed again before are left out."""
    calls = [fact for fact in facts if fact.what == "dispatch"]
    every = [fact.at for fact in calls]
    first: dict[str, float] = {}
    for fact in calls:
        first.setdefault(fact.who, fact.at)
    killed = [blow for blow in blows if blow.kind == KILLED_ORCHESTRATOR]
    by_successor = [first[blow.next] - blow.at for blow in killed if blow.next in first]
    following = [bisect_left(every, blow.at) for blow in killed]
    by_anybody = [
        every[place] - blow.at
        for place, blow in zip(following, killed, strict=True)
        if place < len(every)
    ]
    return Recoveries(sorted(by_successor), sorted(by_anybody))


def longest_outage(marks: Sequence[Mark], began: float, ended: float) -> float:
    """The longest time in which no function began."""
    times = sorted(mark.at for mark in marks if mark.what == "begin" and began < mark.at < ended)
    times = [began, *times, ended]
    return max(after - before for before, after in pairwise(times))


def percentile(values: Sequence[float], share: float) -> float:
    """Of sorted values, the one that so many are not above."""
    return values[min(len(values) - 1, int(share * len(values)))]


def _percentiles(values: Sequence[float]) -> dict[str, float | int | None]:
    if not values:
        return {"count": 0, "p50": None, "p99": None}
    return {
        "count": len(values),
        "p50": round(percentile(values, 0.5), 2),
        "p99": round(percentile(values, 0.99), 2),
    }
