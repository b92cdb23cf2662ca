"""A shop's ledger in an SQLite file: every movement of goods and money is a row, none changes.

A movement's key is the call's idempotency key. A call that is made twice, because a worker died
before its result was recorded, writes one row.
"""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TypedDict

from agentflow.functions import Context, Fault, function
from functions.project import existing_file, locate

SERVED = frozenset({"DE", "FR", "NL"})
"""Countries that the carrier delivers to."""

TABLES = (
    "stock (sku TEXT PRIMARY KEY, quantity INTEGER, price_cents INTEGER)",
    "movements (key TEXT PRIMARY KEY, purchase, sku, kind, quantity INTEGER, amount_cents INTEGER)",
)

STOCK = """
SELECT price_cents, quantity + coalesce(
    (SELECT sum(quantity) FROM movements WHERE movements.sku = stock.sku AND key <> ?), 0
) FROM stock WHERE sku = ?
"""
"""What goods cost and how many are left, a movement with this key not counted."""


@dataclass(frozen=True)
class Purchase:
    """What a customer wants, where to, and how much the card allows."""

    id: str
    sku: str
    quantity: int
    country: str
    limit_cents: int


class Movement(TypedDict):
    """One row of the ledger."""

    kind: str
    quantity: int
    """What the shop's stock changes by: reserved goods are negative."""
    amount_cents: int
    """What a reservation costs, or what is taken from the card; a refund is negative."""


@function
def open_ledger(ledger: str, stock: str) -> int:
    """Start a ledger from a stock list in CSV (`sku,quantity,price_cents`); gives its length."""
    locate(ledger).parent.mkdir(parents=True, exist_ok=True)
    with existing_file(stock).open(encoding="utf-8", newline="") as file:
        goods = list(csv.DictReader(file))
    with _open(ledger) as connection:
        for table in TABLES:
            connection.execute(f"CREATE TABLE IF NOT EXISTS {table}")
        connection.executemany("REPLACE INTO stock VALUES (:sku, :quantity, :price_cents)", goods)
    return len(goods)


@function
def reserve(ledger: str, purchase: Purchase, context: Context) -> Movement:
    """Put goods aside for a purchase; `amount_cents` is what they cost.

    Raises:
        Fault: `OutOfStock`, there are not enough of them.
    """
    with _open(ledger) as connection:
        found = connection.execute(STOCK, (context.idempotency_key, purchase.sku)).fetchone()
        price, available = found or (0, 0)
        if available < purchase.quantity:
            raise Fault(
                "OutOfStock",
                f"{purchase.quantity} of {purchase.sku} are wanted, {available} are there",
                data={"sku": purchase.sku, "available": available},
            )
        cost = purchase.quantity * price
        goods = _movement("reserved", quantity=-purchase.quantity, amount_cents=cost)
        return _record(connection, purchase, context, goods)


@function
def release(ledger: str, purchase: Purchase, context: Context) -> Movement:
    """Put goods back that were reserved."""
    goods = _movement("released", quantity=purchase.quantity)
    with _open(ledger) as connection:
        return _record(connection, purchase, context, goods)


@function
def charge(ledger: str, purchase: Purchase, amount_cents: int, context: Context) -> Movement:
    """Take money from the card.

    Raises:
        Fault: `PaymentDeclined`, the card does not allow that much.
    """
    if amount_cents > purchase.limit_cents:
        raise Fault(
            "PaymentDeclined",
            f"the card allows {purchase.limit_cents} cents, not {amount_cents}",
            data={"limit_cents": purchase.limit_cents},
        )
    money = _movement("charged", amount_cents=amount_cents)
    with _open(ledger) as connection:
        return _record(connection, purchase, context, money)


@function
def refund(ledger: str, purchase: Purchase, amount_cents: int, context: Context) -> Movement:
    """Give money back that was charged."""
    money = _movement("refunded", amount_cents=-amount_cents)
    with _open(ledger) as connection:
        return _record(connection, purchase, context, money)


@function
def ship(ledger: str, purchase: Purchase, context: Context) -> Movement:
    """Hand the goods to the carrier.

    Raises:
        Fault: `NoCarrier`, nobody delivers to that country.
    """
    if purchase.country not in SERVED:
        raise Fault("NoCarrier", f"nobody delivers to {purchase.country}")
    with _open(ledger) as connection:
        return _record(connection, purchase, context, _movement("shipped"))


@function
def read_ledger(ledger: str, purchase: str) -> list[Movement]:
    """Give the movements of a purchase, in the order in which they happened."""
    with _open(ledger) as connection:
        rows = connection.execute(
            "SELECT kind, quantity, amount_cents FROM movements WHERE purchase = ? ORDER BY rowid",
            (purchase,),
        ).fetchall()
    return [_movement(kind, quantity=goods, amount_cents=money) for kind, goods, money in rows]


def _record(
    connection: sqlite3.Connection, purchase: Purchase, context: Context, movement: Movement
) -> Movement:
    row = (context.idempotency_key, purchase.id, purchase.sku, *movement.values())
    connection.execute("INSERT OR IGNORE INTO movements VALUES (?, ?, ?, ?, ?, ?)", row)
    return movement


def _movement(kind: str, *, quantity: int = 0, amount_cents: int = 0) -> Movement:
    return {"kind": kind, "quantity": quantity, "amount_cents": amount_cents}


@contextmanager
def _open(ledger: str) -> Iterator[sqlite3.Connection]:
    """A transaction of its own: committed when the block ends well, undone when it raises."""
    with closing(sqlite3.connect(locate(ledger))) as connection, connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection
