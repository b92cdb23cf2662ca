"""Distributed maps that have more than items: their fields stay as they are.

Two calls of `foreign` stand around the map of the children: one evaluates the fields, one makes the
result. On the service the three are one Map again.
"""

from __future__ import annotations

from typing import Final

from agentflow.adapters.aws import foreign
from agentflow.adapters.aws.asl.model import Map
from agentflow.adapters.aws.asl.values import Absent, text
from agentflow.adapters.aws.imports.expressions import Sight
from agentflow.adapters.aws.imports.writing import Writing
from agentflow.errors import Json
from agentflow.spec.model import Call

_KEPT: Final[tuple[str, ...]] = (
    "Items",
    "ItemsPath",
    "ItemReader",
    "ItemSelector",
    "ItemBatcher",
    "ResultWriter",
    "ToleratedFailureCount",
    "ToleratedFailureCountPath",
    "ToleratedFailurePercentage",
    "ToleratedFailurePercentagePath",
    "MaxConcurrencyPath",
    "Label",
)
_OLD_SELECTOR: Final = "Parameters"


def is_needed(state: Map) -> bool:
    """Whether a map does what a list of items, or of batches of a number of items, cannot say."""
    batcher = state.batcher
    if state.writer is not None:
        return True
    if batcher is None:
        return False
    by_number = isinstance(batcher.max_bytes, Absent) and not isinstance(batcher.max_items, Absent)
    return not by_number or state.reader is not None or not isinstance(state.item_selector, Absent)


def opened(w: Writing, state: Map, given: dict[str, Json], sight: Sight) -> str:
    """Add the call that evaluates the fields; its id."""
    fields = {key: given[key] for key in _KEPT if key in given}
    if _OLD_SELECTOR in given:
        fields["ItemSelector"] = given[_OLD_SELECTOR]
    if not isinstance(state.max_concurrency, int | Absent):
        fields |= {key: given[key] for key in given if key.startswith("MaxConcurrency")}
    if state.express:
        fields["ExecutionType"] = "EXPRESS"
    written = text(fields)
    language = None if state.query_language == "JSONPath" else state.query_language
    mark = "$$" if language is None else "context"
    # What an item is, the map itself knows.
    written = written.replace("$$.Map.Item", "").replace("context.Map.Item", "")
    variables = w.scope.variables
    call = w.call(
        "run",
        "map_run",
        {
            "state": fields,
            "data": w.expression(sight.data),
            "around": w.around(written, mark, sight),
            "variables": None if variables is None else w.expression(variables),
            "language": language,
        },
    )
    return call.source


def closed(w: Writing, state: Map, run: str, children: str) -> Call:
    """The call that makes the result."""
    given = {"after": w.expression(f"{run}.after"), "children": w.expression(children)}
    if state.writer is not None:
        given["inputs"] = w.expression(f"{run}.inputs")
    return Call(f"{foreign.MODULE}.map_result", given, w.span)
