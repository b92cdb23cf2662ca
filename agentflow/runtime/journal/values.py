"""JSON values as a store holds them: as text, or, where they are large, as a reference to a blob.

A reference is `@{"blob":SHA-256,"size":BYTES}`. No value can imitate one: values are JSON, and no
JSON begins with `@`. A value with an attachment, a blob that need not be JSON and is not read with
it, is `@{"blob":SHA-256,"size":BYTES,"with":VALUE}`. Where a value is part of the hash chain it is
there as it is stored, so that a history can be verified without its blobs, and a blob against its
history.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from agentflow.errors import Fault, Json, Unavailable
from agentflow.runtime.journal.blobs import Blobs
from agentflow.runtime.journal.errors import Corrupt
from agentflow.runtime.journal.tables import BLOB

MAX_VALUE_BYTES = 64 * 1024 * 1024
"""The largest value of an event. Larger ones belong in files or an object store."""

INLINE_BYTES = 64 * 1024
"""The largest value that is kept in its row."""


ATTACHMENT = "attachment"
"""Where a value that was read has what is attached to it: `{"blob", "size"}`."""

_REFERENCE = re.compile(
    rf'{BLOB}\{{"blob":"([0-9a-f]{{64}})","size":(\d+)(?:,"with":(\{{.*\}}))?\}}', re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Attached:
    """A value to be stored together with a blob that is there already."""

    value: dict[str, Json]
    blob: str
    size: int


class Values:
    """Reads and writes the values of a store."""

    def __init__(self, blobs: Blobs) -> None:
        self.blobs = blobs

    def encode(self, value: Json, *, of: str) -> str:
        """What is stored of a value; `of` names it in errors. A large one is kept as a blob.

        Raises:
            Fault: `InvalidOutput` if it is not I-JSON, `PayloadTooLarge` above 64 MB.
            Unavailable: the blob cannot be written, or what is attached is not there.
        """
        if value is None:
            return "null"  # what most executions have for an error
        if isinstance(value, Attached):
            return self._encode_attached(value, of)
        text = _json(value, of)
        if len(text) <= INLINE_BYTES:
            return text.decode()
        return f'{BLOB}{{"blob":"{self.blobs.put(text)}","size":{len(text)}}}'

    def decode(self, stored: str) -> Json:
        """The value of what is stored.

        Raises:
            Corrupt: it is not JSON, or its blob is missing or was changed.
        """
        return self.decode_all([stored])[0]

    def decode_all(self, stored: Sequence[str]) -> list[Json]:
        """The values of what is stored; blobs are fetched together.

        Raises:
            Corrupt: one is not JSON, or its blob is missing or was changed; its place in the
                sequence, counted from 1, is the error's `seq`.
        """
        number, found, values = 0, [], []
        try:
            for number, text in enumerate(stored, 1):  # noqa: B007  # read where it fails
                found.append(_reference(text))
            blobs = self.blobs.get({match[1] for match in found if match and not match[3]})
            for number, text in enumerate(stored, 1):
                match = found[number - 1]
                values.append(self._value(match, blobs) if match else orjson.loads(text))
        except (orjson.JSONDecodeError, TypeError) as error:
            raise Corrupt(f"a value is not JSON ({error})", seq=number) from error
        except Corrupt as error:
            raise Corrupt(error.message, seq=number) from error
        return values

    def _encode_attached(self, value: Attached, of: str) -> str:
        if not self.blobs.holds(value.blob):
            raise Unavailable(
                f"what is attached to {of} is not in {self.blobs.place}",
                help="is that folder the same on every machine that works here?",
            )
        text = _json(value.value, of).decode()
        return f'{BLOB}{{"blob":"{value.blob}","size":{value.size},"with":{text}}}'

    def _value(self, reference: re.Match[str], blobs: dict[str, bytes]) -> Json:
        digest, size, text = reference.groups()
        if text is None:
            return orjson.loads(self._verified(digest, blobs))
        return {**orjson.loads(text), ATTACHMENT: {"blob": digest, "size": int(size)}}

    def _verified(self, digest: str, blobs: dict[str, bytes]) -> bytes:
        content = blobs.get(digest)
        if content is None:
            raise Corrupt(f"blob {digest} is missing from {self.blobs.place}")
        if hashlib.sha256(content).hexdigest() != digest:
            raise Corrupt(f"blob {digest} in {self.blobs.place} was changed")
        return content


def blob_of(stored: object) -> str | None:
    """The digest of the blob that a stored value refers to, if it does.

    Raises:
        Corrupt: it is a reference that cannot be read.
    """
    match = _reference(stored)
    return None if match is None else match[1]


def _reference(stored: object) -> re.Match[str] | None:
    if not isinstance(stored, str) or not stored.startswith(BLOB):
        return None
    match = _REFERENCE.fullmatch(stored)
    if match is None:
        raise Corrupt("a reference to a blob cannot be read")
    return match


def decode_inline(stored: str) -> Json:
    """The value of a JSON text that is never a blob.

    Raises:
        Corrupt: it is not JSON.
    """
    try:
        return orjson.loads(stored)
    except (orjson.JSONDecodeError, TypeError) as error:
        raise Corrupt(f"a value is not JSON ({error})") from error


def encode_inline(value: Json, *, of: str) -> str:
    """The JSON text of a value that is never a blob; raises as `Values.encode` does."""
    return _json(value, of).decode()


def same(one: Json, other: Json) -> bool:
    """Whether two values are the same JSON; the order of keys does not matter."""
    sort = orjson.OPT_SORT_KEYS
    return orjson.dumps(one, option=sort) == orjson.dumps(other, option=sort)


def _json(value: Json, of: str) -> bytes:
    try:
        text = orjson.dumps(value, option=orjson.OPT_STRICT_INTEGER)
    except TypeError as error:
        raise Fault("InvalidOutput", f"{of} is not JSON: {error}") from error
    if len(text) > MAX_VALUE_BYTES:
        raise Fault(
            "PayloadTooLarge",
            f"{of} is {len(text) / 2**20:.0f} MB of JSON, more than the "
            f"{MAX_VALUE_BYTES // 2**20} MB an event may hold; write it to a file or an object "
            "store and pass its address",
        )
    return text
