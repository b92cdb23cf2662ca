"""JSONPath with the service's semantics."""

from agentflow.adapters.aws.asl.jsonpath.evaluate import (
    BeyondError,
    Data,
    InapplicableError,
    MissingError,
    find,
    follow,
    is_reference,
    put,
)
from agentflow.adapters.aws.asl.jsonpath.syntax import Path, parse, parse_prefix

__all__ = [
    "BeyondError",
    "Data",
    "InapplicableError",
    "MissingError",
    "Path",
    "find",
    "follow",
    "is_reference",
    "parse",
    "parse_prefix",
    "put",
]
