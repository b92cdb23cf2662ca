"""Copies of a journal that is in use."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from pathlib import Path

from agentflow.errors import Conflict, Unavailable, UsageError
from agentflow.runtime.journal.blobs import Blobs
from agentflow.runtime.journal.errors import Corrupt
from agentflow.runtime.journal.values import blob_of

_ATTEMPTS = 3
_VALUES = (
    "SELECT data FROM events WHERE substr(data, 1, 1) = '@'",
    "SELECT input FROM executions WHERE substr(input, 1, 1) = '@'",
    "SELECT output FROM executions WHERE substr(output, 1, 1) = '@'",
    "SELECT error FROM executions WHERE substr(error, 1, 1) = '@'",
    "SELECT data FROM messages WHERE substr(data, 1, 1) = '@'",
)


def back_up(path: Path, blobs: Blobs, target: Path) -> None:
    """Copy the database in the file `path`, and its blobs, to the new folder `target`.

    The copy is one moment of the journal; readers and writers go on meanwhile. It holds no blobs
    that are elsewhere than in a folder of this machine. It appears under its name when it is whole.

    Raises:
        Conflict: there is something at `target`.
        Unavailable: it cannot be written, or the database cannot be read.
    """
    target = target.resolve()
    if target.exists():
        raise Conflict(f"{target} exists already", help="name a folder that does not exist")
    partial = target.with_name(f".{target.name}.{os.urandom(4).hex()}.partial")
    try:
        partial.mkdir(parents=True)
        for _ in range(_ATTEMPTS):
            _copy_database(path, partial / path.name)
            if _copy_blobs(partial / path.name, blobs, partial / "blobs"):
                break
        else:
            raise Unavailable(
                "blobs were removed while they were copied", help="try again when no prune runs"
            )
        _flush(partial)
        partial.rename(target)
    except (OSError, sqlite3.Error) as error:
        raise Unavailable(
            f"the backup {target} cannot be made: {error}", help="check the disk and its room"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def refuse(name: str) -> UsageError:
    """The error for a store that its own tools back up."""
    return UsageError(
        f"{name} is backed up by the server's own tools",
        help="use `pg_dump --format=custom`; docs/how-to/back-up-and-prune.md shows how",
    )


def _copy_database(path: Path, to: Path) -> None:
    to.unlink(missing_ok=True)
    source = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    # In one step it is one transaction that reads, which keeps nobody from writing.
    with contextlib.closing(source), contextlib.closing(sqlite3.connect(to)) as copy:
        source.backup(copy, pages=-1)


def _copy_blobs(database: Path, blobs: Blobs, to: Path) -> bool:
    """Copy the blobs that a copied database refers to; `False` if one is gone by now."""
    if blobs.folder is None:
        return True
    copy = sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)
    with contextlib.closing(copy):
        stored = [value for query in _VALUES for (value,) in copy.execute(query)]
    for digest in _digests(stored):
        source, new = blobs.folder / digest[:2] / digest, to / digest[:2] / digest
        new.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copy2(source, new)
        except FileNotFoundError:
            return False
    return True


def _digests(stored: list[str]) -> set[str]:
    found = set()
    for value in stored:
        with contextlib.suppress(Corrupt):
            found.add(blob_of(value) or "")
    return found - {""}


def _flush(folder: Path) -> None:
    """Make a folder and all that is in it durable."""
    for place in (folder, *folder.rglob("*")):
        opened = os.open(place, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
