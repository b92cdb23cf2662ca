from __future__ import annotations

from pathlib import Path

import pytest

from agentflow.functions import Context, Fault
from functions import ledger
from functions.ledger import Purchase

LAMPS = Purchase(id="P-1", sku="lamp", quantity=3, country="DE", limit_cents=20_000)


def call(step: str) -> Context:
    return Context(execution_id="e", step=step)


@pytest.fixture
def book(tmp_path: Path) -> str:
    stock = tmp_path / "stock.csv"
    stock.write_text("sku,quantity,price_cents\nlamp,4,3490\n", encoding="utf-8")
    file = str(tmp_path / "new" / "ledger.sqlite")
    assert ledger.open_ledger(file, str(stock)) == 1
    return file


def kinds(book: str) -> list[str]:
    return [movement["kind"] for movement in ledger.read_ledger(book, LAMPS.id)]


def test_a_sale_leaves_three_movements(book: str) -> None:
    reserved = ledger.reserve(book, LAMPS, call("reserve"))
    assert reserved == {"kind": "reserved", "quantity": -3, "amount_cents": 3 * 3490}
    ledger.charge(book, LAMPS, reserved["amount_cents"], call("charge"))
    ledger.ship(book, LAMPS, call("ship"))
    assert kinds(book) == ["reserved", "charged", "shipped"]


def test_a_call_made_twice_writes_one_movement(book: str) -> None:
    first = ledger.reserve(book, LAMPS, call("reserve"))
    # 4 lamps less 3 would not be enough for another 3, but these are the same 3.
    assert ledger.reserve(book, LAMPS, call("reserve")) == first
    assert kinds(book) == ["reserved"]


def test_undoing_gives_goods_and_money_back(book: str) -> None:
    ledger.reserve(book, LAMPS, call("reserve"))
    ledger.charge(book, LAMPS, 100, call("charge"))
    ledger.refund(book, LAMPS, 100, call("charge.compensate"))
    ledger.release(book, LAMPS, call("reserve.compensate"))
    movements = ledger.read_ledger(book, LAMPS.id)
    assert sum(movement["quantity"] for movement in movements) == 0
    assert ledger.reserve(book, LAMPS, call("again"))["quantity"] == -3


@pytest.mark.parametrize(
    ("purchase", "step", "name"),
    [
        (Purchase("P-2", "lamp", 5, "DE", 99_999), "reserve", "OutOfStock"),
        (Purchase("P-2", "sofa", 1, "DE", 99_999), "reserve", "OutOfStock"),
        (Purchase("P-2", "lamp", 1, "DE", 99), "charge", "PaymentDeclined"),
        (Purchase("P-2", "lamp", 1, "PL", 99_999), "ship", "NoCarrier"),
    ],
    ids=["too many", "unknown goods", "over the limit", "no carrier"],
)
def test_a_refusal_has_a_name_and_leaves_no_movement(
    book: str, purchase: Purchase, step: str, name: str
) -> None:
    acts = {
        "reserve": lambda: ledger.reserve(book, purchase, call(step)),
        "charge": lambda: ledger.charge(book, purchase, 100, call(step)),
        "ship": lambda: ledger.ship(book, purchase, call(step)),
    }
    with pytest.raises(Fault) as caught:
        acts[step]()
    assert caught.value.name == name
    assert ledger.read_ledger(book, "P-2") == []
