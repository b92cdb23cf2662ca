"""Documents: texts, invoices, contracts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agentflow import Fault

Json = Any


def pages(text: str) -> Iterator[str]:
    """The pages of a document, one by one."""
    yield from text.split("|")


def clean(text: str) -> str:
    """Without needless blanks.

    Raises:
        Fault: Unreadable, for an empty page.
    """
    if not text.strip():
        raise Fault("Unreadable", "the page is empty")
    return " ".join(text.split())


def classify(text: str) -> str:
    """What a text is about."""
    for word in ("invoice", "contract", "letter"):
        if word in text.lower():
            return word
    return "other"


def summarize(text: str, words: int = 3) -> str:
    """The first words."""
    return " ".join(text.split()[:words])


def count(text: str) -> dict[str, int]:
    """How often each word occurs."""
    found: dict[str, int] = {}
    for word in text.lower().split():
        found[word] = found.get(word, 0) + 1
    return found


def merge_counts(items: list[dict[str, int]]) -> dict[str, int]:
    """Counts added up."""
    total: dict[str, int] = {}
    for item in items:
        for word, times in item.items():
            total[word] = total.get(word, 0) + times
    return dict(sorted(total.items()))


def read_invoice(text: str) -> dict[str, Json]:
    """Number and amount of an invoice such as `INV-7 129.50`.

    Raises:
        Fault: NotAnInvoice; ValueError, if the amount is no number.
    """
    if not text.startswith("INV-"):
        raise Fault("NotAnInvoice", "an invoice begins with INV-", data={"text": text})
    number, _, amount = text.partition(" ")
    return {"number": number, "cents": round(float(amount) * 100)}


def archive(name: str, content: Json) -> str:
    """Where something was filed."""
    return f"archive/{name}"


def quarantine(name: str, reason: str) -> str:
    """Where something was put aside."""
    return f"quarantine/{name}: {reason}"


def translate(text: str, language: str) -> str:
    """A translation, of a kind.

    Raises:
        Fault: UnknownLanguage.
    """
    if language not in {"de", "fr"}:
        raise Fault("UnknownLanguage", f"no {language} here", data={"language": language})
    return f"[{language}] {text}"


def join(items: list[str], by: str = "\n") -> str:
    """Texts in one."""
    return by.join(item for item in items if item)


def find_clauses(text: str) -> list[str]:
    """The risky words of a contract."""
    return [word for word in ("penalty", "exclusive", "unlimited") if word in text.lower()]


def send(address: str, text: str) -> str:
    """Send a mail.

    Raises:
        Fault: Bounced, if the address is none.
    """
    if "@" not in address:
        raise Fault("Bounced", f"{address} is no address", data={"address": address})
    return f"to {address}"
