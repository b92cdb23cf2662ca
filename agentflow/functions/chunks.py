"""The work of batch runs in a worker: a function over the items of a chunk, results combined.

The loop over the items is `list.extend(map(…))`, which runs without a step of Python of our own
for each item; all bookkeeping happens between slices of it. What fails is found by its position:
`extend` keeps what came before an exception.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import uniform
from typing import Any

from agentflow.errors import Fault, Json
from agentflow.functions.associativity import check_grouping
from agentflow.functions.deadlines import limited, limited_async, unlimited
from agentflow.functions.failures import Stopped, error_value, user_frames
from agentflow.functions.parcels import Place, pack, unpack
from agentflow.functions.portions import Picked, Portion, portion_of
from agentflow.functions.resolve import resolve

COROUTINES = 64
"""Items that an async function works on at once."""
_STEP_SECONDS = 0.005
_FOLD = 1 << 14
"""Values that are combined at once."""
_FOLD_BYTES = 32 * 1024 * 1024
"""The same, of arrays and tables."""
_REDUCED = "the result of the reduce"


@dataclass(frozen=True, slots=True)
class Retry:
    """When a failed item is tried again; the fields of a spec's `retry`, in seconds."""

    on: Sequence[str]
    max_attempts: int
    interval: float
    backoff: float
    max_interval: float
    jitter: str

    def wants(self, error: Mapping[str, Json]) -> bool:
        """Whether an error is worth another attempt."""
        return "*" in self.on or error["name"] in self.on

    def pause(self, attempt: int) -> float:
        """Seconds to wait before an attempt, the second being the first to wait for."""
        longest = min(self.interval * self.backoff ** (attempt - 2), self.max_interval)
        return uniform(0, longest) if self.jitter == "full" else longest  # noqa: S311  # no secret


def run(
    *,
    function: Sequence[str],
    items: dict[str, Json],
    reduce: Sequence[str] | None = None,
    only: list[int] | None = None,
    budget: float | None = None,
    timeout: float | None = None,
    retry: dict[str, Json] | None = None,
    check: bool = False,
    place: Place = None,
) -> Json:
    """Call a function for each item of a chunk, and combine the results if there is a reduce.

    Args:
        function: The import path, and the folder it is found from.
        items: See `portions`.
        reduce: What combines the results, in the form of `function`.
        only: Offsets of the items to work on, all of them if not given.
        budget: Seconds after which no further item is begun; the rest is for another chunk.
        timeout: Seconds that each item may take.
        retry: See `Retry`; failed items are tried again together, after the others.
        check: Whether to try if the grouping of values matters to the reduce.
        place: Where large results go, see `parcels`.

    Returns:
        `{"done", "count", "seconds", "parcel", "failures", "broken"}`: how far it came in the units
        of the portion and in items, how long that took, the list of results or the combined one
        (`null` if there is none), `{"at", "error", "trace", "input"}` of each item that failed, and
        the error of the reduce if that failed.

    Raises:
        Fault: `FunctionNotFound`, `SpillFailed`.
    """
    work = _Work(function, timeout, None if retry is None else Retry(**retry))
    results = _Results(None if reduce is None else _Reduce(_resolved(reduce), check=check))
    portion = portion_of(items, place)
    if only is not None:
        portion = Picked(portion, only)
    began = time.perf_counter()
    broken = None
    try:
        work.carry_out(portion, results, budget)
        parcel = results.parcel(place)
    except _Broken as error:
        parcel, broken = None, error_value(error.cause)
    finally:
        if timeout is not None:
            unlimited()
    failures = [
        {"at": at if only is None else only[at], "input": portion.described(at), **failure}
        for at, failure in results.failures.items()
    ]
    return {
        "done": portion.units(results.count),
        "count": results.count,
        "seconds": time.perf_counter() - began,
        "parcel": parcel,
        "failures": failures,
        "broken": broken,
    }


