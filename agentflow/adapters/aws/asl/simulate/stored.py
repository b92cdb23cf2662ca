"""Stored objects as an ItemReader gets them, from a mapping: an object, a listing."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import TypeAlias

from agentflow.adapters.aws.asl.items import UNREADABLE, UnreadableError, content_of
from agentflow.errors import Json

Objects: TypeAlias = MutableMapping[str, str | bytes]
"""Stored objects by `bucket/key`."""


def fetch(objects: Objects, arguments: Json) -> Json:
    """What `s3:getObject` (with a key) or `s3:listObjectsV2` gives of stored objects.

    Raises:
        UnreadableError: there is no such object, or it is not what its name says.
    """
    given = arguments if isinstance(arguments, dict) else {}
    bucket = str(given.get("Bucket", ""))
    if "Key" not in given:
        return _listing(objects, f"{bucket}/{given.get('Prefix', '')}")
    key = str(given["Key"])
    if f"{bucket}/{key}" not in objects:
        raise UnreadableError(f"The specified key does not exist: {key} in {bucket}")
    try:
        return content_of(key, objects[f"{bucket}/{key}"])
    except UNREADABLE as error:
        raise UnreadableError(f"{key} in {bucket} cannot be read: {error}") from None


def _listing(objects: Mapping[str, str | bytes], prefix: str) -> list[Json]:
    names = sorted(name for name in objects if name.startswith(prefix))
    return [
        {
            "Key": name.split("/", 1)[1],
            "Size": len(content.encode() if isinstance(content := objects[name], str) else content),
            "StorageClass": "STANDARD",
        }
        for name in names
    ]
