"""What the workflows of these tests call."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any


class RateLimitError(Exception):
    """The service had enough."""


def load(n: int) -> list[dict[str, Any]]:
    print(f"loading {n} reviews")
    return [{"id": place, "text": f"Review {place}: arrived broken"} for place in range(n)]


def ask_service(item: dict[str, Any], bad: list[int]) -> int:
    if item["id"] in bad:
        raise RateLimitError("429 Too Many Requests")
    return len(item["text"])


def summarise(item: dict[str, Any], bad: list[int]) -> int:
    return ask_service(item, bad)


def add(items: list[int]) -> int:
    return sum(items)


def hold(gate: str) -> str:
    """Say that it runs, then run until the gate opens."""
    Path(f"{gate}.reached").touch()
    while not Path(gate).exists():
        time.sleep(0.01)
    return "through"


def undo(gate: str) -> None:
    Path(f"{gate}.undone").touch()
