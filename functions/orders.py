"""Orders of a shop: checking them, and what they add up to."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from decimal import Decimal
from typing import Annotated, Literal, TypedDict

from pydantic import BaseModel, ConfigDict, Field

from agentflow.functions import function
from functions.project import locate


class CheckedOrder(TypedDict):
    """An order that may be added up: money in whole cents."""

    id: str
    sku: str
    quantity: int
    country: str
    amount_cents: int


class Order(BaseModel):
    """One line of an order book; what does not fit is refused with `InvalidInput`."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(pattern=r"^O-\d{4}$")]
    sku: str = Field(min_length=1)
    quantity: int = Field(gt=0, le=1000)
    price: Decimal = Field(gt=0, decimal_places=2)
    country: Literal["DE", "FR", "IT", "NL", "PL"]


@function
def check_order(row: Order) -> CheckedOrder:
    """Check one row of the order book, as text, and give it with numbers."""
    return {
        "id": row.id,
        "sku": row.sku,
        "quantity": row.quantity,
        "country": row.country,
        "amount_cents": int(row.quantity * row.price * 100),
    }


@function
def load_orders(database: str, orders: list[CheckedOrder]) -> int:
    """Write orders to a table of an SQLite file, all or none; one that is there is replaced.

    Gives the number of orders in the table.
    """
    file = locate(database)
    file.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS orders "
            "(id TEXT PRIMARY KEY, sku TEXT, quantity INTEGER, country TEXT, amount_cents INTEGER)"
        )
        connection.executemany(
            "REPLACE INTO orders VALUES (:id, :sku, :quantity, :country, :amount_cents)", orders
        )
        (count,) = connection.execute("SELECT count(*) FROM orders").fetchone()
    return int(count)


@function
def revenue(database: str) -> list[dict[str, object]]:
    """Add the orders up: `[{"country", "orders", "amount_cents"}]`, most revenue first."""
    with closing(sqlite3.connect(locate(database))) as connection:
        rows = connection.execute(
            "SELECT country, count(*), sum(amount_cents) FROM orders "
            "GROUP BY country ORDER BY sum(amount_cents) DESC, country"
        ).fetchall()
    return [
        {"country": country, "orders": orders, "amount_cents": amount}
        for country, orders, amount in rows
    ]


@function
def drop_database(database: str) -> None:
    """Remove an SQLite file; it is fine when there is none."""
    locate(database).unlink(missing_ok=True)
