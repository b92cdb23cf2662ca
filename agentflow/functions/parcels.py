"""Values on their way between processes: JSON where they are JSON, arrays and tables as bytes.

A *parcel* is a JSON object in one of three forms:

    {"json": value}                   a JSON value
    {"base64": text}                  a pack: a value with NumPy arrays or Arrow tables in it, or
                                      with numbers that JSON does not have
    {"blob": sha256, "size": bytes}   the same pack, in a file that is named by what it holds

A *pack* is the value as JSON with a mark in place of what is not JSON, followed by the bytes of
arrays, in NumPy's own format, and of tables, as Arrow's IPC stream. Reading one never unpickles
anything.
"""

from __future__ import annotations

import base64
import hashlib
import operator
import os
import struct
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import BytesIO
from math import isfinite
from pathlib import Path
from types import NoneType
from typing import Any

from agentflow.errors import MAX_INTEGER, Fault, Json
from agentflow.functions.encoding import MAX_BYTES, decode, encode

MARK = "__agentflow__"
"""The only key of an object that stands for an array or a table."""
INLINE_BYTES = 48 * 1024
"""The largest pack that travels as base64 where there is a place for files."""

_MAGIC = b"AFP1"
_COUNT = struct.Struct("<I")
_LENGTH = struct.Struct("<Q")
_EASY = frozenset({str, int, float, bool, NoneType})


def pack(value: Any, place: str | None = None, *, path: str = "the result") -> dict[str, Json]:
    """The parcel of a value; a large one is left as a file in the folder `place`, if there is one.

    Raises:
        Fault: `InvalidOutput` if a part is neither JSON nor a number nor an array of numbers nor a
            table, `PayloadTooLarge`, `SpillFailed` if the file cannot be written.
    """
    if _is_plain(value):
        return {"json": value}
    content = encoded(value, path=path)
    return parcel_of(content, place) if is_pack(content) else {"json": value}


def encoded(value: Any, *, path: str, limit: int = MAX_BYTES) -> bytes:
    """The value as JSON, or as a pack if it is more than that.

    Raises:
        Fault: as for `pack`.
    """
    buffers: list[bytes] = []
    tree = _strip(value, buffers)
    try:
        text = encode(tree, path=path, limit=limit)
    except Fault as fault:
        marked = _mark_numbers(tree)
        if fault.name != "InvalidOutput" or marked is tree:
            raise
        return _joined(encode(marked, path=path, limit=limit), buffers)
    return _joined(text, buffers) if buffers else text


def is_pack(content: bytes) -> bool:
    """Whether what was encoded is a pack, and not JSON."""
    return content.startswith(_MAGIC)


def parcel_of(packed: bytes, place: str | None) -> dict[str, Json]:
    """The parcel of a pack."""
    if place is None or len(packed) <= INLINE_BYTES:
        return {"base64": base64.b64encode(packed).decode()}
    return {"blob": _keep(Path(place), packed), "size": len(packed)}


def unpack(parcel: dict[str, Json], place: str | None = None) -> Any:
    """The value of a parcel.

    Raises:
        Fault: `SpillFailed` if its file is not there or was changed.
    """
    if "json" in parcel:
        return parcel["json"]
    if "base64" in parcel:
        return open_pack(base64.b64decode(parcel["base64"]))
    return open_pack(_read(Path(place or "."), parcel["blob"]))


def open_pack(packed: bytes) -> Any:
    """The value of a pack."""
    if not is_pack(packed):
        return decode(packed)
    at = len(_MAGIC)
    (count,) = _COUNT.unpack_from(packed, at)
    at += _COUNT.size
    lengths = [_LENGTH.unpack_from(packed, at + n * _LENGTH.size)[0] for n in range(count)]
    at += count * _LENGTH.size
    parts = []
    for length in lengths:
        parts.append(packed[at : at + length])
        at += length
    return _fill(decode(parts[0]), parts[1:])


def _joined(tree: bytes, buffers: Sequence[bytes]) -> bytes:
    parts = [tree, *buffers]
    lengths = b"".join(_LENGTH.pack(len(part)) for part in parts)
    return b"".join([_MAGIC, _COUNT.pack(len(parts)), lengths, *parts])


