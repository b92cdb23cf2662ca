"""One stage of a pipeline under way: who waits before it, who is in it, who is done but stuck.

Items enter a stage in source order, as far as they are there. Neighbours that wait travel together
when the stage calls a function: one invocation, one event. How many do is decided by what the
items before them took, and only what already waits is taken, so that no item waits for company.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass
from typing import TypeAlias

from agentflow.errors import Json
from agentflow.runtime.machine.calls import CallNode
from agentflow.runtime.machine.frames import Node

BATCH_SECONDS = 0.05
"""How long a batch may take: the first of its items moves on when the last is done."""
WORTHWHILE = 0.002
"""Seconds of work below which it is not divided among free slots: a trip of its own costs that."""
MAX_BATCH = 10_000

Item: TypeAlias = tuple[int, Json]
"""Its place in the source, and its value."""


@dataclass(frozen=True, slots=True)
class StageNode:
    """One stage; `body` is what it does with an item."""

    id: str
    body: Node
    concurrency: int

    @property
    def batched(self) -> CallNode | None:
        """Its call, if a pool's worker can make it for several items in one go.

        What asks for resources is placed by itself; what may run at most once is recorded before
        it runs; an agent (`agent:NAME`, which no import path looks like) takes its own calls.
        """
        body = self.body
        if not isinstance(body, CallNode) or body.resources is not None or body.at_most_once:
            return None
        return None if ":" in body.function else body


@dataclass(frozen=True, slots=True)
class Trip:
    """Items that are in a stage together, in one slot."""

    stage: int
    items: list[Item]
    begun: float


@dataclass(frozen=True, slots=True)
class Again:
    """An item to be called alone: the error it had in a batch, and the tries so far."""

    item: Item
    error: Json
    tries: int


class Lane:
    """A stage's queue, slots, and what waits for room in the next queue."""

    __slots__ = ("_pace", "_queue", "again", "busy", "done")

    def __init__(self) -> None:
        self._queue: list[Item] = []
        """A heap, by place."""
        self.busy = 0
        """Slots in use."""
        self.again: deque[Again] = deque()
        self.done: deque[deque[Item]] = deque()
        """By slot: items that are done with the stage. A slot is free when its last one left."""
        self._pace: float | None = None
        """Seconds an item took, so far."""

    @property
    def waiting(self) -> int:
        """Items in its queue."""
        return len(self._queue)

    def put(self, item: Item) -> None:
        """Let an item wait."""
        heapq.heappush(self._queue, item)

    def take(self, most: int) -> list[Item]:
        """The first item that waits, and its neighbours, as far as they are there."""
        queue = self._queue
        items = [heapq.heappop(queue)]
        place = items[0][0]
        while queue and len(items) < most and queue[0][0] == place + len(items):
            items.append(heapq.heappop(queue))
        return items

    def forward(self, following: Lane, room: int) -> bool:
        """Move items that are done to the next queue, which has this much room."""
        moved = False
        while self.done and room > 0:
            slot = self.done[0]
            while slot and room > 0:
                following.put(slot.popleft())
                room -= 1
                moved = True
            if not slot:
                self.done.popleft()
                self.busy -= 1
        return moved

    def measure(self, seconds: float) -> None:
        """Learn from what an item took. Of a single one that is more than the function's own time.

        No time at all means a clock that was set back.
        """
        if seconds > 0:
            self._pace = seconds if self._pace is None else (self._pace + seconds) / 2

    def batch(self, free: int) -> int:
        """How many of those that wait should travel together while `free` slots are free.

        One, as long as nothing is known; work that takes a while is divided among the free slots.
        """
        if self._pace is None:
            return 1
        shared = max(-(-len(self._queue) // free), int(WORTHWHILE / self._pace))
        return max(1, min(shared, int(BATCH_SECONDS / self._pace), MAX_BATCH))
