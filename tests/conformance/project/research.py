"""Models and their tools, played by rules: what they say depends on what they are told."""

from __future__ import annotations

from typing import Any

from agentflow import Fault

Json = Any

FACTS = {
    "rain": ["clouds carry water", "water falls when drops grow"],
    "tea": ["leaves steep in hot water"],
}


def plan(question: str) -> list[str]:
    """What to look for."""
    words = [word.strip("?") for word in question.lower().split()]
    return [word for word in words if word in FACTS] or ["nothing"]


def search(topic: str) -> list[str]:
    """What is known of a topic."""
    return FACTS.get(topic, [])


def assess(question: str, facts: list[str], round: int) -> dict[str, Json]:
    """Whether the facts are enough, and what to ask next."""
    enough = len(facts) >= 3 or round >= 2
    return {"enough": enough, "ask": ["tea"] if not enough else []}


def write(question: str, facts: list[str]) -> str:
    """An answer.

    Raises:
        Fault: NothingKnown.
    """
    if not facts:
        raise Fault("NothingKnown", f"no facts for {question!r}")
    return f"{question} {'; '.join(facts)}."


def choose(task: str, seen: list[Json]) -> dict[str, Json]:
    """A model's next move: a tool with its input, or an answer."""
    if "weather" in task and not seen:
        return {"tool": "weather", "input": task.rsplit(maxsplit=1)[-1]}
    if "sum" in task and not seen:
        return {"tool": "calculator", "input": [2, 3]}
    if "forever" in task:
        return {"tool": "weather", "input": "again"}
    return {"tool": "answer", "input": f"{task}: {seen[-1] if seen else 'nothing to do'}"}


def calculate(numbers: list[int]) -> int:
    """The sum."""
    return sum(numbers)


def look_outside(place: str) -> str:
    """The weather."""
    return f"sun in {place}"


def argue(side: str, motion: str) -> dict[str, Json]:
    """An argument."""
    return {"side": side, "text": f"{side} {motion}", "points": len(side) + len(motion) % 3}


def judge(arguments: list[Json]) -> str:
    """Which side has more points."""
    best = arguments[0]
    for argument in arguments[1:]:
        if argument["points"] > best["points"]:
            best = argument
    return str(best["side"])


def rank(question: str, passages: list[str]) -> list[str]:
    """The passages, the longest first."""
    return sorted(passages, key=lambda passage: (-len(passage), passage))


def is_supported(answer: str, passages: list[str]) -> bool:
    """Whether an answer is in the passages."""
    return any(passage in answer for passage in passages)
