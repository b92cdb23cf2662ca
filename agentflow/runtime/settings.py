"""Settings from the environment."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from agentflow.errors import UsageError

_PREFIX = "AGENTFLOW_"


class Settings(BaseSettings):
    """What the environment says. A variable that is set but empty counts as not set."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, env_ignore_empty=True, extra="ignore", frozen=True
    )

    database_url: str | None = Field(default=None, validation_alias="DATABASE_URL", repr=False)
    """Where the journal is; by default `.agentflow/journal.db` in the project root."""

    redis_url: str | None = Field(default=None, validation_alias="REDIS_URL", repr=False)
    """A Redis that carries hints between processes; without one they notice news a little later."""

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
