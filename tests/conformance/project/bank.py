"""Accounts and transfers."""

from __future__ import annotations

from typing import Any

from agentflow import Fault

Json = Any

BALANCES = {"ann": 10000, "bob": 500}


def withdraw(account: str, cents: int) -> dict[str, Json]:
    """Take money from an account.

    Raises:
        Fault: TooLittle, NoSuchAccount.
    """
    if account not in BALANCES:
        raise Fault("NoSuchAccount", f"there is no {account}", data={"account": account})
    if BALANCES[account] < cents:
        raise Fault("TooLittle", f"{account} has {BALANCES[account]}", data={"account": account})
    return {"entry": f"{account}-{cents}", "left": BALANCES[account] - cents}


def deposit(account: str, cents: int) -> dict[str, Json]:
    """Put money on an account.

    Raises:
        Fault: NoSuchAccount.
    """
    if account not in BALANCES:
        raise Fault("NoSuchAccount", f"there is no {account}", data={"account": account})
    return {"entry": f"{account}+{cents}", "left": BALANCES[account] + cents}


def reverse(entry: str) -> str:
    """Undo an entry."""
    return f"reversed {entry}"


def fee(cents: int) -> int:
    """What a transfer costs."""
    return max(10, cents // 100)


def convert(cents: int, currency: str) -> int:
    """Cents in another currency.

    Raises:
        Fault: NoRate.
    """
    rates = {"EUR": 100, "USD": 108}
    if currency not in rates:
        raise Fault("NoRate", f"no rate for {currency}")
    return cents * rates[currency] // 100