def combine(*, reduce: Sequence[str], parcels: list[dict[str, Json]], place: Place) -> Json:
    """Combine results that were combined before, in their order; gives a parcel.

    Raises:
        Fault: what the reduce raised, under the same name.
    """
    function = _resolved(reduce)
    values = [unpack(parcel, place) for parcel in parcels]
    try:
        return pack(function(values), place, path=_REDUCED)
    except (Stopped, Fault):
        raise
    except BaseException as error:
        said = error_value(error)
        own = "; the reduce was given its own results, as JSON gives them back" if values else ""
        raise Fault(said["name"], said["message"] + own, data=said["data"]) from error


class _Broken(Exception):
    """The reduce failed, for the reason `cause`."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(str(cause))
        self.cause = cause


class _Reduce:
    """A reduce, whose failures are told from those of the function."""

    def __init__(self, function: Callable[[list[Any]], Any], *, check: bool) -> None:
        self._function = function
        self._check = check

    def __call__(self, values: list[Any]) -> Any:
        try:
            if self._check and len(values) > 1:
                self._check = False
                check_grouping(self._function, values)
            return self._function(values)
        except Stopped:
            raise
        except BaseException as error:
            raise _Broken(error) from error


class _Results:
    """What items came to, in their order: a value for each, or combined so far.

    With a reduce the values of many items are combined as soon as there are enough of them, so that
    they stay in the processor's cache and large chunks in memory.
    """

    def __init__(self, reduce: _Reduce | None) -> None:
        self.values: list[Any] = []
        """Of the last items; `None` for those that failed."""
        self.failures: dict[int, dict[str, Json]] = {}
        """Error and trace, by the item's position."""
        self._reduce = reduce
        self._folded: list[Any] = []
        self._base = 0
        self._most = _FOLD

    @property
    def count(self) -> int:
        """Items that were worked on."""
        return self._base + len(self.values)

    def fold(self) -> None:
        """Combine the values there are, if there is a reduce and they are enough."""
        if self._reduce is None or len(self.values) < self.most:
            return
        good = self._good()
        if self.most < _FOLD:  # what they come to is large too
            good, self._folded = [*self._folded, *good], []
        if good:
            self._folded.append(self._reduce(good))
        self._base += len(self.values)
        self.values.clear()

    @property
    def most(self) -> int:
        """Values that may be there at once; of arrays and tables fewer, as the last one tells."""
        size = getattr(self.values[-1], "nbytes", 0) if self.values else 0
        if isinstance(size, int) and size * _FOLD > _FOLD_BYTES:
            self._most = max(1, _FOLD_BYTES // size)
        return self._most

    def settle(self, at: int, value: Any) -> None:
        """An item that had failed has a value after all."""
        self.values[at - self._base] = value
        del self.failures[at]

    def parcel(self, place: Place) -> Json:
        """The parcel of the list of values, or of what they come to; none if all of them failed.

        Raises:
            _Broken: the reduce failed, or what it gave cannot be kept.
            Fault: `SpillFailed`, or `PayloadTooLarge` of the list.
        """
        if self._reduce is None:
            return self._list(place)
        good = self._good()
        if good:
            self._folded.append(self._reduce(good))
        if not self._folded:
            return None
        last = self._folded[0] if len(self._folded) == 1 else self._reduce(self._folded)
        try:
            return pack(last, place, path=_REDUCED)
        except Fault as fault:
            if fault.name == "SpillFailed":
                raise
            raise _Broken(fault) from fault

    def _good(self) -> list[Any]:
        """The values of the items that did not fail."""
        if not self.failures:
            return self.values
        return [v for at, v in enumerate(self.values, self._base) if at not in self.failures]

    def _list(self, place: Place) -> Json:
        """The parcel of the values; those that cannot be kept become failures of their items."""
        try:
            return pack(self.values, place)
        except Fault as fault:
            if fault.name != "InvalidOutput":
                raise
        for at, value in enumerate(self.values):
            try:
                pack(value)
            except Fault as fault:
                self.failures[at] = {"error": fault.value(), "trace": []}
                self.values[at] = None
        return pack(self.values, place)


class _Work:
    """A function and what is done when it fails."""

    def __init__(self, function: Sequence[str], timeout: float | None, retry: Retry | None) -> None:
        self._home = function[1]
        self._retry = retry
        target = _resolved(function)
        self._is_async = inspect.iscoroutinefunction(target)
        limit = limited_async if self._is_async else limited
        self._function = target if timeout is None else limit(target, timeout)

    def carry_out(self, portion: Portion, results: _Results, budget: float | None) -> None:
        """Call the function for the items, in order, until all are done or the budget is used."""
        if self._is_async:
            asyncio.run(self._side_by_side(portion, results, range(len(portion)), budget))
        else:
            self._one_by_one(portion, results, budget)
        self._try_again(portion, results)

    def _one_by_one(self, portion: Portion, results: _Results, budget: float | None) -> None:
        total = len(portion)
        began = time.perf_counter()
        step = 1
        while (count := results.count) < total:
            start = time.perf_counter()
            if budget is not None and count and start - began > budget:
                return
            wanted = min(step, total - count)
            error = self._extend(results.values, portion.span(count, count + wanted))
            done = results.count - count
            if done < wanted:
                self._note(results, count + done, error)
                results.values.append(None)
            elif time.perf_counter() - start < _STEP_SECONDS:
                step = min(8 * step, results.most)
            else:
                step = max(1, step // 2)
            # What is tried again must still find its place among the others.
            if not results.failures or self._retry is None:
                results.fold()

    def _extend(self, values: list[Any], items: Iterable[Any]) -> BaseException:
        """Add a value for each item up to the first that fails; gives the reason if one does."""
        try:
            values.extend(map(self._function, items))
        except Stopped:
            raise
        except BaseException as error:  # noqa: BLE001  # the function may raise anything at all
            return error
        # If there are fewer than items all the same, `extend` took this for their end.
        return RuntimeError("the function raised StopIteration")

    async def _side_by_side(
        self, portion: Portion, results: _Results, places: Iterable[int], budget: float | None
    ) -> None:
        ahead = iter(places)
        until = None if budget is None else time.perf_counter() + budget

        async def serve() -> None:
            for at in ahead:
                if at >= len(results.values):
                    results.values.append(None)
                    results.failures[at] = {}
                try:
                    results.settle(at, await self._function(portion[at]))
                except BaseException as error:  # whatever the function raises
                    task = asyncio.current_task()
                    if isinstance(error, Stopped) or (task is not None and task.cancelling()):
                        raise
                    self._note(results, at, error)
                if until is not None and time.perf_counter() > until:
                    return

        async with asyncio.TaskGroup() as group:
            for _ in range(min(COROUTINES, len(portion))):
                group.create_task(serve())

    def _try_again(self, portion: Portion, results: _Results) -> None:
        """Make further attempts of all that failed, one pause for all of them."""
        if self._retry is None:
            return
        for attempt in range(2, self._retry.max_attempts + 1):
            again = [at for at, f in results.failures.items() if self._retry.wants(f["error"])]
            if not again:
                return
            time.sleep(self._retry.pause(attempt))
            if self._is_async:
                asyncio.run(self._side_by_side(portion, results, again, None))
                continue
            for at in again:
                found: list[Any] = []
                error = self._extend(found, portion.span(at, at + 1))
                if found:
                    results.settle(at, found[0])
                else:
                    self._note(results, at, error)

    def _note(self, results: _Results, at: int, error: BaseException) -> None:
        trace = user_frames(error, self._home)
        results.failures[at] = {"error": error_value(error), "trace": trace}


def _resolved(function: Sequence[str]) -> Callable[..., Any]:
    """The function, also on a node of a cluster, where the project lies elsewhere."""
    ref, home = function
    if not Path(home).is_dir():
        home = os.environ.get("AGENTFLOW_WORKER_ROOT") or str(Path.cwd())
    return resolve(ref, home)
