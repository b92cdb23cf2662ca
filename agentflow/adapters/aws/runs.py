"""Map Runs where a workflow runs: the inputs of the children, and what becomes of their outcomes.

A distributed map that has more than a list of items, such as batches by size or results that are
written to S3, keeps its fields as they are. They are evaluated here as the service does.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from agentflow.adapters.aws import reading
from agentflow.adapters.aws.asl import template
from agentflow.adapters.aws.asl.errors import (
    ITEM_READER,
    QUERY,
    RESULT_WRITER,
    RUNTIME,
    TOLERANCE,
    EvaluationError,
    StateError,
)
from agentflow.adapters.aws.asl.intrinsics import Chance
from agentflow.adapters.aws.asl.items import UnreadableError, around, pairs
from agentflow.adapters.aws.asl.jsonata import Scope
from agentflow.adapters.aws.asl.jsonpath import Data
from agentflow.adapters.aws.asl.runs import (
    Ended,
    Written,
    grouped,
    is_tolerated,
    succeeded,
    written,
)
from agentflow.adapters.aws.asl.simulate.execution import Identity
from agentflow.adapters.aws.asl.values import kind, text
from agentflow.adapters.aws.foreign import EVALUATING
from agentflow.errors import Json
from agentflow.functions.context import Context

Fields = Mapping[str, Any]
"""Fields of a Map state, as its definition has them."""
_JSONATA: Final = "JSONata"
TOO_MANY: Final = "The specified tolerated failure threshold was exceeded"


@dataclass(frozen=True, slots=True)
class Sight:
    """What the fields of a state see."""

    language: str
    data: Json
    around: Mapping[str, Json]
    variables: Mapping[str, Json]
    now: float
    chance: Chance

    def value(self, given: Json, field: str, item: Json = None) -> Json:
        """The value of a template; `item` is the iteration that it is for."""
        around = self.around if item is None else {**self.around, "Map": item}
        if self.language == _JSONATA:
            states = {"input": self.data, "context": around}
            names = {**self.variables, "states": states}
            with EVALUATING:
                return template.resolve(given, Scope(names, self.now, self.chance), field)
        return template.payload(given, Data(self.data, around, self.variables), self.chance)

    def at(self, path: str) -> Json:
        """What a path names."""
        return template.look(path, Data(self.data, self.around, self.variables), self.chance)

    def number(self, fields: Fields, field: str) -> float | None:
        """A field with a number, or whose sibling has the path of one; None if neither is there.

        Raises:
            EvaluationError: it is none.
        """
        if (path := fields.get(f"{field}Path")) is not None:
            found = self.at(path)
        elif field not in fields:
            return None
        else:
            found = self.value(fields[field], field)
        if isinstance(found, str) and self.language != _JSONATA:
            try:
                found = float(found)
            except ValueError:
                found = None
        if isinstance(found, bool) or not isinstance(found, int | float):
            raise EvaluationError(f"{field} is no number: {text(found)}", self.fault)
        return float(found)

    def whole(self, fields: Fields, field: str) -> int | None:
        """The same of a whole number."""
        found = self.number(fields, field)
        if found is not None and not found.is_integer():
            raise EvaluationError(f"{field} is no whole number: {found}", self.fault)
        return None if found is None else int(found)

    @property
    def fault(self) -> str:
        """The name of an error in a value."""
        return QUERY if self.language == _JSONATA else RUNTIME


# --- before the children -------------------------------------------------------------------------


def begun(fields: Fields, seen: Sight) -> dict[str, Json]:
    """The `inputs` of the children, and what has to be known `after` them.

    Raises:
        StateError: items cannot be read.
        EvaluationError: a field has no value that it can have.
    """
    found = _items(fields, seen)
    tolerated = _tolerated(fields, seen)
    inputs = [_selected(fields, seen, place, item) for place, item in enumerate(found)]
    after: dict[str, Json] = {"tolerated": tolerated, "label": fields.get("Label", "run")}
    if (batcher := fields.get("ItemBatcher")) is not None:
        inputs, after["sizes"] = _batches(batcher, seen, inputs)
    if (writer := fields.get("ResultWriter")) is not None:
        given = writer.get("Arguments", writer.get("Parameters", {}))
        place = seen.value(given, "ResultWriter/Arguments")
        config = writer.get("WriterConfig", {})
        after["writer"] = {"resource": writer.get("Resource"), "place": place, "config": config}
    return {"inputs": inputs, "after": after}


def _items(fields: Fields, seen: Sight) -> list[Json]:
    if (reader := fields.get("ItemReader")) is not None:
        return _read(reader, seen)
    if seen.language != _JSONATA:
        found = seen.at(fields.get("ItemsPath", "$"))
    elif "Items" in fields:
        found = seen.value(fields["Items"], "Items")
    else:
        found = seen.data
    if isinstance(found, dict):
        return pairs(found)
    if not isinstance(found, list):
        told = f"Map state input must be an array but was: {kind(found)}"
        raise EvaluationError(told, seen.fault)
    return found


def _read(reader: Fields, seen: Sight) -> list[Json]:
    given = reader.get("Arguments", reader.get("Parameters", {}))
    arguments = seen.value(given, "ItemReader/Arguments")
    config = dict(reader.get("ReaderConfig", {}))
    most = seen.whole(config, "MaxItems")
    if most is not None and most < 0:
        raise StateError(ITEM_READER, "field MaxItems must be positive")
    rest = {key: each for key, each in config.items() if not key.startswith("MaxItems")}
    found = reading.read(reader.get("Resource", ""), arguments, rest)
    return found[:most] if most else found


def _tolerated(fields: Fields, seen: Sight) -> list[Json]:
    """A count and a percentage; None where failures are not limited so."""
    count = seen.whole(fields, "ToleratedFailureCount")
    share = seen.number(fields, "ToleratedFailurePercentage")
    if count is not None and count < 0:
        raise EvaluationError("ToleratedFailureCount cannot be negative.", seen.fault)
    if share is not None and not 0 <= share <= 100:
        raise EvaluationError("ToleratedFailurePercentage must be between 0 and 100.", seen.fault)
    return [count or None, share or None]


def _selected(fields: Fields, seen: Sight, place: int, item: Json) -> Json:
    if "ItemSelector" not in fields:
        return item
    return seen.value(fields["ItemSelector"], "ItemSelector", around(place, item))


def _batches(batcher: Fields, seen: Sight, inputs: list[Json]) -> tuple[list[Json], list[Json]]:
    """Inputs with several items, and how many there are in each."""
    most = seen.whole(batcher, "MaxItemsPerBatch")
    bytes_ = seen.whole(batcher, "MaxInputBytesPerBatch")
    if any(size is not None and size < 1 for size in (most, bytes_)):
        raise EvaluationError("The size of a batch must be positive.")
    common: dict[str, Json] = {}
    if "BatchInput" in batcher:
        common["BatchInput"] = seen.value(batcher["BatchInput"], "ItemBatcher/BatchInput")
    groups = grouped(inputs, most, bytes_, common)
    return [{"Items": items, **common} for items in groups], [len(items) for items in groups]


# --- after the children --------------------------------------------------------------------------


def ended(
    after: Fields, children: Sequence[Fields], inputs: Sequence[Json], context: Context
) -> Json:
    """The result of a map whose children gave `{output}` or `{failed: {Error, Cause}}`.

    Raises:
        StateError: more failed than is tolerated, or results cannot be written.
    """
    sizes = after.get("sizes") or [1] * len(children)
    failed = sum(
        size for size, child in zip(sizes, children, strict=True) if child.get("failed") is not None
    )
    count, share = after["tolerated"]
    if not is_tolerated((count, share), failed, sum(sizes)):
        raise StateError(TOLERANCE, TOO_MANY)
    writer = after.get("writer")
    if writer is None:
        return [child["output"] if "output" in child else child["failed"] for child in children]
    told, run_arn = _told(after, children, inputs, context)
    if writer["resource"] is None:
        return succeeded(told, writer["config"].get("Transformation"))
    return _stored(written(told, writer["place"], writer["config"], run_arn))


def _told(
    after: Fields, children: Sequence[Fields], inputs: Sequence[Json], context: Context
) -> tuple[list[Ended], str]:
    """The children with names of their own, the same on each attempt; and the ARN of the run."""
    chance = random.Random(context.idempotency_key)  # noqa: S311 -- repeatable, no secret

    def drawn() -> str:
        return f"{chance.getrandbits(128):032x}"

    machine = context.workflow or "workflow"
    run_arn = Identity("", machine).run_id(after["label"], drawn())
    told: list[Ended] = []
    for given, child in zip(inputs, children, strict=True):
        who = Identity(drawn(), machine, f"/{after['label']}")
        failure = child.get("failed")
        error = None if failure is None else (failure["Error"], failure["Cause"])
        told.append(Ended(who.id, who.name, who.machine_id, given, child.get("output"), error))
    return told, run_arn


def _stored(results: Written) -> Json:
    try:
        reading.write(results.bucket, results.files)
    except UnreadableError as error:
        raise StateError(RESULT_WRITER, str(error)) from None
    return results.result
