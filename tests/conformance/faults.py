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
        "no time passes",
        "sfnx",
        r"takes too long(, is stopped)?$",
        "sfnx 3.1.0 documents that waits return at once and that a timeout fires only when the "
        "test's own task raises it; the service ends a state after its `TimeoutSeconds`",
    ),
    InterpreterFault(
        "branches run one after another",
        "sfnx",
        r"the quick branch wins",
        "sfnx 3.1.0 runs the branches of a Parallel state in their order; the service runs them "
        "side by side, so that a branch that waits does not win",
    ),
    InterpreterFault(
        "children are not started",
        "moto",
        r"^children: |month-end|onboarding|certificate-renewal",
        "moto 5.2.5 fails `states:startExecution.sync:2`; the service runs it, as our simulator does",
    ),
)


def of(check: str, engine: str) -> InterpreterFault | None:
    """The fault that a check meets on an engine."""
    for fault in FAULTS:
        if fault.engine == engine and re.search(fault.checks, check):
            return fault
    return None
