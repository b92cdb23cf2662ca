"""What functions print: kept in `.agentflow/logs/ID.log` and shown to whoever watches."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from agentflow.runtime.job import job_folder
from agentflow.runtime.live import Live
from agentflow.runtime.notices import Notice, Printed
from agentflow.runtime.redaction import redact, secret_values


def log_folder(root: Path) -> Path:
    """Where the log files of a project's executions are; those of a Ray job outlive it."""
    return (job_folder() or root / ".agentflow") / "logs"


def keep_lines(folder: Path, id: str, key: str, lines: Iterable[str]) -> None:
    """Add to an execution's log file what one of its calls has printed just now."""
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    with (folder / f"{id}.log").open("a", encoding="utf-8") as file:
        file.writelines(f"{now} {key} {line}\n" for line in lines)


class LogBook:
    """The log files of this process's executions. Values of declared secrets are blanked out."""

    def __init__(self, folder: Path, watch: Callable[[Notice], None]) -> None:
        self._folder = folder
        self._watch = watch

    def printed(self, live: Live, key: str, lines: tuple[str, ...]) -> None:
        """Keep and show lines a function printed."""
        clean = tuple(redact(list(lines), secret_values(live.spec.workflow.secrets)))
        self._watch(Printed(live.id, key, clean))
        keep_lines(self._folder, live.id, key, clean)
