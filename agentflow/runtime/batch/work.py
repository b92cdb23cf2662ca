"""What a worker is asked to do for a batch run, as tasks of an executor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from agentflow.errors import Json
from agentflow.functions.parcels import Place
from agentflow.runtime.batch.history import Chunk, chunk_key, failures_of
from agentflow.runtime.batch.importing import Reference
from agentflow.runtime.batch.options import Options
from agentflow.runtime.batch.sources import Piece
from agentflow.runtime.batch.spill import LEAST_BYTES, Spill
from agentflow.runtime.executors.protocol import Task

RUN = "agentflow.functions.chunks.run"
COMBINE = "agentflow.functions.chunks.combine"
_MARGIN = 0.5
"""Seconds that a worker has for ending an item itself before it is ended for it."""


@dataclass(slots=True)
class Work:
    """A chunk, or with `only` some of its items, on its way."""

    piece: Piece
    only: list[int] | None = None
    round: int = 1
    attempt: int = 1
    """Counts the workers that were given it."""

    @property
    def key(self) -> str:
        """Unique among what is on its way."""
        return chunk_key(self.piece.start, self.piece.stop, self.only, self.round)

    @property
    def size(self) -> int:
        """Units."""
        return self.piece.stop - self.piece.start if self.only is None else len(self.only)

    def split(self, step: int) -> list[Work]:
        """The same work in pieces of so many units."""
        if self.only is not None:
            return [
                Work(self.piece, self.only[at : at + step], self.round)
                for at in range(0, self.size, step)
            ]
        pieces = []
        rest = self.piece
        while rest.stop - rest.start > step:
            first, rest = rest.split(step)
            pieces.append(first)
        return [Work(piece) for piece in [*pieces, rest]]

    def head(self, done: int) -> tuple[Work, Work]:
        """What was done of it, and the rest."""
        first, rest = self.piece.split(done)
        return Work(first), Work(rest)

    def result(self, said: Json, *, counted: bool) -> Chunk:
        """What the worker said, as what the journal keeps."""
        return Chunk(
            self.piece.start,
            self.piece.stop,
            self.piece.digest,
            said["count"],
            said["seconds"],
            said["parcel"],
            failures_of(said["failures"], self.piece.start, counted=counted),
            self.only,
            self.round,
        )

    def failed(self, error: Json, trace: Json, *, keeps_list: bool, counted: bool) -> Chunk:
        """The failure of the only item in it, whose worker could not say so itself."""
        at = self.only[0] if self.only is not None else 0
        shown = self.piece.described() if self.only is None else None
        failure = {"at": at, "input": shown, "error": error, "trace": trace}
        said = {
            "count": 1,
            "seconds": 0.0,
            "parcel": {"json": [None]} if keeps_list else None,
            "failures": [failure],
        }
        return self.result(said, counted=counted)


@dataclass(frozen=True, slots=True)
class Tasks:
    """Makes the tasks of one run."""

    run: str
    name: str
    root: str
    function: Reference
    reduce: Reference | None
    options: Options
    place: Place
    ends_items: bool
    """Whether workers can end an item that takes too long by themselves."""
    spill: Spill | None
    """Takes items to workers, where these are on this machine."""

    def chunk(self, work: Work, *, budget: float | None, check: bool) -> Task:
        """The task of a chunk."""
        arguments: dict[str, Json] = {
            "function": self.function.sent(),
            "items": self._items(work),
            "place": self.place,
        }
        if self.reduce is not None:
            arguments["reduce"] = self.reduce.sent()
            arguments["check"] = check
        if work.only is not None:
            arguments["only"] = work.only
        elif budget is not None and work.size > 1:
            arguments["budget"] = budget
        if self.options.retry is not None:
            arguments["retry"] = asdict(self.options.retry)
        if self.options.timeout is not None:
            arguments["timeout"] = self.options.timeout
        return self._task(work.key, RUN, arguments, work.attempt, self._limit(work))

    def _items(self, work: Work) -> dict[str, Json]:
        content = work.piece.content
        if self.spill is None or len(content) < LEAST_BYTES:
            return work.piece.sent()
        return {"spilled": self.spill.put(work.key, content)}

    def combine(self, key: str, parcels: Sequence[Json]) -> Task:
        """The task of combining results."""
        assert self.reduce is not None
        arguments = {"reduce": self.reduce.sent(), "parcels": list(parcels), "place": self.place}
        return self._task(key, COMBINE, arguments, 1, None)

    def _task(
        self, key: str, function: str, arguments: Json, attempt: int, timeout: float | None
    ) -> Task:
        return Task(
            execution=self.run,
            key=key,
            attempt=attempt,
            kind="call",
            function=function,
            calls=[arguments],
            root=self.root,
            workflow=self.name,
            timeout=timeout,
            resources=self.options.resources if function == RUN else None,
        )

    def _limit(self, work: Work) -> float | None:
        """Seconds after which the worker is ended.

        A chunk whose items can be ended one by one has none: it would count for all of them.
        """
        if self.options.timeout is None or (self.ends_items and work.size > 1):
            return None
        retry = self.options.retry
        attempts = 1 if retry is None else retry.max_attempts
        pauses = 0.0
        if retry is not None:
            pauses = sum(
                min(retry.interval * retry.backoff**n, retry.max_interval)
                for n in range(attempts - 1)
            )
        items = work.size
        return items * attempts * self.options.timeout + pauses + _MARGIN
