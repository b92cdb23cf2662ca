"""Objects of S3 where the workflow runs: items that an ItemReader names, results of a map.

boto3 finds the account, the region and the endpoint as it does everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from agentflow.adapters.aws.asl.errors import ITEM_READER, StateError
from agentflow.adapters.aws.asl.items import (
    UNREADABLE,
    UnreadableError,
    content_of,
    inventory_in,
    items_in,
    loads_each,
)
from agentflow.adapters.aws.asl.model import ItemReader
from agentflow.errors import Json


def read(resource: str, arguments: Mapping[str, Any], config: Mapping[str, Any]) -> list[Json]:
    """The items of an object, of the objects that an inventory names, or of a listing.

    Raises:
        StateError: they cannot be read.
        EvaluationError: there are no items where `config` says.
    """
    rest = {key: value for key, value in config.items() if key != "InputType"}
    reader = ItemReader(resource, input_type=config.get("InputType"), config=rest)
    bucket, key = str(arguments.get("Bucket", "")), arguments.get("Key")
    try:
        client = _client()
        if key is None:
            listed = _listing(client, bucket, str(arguments.get("Prefix", "")))
            if not loads_each(reader):
                return listed
            contents = (_content(client, bucket, each["Key"]) for each in listed)
            return [item for content in contents for item in items_in(reader, content)]
        content = _content(client, bucket, str(key))
        if reader.input_type != "MANIFEST":
            return items_in(reader, content)
        inventory = inventory_in(resource, content)
        files = (_content(client, inventory.bucket, name) for name in inventory.names)
        return [item for rows in files for item in items_in(inventory.reader, rows)]
    except UnreadableError as error:
        raise StateError(ITEM_READER, str(error)) from None


def write(bucket: str, files: Mapping[str, str]) -> None:
    """Write objects by their keys.

    Raises:
        UnreadableError: the bucket does not take one.
    """
    client = _client()
    for key, content in files.items():
        with _told(f"{key} cannot be written to {bucket}"):
            client.put_object(
                Bucket=bucket, Key=key, Body=content.encode(), ContentType="application/json"
            )


def _client() -> Any:
    try:
        import boto3  # type: ignore[import-untyped]  # it has no types
    except ImportError:
        raise UnreadableError("Objects of S3 need the package boto3.") from None
    return boto3.client("s3")


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Whatever goes wrong, as the cause that the execution shows."""
    from botocore import exceptions  # type: ignore[import-untyped]  # it has no types

    try:
        yield
    except (*UNREADABLE, exceptions.ClientError, exceptions.BotoCoreError) as error:
        raise UnreadableError(f"{what}: {error}") from None


def _content(client: Any, bucket: str, key: str) -> Json:
    with _told(f"{key} in {bucket} cannot be read"):
        try:
            body = client.get_object(Bucket=bucket, Key=key)["Body"]
        except client.exceptions.NoSuchKey:
            raise UnreadableError(f"The specified key does not exist: {key} in {bucket}") from None
        return content_of(key, body.read())


def _listing(client: Any, bucket: str, prefix: str) -> list[Json]:
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    with _told(f"{bucket} cannot be listed"):
        return [
            {
                "Etag": each["ETag"],
                "Key": each["Key"],
                "LastModified": int(each["LastModified"].timestamp()),
                "Size": each["Size"],
                "StorageClass": each["StorageClass"],
            }
            for page in pages
            for each in page.get("Contents", ())
        ]
