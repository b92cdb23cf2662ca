"""The context of a call: which execution, which step, which attempt, and how long is left."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from agentflow.errors import Fault, UsageError

LOGGER = logging.getLogger("agentflow.step")
"""Parent of what functions log through their context."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a function may know about its call.

    A parameter annotated `Context`, or an unannotated one named `context`, receives it. Tests may
    make one: every field has a default.
    """

    execution_id: str = "local"
    workflow: str = ""
    step: str = ""
    """The step's path with its iteration indexes, such as `counts[17].parse`."""
    attempt: int = 1
    deadline: float | None = None
    """Unix seconds at which the attempt times out; `None` when nothing bounds it."""
    secrets: tuple[str, ...] = ()
    """Names the workflow declares under `secrets`."""

    @property
    def idempotency_key(self) -> str:
        """The same on every attempt of this step; hand it to services that deduplicate."""
        return f"{self.execution_id}/{self.step}"

    @property
    def logger(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger whose records carry `execution` and `step`."""
        return logging.LoggerAdapter(
            LOGGER, {"execution": self.execution_id, "step": self.step, "attempt": self.attempt}
        )

    def remaining(self) -> float | None:
        """Seconds until the attempt times out, never below zero; `None` without a timeout."""
        return None if self.deadline is None else max(0.0, self.deadline - time.time())

    def secret(self, name: str) -> str:
        """The value of a secret that the workflow declares.

        It is read from the environment, from `AGENTFLOW_SECRET_<NAME>` and then `<NAME>`.

        Raises:
            Fault: `MissingSecret`, if it is not declared or not set.
        """
        if name not in self.secrets:
            declared = ", ".join(self.secrets) or "none"
            raise Fault(
                "MissingSecret",
                f"secret {name!r} is not declared by the workflow (declared: {declared}); "
                f"add it to the spec: secrets: [{name}]",
            )
        for variable in (f"AGENTFLOW_SECRET_{name}", name):
            if (value := os.environ.get(variable)) is not None:
                return value
        raise Fault(
            "MissingSecret",
            f"secret {name!r} is not set; set AGENTFLOW_SECRET_{name} or {name} "
            "in the environment of the worker",
        )


_CURRENT: ContextVar[Context] = ContextVar("agentflow_context")


def current() -> Context:
    """The context of the call that is running.

    Raises:
        UsageError: no call is running here.
    """
    try:
        return _CURRENT.get()
    except LookupError:
        raise UsageError(
            "agentflow.current() was used outside of a step",
            help="take a parameter `context: Context` instead, and give it a Context() in tests",
        ) from None


@contextmanager
def entered(context: Context) -> Iterator[None]:
    """Make `context` the current one for a block of code."""
    token = _CURRENT.set(context)
    try:
        yield
    finally:
        _CURRENT.reset(token)
