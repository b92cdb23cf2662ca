"""Settings from the environment.

Texts are taken as they are. What can be wrong, numbers and choices, `variables` checks with
pydantic-settings, which is imported when such a variable is set: that takes a process a sixth of
the time until its first step.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypeAlias

from agentflow.runtime.job import job_folder

PREFIX = "AGENTFLOW_"
"""What the names of variables begin with that are AgentFlow's alone."""

ExecutorName: TypeAlias = Literal["ray", "inline"]

_TEXTS = {"DATABASE_URL": "database_url", "REDIS_URL": "redis_url", f"{PREFIX}BLOBS": "blobs"}
"""Variables that are texts, and the settings they give."""


def _store_of_job() -> str | None:
    folder = job_folder()
    return None if folder is None else f"sqlite:///{folder / 'journal.db'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the environment says. A variable that is set but empty counts as not set."""

    database_url: str | None = field(default_factory=_store_of_job, repr=False)
    """Where the journal is; by default `.agentflow/journal.db` in the project root, or in the
    user's home if this is a Ray job."""

    redis_url: str | None = field(default=None, repr=False)
    """A Redis that carries hints between processes; without one they notice news a little later."""

    store_wait_seconds: float = 30
    """How long a store that is away, or that others hold, is waited for."""

    blobs: str | None = None
    """Where values above 64 KiB are: a folder, or a URL that fsspec knows, such as
    `s3://bucket/folder`; by default a folder beside the journal."""

    blob_grace_seconds: float = 86_400
    """How old a blob that nothing refers to must be before `prune` removes it."""

    history_events: int = 50_000
    """How many events one execution's history may hold."""

    history_bytes: int = 50 * 2**20
    """How many bytes their values may take in the journal, without those in blobs."""

    executor: ExecutorName = "ray"
    """What carries out calls where the command line does not say: `AGENTFLOW_EXECUTOR`."""


def load_settings() -> Settings:
    """Read the settings.

    Raises:
        UsageError: a variable has a value it cannot have; names all of them.
    """
    given = {name.upper(): value for name, value in os.environ.items() if value}
    texts: dict[str, Any] = {_TEXTS[name]: given[name] for name in _TEXTS.keys() & given.keys()}
    others = {f"{PREFIX}{setting.name.upper()}" for setting in fields(Settings)} - _TEXTS.keys()
    if not others & given.keys():
        return Settings(**texts)
    from agentflow.runtime.variables import checked

    return Settings(**texts, **checked())
