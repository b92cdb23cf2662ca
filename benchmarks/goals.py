"""The figures that must hold."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """A bound on a figure."""

    bound: float
    at_least: bool

    def kept(self, value: float) -> bool:
        """Whether a value keeps it."""
        return value >= self.bound if self.at_least else value <= self.bound

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.bound:,g}"


def _least(bound: float) -> Goal:
    return Goal(bound, at_least=True)


def _most(bound: float) -> Goal:
    return Goal(bound, at_least=False)


GOALS = {
    "startup: agentflow --help / python -c pass": _most(12),
    "startup: validate 1,000 steps, s": _most(1.5),
    "compile: 1,000 steps, s": _most(1),
    "compile: wordcount, with its bundle, s": _most(10),
    "compile: import of the handler, ms": _most(150),
    "compile: unpacked bundle without dependencies, MB": _most(15),
    "machine: chain of 1,000, events/s": _least(30_000),
    "machine: map of 10,000, events/s": _least(30_000),
    "machine: cost per event, map of 100,000 / map of 1,000": _most(1.5),
    "expressions: a.b + 1 > 3, evaluations/s": _least(150_000),
    "hello: one step, inline, journaled, p50 ms": _most(2),
    "hello: one step, on Ray, journaled, p50 ms": _most(5),
    "hello: start acknowledged, inline, p99 ms": _most(10),
    "hello: start acknowledged, on Ray, p99 ms": _most(10),
    "overhead: step of a chain, µs": _most(100),
    "overhead: call of a map, µs": _most(100),
    "cold: inline, s": _most(0.8),
    "cold: on Ray, beyond Ray's own start, s": _most(0.5),
    "crash: inline, resume to first new step, s": _most(0.5),
    "crash: on Ray, beyond Ray's own start, s": _most(0.5),
    "chain: rate on Ray / bare actor calls": _least(0.7),
    "chain: inline rate / DBOS": _least(10),
    "fanout: rate / one Ray task per call": _least(4),
    "fanout: rate / DBOS": _least(25),
    "crowd: executions/s": _least(1_000),
    "crowd: rate / DBOS": _least(20),
    "wordcount: time / hand-written chunked Ray program": _most(1.15),
    "batch: range, time / hand-written chunked Ray program": _most(1.25),
    "batch: list, time / hand-written chunked Ray program": _most(1.25),
    "batch: rate / one Ray task per item": _least(20),
    "waiting: each of 10,000 executions, KB": _most(20),
    "waiting: the process with all of them, MB": _most(200),
    "waiting: woken and ended, executions/s": _least(500),
    "pipeline: rate / hand-written actors one by one": _least(4),
    "pipeline: growth from item 10,000 to item 100,000, MB": _most(20),
    "pipeline: events of 100,000 items": _most(5_000),
    "recovery: loop of 10,000 steps, s": _most(1),
    "recovery: map of 10,000 steps, s": _most(1),
}


def misses(what: str, value: float | str) -> bool:
    """Whether a figure has a goal and was measured, and does not keep it."""
    goal = GOALS.get(what)
    return goal is not None and not isinstance(value, str) and not goal.kept(value)
