"""Durations, times and retry policies as numbers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from agentflow.errors import Fault, Json
from agentflow.functions.durations import parse_duration
from agentflow.spec.model import Retry

MAX_SECONDS = 10 * 366 * 86400.0
"""Ten years: longer waits are taken for mistakes."""


INTERRUPTED = "Interrupted"
"""The error of an at-most-once call whose outcome is unknown; only retries that name it apply."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A retry policy, as the machine applies it."""

    retry: Retry

    def allows(self, error: Json, tries: int) -> bool:
        """Whether another attempt follows after `tries` failed ones."""
        name = error["name"]
        if name == INTERRUPTED and name not in self.retry.on:
            return False
        return tries < self.retry.max_attempts and matches(self.retry.on, name)

    def delay(self, tries: int, seed: str) -> float:
        """Seconds until the next attempt.

        Full jitter takes a share of the delay that depends on `seed` alone, so that a replay
        computes the same.
        """
        retry = self.retry
        try:
            delay = min(retry.interval * retry.backoff ** (tries - 1), retry.max_interval)
        except OverflowError:
            delay = retry.max_interval
        if retry.jitter == "full":
            digest = hashlib.blake2b(f"{seed}/{tries}".encode(), digest_size=8).digest()
            delay *= int.from_bytes(digest) / 2**64
        return delay


def matches(on: tuple[str, ...], name: str) -> bool:
    """Whether an error's name is among those a `catch` or `retry` handles."""
    return "*" in on or name in on


def seconds(value: Json) -> float:
    """A duration as seconds: a number, or a text such as ``1m30s``.

    Raises:
        Fault: `TypeMismatch` when it is no duration, `NumberOutOfRange` when it is negative or
            longer than ten years.
    """
    number: float | None = None
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value)
    elif isinstance(value, str):
        number = parse_duration(value)
    if number is None:
        raise Fault("TypeMismatch", f"{value!r} is not a duration; write seconds or 1m30s")
    if not 0 <= number <= MAX_SECONDS:
        raise Fault("NumberOutOfRange", f"a duration of {number:g} s is not within ten years")
    return number


def due(value: Json, now: float) -> float:
    """When a `wait` ends, in Unix seconds: a duration from `now`, or an RFC 3339 time."""
    if isinstance(value, str) and parse_duration(value) is None:
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise Fault(
                "TypeMismatch", f"{value!r} is neither a duration nor an RFC 3339 time"
            ) from None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return moment.timestamp()
    return now + seconds(value)
