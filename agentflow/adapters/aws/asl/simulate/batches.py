"""Distributed maps: reading items, putting them together, writing results."""

from __future__ import annotations

from dataclasses import dataclass

from agentflow.adapters.aws.asl import template
from agentflow.adapters.aws.asl.errors import (
    ITEM_READER,
    RESULT_WRITER,
    EvaluationError,
    StateError,
)
from agentflow.adapters.aws.asl.items import inventory_in, items_in, loads_each
from agentflow.adapters.aws.asl.model import ItemReader, Map, ResultWriter
from agentflow.adapters.aws.asl.resources import Resource, parse
from agentflow.adapters.aws.asl.runs import Ended, grouped, succeeded, written
from agentflow.adapters.aws.asl.simulate import settings
from agentflow.adapters.aws.asl.simulate.execution import Identity, Visit
from agentflow.adapters.aws.asl.simulate.protocol import Failed, ReadItems, WriteItems
from agentflow.adapters.aws.asl.simulate.strands import Await, Work
from agentflow.adapters.aws.asl.values import Absent, text
from agentflow.errors import Json


@dataclass(frozen=True, slots=True)
class Unit:
    """The input of one child, and how many items are in it."""

    input: Json
    items: int = 1


@dataclass(frozen=True, slots=True)
class Child:
    """A child that has ended."""

    identity: Identity
    input: Json
    output: Json
    error: StateError | None

    def ended(self) -> Ended:
        """As files of results tell of it."""
        error = None if self.error is None else (self.error.name, self.error.cause)
        arn, machine = self.identity.id, self.identity.machine_id
        return Ended(arn, self.identity.name, machine, self.input, self.output, error)


# --- reading -----------------------------------------------------------------------------------


def read_items(state: Map, reader: ItemReader, visit: Visit, effective: Json) -> Work:
    """The items that an ItemReader names.

    Raises:
        StateError: they cannot be read.
    """
    resource = parse(reader.resource)
    given = _evaluated(state, reader.parameters, visit, effective, "ItemReader/Arguments")
    limit = settings.whole(reader.max_items, visit, "MaxItems", effective)
    if limit is not None and limit < 0:
        raise StateError(ITEM_READER, "field MaxItems must be positive")
    value = yield from _read(visit, resource, given)
    if reader.input_type == "MANIFEST":
        items = yield from _from_manifest(visit, resource, value)
    elif loads_each(reader):
        items = yield from _flattened(visit, reader, str(given.get("Bucket", "")), value)
    else:
        items = items_in(reader, value)
    return items[:limit] if limit else items


def _read(visit: Visit, resource: Resource, given: Json) -> Work:
    key = f"{visit.key}@read/{text(given)}"
    execution = visit.execution
    execution.ask(ReadItems(key, resource, given, visit.name, execution.identity.id))
    event = yield Await((key,))
    if isinstance(event, Failed):
        raise StateError(ITEM_READER, event.cause)
    return event.value


def _from_manifest(visit: Visit, resource: Resource, value: Json) -> Work:
    """The rows of all files of an S3 inventory."""
    inventory = inventory_in(resource.arn, value)
    items: list[Json] = []
    for name in inventory.names:
        rows = yield from _read(visit, resource, {"Bucket": inventory.bucket, "Key": name})
        items += items_in(inventory.reader, rows)
    return items


def _flattened(visit: Visit, reader: ItemReader, bucket: str, listed: list[Json]) -> Work:
    """The items of all objects of a listing."""
    resource = parse(reader.resource.replace("listObjectsV2", "getObject"))
    items: list[Json] = []
    for each in listed:
        content = yield from _read(visit, resource, {"Bucket": bucket, "Key": each["Key"]})
        items += items_in(reader, content)
    return items


def _evaluated(state: Map, value: Json, visit: Visit, effective: Json, field: str) -> Json:
    if isinstance(value, Absent):
        return {}
    if state.query_language == "JSONata":
        return template.resolve(value, visit.scope(), field)
    return template.payload(value, visit.data(effective), visit.execution.chance)


# --- batching ----------------------------------------------------------------------------------


def batch(state: Map, visit: Visit, effective: Json, inputs: list[Json]) -> list[Unit]:
    """The inputs of the children.

    Raises:
        EvaluationError: one of the sizes is not positive.
    """
    batcher = state.batcher
    if batcher is None:
        return [Unit(value) for value in inputs]
    count = settings.whole(batcher.max_items, visit, "MaxItemsPerBatch", effective)
    bytes_ = settings.whole(batcher.max_bytes, visit, "MaxInputBytesPerBatch", effective)
    if (count is not None and count < 1) or (bytes_ is not None and bytes_ < 1):
        raise EvaluationError("The size of a batch must be positive.")
    common: dict[str, Json] = {}
    if not isinstance(batcher.batch_input, Absent):
        given = _evaluated(state, batcher.batch_input, visit, effective, "ItemBatcher/BatchInput")
        common["BatchInput"] = given
    groups = grouped(inputs, count, bytes_, common)
    return [Unit({"Items": items, **common}, len(items)) for items in groups]


# --- writing -----------------------------------------------------------------------------------


def write_results(
    state: Map,
    writer: ResultWriter,
    visit: Visit,
    effective: Json,
    children: list[Child],
    *,
    run_arn: str,
) -> Work:
    """What a ResultWriter gives: what is kept of the results, or where it has written them.

    Raises:
        StateError: it cannot be written.
    """
    given = _evaluated(state, writer.parameters, visit, effective, "ResultWriter/Arguments")
    ended = [child.ended() for child in children]
    if writer.resource is None:
        return succeeded(ended, writer.config.get("Transformation"))
    told = written(ended, given, writer.config, run_arn)
    for name, content in told.files.items():
        key = f"{visit.key}@write/{name.rpartition('/')[2]}"
        visit.execution.ask(WriteItems(key, told.bucket, name, content))
        event = yield Await((key,))
        if isinstance(event, Failed):
            raise StateError(RESULT_WRITER, event.cause)
    return told.result
