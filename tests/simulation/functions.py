"""What the workflows of the simulation call: pure functions, and which of their calls fail.

Whether a call fails is a function of the seed, the execution, the key and the attempt. So the
outcome without faults is known, and faults must not change it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal, TypeAlias

from agentflow.errors import Json, fault_value

WORKER_LOST = fault_value("WorkerLost", "the worker died")
TIMEOUT = fault_value("Timeout", "the call took longer than its `timeout`")
MODULUS = 1_000_003

Fate: TypeAlias = Literal["value", "error", "death", "silence"]
"""What a call comes to by itself: a result, an error, its worker's death, or its time limit."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call gives; `value` is the result or the error."""

    fate: Fate
    value: Json


def answer(seed: int, execution: str, key: str, attempt: int, function: str, given: Json) -> Answer:
    """What one call gives."""
    chance = _share(seed, execution, key)
    match function.removeprefix("work."):
        case "sure":
            return Answer("value", _mix(given))
        case "flaky":
            # Fewer failures than the attempts that the workflows allow, so it always succeeds.
            failures = int(chance * 3)
            if attempt <= failures:
                return Answer("error", fault_value("Flaky", "try again"))
            return Answer("value", _mix(given))
        case "risky":
            if chance < 0.3:
                return Answer("error", fault_value("Refused", "refused for good"))
            return Answer("value", _mix(given))
        case "deadly":
            if chance < 0.2:
                return Answer("death", WORKER_LOST)
            return Answer("value", _mix(given))
        case "slow":
            return Answer("silence", TIMEOUT)
        case "total":
            return Answer("value", sum(given["items"]) % MODULUS)
        case "numbers":
            return Answer("value", list(range(given["n"])))
    raise LookupError(f"the simulation has no function {function}")


def item_key(batch: str, place: int) -> str:
    """The key of the item in this place of a batch: `m[4:8].a` and 1 give `m[5].a`."""
    stem, _, rest = batch.rpartition("[")
    bounds, _, stage = rest.partition("]")
    return f"{stem}[{int(bounds.split(':')[0]) + place}]{stage}"


def _mix(given: Json) -> int:
    """A number that depends on all arguments, small enough to be read in a trace."""
    total = 7
    for value in given.values():
        total = total * 31 + (value if isinstance(value, int) else len(str(value)))
    return total % MODULUS


def _share(seed: int, execution: str, key: str) -> float:
    digest = hashlib.blake2b(f"{seed}/{execution}/{key}".encode(), digest_size=4).digest()
    return int.from_bytes(digest) / 2**32
