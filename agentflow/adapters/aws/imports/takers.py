"""Which errors a retrier or a catcher is for, and which of them it leaves out.

No name of the service is for every error: `States.TaskFailed` leaves out timeouts and failed
expressions, and nothing takes what ends an execution. A handler of ours takes whatever has one of
its names, or everything; what it would take too much, a handler before it gives to whom it is for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from agentflow.adapters.aws.asl.errors import QUERY, TASK_FAILED, TIMEOUT, WILDCARD
from agentflow.adapters.aws.imports import faults

ALL: Final = ("*",)


@dataclass(frozen=True, slots=True)
class Kinds:
    """What some work can end with that not every name is for, by the names it has here."""

    late: tuple[str, ...] = ()
    """It took too long, or was silent for too long."""
    faulty: tuple[str, ...] = ()
    """An expression around it failed, in a language whose failures can be caught."""
    fatal: tuple[str, ...] = ()
    """It ends the execution."""
    told: tuple[str, ...] = ()
    """A Fail state gave it, which has the service's names."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The errors that a retrier or a catcher is for: those of some names, or all, but a few."""

    on: tuple[str, ...]
    but: tuple[str, ...] = ()

    @property
    def is_all(self) -> bool:
        """Whether it is for any name that it does not leave out."""
        return self.on == ALL

    def takes(self, name: str) -> bool:
        """Whether it is for errors of a name."""
        return name not in self.but and (self.is_all or name in self.on)


def taken(error_equals: tuple[str, ...], kinds: Kinds) -> Taken:
    """What the names of an `ErrorEquals` are for."""
    if WILDCARD in error_equals:
        return Taken(ALL, kinds.fatal)
    said = [name for name in error_equals if name in kinds.told]
    on = tuple(dict.fromkeys((*faults.names(error_equals), *said)))
    if QUERY in on:  # our expressions have names of their own
        on = tuple(dict.fromkeys((*on, *kinds.faulty)))
    if TASK_FAILED not in error_equals:
        return Taken(on, tuple(name for name in kinds.fatal if name in on))
    timeouts = (TIMEOUT,) if TIMEOUT in kinds.told else ()
    apart = (name for name in (*kinds.late, *timeouts, *kinds.faulty) if name not in on)
    return Taken(ALL, tuple(dict.fromkeys((*kinds.fatal, *apart))))


def in_turn(takers: Sequence[Taken]) -> Iterator[tuple[tuple[str, ...], int | None]]:
    """Names of errors and the place of the first taker that is for them, in the order of handlers.

    None stands for nobody: those errors go on as if they were not handled.
    """
    decided: set[str] = set()
    placed: set[int] = set()
    for place, taker in enumerate(takers):
        passed: dict[int | None, list[str]] = {}
        for name in taker.but:
            if not decided & {name, *ALL}:
                later = range(place + 1, len(takers))
                to = next((each for each in later if takers[each].takes(name)), None)
                passed.setdefault(to, []).append(name)
        for to, names in passed.items():
            yield tuple(names), to
            decided.update(names)
            placed.update(() if to is None else (to,))
        if place in placed and (decided.issuperset(taker.on) or not decided.isdisjoint(ALL)):
            continue  # nothing is left for it; one that never had anything still leads somewhere
        yield taker.on, place
        decided.update(taker.on)
        placed.add(place)
