"""What the nodes of a cluster are given: the user's project and this very package.

Both travel in Ray's runtime environment, as `working_dir` and `py_modules`. A driver that is a
Ray job has been given them by whoever submitted it, and adds what is missing.
"""

from __future__ import annotations

import json
import logging
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from agentflow.errors import Unavailable
from agentflow.runtime.executors.ray_wheel import wheel
from agentflow.runtime.job import IN_JOB

EXCLUDES = (
    ".git", ".hg", ".svn", ".agentflow", ".venv", "venv", "node_modules", "__pycache__", "*.pyc",
    ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".tox", ".nox", ".env",
    ".ipynb_checkpoints",
)  # fmt: skip
"""What no function needs, in the words of .gitignore; Ray honours .gitignore and .rayignore too."""

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Shipment:
    """What to give to `ray.init`, and where the project will be."""

    runtime_env: dict[str, Any]
    inside: str | None
    """The project's root below the working directory of Ray's workers; `None` if it is not
    there."""


def job_environment() -> dict[str, Any] | None:
    """The runtime environment of the Ray job that this process drives; `None` if it is none."""
    given = os.environ.get(IN_JOB)
    if not given:
        return None
    environment: dict[str, Any] = json.loads(given).get("runtime_env") or {}
    return environment


def shipment(root: Path) -> Shipment:
    """What the nodes need beyond what the job has brought.

    Raises:
        Unavailable: the project is too large to be uploaded.
    """
    job = job_environment() or {}
    adds: dict[str, Any] = {}
    if "py_modules" not in job:
        adds["py_modules"] = [str(wheel())]
    if "working_dir" in job:
        return Shipment(adds, _inside(str(job["working_dir"]), root))
    return Shipment({**adds, **project(root)}, ".")


def project(root: Path) -> dict[str, Any]:
    """The part of a runtime environment that uploads a project.

    Raises:
        Unavailable: it is too large.
    """
    _check_size(root)
    return {"working_dir": str(root), "excludes": list(EXCLUDES)}


def _inside(working_dir: str, root: Path) -> str | None:
    """Where a root is below the job's working directory, which is somewhere else on each node."""
    name = PurePosixPath(urlsplit(working_dir).netloc or urlsplit(working_dir).path).stem
    top = next((folder for folder in (root, *root.parents) if folder.name == name), Path.cwd())
    return str(root.relative_to(top)) if root.is_relative_to(top) else None


def _check_size(root: Path) -> None:
    from ray._private.runtime_env import packaging

    limit = packaging.GCS_STORAGE_MAX_SIZE
    sizes: Counter[str] = Counter()

    def add(path: Path) -> None:
        if path.is_file() and not path.is_symlink():
            sizes[path.relative_to(root).parts[0]] += path.stat().st_size

    logging.getLogger("ray").setLevel(logging.ERROR)  # it tells what it leaves out
    # Ray's own walk, so that what counts is what would be uploaded.
    excludes = [packaging._get_excludes(root, list(EXCLUDES))]  # noqa: SLF001
    packaging._dir_travel(root, excludes, add, include_gitignore=True)  # noqa: SLF001
    total = sum(sizes.values())
    if total > limit:
        largest = ", ".join(f"{name} ({_words(size)})" for name, size in sizes.most_common(3))
        raise Unavailable(
            f"the project {root} is too large to upload: {_words(total)}, and Ray takes "
            f"{_words(limit)}",
            help=f"largest: {largest}; list what functions do not need in .gitignore or "
            ".rayignore, and read large data from shared storage",
        )


def _words(size: int) -> str:
    return f"{size / _MIB:,.1f} MiB"
