"""People and what they decide, apply for and are paid."""

from __future__ import annotations

from typing import Any

from agentflow import Fault

Json = Any


def manager_of(person: str) -> str | None:
    """Who decides for somebody; nobody for the boss."""
    return {"ann": "bob", "bob": "eve", "eve": None}.get(person)


def record(what: str, who: str, decision: str) -> str:
    """What was decided."""
    return f"{what}: {decision} by {who}"


def create_account(system: str, person: str) -> dict[str, str]:
    """An account.

    Raises:
        Fault: AccountExists.
    """
    if person == "twin":
        raise Fault("AccountExists", f"{person} is in {system}", data={"system": system})
    return {"system": system, "login": f"{person}@{system}"}


def order_laptop(person: str) -> str:
    """A laptop."""
    return f"laptop for {person}"


def welcome(person: str, logins: list[str]) -> str:
    """A letter."""
    return f"welcome {person}: {', '.join(logins)}"


def check_receipt(receipt: Json) -> int:
    """Its cents.

    Raises:
        Fault: ReceiptMissing.
    """
    if not receipt.get("file"):
        raise Fault("ReceiptMissing", f"no file for {receipt['what']}", data=receipt)
    return receipt["cents"]


def pay(person: str, cents: int) -> dict[str, Json]:
    """Pay somebody.

    Raises:
        Fault: AccountClosed.
    """
    if person.startswith("gone"):
        raise Fault("AccountClosed", f"{person} has no account")
    return {"person": person, "cents": cents}


def score(application: Json) -> int:
    """From 0 to 100."""
    return max(0, min(100, application["income"] // 100 - application["debt"] // 50))


def interest(score: int) -> float:
    """Percent a year."""
    return round(12 - score / 10, 2)


def invite(person: str, panel: str) -> str:
    """An invitation."""
    return f"{person} to {panel}"
