"""The public surface: small, sorted, documented, importable."""

from __future__ import annotations

import subprocess
import sys

import pytest

import agentflow


def test_all_is_sorted_and_complete() -> None:
    assert sorted(agentflow.__all__) == agentflow.__all__
    assert dir(agentflow) == agentflow.__all__


@pytest.mark.parametrize("name", [n for n in agentflow.__all__ if n != "__version__"])
def test_every_public_name_is_documented(name: str) -> None:
    assert (getattr(agentflow, name).__doc__ or "").strip()


def test_unknown_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nope'"):
        agentflow.nope  # noqa: B018


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys, agentflow; from agentflow import function;"
        "heavy = {'ray', 'sqlalchemy', 'pydantic', 'boto3', 'fastapi', 'yaml'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
