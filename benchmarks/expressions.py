"""Evaluations a second of `a.b + 1 > 3`, compiled once, beside the same in plain Python."""

from __future__ import annotations

import time
from collections.abc import Callable

from agentflow.errors import Json, Span
from agentflow.spec.expressions import Scope, compile_expression, parse_expression

SOURCE = "a.b + 1 > 3"
SECONDS = 1.0
"""How long each figure is measured."""

_ROUND = 10_000


def run(scale: float = 1.0) -> dict[str, float]:
    """Evaluations per second, of the language and of Python, and what one costs in the other."""
    expression = parse_expression(SOURCE, _place, [])
    assert expression is not None
    names = {"a": {"b": 3}}
    seconds = SECONDS * scale
    language = _rate(compile_expression(expression), Scope(names), seconds)
    python = _rate(lambda data: data["a"]["b"] + 1 > 3, names, seconds)
    return {
        "a.b + 1 > 3, evaluations/s": language,
        "the same in Python, evaluations/s": python,
        "time / Python": python / language,
    }


def _place(start: int, end: int) -> Span:
    return Span("benchmark", 1, start + 1, 1, end + 1)


def _rate(evaluate: Callable[[Json], Json], argument: Json, seconds: float) -> float:
    evaluations = 0
    start = time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        for _ in range(_ROUND):
            evaluate(argument)
        evaluations += _ROUND
    return evaluations / elapsed


if __name__ == "__main__":
    for name, figure in run().items():
        print(f"{name:40} {figure:12,.1f}")
