"""Variables of the environment whose values can be wrong: numbers and choices."""

from __future__ import annotations

from typing import TypedDict, cast

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from agentflow.errors import UsageError
from agentflow.runtime.settings import PREFIX, ExecutorName


class Checked(TypedDict, total=False):
    """Settings that were given; see `Settings`."""

    store_wait_seconds: float
    blob_grace_seconds: float
    history_events: int
    history_bytes: int
    executor: ExecutorName


class _Variables(BaseSettings):
    """`None` is what is not given."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="ignore")

    store_wait_seconds: float | None = Field(default=None, ge=0)
    blob_grace_seconds: float | None = Field(default=None, ge=0)
    history_events: int | None = Field(default=None, ge=1)
    history_bytes: int | None = Field(default=None, ge=1)
    executor: ExecutorName | None = None


def checked() -> Checked:
    """Read those that are set.

    Raises:
        UsageError: a variable has a value it cannot have; names all of them.
    """
    try:
        variables = _Variables()
    except ValidationError as error:
        # The values themselves stay out of the message: they may be secrets.
        faults = [
            f"{PREFIX}{str(fault['loc'][0]).upper()}: {fault['msg']}"
            for fault in error.errors(include_input=False)
        ]
        raise UsageError(f"the environment is wrong: {'; '.join(faults)}") from None
    return cast("Checked", variables.model_dump(exclude_unset=True))
