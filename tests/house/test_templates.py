"""What `agentflow new` gives is a project that works."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
TEMPLATES = sorted(folder.name for folder in (ROOT / "agentflow" / "templates").iterdir())


def run(*command: str, where: Path) -> str:
    """Run a program that must succeed; gives what it printed."""
    environment = {
        **{name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "AGENTFLOW_EXECUTOR": "inline",
    }
    done = subprocess.run(
        command, cwd=where, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"$ {' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("template", TEMPLATES)
def test_a_new_project_passes_its_tests_and_does_what_its_readme_says(
    template: str, tmp_path: Path
) -> None:
    run("agentflow", "new", "project", "--template", template, where=tmp_path)
    project = tmp_path / "project"
    assert (project / ".gitignore").is_file()
    assert "passed" in run(sys.executable, "-m", "pytest", where=project)
    readme = (project / "README.md").read_text(encoding="utf-8")
    for line in readme.splitlines():
        if line.startswith("$ "):
            run("bash", "-c", line[2:], where=project)
