"""Lines of work that take turns: generators that wait for events, or for each other.

Nothing here knows what the work is. A strand yields `Await` for an event from outside, or
`Gather` for strands of its own. A new strand runs until it waits, before the next one begins, so
the order of everything is fixed by the order of events.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from agentflow.adapters.aws.asl.errors import StateError
from agentflow.adapters.aws.asl.simulate.protocol import Event
from agentflow.errors import Json


@dataclass(frozen=True, slots=True)
class Await:
    """Go on with the next event that has one of these keys."""

    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Gather:
    """Run strands, at most `limit` at once, and go on with their results in order.

    The first error ends the others and is raised here.
    """

    makers: Sequence[Callable[[], Work]]
    limit: int


Work: TypeAlias = "Generator[Await | Gather, Any, Json]"


@dataclass(slots=True, eq=False)
class Strand:
    """A generator, whom it works for, and what it waits for."""

    work: Work
    parent: Strand | None = None
    place: int = 0
    keys: tuple[str, ...] = ()
    crew: Crew | None = None


@dataclass(slots=True, eq=False)
class Crew:
    """The strands of one `Gather`."""

    gather: Gather
    results: list[Json]
    running: dict[int, Strand] = field(default_factory=dict)
    begun: int = 0
    error: Exception | None = None
    filling: bool = False

    @property
    def done(self) -> bool:
        """Whether the one who gathers can go on."""
        return self.error is not None or (
            not self.running and self.begun == len(self.gather.makers)
        )


class Scheduler:
    """Runs strands; each call returns when all of them wait."""

    def __init__(self, forget: Callable[[str], None]) -> None:
        self._waiting: dict[str, Strand] = {}
        self._forget = forget
        """Told about each key that nobody waits for any longer."""

    def start(self, work: Work, then: Callable[[Json, Exception | None], None]) -> Strand:
        """Run a strand of its own; `then` gets its result or error."""

        def report() -> Work:
            try:
                value = yield from work
            except StateError as error:
                then(None, error)
            else:
                then(value, None)
            return None

        strand = Strand(report())
        self._step(strand, None)
        return strand

    def deliver(self, event: Event) -> None:
        """Give an event to the strand that waits for it; a late one is dropped."""
        strand = self._waiting.get(event.key)
        if strand is not None:
            self._unpark(strand)
            self._step(strand, event)

    def stop(self, strand: Strand) -> None:
        """End a strand, and those that work for it, where they are."""
        for key in strand.keys:
            self._forget(key)
        self._unpark(strand)
        if strand.crew is not None:
            for member in list(strand.crew.running.values()):
                self.stop(member)
            strand.crew = None
        strand.work.close()

    def _unpark(self, strand: Strand) -> None:
        for key in strand.keys:
            self._waiting.pop(key, None)
        strand.keys = ()

    def _step(self, strand: Strand, value: Any, error: Exception | None = None) -> None:
        while True:
            try:
                wish = strand.work.send(value) if error is None else strand.work.throw(error)
            except StopIteration as stop:
                self._ended(strand, stop.value, None)
                return
            except StateError as failure:
                self._ended(strand, None, failure)
                return
            if isinstance(wish, Await):
                strand.keys = wish.keys
                self._waiting.update(dict.fromkeys(wish.keys, strand))
                return
            crew = strand.crew = Crew(wish, [None] * len(wish.makers))
            self._fill(strand, crew)
            if not crew.done:
                return
            value, error = crew.results, crew.error
            strand.crew = None

    def _fill(self, strand: Strand, crew: Crew) -> None:
        """Begin as many strands as there is room for."""
        crew.filling = True
        makers = crew.gather.makers
        while crew.begun < len(makers) and len(crew.running) < crew.gather.limit and not crew.error:
            member = Strand(makers[crew.begun](), strand, crew.begun)
            crew.running[crew.begun] = member
            crew.begun += 1
            self._step(member, None)
        crew.filling = False

    def _ended(self, strand: Strand, value: Json, error: Exception | None) -> None:
        parent = strand.parent
        if parent is None or parent.crew is None:
            return
        crew = parent.crew
        crew.running.pop(strand.place, None)
        crew.results[strand.place] = value
        if error is not None and crew.error is None:
            crew.error = error
            for member in list(crew.running.values()):
                self.stop(member)
            crew.running.clear()
        if crew.filling:
            return
        self._fill(parent, crew)
        if crew.done and parent.crew is crew:
            parent.crew = None
            self._step(parent, crew.results, crew.error)
