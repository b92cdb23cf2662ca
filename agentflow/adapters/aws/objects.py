"""What a distributed map wrote to S3: read by the handler, which combines it.

A `ResultWriter` leaves a manifest that names files; each file has a row per child execution, with
its input, and its output or its error. This module is part of bundles; boto3 is part of Lambda.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from agentflow.adapters.aws.causes import error_of
from agentflow.errors import Json

Read = Callable[[str, str], str]
"""From bucket and key to the text of an object."""


class Objects:
    """See `agentflow.adapters.bundle.helper.Stored`."""

    def __init__(self, read: Read | None = None) -> None:
        self._read = read or _from_s3

    def outcomes(self, where: Json) -> Mapping[int, Json]:
        """The outcomes by the items' indexes; `where` has `Bucket` and `Key` of the manifest."""
        bucket = where["Bucket"]
        manifest = json.loads(self._read(bucket, where["Key"]))
        found: dict[int, Json] = {}
        for files in manifest["ResultFiles"].values():
            for file in files:
                for row in json.loads(self._read(bucket, file["Key"])):
                    found.update(_told(row))
        return found


def _told(row: dict[str, Any]) -> Iterator[tuple[int, Json]]:
    """The outcomes of one child: of its item, or of each item of its batch."""
    given = json.loads(row["Input"])
    indexes = [each["index"] for each in given.get("Items", (given,))]
    if row["Status"] == "SUCCEEDED":
        output = json.loads(row["Output"])
        yield from (
            zip(indexes, [output], strict=True)
            if isinstance(output, dict)
            else ((each["index"], each) for each in output)
        )
    else:
        failure = error_of(str(row.get("Error", row["Status"])), str(row.get("Cause", "")))
        yield from ((index, {"failure": failure}) for index in indexes)


def _from_s3(bucket: str, key: str) -> str:
    import boto3  # type: ignore[import-untyped]  # it has no types

    body = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"]
    return str(body.read().decode())
