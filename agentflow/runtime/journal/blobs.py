"""Values too large for a row: files named by the SHA-256 of what they hold.

A blob is durable before the event that refers to it commits, and is never changed. What nothing
refers to is swept once it is older than a grace period, see `pruning`. A folder of this machine is
written with fsync and rename; anything else fsspec knows (`s3://bucket/folder`) is durable and
whole when a put returns.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from agentflow.errors import AgentFlowError, Unavailable
from agentflow.runtime.journal.backend import create_folder

T = TypeVar("T")

_READERS = 8

_NAME = re.compile(r"[0-9a-f]{64}|[0-9a-f]{64}\.[0-9a-f]{8}\.partial")
_TIMES = ("mtime", "LastModified", "last_modified", "updated", "created")
"""Where the kinds of stores keep when a file was written."""


class Found(NamedTuple):
    """A file in the store of blobs."""

    name: str
    size: int
    written_at: float


class Blobs:
    """A store of blobs. Nothing is imported or made before the first blob."""

    def __init__(self, place: str, *, wait_seconds: float = 30) -> None:
        self.place = place
        self._wait = wait_seconds

    @property
    def folder(self) -> Path | None:
        """The folder, if the store is one of this machine."""
        path = self.place.removeprefix("file://")
        return None if "://" in path else Path(path)

    def put(self, content: bytes) -> str:
        """Keep content and give its digest. It is durable when this returns.

        Raises:
            Unavailable: the store cannot be written.
        """
        digest = hashlib.sha256(content).hexdigest()
        if self.folder is None:
            # Written again also if it is there: that makes it young, and no sweep takes it.
            self._try(lambda: self._remote.pipe_file(self._path(digest), content))
        else:
            self._try(lambda: self._keep(self._file(digest), content))
        return digest

    def get(self, digests: Collection[str]) -> dict[str, bytes]:
        """What is kept under these digests, unverified; without those that are missing.

        Raises:
            Unavailable: the store cannot be read.
        """
        if not digests:
            return {}
        with ThreadPoolExecutor(_READERS) as pool:
            found = pool.map(self._read, digests)
            return {digest: content for digest, content in found if content is not None}

    def holds(self, digest: str) -> bool:
        """Whether there is a blob of this digest.

        Raises:
            Unavailable: the store cannot be read.
        """
        if self.folder is None:
            return bool(self._try(lambda: self._remote.exists(self._path(digest))))
        return self._file(digest).exists()

    def find(self) -> Iterator[Found]:
        """All blobs, and what interrupted writes left.

        Raises:
            Unavailable: the store cannot be read.
        """
        for path, info in self._try(self._listed).items():
            name = path.rpartition("/")[2]
            if _NAME.fullmatch(name):
                yield Found(name, int(info["size"]), _written_at(info))

    def remove(self, name: str, *, older_than: float) -> bool:
        """Remove a file unless it was written, or used again, since `older_than`."""
        with contextlib.suppress(FileNotFoundError):
            if self.folder is None:
                return self._try(lambda: self._remove_remote(self._path(name), older_than))
            file = self._file(name)
            if file.stat().st_mtime < older_than:
                file.unlink()
                return True
        return False

    @cached_property
    def _remote(self) -> Any:
        """The file system, as fsspec knows it."""
        try:
            import fsspec

            return fsspec.core.url_to_fs(self.place)[0]
        except (ImportError, ValueError) as error:
            raise Unavailable(
                f"AGENTFLOW_BLOBS={self.place} cannot be used: {error}",
                help="install what that kind of store needs (s3:// needs "
                "`pip install 'inferloop-agentflow[s3]'`), or name a folder",
            ) from error

    def _remove_remote(self, path: str, older_than: float) -> bool:
        self._remote.invalidate_cache()
        if not self._remote.exists(path) or _written_at(self._remote.info(path)) >= older_than:
            return False
        self._remote.rm_file(path)
        return True

    def _listed(self) -> dict[str, Any]:
        if self.folder is None:
            listed: dict[str, Any] = self._remote.find(self._root, detail=True)
            return listed
        files = self.folder.glob("*/*") if self.folder.is_dir() else ()
        stats = {}
        for file in files:
            with contextlib.suppress(FileNotFoundError):
                found = file.stat()
                stats[str(file)] = {"size": found.st_size, "mtime": found.st_mtime}
        return stats

    @cached_property
    def _root(self) -> str:
        return str(self._remote._strip_protocol(self.place)).rstrip("/")  # noqa: SLF001  # fsspec's own way

    def _path(self, name: str) -> str:
        return f"{self._root}/{name[:2]}/{name}"

    def _file(self, name: str) -> Path:
        # Two levels: a folder with a million files is slow to list.
        assert self.folder is not None
        return self.folder / name[:2] / name

    def _read(self, digest: str) -> tuple[str, bytes | None]:
        def read() -> bytes | None:
            with contextlib.suppress(FileNotFoundError):
                if self.folder is not None:
                    return self._file(digest).read_bytes()
                content: bytes = self._remote.cat_file(self._path(digest))
                return content
            return None

        return digest, self._try(read)

    def _keep(self, file: Path, content: bytes) -> None:
        with contextlib.suppress(FileNotFoundError):
            # What is there may be damaged; then it is written again, and whole.
            if file.stat().st_size == len(content) and file.read_bytes() == content:
                os.utime(file)
                return
        create_folder(file.parent.parent.parent)
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_name(f"{file.name}.{os.urandom(4).hex()}.partial")
        try:
            with partial.open("wb") as opened:
                opened.write(content)
                opened.flush()
                os.fsync(opened.fileno())
            partial.replace(file)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        _sync_folder(file.parent)
        _sync_folder(file.parent.parent)

    def _try(self, work: Callable[[], T]) -> T:
        """Do something with the store; what a network does to it may pass."""
        try:
            return work() if self.folder is not None else self._patiently(work)
        except AgentFlowError:
            raise
        except Exception as error:  # each kind of store has errors of its own
            raise Unavailable(
                f"the store of blobs {self.place} failed: {error}",
                help="check that it can be reached and written; nothing that was acknowledged is "
                "lost",
            ) from error

    def _patiently(self, work: Callable[[], T]) -> T:
        from tenacity import Retrying, retry_if_not_exception_type, stop_after_delay
        from tenacity import wait_random_exponential as growing

        final = (AgentFlowError, FileNotFoundError, PermissionError, TypeError)
        retrying = Retrying(
            retry=retry_if_not_exception_type(final),
            stop=stop_after_delay(self._wait),
            wait=growing(multiplier=0.1, max=2),
            reraise=True,
        )
        return retrying(work)


def _written_at(info: dict[str, Any]) -> float:
    """When a file was written; now, if its store does not say: then it is never swept."""
    for name in _TIMES:
        value = info.get(name)
        if isinstance(value, datetime):
            return value.timestamp()
        if isinstance(value, int | float):
            return float(value)
    return time.time()


def _sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
