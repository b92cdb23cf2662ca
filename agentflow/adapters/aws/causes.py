"""Errors as Step Functions tells them, a name and a cause, as values of the language.

This module is part of bundles, and imports nothing but the errors.
"""

from __future__ import annotations

import json
from types import MappingProxyType

from agentflow.errors import Json, fault_value

SERVICE_NAMES: MappingProxyType[str, tuple[str, ...]] = MappingProxyType(
    {
        "Timeout": ("States.Timeout", "States.HeartbeatTimeout", "Sandbox.Timedout"),
        "WorkerLost": ("Lambda.Unknown", "Runtime.ExitError", "Runtime.OutOfMemory"),
        "PayloadTooLarge": ("States.DataLimitExceeded",),
        "FunctionNotFound": ("Lambda.ResourceNotFoundException",),
    }
)
"""Our names, and what the service calls the same."""

OUR_NAMES: MappingProxyType[str, str] = MappingProxyType(
    {theirs: ours for ours, names in SERVICE_NAMES.items() for theirs in names}
)


def error_of(name: str, cause: str) -> dict[str, Json]:
    """The value of an error: as the state machine or the handler wrote it, else as AWS tells it."""
    told = _object(cause)
    said = told.get("errorMessage")
    own = _object(said) if isinstance(said, str) else told
    if isinstance(own.get("name"), str) and "data" in own:
        return own
    return fault_value(OUR_NAMES.get(name, name), said if isinstance(said, str) else cause)


def _object(words: str) -> dict[str, Json]:
    try:
        value = json.loads(words)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
