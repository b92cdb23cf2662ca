"""Carries out one batch run: hands out chunks, records what became of them, delivers results.

Everything happens in the session's event loop. Chunks are handed out as soon as there is room;
whatever depends on a result, the caller's included, waits for the commit that holds it. What
arrives while a commit is under way is in the next one.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NoReturn

from agentflow.errors import (
    AgentFlowError,
    ExecutionCancelled,
    ExecutionFailed,
    InputError,
    Json,
    Unavailable,
    fault_value,
)
from agentflow.runtime.batch.amending import Amending
from agentflow.runtime.batch.combining import Combining
from agentflow.runtime.batch.feed import Feed, Recognised
from agentflow.runtime.batch.history import Chunk, Done
from agentflow.runtime.batch.ledger import Ledger
from agentflow.runtime.batch.losses import SPLIT, done_again
from agentflow.runtime.batch.options import Options
from agentflow.runtime.batch.results import Outbox
from agentflow.runtime.batch.sizing import Sizing
from agentflow.runtime.batch.tally import Tally
from agentflow.runtime.batch.work import Tasks, Work
from agentflow.runtime.executors.protocol import Executor, Report
from agentflow.runtime.machine.protocol import Ended

CANCEL_SECONDS = 0.5
"""How often it is looked whether somebody wants the run to be cancelled."""
GATHER_SECONDS = 0.1
"""The least time between two commits of a run with a reduce, while workers are busy."""
DRAIN_SECONDS = 5.0
"""How long chunks that are under way are waited for when the run is stopped."""
_AHEAD = 4
"""Chunks for each worker that are handed out ahead, the one it works on included."""
_WAITING = 8
"""Chunks for each worker whose results may wait to be taken."""
_RECOGNISED = 64
"""Recorded chunks that are gone through at a time."""
_TELLING = 3
"""Values that tell a mean from a sum; fewer do not."""


class Stopped(Exception):
    """The run was stopped; what is recorded stays, and the same call goes on with it."""


class Driver:
    """One run, from its first chunk to its last, or to where it is stopped."""

    def __init__(
        self,
        ledger: Ledger,
        executor: Executor,
        tasks: Tasks,
        feed: Feed,
        sizing: Sizing,
        *,
        options: Options,
        tally: Tally,
        outbox: Outbox,
        combining: Combining | None,
        printed: Callable[[str, Sequence[str]], None],
    ) -> None:
        self._ledger = ledger
        self._executor = executor
        self._tasks = tasks
        self._feed = feed
        self._sizing = sizing
        self._options = options
        self._tally = tally
        self._outbox = outbox
        self._combining = combining
        self._printed = printed
        self._wake = asyncio.Event()
        self._works: dict[str, Work] = {}
        """What workers have been given, by key."""
        self._chunks: list[Chunk] = []
        """What is done and not recorded."""
        self._amending = Amending()
        self._settled: deque[Done] = deque()
        """Chunks that are recorded and not delivered."""
        self._doom: tuple[dict[str, Json], str | None] | None = None
        """The error that the run is to end with, and where it came from."""
        self._problem: BaseException | None = None
        """Why the run cannot go on now."""
        self._patience: asyncio.TimerHandle | None = None
        """Ends the wait for what is under way."""
        self._cancellation: str | None = None
        """The message that asked for it; empty if it was not asked for by one."""
        self._committed_at = 0.0
        self._is_checked = False
        """Whether it was tried on some values if their grouping matters to the reduce."""

    async def carry_out(self) -> dict[str, Json] | None:
        """Work until the end; gives the parcel of the combined result.

        Raises:
            ExecutionFailed: too many items failed, or the reduce did.
            ExecutionCancelled: it was cancelled.
            InputError: an item cannot be sent; the run has failed.
            Stopped: it was stopped.
            Exception: it cannot go on: the journal, the executor or the items failed.
        """
        listening = asyncio.get_running_loop().create_task(self._listen())
        result: dict[str, Json] | None = None
        end: Ended | None = None
        try:
            while end is None:
                self.pump()
                await self._wake.wait()
                await self._gather()
                self._wake.clear()
                result, end = await self._turn()
                await asyncio.sleep(0)  # a turn that writes nothing waits for nothing
        finally:
            listening.cancel()
            self._problem = self._problem or Stopped()  # whoever takes results now starts nothing
            self._withdraw()
            self._feed.close()
        if end.status == "failed":
            raise ExecutionFailed(self._ledger.id, end.error)
        if end.status == "cancelled":
            raise ExecutionCancelled(self._ledger.id)
        return result

    def stop(self) -> None:
        """Hand out nothing more; what is under way is waited for, but not long."""
        self.halt(Stopped())

    def cancel(self, message: str = "") -> None:
        """End the run as cancelled."""
        self._cancellation = message
        self._withdraw()

    # --- handing out --------------------------------------------------------------------------

    def pump(self) -> None:
        """Hand out what there is room for."""
        try:
            while self._has_room():
                found = self._feed.next()
                if found is None:
                    break
                if isinstance(found, Recognised):
                    self._recognise(found)
                else:
                    self._submit(found)
        except Exception as error:  # noqa: BLE001  # the caller's iterable may raise anything
            self.halt(error)
        if self._settled or self._is_idle:
            self._wake.set()

    def _has_room(self) -> bool:
        if self._is_urgent:
            return False
        parallel = self._executor.parallel
        wanted = self._options.concurrency
        limit = wanted if wanted is not None and wanted < parallel else _AHEAD * parallel
        if len(self._works) >= limit:
            return False
        if self._feed.has_returned:  # it comes before all that waits, which may wait for it
            return True
        if self._combining is not None:
            return len(self._settled) < _RECOGNISED
        waiting = len(self._outbox) + len(self._settled) + len(self._chunks)
        return waiting < _WAITING * parallel

    def _submit(self, work: Work) -> None:
        self._works[work.key] = work
        check = self._combining is not None and not self._is_checked
        self._executor.submit([self._tasks.chunk(work, budget=self._sizing.budget, check=check)])

    def _recognise(self, found: Recognised) -> None:
        """A recorded chunk counts as done, but for what is tried again of it."""
        done = found.done
        self._tally.done(done.first)
        for chunk in done.again:
            self._tally.done(chunk)
        if found.again is None:
            self._settled.append(done)
        else:
            self._tally.forgive(done.first.start, found.again.only or ())
            self._amending.hold(done, found.again.size)
            self._submit(found.again)

    def halt(self, problem: BaseException) -> None:
        """Go no further, for a reason; what is under way is recorded first, if it ends soon."""
        if self._problem is None:
            self._problem = problem
            loop = asyncio.get_running_loop()
            self._patience = loop.call_later(DRAIN_SECONDS, self._withdraw)
            if self._combining is not None:
                self._combining.stop()
        self._wake.set()

    def _withdraw(self) -> None:
        """Take back all that workers have, for good."""
        if self._patience is not None:
            self._patience.cancel()
        for key in self._works:
            self._executor.withdraw(self._ledger.id, key)
        self._works.clear()
        if self._combining is not None:
            self._combining.withdraw()
        self._wake.set()

    # --- taking in ----------------------------------------------------------------------------

    def take(self, reports: Sequence[Report]) -> None:
        """Take what workers report."""
        try:
            for report in reports:
                self._take(report)
        except Exception as error:  # noqa: BLE001  # nobody else would hear of it
            self.halt(error)
        self._wake.set()
        self.pump()

    def _take(self, report: Report) -> None:
        if report.kind == "printed":
            self._printed(report.key, report.lines)
        elif (work := self._works.pop(report.key, None)) is not None:
            if self._tasks.spill is not None:
                self._tasks.spill.remove(report.key)
            if report.kind == "completed":
                self._take_result(work, report.value)
            else:
                self._take_failure(work, report.error, report.trace)
        elif self._combining is not None:
            error = self._combining.take(report)
            if error is not None:
                self._fail(error, "reduce")

    def _take_result(self, work: Work, said: Json) -> None:
        if said["broken"] is not None:
            self._fail(said["broken"], "reduce")
            return
        self._is_checked = self._is_checked or said["count"] >= _TELLING
        if work.only is None:
            done = said["done"]
            if done < work.size:
                work, rest = work.head(done)
                self._sizing.learn(done, said["seconds"])
                self._feed.give_back(rest.split(self._sizing.again(rest.size)))
            else:
                self._sizing.learn(done, said["seconds"])
        self._chunks.append(work.result(said, counted=self._tally.is_counted))

    def _take_failure(self, work: Work, error: dict[str, Json], trace: Json) -> None:
        name = error["name"]
        if name == "SpillFailed":
            remedy = "free some space; the same call with the run's id goes on"
            self.halt(Unavailable(error["message"], help=remedy))
        elif name not in SPLIT:
            self._fail(error, work.key)
        elif again := done_again(work, error, self._options):
            self._feed.give_back(again)
        else:
            keeps_list = self._combining is None
            counted = self._tally.is_counted
            chunk = work.failed(error, trace, keeps_list=keeps_list, counted=counted)
            self._chunks.append(chunk)

    def _fail(self, error: dict[str, Json], origin: str | None) -> None:
        self._doom = self._doom or (error, origin)

    # --- turns --------------------------------------------------------------------------------

    async def _gather(self) -> None:
        """Let more chunks join the next commit, where nobody waits for the results of each."""
        until = self._committed_at + GATHER_SECONDS
        while self._combining is not None and self._works and not self._is_urgent:
            left = until - time.monotonic()
            if left <= 0:
                return
            self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._wake.wait()

    @property
    def _is_urgent(self) -> bool:
        """Whether the run is about to end."""
        return any(why is not None for why in (self._problem, self._doom, self._cancellation))

    async def _turn(self) -> tuple[dict[str, Json] | None, Ended | None]:
        """Record what has arrived and deliver it; gives the result and the end, if that is it."""
        chunks, self._chunks = self._chunks, []
        nodes = []
        if self._combining is not None:
            nodes, self._combining.done = self._combining.done, []
        for chunk in chunks:
            self._tally.done(chunk)
        end, result = self._unhappy_end(), None
        if end is None and self._combining is not None and nodes:
            key, last = nodes[-1]
            if self._combining.is_final(key):
                result, end = last.parcel, self._happy_end(last.parcel)
        if chunks or nodes or end is not None:
            cause = self._cancellation
            await self._ledger.record(chunks, nodes, cancelled_by=cause, end=end)
            self._committed_at = time.monotonic()
        if end is not None:
            return result, end
        self._settled.extend(done for chunk in chunks if (done := self._amending.take(chunk)))
        await self._deliver()
        if self._combining is not None:
            await self._combining.proceed([node for _, node in nodes])
        if self._problem is not None and not self._is_busy:
            await self._break_off(self._problem)
        return await self._finish()

    async def _break_off(self, problem: BaseException) -> NoReturn:
        """Leave the run as it is; an item that cannot be sent is an end, as it would stay one."""
        if isinstance(problem, InputError):
            error = fault_value("InvalidInput", problem.message)
            await self._ledger.record(end=Ended(time.time(), "failed", error=error))
        raise problem

    async def _deliver(self) -> None:
        while self._settled:
            done = self._settled.popleft()
            if self._combining is not None:
                await self._combining.settle(done)
                continue
            values = await self._ledger.results(done)
            self._outbox.put(done.first.start, done.first.stop, values)

    @property
    def _is_idle(self) -> bool:
        """Whether all items are done, recorded and delivered, and nothing is under way.

        Work that failed is not under way either: it has brought an end of its own, which the next
        turn records.
        """
        if self._amending or self._settled or self._is_urgent or not self._feed.is_empty:
            return False
        return not self._is_busy

    @property
    def _is_busy(self) -> bool:
        """Whether something is under way, or done and not recorded."""
        is_combining = self._combining is not None and not self._combining.is_idle
        return bool(self._works or self._chunks) or is_combining

    async def _finish(self) -> tuple[dict[str, Json] | None, Ended | None]:
        """End the run when there is nothing left to do."""
        if not self._is_idle:
            return None, None
        result: dict[str, Json] | None = None
        self._doom = self._tally.verdict(self._options, is_over=True)
        if self._doom is None and self._combining is not None:
            result = await self._combining.finish()
            if result is None:
                return None, None
        end = self._happy_end(result) if self._doom is None else self._unhappy_end()
        await self._ledger.record(end=end)
        return result, end

    def _happy_end(self, result: dict[str, Json] | None) -> Ended:
        counts = {"items": self._tally.items, "failed": self._tally.failed_count}
        output = counts if result is None else result.get("json", counts)
        return Ended(time.time(), "succeeded", output)

    def _unhappy_end(self) -> Ended | None:
        if self._cancellation is not None:
            return Ended(time.time(), "cancelled")
        self._doom = self._doom or self._tally.verdict(self._options, is_over=False)
        if self._doom is None:
            return None
        self._withdraw()
        error, origin = self._doom
        return Ended(time.time(), "failed", error=error, origin=origin)

    async def _listen(self) -> None:
        """Look whether somebody wants the run to be cancelled."""
        while True:
            await asyncio.sleep(CANCEL_SECONDS)
            try:
                message = await self._ledger.cancellation()
            except AgentFlowError:
                message = None  # whoever writes will say what is wrong with the journal
            if message is not None:
                self.cancel(message.id)
                return
