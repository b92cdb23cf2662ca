"""New processes as users start them."""

from __future__ import annotations

import os

from dev import TOOLS


def installed(**more: str) -> dict[str, str]:
    """The environment of a process whose modules are compiled, as those of a package in use are.

    The first process that has it compiles them below `.tools`, whatever the environment of this one
    says about that; medians leave that round out.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": str(TOOLS / "compiled"), **more}
