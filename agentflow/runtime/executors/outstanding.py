"""The jobs of a pool that are not answered yet, and what is kept of them until then."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from pathlib import Path

from agentflow.functions.encoding import decode, dump
from agentflow.runtime.executors.wire import SECONDS, Job, Shape
from agentflow.runtime.executors.worker_ends import MESSAGE_BYTES


class Record:
    """A job, with the outcomes of a batch so far."""

    __slots__ = ("elapsed", "job", "outcomes")

    def __init__(self, job: Job) -> None:
        self.job = job
        self.outcomes: dict[int, bytes] = {}
        self.elapsed = 0.0

    def merge(self, payload: bytes) -> bytes:
        """The batch's last payload, together with what came before it."""
        if not self.outcomes:
            return payload
        (elapsed,) = SECONDS.unpack_from(payload)
        ordered = b",".join(self.outcomes[index] for index in sorted(self.outcomes))
        return SECONDS.pack(self.elapsed + elapsed) + ordered

    def rest(self) -> Job | None:
        """What is left to do, as a job to run apart; `None` if nothing is."""
        job = self.job
        job.apart = True
        if job.shape is not Shape.BATCH:
            return job
        body = decode(job.body)
        pairs = zip(*body, strict=True) if job.indexed else enumerate(body)
        left = [(index, call) for index, call in pairs if index not in self.outcomes]
        if not left:
            return None
        job.body = dump([[index for index, _ in left], [call for _, call in left]])
        job.indexed = True
        return job


class Outstanding:
    """Records by id; knows the shortest timeout, and where long arguments lie."""

    def __init__(self) -> None:
        self._records: dict[int, Record] = {}
        self._timeouts: Counter[float] = Counter()
        self._folder: Path | None = None

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, id: object) -> bool:
        return id in self._records

    def get(self, id: int) -> Record | None:
        """The record of a job, unless it is answered."""
        return self._records.get(id)

    def ids(self) -> list[int]:
        """All jobs, the oldest first."""
        return list(self._records)

    def add(self, job: Job) -> None:
        """Remember a job."""
        self._records[job.id] = Record(job)
        if job.timeout:
            self._timeouts[job.timeout] += 1

    def forget(self, id: int) -> Record | None:
        """A job is answered, or nobody wants the answer."""
        record = self._records.pop(id, None)
        if record is None:
            return None
        if _is_long(record.job):
            self._file(id).unlink(missing_ok=True)
        timeout = record.job.timeout
        if timeout:
            self._timeouts[timeout] -= 1
            if not self._timeouts[timeout]:
                del self._timeouts[timeout]
        return record

    def shortest_timeout(self) -> float | None:
        """The shortest timeout of all jobs; `None` if no job has one."""
        return min(self._timeouts, default=None)

    def file_for(self, job: Job) -> Path | None:
        """A file with the job's arguments, if they are too long for a message."""
        if not _is_long(job):
            return None
        file = self._file(job.id)
        file.write_bytes(job.body)
        return file

    def clear(self) -> None:
        """Forget everything."""
        self._records.clear()
        self._timeouts.clear()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _file(self, id: int) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="agentflow-jobs-"))
        return self._folder / str(id)


def _is_long(job: Job) -> bool:
    return len(job.about) + len(job.body) > MESSAGE_BYTES - 1024
