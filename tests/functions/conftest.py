from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., str]:
    """Writes modules (`name="source"`) into a project of their own and gives its root."""

    def write(**modules: str) -> str:
        for name, source in modules.items():
            path = tmp_path.joinpath(*name.split("__")).with_suffix(".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(source))
        return str(tmp_path)

    return write
