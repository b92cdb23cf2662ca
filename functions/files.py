"""Folders and files: what is there, grouped into pieces of work."""

from __future__ import annotations

import asyncio
import fnmatch
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict

from agentflow.functions import function
from functions.project import existing_file, existing_folder


class FileEntry(TypedDict):
    """A file of a folder."""

    path: str
    """Relative to the folder, with forward slashes."""
    bytes: int


@function
def list_files(
    folder: str, pattern: str = "*", exclude: list[str] | None = None
) -> list[FileEntry]:
    """List the files of a folder and of all folders in it, in the order of their paths.

    Args:
        folder: Where to look.
        pattern: What the file's name must match, such as `*.py`.
        exclude: Names of folders to leave out, such as `site-packages`.
    """
    return [
        {"path": path, "bytes": size}
        for path, size in _walk(existing_folder(folder), pattern, exclude or [])
    ]


@function
def shard_files(
    folder: str,
    pattern: str = "*",
    exclude: list[str] | None = None,
    shard_bytes: int = 2 << 20,
) -> list[list[str]]:
    """Group the files of a folder, in the order of their paths, into shards of like size.

    One call per shard instead of one per file: what a shard's files have in common is sent once.
    A file larger than `shard_bytes` is a shard of its own.
    """
    shards: list[list[str]] = []
    room = 0
    for path, size in _walk(existing_folder(folder), pattern, exclude or []):
        if not shards or size > room:
            shards.append([])
            room = shard_bytes
        shards[-1].append(path)
        room -= size
    return shards


@function
async def digest_files(folder: str, paths: list[str]) -> dict[str, str]:
    """Give the SHA-256 of files, read side by side; paths are relative to the folder."""
    root = existing_folder(folder)
    digests = await asyncio.gather(*(asyncio.to_thread(_digest, root / path) for path in paths))
    return dict(zip(paths, digests, strict=True))


@function
def read_text(path: str) -> str:
    """Read a UTF-8 text file.

    Raises:
        Fault: `FileMissing`, there is no such file.
    """
    return existing_file(path).read_text(encoding="utf-8")


def _walk(folder: Path, pattern: str, exclude: list[str]) -> list[tuple[str, int]]:
    """The files and their sizes; folders left out are not even entered, links not followed."""
    return sorted(_entries(str(folder), "", pattern, exclude))


def _entries(
    folder: str, prefix: str, pattern: str, exclude: list[str]
) -> Iterator[tuple[str, int]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in exclude:
                    yield from _entries(entry.path, f"{prefix}{entry.name}/", pattern, exclude)
            elif fnmatch.fnmatch(entry.name, pattern) and entry.is_file():
                yield prefix + entry.name, entry.stat().st_size


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
