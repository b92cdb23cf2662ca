"""How far a map or pipeline is, from the keys of what was asked for and answered."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agentflow.spec import model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentflow.errors import Json

_INDEX = re.compile(r"\[(\d+)(?::\d+)?\]")


@dataclass(slots=True)
class Items:
    """The items of one map or pipeline.

    Where an item is one call, its answers are counted. Where it is a block of steps, no event
    says that it ended; it is done when nothing of it is outstanding after a commit.
    """

    key: str
    total: int | None
    """`None`: not known yet."""
    direct: bool
    """Whether an item ends with one call."""
    suffix: str = ""
    """What follows the index in the key of what ends an item, such as a pipeline's last stage."""
    done: int = 0
    stages: dict[str, int] = field(default_factory=dict)
    """How many items are done with each stage of a pipeline that calls a function, in order."""
    failed: dict[int, Json] = field(default_factory=dict)
    """The error of each item whose last attempt failed."""
    _active: dict[int, int] = field(default_factory=dict)
    _idle: set[int] = field(default_factory=set)
    _settled: set[int] = field(default_factory=set)

    @classmethod
    def of(
        cls, key: str, total: int | None, action: model.Action, *, throttled: bool
    ) -> Items | None:
        """The items of what was opened under `key`; `None` if the action has none.

        Where the workflow's `concurrency` throttles, an item may have nothing outstanding between
        two steps, so that only its last step tells that it is done.
        """
        match action:
            case model.Pipeline(stages=[*_, last] as stages):
                called = [stage.id for stage in stages if isinstance(stage.body, model.Call)]
                direct, done = isinstance(last.body, model.Call), dict.fromkeys(called, 0)
                return cls(key, total, direct, f".{last.id}", stages=done)
            case model.Map(body=model.Block(steps=[*_, last])) if throttled:
                return cls(key, total, direct=False, suffix=f".{last.id}")
            case model.Map(body=body):
                return cls(key, total, isinstance(body, model.Call))
            case _:
                return None

    def holds(self, key: str) -> bool:
        """Whether `key` is inside one of these items."""
        return key.startswith(self.key + "[")

    def call_ended(self, key: str, error: Json | None) -> None:
        """A call was answered; with `error` unless it succeeded."""
        found = self._find(key)
        if found is None:
            return
        self._passed(found[1], int(error is None))
        if not self.direct or found[1] != self.suffix:
            return
        if error is not None:
            self.failed[found[0]] = error
            return
        self.failed.pop(found[0], None)
        self.done += 1

    def batch_ended(self, key: str, outcomes: Sequence[Json]) -> None:
        """Several items were answered at once."""
        found = self._find(key)
        if found is None:
            return
        for place, outcome in enumerate(outcomes, found[0]):
            if "error" in outcome:
                self.failed[place] = outcome["error"]
        good = sum("error" not in outcome for outcome in outcomes)
        self._passed(found[1], good)
        if self.direct and found[1] == self.suffix:
            self.done += good

    def _passed(self, suffix: str, count: int) -> None:
        """So many items are done with a stage, if that is what the suffix names."""
        stage = suffix.removeprefix(".")
        if stage in self.stages:
            self.stages[stage] += count

    def again(self, key: str) -> Json | None:
        """An item that failed gets another attempt; its error."""
        found = self._find(key)
        return None if found is None else self.failed.pop(found[0], None)

    def count(self, key: str, change: int) -> None:
        """Something of an item was asked for (+1) or answered (-1)."""
        found = self._find(key)
        if self.direct or found is None or not found[1].startswith(self.suffix):
            return
        place = found[0]
        left = max(self._active.get(place, 0) + change, 0)
        if left == 0:
            self._active.pop(place, None)
            self._idle.add(place)
        else:
            self._active[place] = left
            self._idle.discard(place)
            self._settled.discard(place)

    def settle(self) -> None:
        """A commit is over: items of which nothing is outstanding are done."""
        if self.direct:
            return
        self._settled |= self._idle
        self._idle.clear()
        self.done = len(self._settled)

    def conclude(self) -> None:
        """The map or pipeline succeeded, hence every item that did not fail is done."""
        if self.total is not None:
            self.done = self.total - len(self.failed)

    def _find(self, key: str) -> tuple[int, str] | None:
        """The index of the item `key` belongs to, and the rest of the key."""
        if not key.startswith(self.key):
            return None
        match = _INDEX.match(key, len(self.key))
        return (int(match[1]), key[match.end() :].partition("@")[0]) if match else None
