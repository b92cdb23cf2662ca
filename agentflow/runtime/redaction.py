"""Keeping the values of secrets out of what is stored and shown."""

from __future__ import annotations

import os
from collections.abc import Sequence

from agentflow.errors import Json

BLANK = "***"


def secret_values(names: Sequence[str]) -> tuple[str, ...]:
    """The values of these secrets in this process's environment, longest first."""
    values = (os.environ.get(f"AGENTFLOW_SECRET_{n}") or os.environ.get(n) for n in names)
    return tuple(sorted(filter(None, values), key=len, reverse=True))


def redact(value: Json, secrets: Sequence[str]) -> Json:
    """A JSON value with every secret in its texts blanked out."""
    if not secrets:
        return value
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, BLANK)
        return value
    if isinstance(value, list):
        return [redact(part, secrets) for part in value]
    if isinstance(value, dict):
        return {redact(key, secrets): redact(part, secrets) for key, part in value.items()}
    return value
