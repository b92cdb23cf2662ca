"""The clerk of specs/credit.yaml, as plain Python."""

from __future__ import annotations

from functions.credit import Clerk


def test_orders_are_granted_as_long_as_the_credit_lasts() -> None:
    clerk = Clerk()
    decided = [
        clerk.decide(order, cents, 100) for order, cents in [("a", 60), ("b", 50), ("c", 40)]
    ]
    assert [each["granted"] for each in decided] == [True, False, True]
    assert decided[-1]["left_cents"] == 0


def test_an_order_is_counted_once() -> None:
    clerk = Clerk()
    assert clerk.decide("a", 60, 100) == clerk.decide("a", 60, 100)


def test_a_clerk_goes_on_from_what_was_recorded() -> None:
    clerk, later = Clerk(), Clerk()
    clerk.decide("a", 60, 100)
    later.restore(clerk.snapshot())
    assert later.decide("b", 50, 100) == {"order": "b", "granted": False, "left_cents": 40}
