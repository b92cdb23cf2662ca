"""Settings from the environment."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from agentflow.errors import UsageError
from agentflow.runtime.job import job_folder

_PREFIX = "AGENTFLOW_"


def _store_of_job() -> str | None:
    folder = job_folder()
    return None if folder is None else f"sqlite:///{folder / 'journal.db'}"


class Settings(BaseSettings):
    """What the environment says. A variable that is set but empty counts as not set."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, env_ignore_empty=True, extra="ignore", frozen=True
    )

    database_url: str | None = Field(
        default_factory=_store_of_job, validation_alias="DATABASE_URL", repr=False
    )
    """Where the journal is; by default `.agentflow/journal.db` in the project root, or in the
    user's home if this is a Ray job."""

    redis_url: str | None = Field(default=None, validation_alias="REDIS_URL", repr=False)
    """A Redis that carries hints between processes; without one they notice news a little later."""

    store_wait_seconds: float = Field(default=30, ge=0)
    """How long a store that is away, or that others hold, is waited for."""

    blobs: str | None = None
    """Where values above 64 KiB are: a folder, or a URL that fsspec knows, such as
    `s3://bucket/folder`; by default a folder beside the journal."""

    blob_grace_seconds: float = Field(default=86_400, ge=0)
    """How old a blob that nothing refers to must be before `prune` removes it."""

    history_events: int = Field(default=50_000, ge=1)
    """How many events one execution's history may hold."""

    history_bytes: int = Field(default=50 * 2**20, ge=1)
    """How many bytes their values may take in the journal, without those in blobs."""

    executor: Literal["ray", "inline"] = "ray"
    """What carries out calls where the command line does not say: `AGENTFLOW_EXECUTOR`."""


def load_settings() -> Settings:
    """Read the settings.

    Raises:
        UsageError: a variable has a value it cannot have; names all of them.
    """
    try:
        return Settings()
    except ValidationError as error:
        # The values themselves stay out of the message: they may be secrets.
        faults = [
            f"{_variable(str(fault['loc'][0]))}: {fault['msg']}"
            for fault in error.errors(include_input=False)
        ]
        raise UsageError(f"the environment is wrong: {'; '.join(faults)}") from None


def _variable(field: str) -> str:
    return field if field.isupper() else f"{_PREFIX}{field.upper()}"
