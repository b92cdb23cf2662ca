"""Whether this process is a Ray job, and where one keeps what must outlive it.

Apart from the settings, because every verb asks this, and few read settings.
"""

from __future__ import annotations

import os
from pathlib import Path

IN_JOB = "RAY_JOB_CONFIG_JSON_ENV_VAR"
"""Ray sets it for a job's command, and for nothing else; it holds how the job was submitted."""


def job_folder() -> Path | None:
    """Where a Ray job keeps what must outlive it; `None` if this process is no job.

    The project is a copy there, in a folder that Ray removes.
    """
    return Path.home() / ".agentflow" if os.environ.get(IN_JOB) else None
