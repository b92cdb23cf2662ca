"""What an ItemReader makes of objects: texts and rows, and the items in them."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from dataclasses import dataclass
from typing import Final

from agentflow.adapters.aws.asl.errors import ITEM_READER, EvaluationError, StateError
from agentflow.adapters.aws.asl.model import ItemReader
from agentflow.errors import Json

_PARQUET = b"PAR1"
"""What the files of Apache Parquet begin with."""
_DELIMITERS: Final = {
    "COMMA": ",",
    "PIPE": "|",
    "SEMICOLON": ";",
    "SPACE": " ",
    "TAB": "\t",
}


class UnreadableError(Exception):
    """An object is not there or cannot be read; its text is the cause that the execution shows."""


UNREADABLE: Final = (OSError, EOFError, ValueError, zlib.error)
"""What comes of an object that is not what its name says."""


def content_of(key: str, content: str | bytes) -> Json:
    """An object as an ItemReader takes it: a text, or rows.

    Raises:
        UnreadableError: it needs a package that is not there. So do `UNREADABLE`.
    """
    if isinstance(content, str):
        return content
    if key.endswith(".gz"):
        content = gzip.decompress(content)
    return _rows(content) if content.startswith(_PARQUET) else content.decode("utf-8-sig")


def _rows(content: bytes) -> list[Json]:
    """The rows of a Parquet file; what JSON does not know is written as text."""
    try:
        from pyarrow import parquet  # type: ignore[import-untyped]  # it has no types
    except ImportError:
        raise UnreadableError("Parquet files need the package pyarrow.") from None
    rows = parquet.read_table(io.BytesIO(content)).to_pylist()
    found: list[Json] = json.loads(json.dumps(rows, default=str))
    return found


class Entry(dict[str, Json]):
    """An item that is an entry of an object: its `Key` and its `Value`."""


def pairs(found: dict[str, Json]) -> list[Json]:
    """The items of an object."""
    return [Entry(Key=key, Value=value) for key, value in found.items()]


def around(index: int, item: Json) -> dict[str, Json]:
    """What the context object has of an item, as `Map`."""
    told = item if isinstance(item, Entry) else {"Value": item}
    return {"Item": {"Index": index, **told}}


@dataclass(frozen=True, slots=True)
class Inventory:
    """The files of an S3 inventory, and how they are read."""

    bucket: str
    names: list[str]
    reader: ItemReader


def inventory_in(resource: str, value: Json) -> Inventory:
    """The files that a manifest names.

    Raises:
        StateError: it is none.
    """
    try:
        manifest = json.loads(value)
        bucket = str(manifest["destinationBucket"]).rsplit(":", 1)[-1]
        headers = [name.strip() for name in manifest["fileSchema"].split(",")]
        names = [entry["key"] for entry in manifest["files"]]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise StateError(ITEM_READER, "The manifest is not that of an S3 inventory.") from None
    config = {"CSVHeaderLocation": "GIVEN", "CSVHeaders": headers}
    return Inventory(bucket, names, ItemReader(resource, input_type="CSV", config=config))


def loads_each(reader: ItemReader) -> bool:
    """Whether the items are those in the objects of a listing, not the objects themselves."""
    return reader.config.get("Transformation") == "LOAD_AND_FLATTEN"


def items_in(reader: ItemReader, value: Json) -> list[Json]:
    """The items in what was read: a text, or a list that is taken as it is.

    Raises:
        StateError: the text is not what the reader expects.
        EvaluationError: it has no items where the reader looks for them.
    """
    if not isinstance(value, str):
        return list(value)
    try:
        return _READERS.get(reader.input_type or "JSON", _from_json)(reader, value)
    except (ValueError, csv.Error) as error:
        raise StateError(ITEM_READER, str(error)) from None


def _from_json(reader: ItemReader, written: str) -> list[Json]:
    found = _at(str(reader.config.get("ItemsPointer", "")), json.loads(written))
    if isinstance(found, dict):
        return pairs(found)
    if not isinstance(found, list):
        raise ValueError("Attempting to map over non-iterable node.")  # noqa: TRY004 -- see caller
    return found


def _at(pointer: str, found: Json) -> Json:
    """What a JSON pointer names."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        try:
            found = found[int(name) if isinstance(found, list) else name]
        except (LookupError, TypeError, ValueError):
            raise EvaluationError(
                "The provided ReaderConfig.ItemsPointer does not match any valid path in the JSON "
                "structure.",
                ITEM_READER,
            ) from None
    return found


def _from_lines(_: ItemReader, written: str) -> list[Json]:
    # Texts in JSON may hold what else `splitlines` takes for the end of a line.
    return [json.loads(line) for line in written.split("\n") if line.strip()]


def _from_csv(reader: ItemReader, written: str) -> list[Json]:
    delimiter = _DELIMITERS.get(str(reader.config.get("CSVDelimiter")), ",")
    csv.field_size_limit(max(csv.field_size_limit(), len(written)))  # the module's is 128 KiB
    rows = [row for row in csv.reader(io.StringIO(written), delimiter=delimiter) if row]
    if reader.config.get("CSVHeaderLocation") == "GIVEN":
        headers = [str(name) for name in reader.config.get("CSVHeaders", ())]
    elif rows:
        headers = rows.pop(0)
    else:
        headers = []
    if len(set(headers)) != len(headers):
        raise ValueError("CSV headers cannot contain duplicates.")
    return [
        {name: row[n] if n < len(row) else "" for n, name in enumerate(headers)} for row in rows
    ]


_READERS: Final = {
    "JSON": _from_json,
    "JSONL": _from_lines,
    "CSV": _from_csv,
}
