"""Travel: offers and bookings, which can be cancelled."""

from __future__ import annotations

from typing import Any

from agentflow import Context, Fault

Json = Any


def book(kind: str, place: str, *, context: Context) -> dict[str, str]:
    """Book something.

    Raises:
        Fault: FullyBooked, for cars in Venice; Busy, at the first attempt for trains.
    """
    if kind == "car" and place == "Venice":
        raise Fault("FullyBooked", "no cars in Venice", data={"kind": kind, "place": place})
    if kind == "train" and context.attempt == 1:
        raise Fault("Busy", "the line is busy")
    return {"booking": f"{kind}-{place}".lower(), "kind": kind}


def cancel(booking: str) -> str:
    """Cancel a booking."""
    return f"cancelled {booking}"


def offers(airline: str, to: str) -> list[dict[str, Json]]:
    """Flights of an airline.

    Raises:
        Fault: AirlineDown.
    """
    if airline.startswith("down"):
        raise Fault("AirlineDown", f"{airline} does not answer")
    return [
        {"airline": airline, "to": to, "price": 100 + 10 * len(airline)},
        {"airline": airline, "to": to, "price": 180 - 5 * len(airline)},
    ]


def weather(place: str) -> str:
    """The weather."""
    return "rain" if len(place) % 2 else "sun"


def look_around(place: str) -> dict[str, Json]:
    """What there is to see; nothing in Nowhere."""
    sights = [] if place == "Nowhere" else [f"{place} castle", f"{place} museum"]
    return {"name": place, "sights": sights}


def plan_day(place: str, sights: list[str], weather: str) -> dict[str, Json]:
    """A day."""
    best = "museum" if weather == "rain" else "castle"
    chosen = [sight for sight in sights if best in sight]
    return {"place": place, "visit": chosen[0] if chosen else None, "weather": weather}


def check_day(day: Json) -> Json:
    """A day that has something in it.

    Raises:
        Fault: EmptyDay.
    """
    if not day["visit"]:
        raise Fault("EmptyDay", f"nothing to do in {day['place']}")
    return day
