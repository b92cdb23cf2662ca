"""A shop: stock, prices, payments, parcels. Pure: the same arguments always give the same."""

from __future__ import annotations

from typing import Any

from agentflow import Context, Fault

Json = Any

STOCK = {"lamp": 5, "desk": 1, "chair": 12, "mat": 0}
PRICES = {"lamp": 1990, "desk": 24900, "chair": 8900, "mat": 2500}


def in_stock(sku: str) -> int:
    """How many there are.

    Raises:
        Fault: UnknownProduct.
    """
    if sku not in STOCK:
        raise Fault("UnknownProduct", f"there is no {sku}", data={"sku": sku})
    return STOCK[sku]


def price(sku: str, country: str = "DE") -> int:
    """Cents, with the country's extra."""
    return PRICES[sku] + {"DE": 0, "AT": 100}.get(country, 500)


def reserve(order: str, sku: str, quantity: int) -> dict[str, Json]:
    """Put something aside.

    Raises:
        Fault: OutOfStock.
    """
    if STOCK[sku] < quantity:
        raise Fault("OutOfStock", f"{STOCK[sku]} of {sku} left", data={"sku": sku})
    return {"reservation": f"{order}/{sku}", "quantity": quantity}


def release(reservation: str) -> str:
    """Give back what was put aside."""
    return f"released {reservation}"


def charge(order: str, cents: int, card: str, *, context: Context) -> dict[str, Json]:
    """Take money; the card `busy` works at the third attempt.

    Raises:
        Fault: CardRefused, PaymentBusy.
    """
    if card == "refused":
        raise Fault("CardRefused", "the bank says no", data={"cents": cents})
    if card == "busy" and context.attempt < 3:
        raise Fault("PaymentBusy", "try again")
    return {"payment": f"pay-{order}", "cents": cents}


def refund(payment: str, cents: int) -> dict[str, Json]:
    """Give money back."""
    return {"refund": f"re-{payment}", "cents": cents}


def pack(order: str, lines: list[Json]) -> list[Json]:
    """Parcels of at most three pieces."""
    pieces = [line["sku"] for line in lines for _ in range(line["quantity"])]
    return [
        {"parcel": f"{order}-{n // 3 + 1}", "pieces": pieces[n : n + 3]}
        for n in range(0, len(pieces), 3)
    ]


def ship(parcel: str, country: str) -> dict[str, str]:
    """Hand a parcel over.

    Raises:
        Fault: NoDelivery.
    """
    if country not in {"DE", "AT", "FR"}:
        raise Fault("NoDelivery", f"nobody delivers to {country}")
    return {"parcel": parcel, "track": f"{country}-{parcel}"}


def notify(to: str, text: str) -> str:
    """Write to somebody."""
    return f"{to}: {text}"


def coupon(code: str) -> dict[str, Json]:
    """What a coupon is worth.

    Raises:
        Fault: UnknownCoupon.
    """
    known = {"TEN": {"kind": "percent", "value": 10}, "FIVE": {"kind": "cents", "value": 500}}
    if code not in known:
        raise Fault("UnknownCoupon", f"{code} is not valid")
    return known[code]


def offer(vendor: str, sku: str) -> dict[str, Json]:
    """A vendor's price.

    Raises:
        Fault: VendorDown.
    """
    if vendor == "down":
        raise Fault("VendorDown", f"{vendor} does not answer")
    return {"vendor": vendor, "cents": PRICES[sku] + 10 * len(vendor)}


def supplier_page(cursor: int) -> dict[str, Json]:
    """A page of a supplier's catalogue."""
    pages = [["lamp", "desk"], ["chair"], ["mat", "lamp"]]
    following = cursor + 1 if cursor + 1 < len(pages) else None
    return {"skus": pages[cursor], "next": following}


def order_goods(sku: str, quantity: int) -> str:
    """Order from the supplier."""
    return f"{quantity} x {sku}"


def inspect(item: str) -> str:
    """The state of something that came back."""
    return "damaged" if "broken" in item else "as new"


def risk(order: Json) -> int:
    """How likely an order is a fraud, from 0 to 100."""
    return min(100, order["cents"] // 1000 + (40 if order["country"] == "XX" else 0))


def history(customer: str) -> dict[str, int]:
    """What is known of a customer."""
    return {"orders": len(customer), "disputes": 1 if customer.startswith("x") else 0}


def merge_totals(items: list[dict[str, int]]) -> dict[str, int]:
    """Add up totals by key."""
    total: dict[str, int] = {}
    for item in items:
        for key, value in item.items():
            total[key] = total.get(key, 0) + value
    return dict(sorted(total.items()))


def sell(sku: str, quantity: int) -> dict[str, int]:
    """A sale.

    Raises:
        Fault: OutOfStock.
    """
    if STOCK[sku] < quantity:
        raise Fault("OutOfStock", f"{sku} is sold out", data={"sku": sku})
    return {sku: quantity, "cents": PRICES[sku] * quantity}
