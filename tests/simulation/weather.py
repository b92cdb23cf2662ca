"""Which faults a seed has, and how often. Each seed draws its own mixture (swarm testing).

A run in which every fault is frequent explores less than many runs that each lack some: faults
hide one another. So each kind is present in about half of the seeds.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, fields, replace


@dataclass(frozen=True, slots=True)
class Weather:
    """Probabilities of faults; all zero is fair weather. Times are virtual seconds."""

    crash_step: float = 0.0
    """A process dies before a step of one of its coroutines."""
    crash_write: float = 0.0
    """… before or after a write to the journal, or right before a COMMIT within it."""
    crash_submit: float = 0.0
    """… while it hands calls to the workers: some of them have them, some have not."""
    write_refused: float = 0.0
    """A write fails and was not done."""
    write_unanswered: float = 0.0
    """A write fails and was done."""
    read_refused: float = 0.0
    worker_lost: float = 0.0
    """A worker dies with the call it runs, before or after its effect."""
    zombie: float = 0.0
    """A worker is taken for dead, and its result comes late."""
    report_twice: float = 0.0
    disobedience: float = 0.0
    """A withdrawn call runs on, and reports."""
    survival: float = 0.0
    """A call goes on though the process that asked for it is dead."""
    latency: float = 0.0
    """The longest a write takes, beyond the work itself."""
    theft: float = 0.0
    """Take-overs per second of executions whose owner lives."""
    freeze: float = 0.0
    """Processes stopped for a while, per second."""
    stop: float = 0.0
    """Processes closed in an orderly way, per second."""
    jump: float = 0.0
    """Clocks set forward or back, per second."""
    skew: float = 0.0
    """The furthest the clocks of two processes lie apart at first."""
    cancel: float = 0.0
    """Executions that somebody cancels."""
    retry: float = 0.0
    """Executions that somebody retries after they failed or were cancelled."""
    message_twice: float = 0.0
    contradiction: float = 0.0
    """What one execution of a group came to is refused: the journal has it already."""


FAIR = Weather()

_WORST = Weather(
    crash_step=0.03,
    crash_write=0.08,
    crash_submit=0.08,
    write_refused=0.03,
    write_unanswered=0.03,
    read_refused=0.02,
    worker_lost=0.2,
    zombie=0.2,
    report_twice=0.2,
    disobedience=1.0,
    survival=1.0,
    latency=0.05,
    theft=2.0,
    freeze=0.3,
    stop=0.2,
    jump=0.3,
    skew=5.0,
    cancel=0.3,
    retry=0.7,
    message_twice=0.5,
    contradiction=0.03,
)


def forecast(rng: random.Random) -> Weather:
    """Draw a mixture: each fault is absent in half of the seeds, else anything up to its worst."""
    return replace(
        FAIR,
        **{
            field.name: getattr(_WORST, field.name) * rng.random()
            for field in fields(Weather)
            if rng.random() < 0.5
        },
    )
