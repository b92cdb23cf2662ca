"""Tickets of a help desk, and incidents."""

from __future__ import annotations

from typing import Any

from agentflow import Fault

Json = Any


def triage(text: str) -> dict[str, Json]:
    """How urgent a ticket is, and whose it is."""
    urgent = "down" in text or "urgent" in text
    return {"urgent": urgent, "team": "billing" if "invoice" in text else "support"}


def try_fix(text: str, round: int) -> bool:
    """Whether a fix worked: at the second try, or never for what is cursed."""
    return round >= 1 and "cursed" not in text


def reply(text: str, state: str) -> str:
    """What the customer is told."""
    return f"{state}: {text}"


def page_engineer(name: str) -> str:
    """Wake somebody up.

    Raises:
        Fault: NoAnswer.
    """
    if name == "asleep":
        raise Fault("NoAnswer", "nobody answers the phone")
    return f"{name} is coming"


def collect(source: str) -> list[str]:
    """Lines of evidence."""
    return [f"{source} line {n}" for n in (1, 2)]


def mitigate(service: str) -> str:
    """Make it hurt less."""
    return f"{service} is degraded"


def report(service: str, lines: list[str], ended: Json) -> dict[str, Json]:
    """What happened."""
    return {"service": service, "lines": len(lines), "ended": ended}