def _strip(value: Any, buffers: list[bytes]) -> Any:
    """The value with marks in place of arrays and tables, whose bytes are added to `buffers`."""
    kind = type(value)
    if kind in _EASY or not ("numpy" in sys.modules or "pyarrow" in sys.modules):
        return value
    if isinstance(value, (list, tuple)):
        if _EASY.issuperset(map(type, value)):
            return value
        return [_strip(part, buffers) for part in value]
    if isinstance(value, dict):
        if MARK in value:
            raise Fault("InvalidOutput", f"an object has the key {MARK!r}, which is reserved")
        if _EASY.issuperset(map(type, value.values())):
            return value
        return {key: _strip(part, buffers) for key, part in value.items()}
    content = _array(value) or _table(value)
    if content is None:
        return value
    buffers.append(content[1])
    return {MARK: [content[0], len(buffers) - 1]}


def _mark_numbers(tree: Any) -> Any:
    """The value with marks in place of numbers that JSON does not have; itself if it has none."""
    kind = type(tree)
    if kind is int and not -MAX_INTEGER <= tree <= MAX_INTEGER:
        return {MARK: ["int", str(tree)]}
    if kind is float and not isfinite(tree):
        return {MARK: ["float", str(tree)]}
    if kind is list or kind is tuple:
        parts = [_mark_numbers(part) for part in tree]
        return tree if all(map(operator.is_, parts, tree)) else parts
    if kind is dict:
        members = {key: _mark_numbers(part) for key, part in tree.items()}
        return tree if all(members[key] is tree[key] for key in tree) else members
    return tree


def _is_plain(value: Any) -> bool:
    """Whether it is JSON, or a list of numbers or texts, found without a loop of our own."""
    kinds = set(map(type, value)) if type(value) is list else {type(value)}
    if kinds <= {NoneType, bool}:
        return True
    if kinds != {int}:
        return False
    lowest, highest = (min(value), max(value)) if type(value) is list else (value, value)
    return bool(lowest >= -MAX_INTEGER and highest <= MAX_INTEGER)


def _array(value: Any) -> tuple[str, bytes] | None:
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, numpy.ndarray):
        return None
    file = BytesIO()
    try:
        numpy.save(file, value, allow_pickle=False)
    except ValueError:
        raise Fault(
            "InvalidOutput",
            "an array holds Python objects, which only pickle could keep; "
            "give it a dtype of numbers, or a list",
        ) from None
    return "npy", file.getvalue()


def _table(value: Any) -> tuple[str, bytes] | None:
    arrow = sys.modules.get("pyarrow")
    if arrow is None or not isinstance(value, (arrow.Table, arrow.RecordBatch)):
        return None
    sink = arrow.BufferOutputStream()
    with arrow.ipc.new_stream(sink, value.schema) as stream:
        stream.write(value)
    return "arrow", sink.getvalue().to_pybytes()


def _fill(tree: Any, buffers: Sequence[bytes]) -> Any:
    """The value whose marks are replaced by what they stand for."""
    if isinstance(tree, list):
        return [_fill(part, buffers) for part in tree]
    if not isinstance(tree, dict):
        return tree
    mark = tree.get(MARK)
    if mark is None:
        return {key: _fill(part, buffers) for key, part in tree.items()}
    kind, content = mark
    if kind in _NUMBERS:
        return _NUMBERS[kind](content)
    return _READERS[kind](buffers[content])


def _read_array(content: bytes) -> Any:
    import numpy as np

    return np.load(BytesIO(content), allow_pickle=False)


def _read_table(content: bytes) -> Any:
    import pyarrow as pa  # type: ignore[import-untyped]  # it has no types

    return pa.ipc.open_stream(content).read_all()


_NUMBERS: dict[str, Callable[[str], Any]] = {"int": int, "float": float}
_READERS: dict[str, Callable[[bytes], Any]] = {"npy": _read_array, "arrow": _read_table}


def _keep(folder: Path, content: bytes) -> str:
    """Write a file of the journal's store of blobs; it is durable when this returns."""
    digest = hashlib.sha256(content).hexdigest()
    file = folder / digest[:2] / digest
    partial = file.with_name(f"{digest}.{os.urandom(4).hex()}.partial")
    try:
        with suppress(FileNotFoundError):
            if file.stat().st_size == len(content) and file.read_bytes() == content:
                os.utime(file)  # young again, so that no sweep takes it
                return digest
        file.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        partial.replace(file)
        for parent in (file.parent, folder):
            _sync(parent)
    except OSError as error:
        raise Fault("SpillFailed", f"a result cannot be kept in {folder}: {error}") from error
    finally:
        with suppress(OSError):
            partial.unlink()
    return digest


def _sync(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _read(folder: Path, digest: str) -> bytes:
    try:
        content = (folder / digest[:2] / digest).read_bytes()
    except OSError as error:
        raise Fault("SpillFailed", f"a result cannot be read from {folder}: {error}") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise Fault("SpillFailed", f"blob {digest} in {folder} was changed")
    return content
