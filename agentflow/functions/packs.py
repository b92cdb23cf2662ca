"""Packs: values with NumPy arrays, Arrow tables or numbers that JSON does not have, as bytes.

A pack is the value as JSON with a mark in place of what is not JSON, followed by the bytes of
arrays, in NumPy's own format, and of tables, as Arrow's IPC stream. Reading one never unpickles
anything, and copies nothing that can be used where it lies.
"""

from __future__ import annotations

import operator
import struct
import sys
from collections.abc import Callable, Sequence
from io import BytesIO
from math import isfinite
from mmap import mmap
from types import NoneType
from typing import Any, TypeAlias

from agentflow.errors import MAX_INTEGER, Fault
from agentflow.functions.encoding import MAX_BYTES, decode, encode

MARK = "__agentflow__"
"""The only key of an object that stands for an array or a table."""

Buffer: TypeAlias = "bytes | memoryview | mmap"

_MAGIC = b"AFP1"
_COUNT = struct.Struct("<I")
_LENGTH = struct.Struct("<Q")
_ALIGNED = 64
"""Where arrays begin, so that what computes with them need not copy them first."""
_HEADER = 4096
"""Bytes in which the header of an array is looked for."""
_EASY = frozenset({str, int, float, bool, NoneType})


def encoded(value: Any, *, path: str, limit: int = MAX_BYTES) -> bytes:
    """The value as JSON, or as a pack if it is more than that.

    Raises:
        Fault: `InvalidOutput` if a part is neither JSON nor a number nor an array of numbers nor a
            table, `PayloadTooLarge`.
    """
    text, buffers = _taken_apart(value, path, limit)
    return text if buffers is None else b"".join(_laid_out(text, buffers, align=1))


def pieces(value: Any, *, path: str) -> list[Buffer] | None:
    """The pack of a value in pieces, of which large ones are the value's own memory.

    `None`, if the value is JSON.

    Raises:
        Fault: as for `encoded`.
    """
    text, buffers = _taken_apart(value, path, MAX_BYTES)
    return None if buffers is None else _laid_out(text, buffers, align=_ALIGNED)


def is_pack(content: Buffer) -> bool:
    """Whether what was encoded is a pack, and not JSON."""
    return content[: len(_MAGIC)] == _MAGIC


def open_pack(packed: Buffer) -> Any:
    """The value of a pack, or of JSON; arrays share the memory of `packed` if it can be written."""
    if not is_pack(packed):
        return decode(bytes(packed))
    view = memoryview(packed)
    at = len(_MAGIC)
    (count,) = _COUNT.unpack_from(view, at)
    at += _COUNT.size
    lengths = [_LENGTH.unpack_from(view, at + n * _LENGTH.size)[0] for n in range(count)]
    at += count * _LENGTH.size
    parts = []
    for length in lengths:
        parts.append(view[at : at + length])
        at += length
    return _fill(decode(bytes(parts[0])), parts[1:])


def _taken_apart(value: Any, path: str, limit: int) -> tuple[bytes, list[list[Buffer]] | None]:
    """The JSON of a value, and what its marks stand for; `None` if it has none."""
    buffers: list[list[Buffer]] = []
    tree = _strip(value, buffers)
    try:
        text = encode(tree, path=path, limit=limit)
    except Fault as fault:
        marked = _mark_numbers(tree)
        if fault.name != "InvalidOutput" or marked is tree:
            raise
        return encode(marked, path=path, limit=limit), buffers
    return text, buffers or None


def _laid_out(tree: bytes, buffers: Sequence[Sequence[Buffer]], *, align: int) -> list[Buffer]:
    """A pack in pieces; each buffer begins at a multiple of `align`. What pads them is not read."""
    table = len(_MAGIC) + _COUNT.size + (1 + len(buffers)) * _LENGTH.size
    text = tree + b" " * (-(table + len(tree)) % align)
    lengths, parts = [len(text)], list[Buffer]([text])
    for buffer in buffers:
        size = sum(map(len, buffer))
        padding = -size % align
        lengths.append(size + padding)
        parts += [*buffer, bytes(padding)] if padding else buffer
    head = _MAGIC + _COUNT.pack(len(lengths)) + b"".join(map(_LENGTH.pack, lengths))
    return [head, *parts]


def _strip(value: Any, buffers: list[list[Buffer]]) -> Any:
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


def _array(value: Any) -> tuple[str, list[Buffer]] | None:
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, numpy.ndarray):
        return None
    file = BytesIO()
    is_plain = type(value) is numpy.ndarray and value.dtype.isbuiltin == 1
    try:
        if is_plain and value.flags.c_contiguous and value.nbytes and not value.dtype.hasobject:
            said = numpy.lib.format.header_data_from_array_1_0(value)
            numpy.lib.format.write_array_header_1_0(file, said)
            return "npy", [file.getvalue(), memoryview(value.reshape(-1).view(numpy.uint8))]
        numpy.save(file, value, allow_pickle=False)
    except ValueError:
        raise Fault(
            "InvalidOutput",
            "an array holds Python objects, which only pickle could keep; "
            "give it a dtype of numbers, or a list",
        ) from None
    return "npy", [file.getvalue()]


def _table(value: Any) -> tuple[str, list[Buffer]] | None:
    arrow = sys.modules.get("pyarrow")
    if arrow is None or not isinstance(value, (arrow.Table, arrow.RecordBatch)):
        return None
    sink = arrow.BufferOutputStream()
    with arrow.ipc.new_stream(sink, value.schema) as stream:
        stream.write(value)
    return "arrow", [memoryview(sink.getvalue())]


def _fill(tree: Any, buffers: Sequence[memoryview]) -> Any:
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


def _read_array(content: memoryview) -> Any:
    import numpy as np

    head = BytesIO(content[:_HEADER])
    if np.lib.format.read_magic(head) == (1, 0) and len(content) > _HEADER:
        shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(head)
        if not (is_fortran or dtype.hasobject) and 0 not in shape:
            count = int(np.prod(shape, dtype=np.int64))
            found = np.frombuffer(content, dtype, count, head.tell()).reshape(shape)
            # Functions may write into what they are given.
            return found if found.flags.writeable and found.flags.aligned else found.copy()
    return np.load(BytesIO(content), allow_pickle=False)


def _read_table(content: memoryview) -> Any:
    import pyarrow as pa  # type: ignore[import-untyped]  # it has no types

    return pa.ipc.open_stream(pa.py_buffer(content)).read_all()


_NUMBERS: dict[str, Callable[[str], Any]] = {"int": int, "float": float}
_READERS: dict[str, Callable[[memoryview], Any]] = {"npy": _read_array, "arrow": _read_table}
