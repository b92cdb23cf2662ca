"""What has happened in a batch run: its chunks, its failures, and how far the reduce has come."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import NoneType

from agentflow.errors import Json
from agentflow.runtime.batch.reducing import Node
from agentflow.runtime.journal.protocol import RETRIED, Record
from agentflow.runtime.journal.values import ATTACHMENT

_CHUNK = re.compile(r"items\[(\d+):(\d+)\](?:~(\d+)\.\d+)?")
_SMALL = frozenset({int, float, bool, NoneType})
_NODE = re.compile(r"reduce(?:\[(\d+):(\d+)\])?(?:~\d+)?")


@dataclass(frozen=True, slots=True)
class Failure:
    """An item that failed."""

    index: int | None
    """Counted from 0. `None` for a line of a file as long as lines before it are not counted."""
    input: Json
    """The item, or where in which file it is; `None` if it is no JSON or large."""
    error: dict[str, Json]
    """`{name, message, data, cause}`"""
    trace: Json = None
    """The function's own frames, `[{file, line, function, code}]`."""
    at: int = 0
    """Its place in its chunk."""

    def data(self) -> dict[str, Json]:
        """What the journal keeps of it."""
        return {"at": self.at, "input": self.input, "error": self.error, "trace": self.trace}


@dataclass(slots=True)
class Chunk:
    """A chunk that was carried out, or, with `only`, some items of one."""

    start: int
    stop: int
    digest: str
    count: int
    """Items in it."""
    seconds: float
    parcel: dict[str, Json] | None
    """The list of results, or the combined one; none if there is nothing to combine.

    `{"event": seq}` of what an earlier process has recorded, and the journal has."""
    failures: Sequence[Failure] = ()
    only: Sequence[int] | None = None
    round: int = 1

    @property
    def key(self) -> str:
        """Its key in the journal."""
        return chunk_key(self.start, self.stop, self.only, self.round)


@dataclass(slots=True)
class Done:
    """A chunk with all that was done about it."""

    first: Chunk
    again: list[Chunk] = field(default_factory=list)

    @property
    def failures(self) -> list[Failure]:
        """What failed in it, and did not succeed when it was tried again."""
        failed = {failure.at: failure for failure in self.first.failures}
        for chunk in self.again:
            for at in chunk.only or ():
                failed.pop(at, None)
            failed.update((failure.at, failure) for failure in chunk.failures)
        return [failed[at] for at in sorted(failed)]


@dataclass(slots=True)
class History:
    """A run as the journal knows it."""

    chunks: dict[int, Done] = field(default_factory=dict)
    """By where they start."""
    nodes: list[Node] = field(default_factory=list)
    """What was combined in this round."""
    round: int = 1
    """Grows with each time that failed items are tried again."""
    final: dict[str, Json] | None = None
    """What everything was combined to, where that took a call of its own."""

    @property
    def result(self) -> dict[str, Json] | None:
        """The combined result of a run that has succeeded."""
        if self.final is not None:
            return self.final
        parcels = [node.parcel for node in self.nodes]
        parcels += [done.first.parcel for done in self.chunks.values()]
        return next((parcel for parcel in parcels if parcel is not None), None)

    def ordered(self) -> Iterator[Done]:
        """The chunks in the order of the items."""
        return (self.chunks[start] for start in sorted(self.chunks))


def chunk_key(start: int, stop: int, only: Sequence[int] | None = None, round: int = 1) -> str:
    """The key of a chunk, or of the items of it that are tried again in a round."""
    again = "" if only is None else f"~{round}.{only[0]}"
    return f"items[{start}:{stop}]{again}"


def node_key(start: int, stop: int, round: int) -> str:
    """The key of what was combined of neighbours."""
    return f"reduce[{start}:{stop}]" + ("" if round == 1 else f"~{round}")


def final_key(round: int) -> str:
    """The key of what everything was combined to."""
    return "reduce" + ("" if round == 1 else f"~{round}")


def failures_of(data: Sequence[Json], start: int, *, counted: bool) -> list[Failure]:
    """Failures as workers report them and the journal keeps them."""
    return [
        Failure(
            start + failure["at"] if counted else None,
            failure["input"],
            failure["error"],
            failure["trace"],
            failure["at"],
        )
        for failure in data
    ]


class Replay:
    """Goes through the records of a run, and keeps where it stands."""

    def __init__(self) -> None:
        self.history = History()
        self._is_counted = True

    def take(self, records: Sequence[Record]) -> None:
        """The next records, beginning with the first."""
        history = self.history
        for record in records:
            if record.seq == 1:
                self._is_counted = "lines" not in record.data["input"]["items"]
            elif record.type == RETRIED:
                history.round += 1
                history.nodes.clear()
                history.final = None
            elif match := _CHUNK.fullmatch(record.step or ""):
                self._take_chunk(record, match)
            elif match := _NODE.fullmatch(record.step or ""):
                if match[1] is None:
                    history.final = _referred(record)
                else:
                    node = Node(int(match[1]), int(match[2]), _referred(record), 1)
                    history.nodes.append(node)

    def _take_chunk(self, record: Record, match: re.Match[str]) -> None:
        start, stop = int(match[1]), int(match[2])
        data = record.data
        chunk = Chunk(
            start,
            stop,
            data["items"],
            data["count"],
            data["elapsed"],
            _referred(record),
            failures_of(data["failures"], start, counted=self._is_counted),
            data.get("only"),
            int(match[3] or 1),
        )
        if chunk.only is None:
            self.history.chunks[start] = Done(chunk)
        else:
            self.history.chunks[start].again.append(chunk)


def parcel_in(record: Record) -> dict[str, Json] | None:
    """The parcel that a record holds."""
    parcel: dict[str, Json] | None = record.data.get(ATTACHMENT) or record.data.get("parcel")
    return parcel


def _referred(record: Record) -> dict[str, Json] | None:
    """The parcel of a record if it is small, else where it is."""
    parcel = parcel_in(record)
    if parcel is None or "blob" in parcel or type(parcel.get("json", ())) in _SMALL:
        return parcel
    return {"event": record.seq}
