"""What a distributed map does beside its children: puts items into batches, writes results.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from agentflow.adapters.aws.asl.values import MAX_BYTES, size, text
from agentflow.errors import Json

_AS_TOLD: Final = "NONE"
_FLAT: Final = "FLATTEN"
_LINES: Final = "JSONL"

Allowed: TypeAlias = tuple[float | None, float | None]
"""A count and a percentage of items that may fail; what is not set is None."""


def is_tolerated(allowed: Allowed, failed: int, total: int) -> bool:
    """Whether so many failed items are within every limit that is set; without any, none is."""
    count, share = allowed
    if count is None and share is None:
        return failed == 0
    within_share = share is None or failed * 100 <= share * total
    return within_share and (count is None or failed <= count)


def grouped(
    items: Sequence[Json], most: int | None, bytes_: int | None, common: Mapping[str, Json]
) -> list[list[Json]]:
    """Items in batches of at most `most`, each of at most `bytes_` with what is `common` to all.

    An item that is larger is alone in its batch.
    """
    # Each item comes with a comma, of which the last one is not written.
    allowed = min(bytes_ or MAX_BYTES, MAX_BYTES) - size({"Items": [], **common}) + 1
    groups: list[list[Json]] = []
    room = 0
    for item in items:
        needed = size(item) + 1
        if not groups or needed > room or len(groups[-1]) == most:
            groups.append([])
            room = allowed
        groups[-1].append(item)
        room -= needed
    return groups


@dataclass(frozen=True, slots=True)
class Ended:
    """A child that has ended: who it was, what it got, and its output or its error."""

    arn: str
    name: str
    machine: str
    input: Json
    output: Json
    error: tuple[str | None, str | None] | None = None
    """Name and cause."""

    def row(self) -> dict[str, Json]:
        """How a file of results tells of it."""
        row: dict[str, Json] = {
            "ExecutionArn": self.arn,
            "Input": text(self.input),
            "InputDetails": {"Included": True},
            "Name": self.name,
            "StateMachineArn": self.machine,
            "Status": "SUCCEEDED" if self.error is None else "FAILED",
        }
        if self.error is None:
            return {**row, "Output": text(self.output), "OutputDetails": {"Included": True}}
        return {**row, "Error": self.error[0], "Cause": self.error[1]}


def succeeded(children: Sequence[Ended], form: Json) -> list[Json]:
    """What is kept of the children that succeeded; `form` is the `Transformation`."""
    well = [child for child in children if child.error is None]
    if form in (None, _AS_TOLD):
        return [child.row() for child in well]
    outputs = [child.output for child in well]
    if form != _FLAT:
        return outputs
    return [item for each in outputs for item in (each if isinstance(each, list) else [each])]


@dataclass(frozen=True, slots=True)
class Written:
    """Texts of results by their keys in a bucket, and what the map gives instead of them."""

    bucket: str
    files: Mapping[str, str]
    result: Json


def written(
    children: Sequence[Ended], place: Json, config: Mapping[str, Json], run_arn: str
) -> Written:
    """The results of a map as files; `place` has a `Bucket` and a `Prefix`.

    `config` is the `WriterConfig`: the `Transformation`, and the `OutputType` JSON or JSONL.
    """
    where = place if isinstance(place, dict) else {}
    bucket, prefix = str(where.get("Bucket", "")), str(where.get("Prefix", "")).strip("/")
    folder = "/".join(part for part in (prefix, run_arn.rsplit(":", 1)[-1]) if part)
    failed = [child.row() for child in children if child.error is not None]
    found = {"SUCCEEDED": succeeded(children, config.get("Transformation")), "FAILED": failed}
    lines = config.get("OutputType") == _LINES
    files = {
        f"{folder}/{status}_0.{'jsonl' if lines else 'json'}": _file(rows, lines=lines)
        for status, rows in found.items()
        if rows
    }
    manifest = {
        "DestinationBucket": bucket,
        "MapRunArn": run_arn,
        "ResultFiles": {
            status: [
                {"Key": key, "Size": len(content.encode(errors="surrogatepass"))}
                for key, content in files.items()
                if key.startswith(f"{folder}/{status}")
            ]
            for status in ("FAILED", "PENDING", "SUCCEEDED")
        },
    }
    details = {"Bucket": bucket, "Key": f"{folder}/manifest.json"}
    result = {"MapRunArn": run_arn, "ResultWriterDetails": details}
    return Written(bucket, {**files, details["Key"]: text(manifest)}, result)


def _file(rows: Sequence[Json], *, lines: bool) -> str:
    return "".join(f"{text(row)}\n" for row in rows) if lines else text(list(rows))
