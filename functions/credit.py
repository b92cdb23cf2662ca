"""Customers' credit: an agent that remembers what each has been granted."""

from __future__ import annotations

from typing import TypedDict

from agentflow import agent


class Decision(TypedDict):
    """Whether an order is granted, and what is left of the credit."""

    order: str
    granted: bool
    left_cents: int


@agent(name="clerk", capabilities=["credit"])
class Clerk:
    """Grants a customer's orders for as long as the credit lasts."""

    def __init__(self) -> None:
        self.granted: dict[str, int] = {}

    def decide(self, order: str, amount_cents: int, limit_cents: int) -> Decision:
        """Grant an order if the credit reaches; one that was granted before stays so."""
        left = limit_cents - sum(self.granted.values())
        if order not in self.granted and amount_cents <= left:
            self.granted[order] = amount_cents
            left -= amount_cents
        return {"order": order, "granted": order in self.granted, "left_cents": left}

    def snapshot(self) -> dict[str, int]:
        """What is recorded after each call."""
        return self.granted

    def restore(self, state: dict[str, int]) -> None:
        """Go on from what was recorded."""
        self.granted = dict(state)
