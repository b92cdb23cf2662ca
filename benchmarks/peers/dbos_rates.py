"""DBOS on SQLite as works that take turns with ours."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.figures import NotMeasured, Work
from benchmarks.peers.environment import python_of

_PROGRAM = Path(__file__).parent / "dbos_workflows.py"
_WAYS = {"DBOS as shipped": (), "DBOS with a write-ahead log": ("wal",)}


class Dbos:
    """DBOS in two processes: as it is shipped, and with SQLite's write-ahead log.

    Args:
        folder: Where their databases are: on the same disk as our journal.
        unit: What its rates count.
    """

    def __init__(self, folder: Path, unit: str) -> None:
        self._folder = folder
        self._unit = unit
        self._stack = ExitStack()
        self._ask: dict[str, Callable[[str], float]] = {}
        self._absent = ""

    def __enter__(self) -> Self:
        try:
            python = python_of("dbos")
            for name, options in _WAYS.items():
                folder = self._folder / "-".join(("dbos", *options))
                folder.mkdir()
                answers = _Answers([str(python), str(_PROGRAM), str(folder), *options])
                self._ask[f"{name}, {self._unit}"] = self._stack.enter_context(answers)
        except NotMeasured as reason:
            self._stack.close()
            self._ask, self._absent = {}, str(reason)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def works(self, work: str, count: int) -> dict[str, Work]:
        """Its rates of a work; none if it cannot be measured."""
        return {name: partial(ask, f"{work} {count}") for name, ask in self._ask.items()}

    def ratio(self, ours: float, found: Mapping[str, float]) -> float | str:
        """Our rate divided by the better of its rates, or why that is not known."""
        if self._absent:
            return f"not measured: {self._absent}"
        return ours / max(found[name] for name in self._ask)


class _Answers:
    """A process that answers each line with a number."""

    def __init__(self, command: list[str]) -> None:
        self._command = command

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._line()  # it is ready
        return self

    def __call__(self, request: str) -> float:
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write(f"{request}\n")
        stdin.flush()
        return float(self._line())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()

    def _line(self) -> str:
        assert self._process.stdout is not None
        line: str = self._process.stdout.readline()
        if not line:
            raise NotMeasured(f"`{' '.join(self._command)}` ended")
        return line
