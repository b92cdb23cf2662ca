"""What the journal has of a run, read a part at a time: it need not fit into memory as a whole."""

from __future__ import annotations

from collections import OrderedDict

from agentflow.errors import Json
from agentflow.runtime.batch.history import History, Replay, parcel_in
from agentflow.runtime.batch.store import Store
from agentflow.runtime.journal.errors import Corrupt
from agentflow.runtime.journal.protocol import Record

PAGE = 32
"""Events that are read at once."""
_PAGES = 2
"""Pages that are kept: results are asked for about in the order in which they were recorded."""


class Recorded:
    """The events of one run."""

    def __init__(self, store: Store, id: str) -> None:
        self._store = store
        self._id = id
        self._pages: OrderedDict[int, list[Record]] = OrderedDict()

    async def replay(self, size: int) -> History:
        """Where the run stands after its first `size` events; results stay in the journal.

        Raises:
            Corrupt: the history is not what was written.
        """
        replay, seq = Replay(), 0
        while seq < size:
            records = await self._read(seq)
            if not records:
                raise Corrupt(f"the history of run {self._id} ends at event {seq}", seq=seq + 1)
            seq = records[-1].seq
            replay.take(records)
        return replay.history

    async def resolved(self, parcel: dict[str, Json]) -> dict[str, Json]:
        """The parcel that an event holds, where it is only referred to."""
        if "event" not in parcel:
            return parcel
        number, place = divmod(parcel["event"] - 1, PAGE)
        page = self._pages.pop(number, None)
        if page is None or len(page) <= place:
            page = await self._read(number * PAGE)
        self._pages[number] = page
        if len(self._pages) > _PAGES:
            self._pages.popitem(last=False)
        found = parcel_in(page[place])
        assert found is not None  # who refers to it has seen it
        return found

    async def _read(self, after: int) -> list[Record]:
        return await self._store.read(self._store.journal.page, self._id, after, PAGE)
