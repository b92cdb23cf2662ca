"""What is wrong with the interpreters that we compare with, and which checks meet it.

A check that meets a fault must differ; when an interpreter is repaired, its row has to go.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class InterpreterFault:
    """Something that an interpreter does otherwise than the service."""

    name: str
    engine: str
    checks: str
    """A regular expression that finds the names of the checks that meet it."""
    evidence: str


FAULTS: Final = (
    InterpreterFault(
        "children are not started",
        "moto",
        r"\b(child|children)\b",
        "moto 5.2.5 fails `states:startExecution.sync:2`; the service runs it, as our simulator does",
    ),
)


def of(check: str, engine: str) -> InterpreterFault | None:
    """The fault that a check meets on an engine."""
    for fault in FAULTS:
        if fault.engine == engine and re.search(fault.checks, check):
            return fault
    return None
