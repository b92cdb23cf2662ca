"""Which fields a definition may have where, and what kind of value each takes.

The kinds name methods of the reader's `Values`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

BOTH: Final = frozenset({"JSONPath", "JSONata"})
PATH: Final = frozenset({"JSONPath"})
JSONATA: Final = frozenset({"JSONata"})


@dataclass(frozen=True, slots=True)
class Field:
    """A field: the attribute of the model it fills, its kind, and where it is allowed."""

    attribute: str
    kind: str
    languages: frozenset[str] = BOTH


def _pair(name: str, attribute: str, kind: str, path: str = "reference") -> dict[str, Field]:
    """`X` in both languages and `XPath` with JSONPath."""
    return {name: Field(attribute, kind), f"{name}Path": Field(attribute, path, PATH)}


_HEAD: Final = {
    "Type": Field("", "text"),
    "Comment": Field("comment", "text"),
    "QueryLanguage": Field("", "query_language"),
}
_PATHS: Final = {
    "InputPath": Field("input_path", "path_or_null", PATH),
    "OutputPath": Field("output_path", "path_or_null", PATH),
}
_OUTPUT: Final = {"Output": Field("output", "template", JSONATA)}
_ASSIGN: Final = {"Assign": Field("assign", "assign")}
_FLOW: Final = {"Next": Field("next", "state_name"), "End": Field("end", "boolean")}
_RESULT_PATH: Final = {"ResultPath": Field("result_path", "result_path", PATH)}
_PARAMETERS: Final = {"Parameters": Field("parameters", "template", PATH)}
_WORK: Final = {
    **_PATHS,
    **_RESULT_PATH,
    **_OUTPUT,
    **_ASSIGN,
    **_FLOW,
    "ResultSelector": Field("result_selector", "template", PATH),
    "Retry": Field("retry", "retriers"),
    "Catch": Field("catch", "catchers"),
}
_ARGUMENTS: Final = {**_PARAMETERS, "Arguments": Field("arguments", "template", JSONATA)}

STATES: Final[dict[str, dict[str, Field]]] = {
    "Task": {
        **_HEAD,
        **_WORK,
        **_ARGUMENTS,
        "Resource": Field("resource", "text"),
        **_pair("TimeoutSeconds", "timeout_seconds", "positive"),
        **_pair("HeartbeatSeconds", "heartbeat_seconds", "positive"),
        "Credentials": Field("credentials", "template"),
    },
    "Pass": {
        **_HEAD,
        **_PATHS,
        **_RESULT_PATH,
        **_PARAMETERS,
        **_OUTPUT,
        **_ASSIGN,
        **_FLOW,
        "Result": Field("result", "data", PATH),
    },
    "Choice": {
        **_HEAD,
        **_PATHS,
        **_OUTPUT,
        **_ASSIGN,
        "Choices": Field("choices", "rules"),
        "Default": Field("default", "state_name"),
    },
    "Wait": {
        **_HEAD,
        **_PATHS,
        **_OUTPUT,
        **_ASSIGN,
        **_FLOW,
        **_pair("Seconds", "seconds", "seconds"),
        **_pair("Timestamp", "timestamp", "timestamp"),
    },
    "Succeed": {**_HEAD, **_PATHS, **_OUTPUT},
    "Fail": {
        **_HEAD,
        **_pair("Error", "error", "text_or_expression", "text_reference"),
        **_pair("Cause", "cause", "text_or_expression", "text_reference"),
    },
    "Parallel": {**_HEAD, **_WORK, **_ARGUMENTS, "Branches": Field("branches", "branches")},
    "Map": {
        **_HEAD,
        **_WORK,
        **_PARAMETERS,
        "ItemProcessor": Field("processor", "processor"),
        "Iterator": Field("processor", "processor"),
        "Items": Field("items", "collection", JSONATA),
        "ItemsPath": Field("items_path", "path", PATH),
        "ItemSelector": Field("item_selector", "template"),
        **_pair("MaxConcurrency", "max_concurrency", "count"),
        **_pair("ToleratedFailureCount", "tolerated_count", "count"),
        **_pair("ToleratedFailurePercentage", "tolerated_percentage", "percentage"),
        "ItemReader": Field("reader", "item_reader"),
        "ItemBatcher": Field("batcher", "item_batcher"),
        "ResultWriter": Field("writer", "result_writer"),
        "Label": Field("label", "label"),
    },
}
"""By the type of a state."""

REQUIRED: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "Task": (("Resource",),),
    "Choice": (("Choices",),),
    "Wait": (("Seconds", "SecondsPath", "Timestamp", "TimestampPath"),),
    "Parallel": (("Branches",),),
    "Map": (("ItemProcessor", "Iterator"),),
}
"""Groups of fields of which exactly one has to be there."""

EXCLUSIVE: Final = (
    ("TimeoutSeconds", "TimeoutSecondsPath"),
    ("HeartbeatSeconds", "HeartbeatSecondsPath"),
    ("Error", "ErrorPath"),
    ("Cause", "CausePath"),
    ("MaxConcurrency", "MaxConcurrencyPath"),
    ("ToleratedFailureCount", "ToleratedFailureCountPath"),
    ("ToleratedFailurePercentage", "ToleratedFailurePercentagePath"),
    ("Next", "End"),
    ("Items", "ItemReader"),
    ("ItemSelector", "Parameters"),
)
"""Pairs of fields of which at most one may be there."""

MACHINE: Final = frozenset(
    {"Comment", "StartAt", "States", "Version", "TimeoutSeconds", "QueryLanguage"}
)
BRANCH: Final = frozenset({"Comment", "StartAt", "States", "QueryLanguage"})
PROCESSOR: Final = BRANCH | {"ProcessorConfig"}
DISTRIBUTED_ONLY: Final = ("ItemReader", "ItemBatcher", "ResultWriter", "Label")
