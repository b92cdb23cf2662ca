"""A batch run in the journal: what is written of it, and where it stands when it is opened again.

    execution.started    the items as far as they can be told, and the options
    call.completed       `items[0:4096]`: a chunk; `items[0:4096]~2.17`: items of it, tried again;
                         `reduce[0:65536]`: neighbouring results, combined; `reduce`: all of them
    execution.retried    what failed is to be tried again: the second round begins
    execution.ended      how it ended

Results are parcels (`agentflow.functions.parcels`). What is large lies in a blob that the event
refers to, so that the events of the longest run stay small.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from agentflow.errors import Conflict, Json
from agentflow.functions.packs import Buffer, open_pack
from agentflow.functions.parcels import INLINE_BYTES
from agentflow.runtime.batch.history import Chunk, Done, History
from agentflow.runtime.batch.recorded import Recorded
from agentflow.runtime.batch.reducing import Node
from agentflow.runtime.batch.store import Store
from agentflow.runtime.journal.protocol import (
    BATCH,
    CANCEL,
    ENDED,
    RETRIED,
    Change,
    Message,
    Record,
    StoredExecution,
    StoredSpec,
)
from agentflow.runtime.journal.values import Attached
from agentflow.runtime.machine.protocol import CancelRequested, Ended, Started, payload

_SMALL = 1024
"""Bytes of results that stay in the event of a long history."""


@dataclass(frozen=True, slots=True)
class Description:
    """What a run is: the same for everyone who makes the same call."""

    kind: str
    """`map` or `map-reduce`."""
    function: str
    reduce: str | None
    initial: Json
    items: Json
    options: dict[str, Json]
    root: Path

    @property
    def workflow(self) -> str:
        """What lists of executions call it."""
        return f"{self.kind}:{self.function}"

    def spec(self) -> StoredSpec:
        """The description as the journal keeps it."""
        what = {"batch": self.kind, "function": self.function}
        if self.reduce is not None:
            what |= {"reduce": self.reduce, "initial": self.initial}
        digest = hashlib.sha256(orjson.dumps(what, option=orjson.OPT_SORT_KEYS)).hexdigest()
        text = orjson.dumps({**what, "options": self.options}, option=orjson.OPT_INDENT_2)
        return StoredSpec(BATCH + digest, self.workflow, "batch", text.decode(), "")


class Ledger:
    """The journal's part of one run. Owned and written to by one driver."""

    def __init__(self, store: Store, id: str) -> None:
        self.id = id
        self._store = store
        self._journal = store.journal
        self._epoch = 0
        self._seq = 0
        self._bytes = 0
        self._recorded = Recorded(store, id)

    @property
    def place(self) -> str | None:
        """The folder of blobs, where workers of this machine may put theirs."""
        folder = self._journal.blobs.folder
        return None if folder is None else str(folder)

    @property
    def is_owned(self) -> bool:
        """Whether the run may be written to."""
        return self._epoch > 0

    async def open(
        self, description: Description, parallel: int, *, only_failed: bool
    ) -> tuple[History, StoredExecution]:
        """Start the run, or own the one with this id; gives where it stands.

        Raises:
            Conflict: the id is taken by another run, or a process that is alive runs it.
        """
        await self._store.enlist()
        spec = description.spec()
        started = Started(time.time(), self.id, {"items": description.items}, parallel)
        stored = StoredExecution(
            id=self.id,
            workflow=spec.name,
            version=spec.version,
            digest=spec.digest,
            root=str(description.root),
            status="running",
            input=started.input,
            started_at=started.at,
            owner=self._store.owner,
            epoch=1,
        )
        data = {**payload(started), "options": description.options}
        first = Record(self.id, 1, "execution.started", started.at, data=data)

        def begin() -> tuple[StoredExecution, bool]:
            self._journal.register(spec)
            return self._journal.create(stored, first)

        found, created = await self._store.write(self._journal.atomically, begin)
        self._epoch, self._seq = found.epoch, 1
        if created:
            return History(), found
        return await self._go_on(found, only_failed=only_failed)

    async def _go_on(
        self, stored: StoredExecution, *, only_failed: bool
    ) -> tuple[History, StoredExecution]:
        is_over = stored.status in ENDED
        self._epoch = 0
        if not is_over or only_failed:
            self._epoch = await self._store.write(self._journal.claim, self.id, self._store.owner)
        size = await self._store.read(self._journal.history_size, self.id)
        self._seq, self._bytes = size.events, size.bytes
        if is_over and only_failed:
            again = Record(self.id, self._seq + 1, RETRIED, time.time(), data={"forgives": None})
            await self._store.write(self._journal.supersede, self.id, self._seq, self._epoch, again)
            self._seq += 1
        return await self._recorded.replay(self._seq), stored

    async def record(
        self,
        chunks: Sequence[Chunk] = (),
        nodes: Sequence[tuple[str, Node]] = (),
        *,
        cancelled_by: str | None = None,
        end: Ended | None = None,
    ) -> None:
        """Write what happened, in one transaction; it is durable when this returns.

        Raises:
            Fenced: another process has taken the run over.
            Unavailable: the journal, or its store of blobs, cannot be written.
        """
        records: list[Record] = []
        consumed: list[tuple[str, str, str]] = []

        def write() -> None:
            for chunk in chunks:
                self._add(records, "call.completed", chunk.key, self._chunk_data(chunk))
            for key, node in nodes:
                self._add(records, "call.completed", key, self._kept({}, node))
            changes = []
            if end is not None:
                if end.status == "cancelled":
                    request = CancelRequested(end.at, message=cancelled_by or "")
                    self._add(records, "cancel.requested", None, payload(request))
                if cancelled_by:
                    consumed.append((cancelled_by, self.id, ""))
                self._add(records, "execution.ended", None, payload(end))
                changes = [Change(self.id, end.status, end.output, end.error, end.origin, end.at)]
            self._journal.append(records, changes, {self.id: self._epoch}, consumed)

        await self._store.write(write)
        self._seq += len(records)
        if end is not None:
            self._epoch = 0

    async def release(self) -> None:
        """Own the run no longer; anybody may go on with it."""
        if self._epoch:
            await self._store.write(self._journal.release, self.id, self._store.owner)

    async def cancellation(self) -> Message | None:
        """A request to cancel the run that nobody has acted on."""
        found = await self._store.read(self._journal.messages_for, self.id, CANCEL)
        return found[0] if found else None

    async def results(self, done: Done) -> list[Any]:
        """The results of a chunk, with those of items that were tried again."""
        values = await self._list(done.first)
        for chunk in done.again:
            for at, value in zip(chunk.only or (), await self._list(chunk), strict=True):
                values[at] = value
        return values

    async def _list(self, chunk: Chunk) -> list[Any]:
        assert chunk.parcel is not None  # without a reduce there is always a list
        return list(await self.value(chunk.parcel))

    async def value(self, parcel: dict[str, Json]) -> Any:
        """The value of a parcel that was recorded."""
        parcel = await self.resolved(parcel)
        if "json" in parcel:
            return parcel["json"]
        if "base64" in parcel:
            return open_pack(base64.b64decode(parcel["base64"]))
        return open_pack(await self.content(parcel["blob"]))

    async def resolved(self, parcel: dict[str, Json]) -> dict[str, Json]:
        """The parcel that an event holds, where it is only referred to."""
        return await self._recorded.resolved(parcel)

    async def keep(self, content: Buffer) -> str:
        """Make a blob of content; gives its digest. It is durable when this returns.

        Raises:
            Unavailable: the store of blobs cannot be written.
        """
        return await self._store.read(lambda: self._journal.blobs.put(bytes(content)))

    async def content(self, digest: str) -> bytes:
        """What is in a blob."""
        return await self._store.read(self._blob, digest)

    async def by_value(self, parcel: dict[str, Json]) -> dict[str, Json]:
        """A parcel with its content in it."""
        if "blob" not in parcel:
            return parcel
        return {"base64": base64.b64encode(await self.content(parcel["blob"])).decode()}

    def _add(self, records: list[Record], type: str, key: str | None, data: Json) -> None:
        seq = self._seq + len(records) + 1
        attempt = None if key is None else 1
        records.append(Record(self.id, seq, type, time.time(), key, attempt, data))

    def _chunk_data(self, chunk: Chunk) -> Json:
        data = {
            "items": chunk.digest,
            "count": chunk.count,
            "elapsed": round(chunk.seconds, 6),
            "failures": [failure.data() for failure in chunk.failures],
        }
        if chunk.only is not None:
            data["only"] = list(chunk.only)
        return self._kept(data, chunk)

    def _kept(self, data: dict[str, Json], of: Chunk | Node) -> Json:
        """The data of an event, with the parcel in it or, if it is large, as a blob beside it.

        Arrays and tables are left to the blob from then on, and no longer held in memory.
        """
        parcel = of.parcel
        if parcel is None:
            return {**data, "parcel": None}
        blob = parcel if "blob" in parcel else self._as_blob(parcel)
        if blob is None:
            return {**data, "parcel": parcel}
        if "json" not in parcel:
            of.parcel = blob
        return Attached(data, blob["blob"], blob["size"])

    def _as_blob(self, parcel: dict[str, Json]) -> dict[str, Json] | None:
        """The parcel as a blob, if it is too large for a row."""
        is_long = self._bytes > self._journal.limits.bytes / 2
        most = _SMALL if is_long else INLINE_BYTES
        if "base64" in parcel:
            if len(parcel["base64"]) <= most:
                self._bytes += len(parcel["base64"])
                return None
            content = base64.b64decode(parcel["base64"])
        else:
            content = orjson.dumps(parcel["json"])
            if len(content) <= most:
                self._bytes += len(content)
                return None
        return {"blob": self._journal.blobs.put(content), "size": len(content)}

    def _blob(self, digest: str) -> bytes:
        content = self._journal.blobs.get([digest]).get(digest)
        if content is None or hashlib.sha256(content).hexdigest() != digest:
            raise Conflict(f"blob {digest} of run {self.id} is missing or was changed")
        return content
