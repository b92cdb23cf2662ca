"""The machines that clouds run functions on."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from agentflow.errors import Json, UsageError

Architecture: TypeAlias = Literal["x86-64", "arm64"]

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
"""The versions of Python that both AgentFlow and the clouds have."""

_MACHINES: dict[Architecture, str] = {"x86-64": "x86_64", "arm64": "aarch64"}
_OLDER = ("3.11",)
"""Runs on Amazon Linux 2, whose C library is 2.26; the later ones on 2.34.

Source: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
"""


@dataclass(frozen=True, slots=True)
class Platform:
    """A processor and a version of Python, on Linux."""

    architecture: Architecture
    python: str
    """Such as `3.12`."""

    @property
    def tag(self) -> str:
        """The platform as uv names it."""
        library = "manylinux2014" if self.python in _OLDER else "manylinux_2_28"
        return f"{_MACHINES[self.architecture]}-{library}"

    def __str__(self) -> str:
        return f"Python {self.python} on {self.architecture}"


def here() -> str:
    """The Python that is running, or the nearest one that clouds have."""
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    return running if running in PYTHONS else PYTHONS[-1]


def platform(architecture: Json = None, python: Json = None) -> Platform:
    """The platform that settings ask for; by default x86-64 and the Python that is running.

    Raises:
        UsageError: there is none like that.
    """
    if architecture not in (None, *get_args(Architecture)):
        raise UsageError(f"`architecture` is x86-64 or arm64, got `{architecture}`")
    if python is not None and str(python) not in PYTHONS:
        known = ", ".join(PYTHONS)
        raise UsageError(f"`python` is one of {known}, got `{python}`", help='write it as "3.12"')
    return Platform(architecture or "x86-64", here() if python is None else str(python))
