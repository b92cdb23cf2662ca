"""Stored objects as an ItemReader gets them: a text, the rows of a table, a listing."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Mapping, MutableMapping
from typing import TypeAlias

from agentflow.errors import Json

Objects: TypeAlias = MutableMapping[str, str | bytes]
"""Stored objects by `bucket/key`."""
_PARQUET = b"PAR1"
"""What the files of Apache Parquet begin with."""


class UnreadableError(Exception):
    """An object is not there or cannot be read; its text is the cause that the execution shows."""


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
        return _content(key, objects[f"{bucket}/{key}"])
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise UnreadableError(f"{key} in {bucket} cannot be read: {error}") from None


def _content(key: str, content: str | bytes) -> Json:
    if isinstance(content, str):
        return content
    if key.endswith(".gz"):
        content = gzip.decompress(content)
    return _rows(content) if content.startswith(_PARQUET) else content.decode()


def _rows(content: bytes) -> list[Json]:
    """The rows of a Parquet file; what JSON does not know is written as text."""
    try:
        from pyarrow import parquet  # type: ignore[import-untyped]  # it has no types
    except ImportError:
        raise UnreadableError("Parquet files need the package pyarrow.") from None
    rows = parquet.read_table(io.BytesIO(content)).to_pylist()
    found: list[Json] = json.loads(json.dumps(rows, default=str))
    return found


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
