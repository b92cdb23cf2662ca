"""Every shape with a crash at every place where its process can die, one place after another.

The seeds of a campaign draw crashes by chance; this leaves none out.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.simulation.campaign import in_processes, quiet
from tests.simulation.checks import violations
from tests.simulation.seeds import reference
from tests.simulation.shape import Shape
from tests.simulation.shapes import BY_NAME
from tests.simulation.store import Store
from tests.simulation.users import Case
from tests.simulation.weather import FAIR
from tests.simulation.world import World

_CANDIDATES = 60
"""Seeds among which one is looked for in which a shape fails, and one in which it succeeds."""


@dataclass(slots=True)
class Swept:
    """What became of one shape."""

    shape: str
    outcomes: list[str] = field(default_factory=list)
    """The statuses it ends with without a crash; each was swept."""
    points: int = 0
    """Places at which a process died, each in a run of its own."""
    pairs: int = 0
    """Runs in which a second one died later."""
    problems: list[str] = field(default_factory=list)


def sweep(shapes: Sequence[Shape], jobs: int, *, pairs: Sequence[Shape] = ()) -> Iterator[Swept]:
    """Sweep shapes, in several processes; each is given when it is done.

    Those in `pairs` are swept with every two crashes, too.
    """
    parts = [(shape.name, shape in pairs) for shape in shapes]
    yield from in_processes(_sweep_shape, parts, jobs)


def _sweep_shape(part: tuple[str, bool]) -> Swept:
    name, with_pairs = part
    shape = BY_NAME[name]
    swept = Swept(name)
    with quiet(), Store() as store:
        for status, seed in _seeds(shape).items():
            swept.outcomes.append(status)
            rerun = _Rerun(swept, seed, shape, store)
            for point in range(1, rerun.run(()) + 1):
                last = rerun.run((point,))
                swept.points += 1
                for second in range(point + 1, last + 1) if with_pairs else ():
                    rerun.run((point, second))
                    swept.pairs += 1
    return swept


@dataclass(frozen=True)
class _Rerun:
    """One execution that is run again and again, each time with crashes elsewhere."""

    swept: Swept
    seed: int
    shape: Shape
    store: Store

    def run(self, crashes: tuple[int, ...]) -> int:
        """Run it with crashes at these places; gives how many places there were."""
        cases = [_case(self.seed, self.shape)]
        world = World(self.seed, self.store, cases, FAIR, slots=1, crash_at=crashes)
        world.run()
        self.swept.problems += [
            f"{self.shape.name}, seed {self.seed}, crashes at {crashes}: {problem}"
            for problem in violations(world, reference(self.seed, cases))
        ]
        return world.points


def _seeds(shape: Shape) -> dict[str, int]:
    """For each status that a shape can end with without faults, a seed with which it does."""
    found: dict[str, int] = {}
    for seed in range(_CANDIDATES):
        case = _case(seed, shape)
        found.setdefault(reference(seed, [case])[case.id].status, seed)
    return found


def _case(seed: int, shape: Shape) -> Case:
    rng = random.Random(f"sweep {shape.name} {seed}")
    return Case(f"{shape.name}-{seed}", shape, shape.draw(rng), 0.0)
