"""What a submitted job runs: `python -m agentflow.cli.job_driver VERB …`.

It is the command line on a node of a cluster that may know nothing of AgentFlow: first it looks
whether everything is there that it needs. What goes to stdout is marked in the job's log, so that
whoever submitted it can tell the result from all the rest.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn, TextIO

from agentflow.cli import exits, terminal
from agentflow.errors import Unavailable
from agentflow.runtime.executors.ray_jobs import MARK, SENT, marked
from agentflow.runtime.executors.ray_wheel import missing


def main() -> NoReturn:
    """Run the command line on `sys.argv`, and leave with its exit code."""
    # `ray job stop` sends SIGTERM; it is told like Ctrl-C, and nothing is lost either way.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    mark = os.environ.pop(MARK, "")
    sys.stdout.write(f'{mark}""\n')  # from here on it is we who write
    sys.stdout = Marked(sys.stdout, mark)
    lacking = missing()
    if lacking:
        error = Unavailable(
            f"the cluster's Python {sys.version.split()[0]} lacks {', '.join(lacking)}",
            help="add them to its image: pip install 'inferloop-agentflow[ray]'",
        )
        terminal.note(exits.as_text(error))
        terminal.result_json(exits.as_json(error))
        sys.exit(error.exit_code)
    from agentflow.cli import main as command_line

    sys.argv[1:] = [_sent(argument) for argument in sys.argv[1:]]
    command_line()


def _sent(argument: str) -> str:
    """A file that came with the job, where it is here; anything else as it is."""
    if not argument.startswith(f"@{SENT}"):
        return argument
    found = (Path(folder) / argument[1:] for folder in sys.path)
    return next((f"@{path}" for path in found if path.is_file()), argument)


class Marked(io.TextIOBase):
    """A stdout whose text is marked in the log that it shares with everything else."""

    def __init__(self, log: TextIO, mark: str) -> None:
        self._log = log
        self._mark = mark

    def write(self, text: str) -> int:
        """Write a text as marked lines."""
        for line in marked(self._mark, text):
            self._log.write(line)
        self._log.flush()
        return len(text)

    def flush(self) -> None:
        """Pass it on."""
        self._log.flush()

    def fileno(self) -> int:
        """That of the log."""
        return self._log.fileno()


if __name__ == "__main__":
    main()
