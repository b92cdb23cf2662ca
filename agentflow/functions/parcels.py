"""Values on their way between processes: JSON where they are JSON, arrays and tables as bytes.

A *parcel* is a JSON object in one of four forms:

    {"json": value}                   a JSON value
    {"base64": text}                  a pack, see `packs`
    {"blob": sha256, "size": bytes}   the same, in a file that is named by what it holds
    {"part": name, "shelf": id, "size": bytes, "sha256": digest}
                                      the same, in memory on a node of a cluster

Where large packs go is a *place*: `{"blobs": folder}`, the journal's store of blobs, where this
machine has it; `{"shelf": name}`, the memory of whichever node the worker is on, from where Ray's
object store takes them to the driver and to other nodes; or none.
"""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from mmap import ACCESS_COPY, mmap
from pathlib import Path
from types import NoneType
from typing import Any, TypeAlias

from agentflow.errors import MAX_INTEGER, Fault, Json
from agentflow.functions.encoding import decode, dump
from agentflow.functions.packs import Buffer, open_pack, pieces

INLINE_BYTES = 48 * 1024
"""The largest pack that travels as base64 where there is a place for files."""
DOOR = "door"
"""The socket in a shelf's folder, where parts of other shelves are asked for."""
OWNER = "owner"
"""The file in a shelf's folder that says which shelf it is."""

Place: TypeAlias = "dict[str, str] | None"


def pack(value: Any, place: Place = None, *, path: str = "the result") -> dict[str, Json]:
    """The parcel of a value; a large one is left in `place`, if there is one.

    Raises:
        Fault: `InvalidOutput` if a part is neither JSON nor a number nor an array of numbers nor a
            table, `PayloadTooLarge`, `SpillFailed` if the file cannot be written.
    """
    if _is_plain(value):
        return {"json": value}
    packed = pieces(value, path=path)
    return {"json": value} if packed is None else parcel_of(packed, place)


def parcel_of(packed: Sequence[Buffer], place: Place) -> dict[str, Json]:
    """The parcel of a pack in pieces."""
    size = sum(map(len, packed))
    if place is not None and size > INLINE_BYTES:
        if "blobs" in place:
            return {"blob": _keep(Path(place["blobs"]), packed, size), "size": size}
        shelf = shelf_of(place["shelf"])
        if shelf is not None and _is_served(shelf):
            return _shelve(shelf, packed, size)
    return {"base64": base64.b64encode(b"".join(packed)).decode()}


def unpack(parcel: dict[str, Json], place: Place = None) -> Any:
    """The value of a parcel.

    Raises:
        Fault: `SpillFailed` if its file is not there or was changed, `PartLost` if no node has it.
    """
    if "json" in parcel:
        return parcel["json"]
    if "base64" in parcel:
        return open_pack(base64.b64decode(parcel["base64"]))
    assert place is not None  # nothing else is sent to where there is none
    if "part" in parcel:
        return open_pack(_fetch(place["shelf"], parcel))
    return open_pack(_read(Path(place["blobs"]), parcel["blob"]))


def mapped(file: Path) -> mmap:
    """The content of a file, where the system keeps it; what is written into it is never saved."""
    with file.open("rb") as opened:
        return mmap(opened.fileno(), 0, access=ACCESS_COPY)


def _is_plain(value: Any) -> bool:
    """Whether it is JSON, or a list of numbers or texts, found without a loop of our own."""
    kinds = set(map(type, value)) if type(value) is list else {type(value)}
    if kinds <= {NoneType, bool}:
        return True
    if kinds != {int}:
        return False
    lowest, highest = (min(value), max(value)) if type(value) is list else (value, value)
    return bool(lowest >= -MAX_INTEGER and highest <= MAX_INTEGER)


def _digest(packed: Sequence[Buffer]) -> str:
    digest = hashlib.sha256()
    for piece in packed:
        digest.update(piece)
    return digest.hexdigest()


# --- the journal's store of blobs -------------------------------------------------------------


def _keep(folder: Path, packed: Sequence[Buffer], size: int) -> str:
    """Write a file of the journal's store of blobs; it is durable when this returns."""
    digest = _digest(packed)
    file = folder / digest[:2] / digest
    partial = file.with_name(f"{digest}.{os.urandom(4).hex()}.partial")
    try:
        with suppress(FileNotFoundError):
            if file.stat().st_size == size and _digest([mapped(file)]) == digest:
                os.utime(file)  # young again, so that no sweep takes it
                return digest
        file.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as opened:
            opened.writelines(packed)
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


def _read(folder: Path, digest: str) -> mmap:
    try:
        content = mapped(folder / digest[:2] / digest)
    except (OSError, ValueError) as error:
        raise Fault("SpillFailed", f"a result cannot be read from {folder}: {error}") from error
    if _digest([content]) != digest:
        raise Fault("SpillFailed", f"blob {digest} in {folder} was changed")
    return content


# --- the shelf of a node ----------------------------------------------------------------------


def shelf_name(name: str) -> str:
    """What the folder of a shelf is called on this node: several may be on one machine."""
    return f"{name}-{os.environ.get('RAY_RAYLET_PID', '0')}"


def shelf_of(name: str) -> Path | None:
    """The folder of this node's shelf, if it has one."""
    places = (Path("/dev/shm"), Path(tempfile.gettempdir()))  # noqa: S108  # it is only looked for
    folders = (place / shelf_name(name) for place in places)
    return next((folder for folder in folders if (folder / OWNER).exists()), None)


def _shelve(shelf: Path, packed: Sequence[Buffer], size: int) -> dict[str, Json]:
    """Leave a part in this node's memory."""
    name = os.urandom(16).hex()
    partial = shelf / f"{name}.partial"
    try:
        with partial.open("wb") as opened:
            opened.writelines(packed)
        partial.replace(shelf / name)
        owner = (shelf / OWNER).read_text()
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise Fault("SpillFailed", f"a result cannot be kept in {shelf}: {error}") from error
    return {"part": name, "shelf": owner, "size": size, "sha256": _digest(packed)}


def _is_served(shelf: Path) -> bool:
    """Whether somebody is behind the door, and not only its folder left."""
    with socket.socket(socket.AF_UNIX) as door:
        return door.connect_ex(str(shelf / DOOR)) == 0


def _fetch(name: str, parcel: dict[str, Json]) -> mmap:
    """A part, which this node's shelf gets from another one if it is not here."""
    shelf = shelf_of(name)
    if shelf is None:
        raise Fault("PartLost", "this node has no shelf for results")
    file = shelf / parcel["part"]
    try:
        if not file.exists():
            _ask(shelf, parcel)
        return mapped(file)
    except (OSError, ValueError) as error:
        raise Fault("PartLost", f"a result is on no shelf any more: {error}") from error


def _ask(shelf: Path, parcel: dict[str, Json]) -> None:
    """Have the shelf get a part.

    Raises:
        OSError: it cannot.
    """
    with socket.socket(socket.AF_UNIX) as door:
        door.connect(str(shelf / DOOR))
        door.sendall(dump({name: parcel[name] for name in ("part", "shelf")}) + b"\n")
        with door.makefile("rb") as answers:
            answer = decode(answers.readline() or b'"the shelf is gone"')
    if answer is not None:
        raise OSError(answer)
