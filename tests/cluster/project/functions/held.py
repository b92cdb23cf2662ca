"""What the workflows of these tests call."""

from __future__ import annotations

import os
import time
from pathlib import Path

import agentflow


def note(ledger: str, word: str) -> str:
    """Leave a line behind, with the process that wrote it."""
    with Path(ledger).open("a") as file:
        file.write(f"{word} {os.getpid()}\n")
    return word


def say(ledger: str, word: str) -> str:
    """Leave a line behind, and print the word."""
    print(f"saying {word}")
    return note(ledger, word)


def answer(ledger: str, word: str) -> str:
    """Leave a line behind, and refuse; a test mends that."""
    note(ledger, word)
    raise ValueError("not yet")


def hold(ledger: str, gate: str) -> dict[str, str]:
    """Run until the gate opens."""
    note(ledger, "hold")
    while not Path(gate).exists():
        time.sleep(0.01)
    return where()


def hang(ledger: str) -> int:
    """Loop in C, where no exception comes through."""
    note(ledger, "hang")
    return sum(range(10**15))


def where(text: str = "") -> dict[str, str]:
    """Where this runs, and what of."""
    return {
        "package": str(agentflow.__file__),
        "module": __file__,
        "folder": str(Path.cwd()),
        "length": str(len(text)),
    }
