"""Stored objects as an ItemReader gets them, from a mapping: an object, a listing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, MutableMapping
from typing import TypeAlias

from agentflow.adapters.aws.asl.items import UNREADABLE, UnreadableError, content_of
from agentflow.errors import Json

Objects: TypeAlias = MutableMapping[str, str | bytes]
"""Stored objects by `bucket/key`."""


def holds(objects: Objects, arguments: Json) -> bool:
    """Whether there is such an object, or any in that bucket."""
    bucket, key, _ = _named(arguments)
    if key is not None:
        return f"{bucket}/{key}" in objects
    return any(name.startswith(f"{bucket}/") for name in objects)


def fetch(objects: Objects, arguments: Json, at: float) -> Json:
    """What `s3:getObject` (with a key) or `s3:listObjectsV2` gives of stored objects.

    `at` is when they were modified, in Unix seconds.

    Raises:
        UnreadableError: there is no such object, or it is not what its name says.
    """
    bucket, key, prefix = _named(arguments)
    if key is None:
        return _listing(objects, f"{bucket}/{prefix}", int(at))
    if f"{bucket}/{key}" not in objects:
        raise UnreadableError(f"The specified key does not exist: {key} in {bucket}")
    try:
        return content_of(key, objects[f"{bucket}/{key}"])
    except UNREADABLE as error:
        raise UnreadableError(f"{key} in {bucket} cannot be read: {error}") from None


def _named(arguments: Json) -> tuple[str, str | None, str]:
    """Bucket, key and prefix."""
    given = arguments if isinstance(arguments, dict) else {}
    key = given.get("Key")
    return (
        str(given.get("Bucket", "")),
        None if key is None else str(key),
        str(given.get("Prefix", "")),
    )


def _listing(objects: Mapping[str, str | bytes], prefix: str, modified: int) -> list[Json]:
    return [
        {
            "Etag": f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"',
            "Key": name.split("/", 1)[1],
            "LastModified": modified,
            "Size": len(content),
            "StorageClass": "STANDARD",
        }
        for name in sorted(objects)
        if name.startswith(prefix)
        for content in [_bytes(objects[name])]
    ]


def _bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content
