"""Rows of data: where they come from, what is done with them."""

from __future__ import annotations

from typing import Any

from agentflow import Fault

Json = Any

SALES = [
    {"id": 1, "country": "DE", "cents": 1200},
    {"id": 2, "country": "AT", "cents": 800},
    {"id": 3, "country": "DE", "cents": -5},
    {"id": 4, "country": "FR", "cents": 4000},
    {"id": 5, "country": "AT", "cents": 150},
]


def page(source: str, offset: int, size: int) -> dict[str, Json]:
    """Some rows, and where the next ones begin.

    Raises:
        Fault: SourceMissing.
    """
    if source != "sales":
        raise Fault("SourceMissing", f"there is no {source}")
    following = offset + size if offset + size < len(SALES) else None
    return {"rows": SALES[offset : offset + size], "next": following}


def check(row: Json) -> Json:
    """A row that is right.

    Raises:
        Fault: BadRow.
    """
    if row["cents"] < 0:
        raise Fault("BadRow", f"row {row['id']} is negative", data={"id": row["id"]})
    return {**row, "euros": row["cents"] / 100}


def stage(name: str) -> str:
    """A place for the time of an import."""
    return f"staging/{name}"


def load(place: str, rows: list[Json]) -> int:
    """Store rows; how many."""
    return len(rows)


def drop(place: str) -> str:
    """Remove the place."""
    return f"dropped {place}"


def by_country(rows: list[Json]) -> dict[str, int]:
    """Cents by country."""
    total: dict[str, int] = {}
    for row in rows:
        total[row["country"]] = total.get(row["country"], 0) + row["cents"]
    return total


def read_sensor(sensor: str, hour: int) -> list[float]:
    """Readings of an hour.

    Raises:
        Fault: SensorLost.
    """
    if sensor == "lost":
        raise Fault("SensorLost", "no signal", data={"sensor": sensor})
    return [len(sensor) + hour / 2, len(sensor) + hour]


def mean(values: list[float]) -> float:
    """The mean.

    Raises:
        ZeroDivisionError: there are none.
    """
    return sum(values) / len(values)


def extremes(items: list[dict[str, float]]) -> dict[str, float]:
    """The extremes of several pairs of them; none of none."""
    if not items:
        return {}
    return {"low": min(each["low"] for each in items), "high": max(each["high"] for each in items)}


def normalize(customer: Json) -> Json:
    """A customer with a name and an address that can be compared."""
    return {"name": " ".join(customer["name"].lower().split()), "mail": customer["mail"].lower()}


def parse_line(line: str) -> dict[str, str]:
    """Level and text of a log's line such as `ERROR disk full`.

    Raises:
        ValueError: it has no level.
    """
    level, text = line.split(" ", 1)
    return {"level": level, "text": text}
