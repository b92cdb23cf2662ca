"""One worker process, from its pool's side: starting it, talking to it, ending it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal

from agentflow.errors import Json
from agentflow.functions.failures import frame as code_frame
from agentflow.functions.failures import is_own
from agentflow.runtime.executors.cells import Cells, Running
from agentflow.runtime.executors.wire import COUNT, Frames, Job, Kind, frame

_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from agentflow.runtime.executors.{} import main; main(*json.loads(sys.argv[2]))"
)
_PIECE = 256 * 1024
_TAIL = 8 * 1024
"""Bytes kept of what a worker wrote last, for the message when it dies."""
_STOPPING = 0.05
"""Seconds to wait for a process to stop; one that sleeps in the kernel does not."""
_LATER = 0.02
_CRASHED_AT = re.compile(r'  File "([^"]+)", line (\d+) in (.+)')


class Process:
    """A worker process with its sockets; `held` is what was given to it and is not answered.

    The pool keeps the reading end of the jobs' socket too: the kernel hands each message to
    exactly one reader, so a job that can be read back here has not begun there, and never will.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        on_frame: Callable[[Process, Kind, int, bytes], None],
        on_line: Callable[[int, str], None],
        on_death: Callable[[Process], None],
        module: Literal["worker", "agents_worker"] = "worker",
    ) -> None:
        self.held: dict[int, Job] = {}
        self.aside: set[int] = set()
        """Held jobs that run as coroutines: they do not keep the worker from the next one."""
        self.is_ready = False
        self.guilty: Running | None = None
        """The call this process was killed for."""
        self._on_frame = on_frame
        self._on_line = on_line
        self._on_death = on_death
        self._frames = Frames()
        self._is_stopped = False
        self._allowed = 0
        self._tail = b""
        self._said = b""
        """The end of what was written since the last call ended, as far as can be told."""
        self._line = b""
        self._loop = asyncio.get_running_loop()
        self._start(environment, module)

    def _start(self, environment: Mapping[str, str], module: str) -> None:
        self._jobs, self._jobs_back = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._results, results = socket.socketpair()
        self._control, control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        page = os.memfd_create("agentflow-cells")
        os.ftruncate(page, Cells.size())
        self.cells = Cells(page)
        self._output, output = os.pipe()
        theirs = [self._jobs_back.fileno(), results.fileno(), control.fileno(), page]
        arguments = [json.dumps(sys.path), json.dumps([os.getpid(), *theirs])]
        self._child = subprocess.Popen(  # noqa: S603  # our own interpreter and module
            [sys.executable, "-c", _BOOT.format(module), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=theirs,
            env=dict(environment),
            start_new_session=True,
        )
        self.pid = self._child.pid
        for descriptor in (output, page):
            os.close(descriptor)
        results.close()
        control.close()
        self._watched = os.pidfd_open(self.pid)
        for end in (self._jobs, self._results, self._control):
            end.setblocking(False)
        os.set_blocking(self._output, False)
        self._loop.add_reader(self._results, self.read)
        self._loop.add_reader(self._output, self._read_output)
        self._loop.add_reader(self._watched, self._died)

    # --- talking ---

    @property
    def load(self) -> int:
        """Jobs that wait or run in the main thread."""
        return len(self.held) - len(self.aside)

    def give(self, job: Job, file: Path | None = None) -> bool:
        """Hand over a job; False if there is no room in the socket now."""
        if self.is_ready and not self.held:  # what was written until now is nobody's
            self._read_output()
            self._said = self._line = b""
        try:
            self._jobs.send(job.pack(file))
        except BlockingIOError:
            return False
        except (BrokenPipeError, ConnectionResetError):  # it is dying: it has not begun this one
            pass
        self.held[job.id] = job
        return True

    def take_back(self, count: int) -> list[Job]:
        """Up to `count` jobs that have not begun, the next ones first."""
        taken: list[Job] = []
        with suppress(BlockingIOError):
            while len(taken) < count:
                message = self._jobs_back.recv(_PIECE, socket.MSG_DONTWAIT)
                job = self.held.pop(Job.id_of(message), None)
                if job is not None:
                    taken.append(job)
        return taken

    def say(self, message: bytes) -> None:
        """Send a command about a job that runs."""
        with suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
            self._control.send(message)

    def allow(self, id: int, count: int) -> None:
        """Allow a stream more values; what its socket has no room for now, it hears later."""
        self._allowed += count
        try:
            self._control.send(frame(Kind.DEMAND, id, COUNT.pack(self._allowed)))
            self._allowed = 0
        except BlockingIOError:
            self._loop.call_later(_LATER, self._allow_later, id)
        except OSError:  # it has died
            pass

    def _allow_later(self, id: int) -> None:
        if id in self.held:
            self.allow(id, 0)

    def read(self) -> None:
        """Take what the worker has written."""
        while piece := self._receive():
            for kind, id, payload in self._frames.feed(piece):
                self._on_frame(self, kind, id, payload)

    def _receive(self) -> bytes:
        try:
            return self._results.recv(_PIECE)
        except (BlockingIOError, ConnectionResetError):
            return b""

    def hear(self, id: int) -> None:
        """Take what was written below Python until now: it belongs to the job that ends here."""
        self._read_output(id)
        if self._line:
            self._on_line(id, self._line.decode(errors="replace"))
        self._said = self._line = b""

    def _read_output(self, id: int | None = None) -> None:
        try:
            piece = os.read(self._output, _PIECE)
        except BlockingIOError:
            return
        if not piece:
            self._loop.remove_reader(self._output)
            return
        self._tail = (self._tail + piece)[-_TAIL:]
        self._said = (self._said + piece)[-_TAIL:]
        *lines, self._line = (self._line + piece).split(b"\n")
        self._line = self._line[-_TAIL:]
        id = id or self._speaking()
        for line in lines:
            self._on_line(id, line.decode(errors="replace"))

    def _speaking(self) -> int:
        """The plain function that runs, or whose answer is on the way: the first one given."""
        return next((id for id in self.held if id not in self.aside), 0)

    # --- ending ---

    def kill(self, guilty: Callable[[Running], bool]) -> bool:
        """Kill the process for what it runs; False if it does not run that after all.

        It is stopped first and looked at then, so that a call which ends this very moment is
        heard, and the one behind it is not killed in its place.
        """
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGSTOP)
            self._await_stop()
        self.read()
        # What is held may have been answered by what was just read.
        found = next((r for r in self.cells.running() if r.id in self.held and guilty(r)), None)
        if found is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGCONT)
            return False
        self.guilty = found
        self._kill_group()
        return True

    def kill_if_frozen(self) -> None:
        """Kill the process if it was stopped (SIGSTOP) at this look and at the one before."""
        stat = Path(f"/proc/{self.pid}/stat").read_text()
        was_stopped, self._is_stopped = self._is_stopped, stat.rpartition(") ")[2][:1] == "T"
        if was_stopped and self._is_stopped:
            self._kill_group()

    def _await_stop(self) -> None:
        until = time.monotonic() + _STOPPING
        flags = os.WSTOPPED | os.WEXITED | os.WNOHANG | os.WNOWAIT
        with suppress(ChildProcessError):
            while os.waitid(os.P_PID, self.pid, flags) is None and time.monotonic() < until:
                time.sleep(0.0002)

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def _died(self) -> None:
        self.read()
        self._read_output()
        self._on_death(self)

    def bury(self) -> None:
        """Kill whatever is left of it and of the processes it started, and free everything."""
        self._kill_group()
        self._child.wait()
        for readable in (self._results, self._output, self._watched):
            self._loop.remove_reader(readable)
        for end in (self._jobs, self._jobs_back, self._results, self._control):
            end.close()
        self.held = {}
        os.close(self._output)
        os.close(self._watched)
        self.cells.close()

    def cause_of_death(self) -> str:
        """Why the process died, in words."""
        code = self._child.wait()
        if code >= 0:
            said = self._said.decode(errors="replace").strip().rpartition("\n")[2][-500:]
            return f"it exited with status {code}" + (f" ({said})" if said else "")
        name = signal.Signals(-code).name
        if name == "SIGKILL":
            return "it was killed (SIGKILL); the machine may have run out of memory"
        return f"it crashed with {name} ({signal.strsignal(-code)})"

    def frames_at_death(self, root: str) -> list[dict[str, Json]]:
        """The user's own frames where it crashed, as far as Python's fault handler told."""
        return list(self._crash_frames(root))[::-1]

    def _crash_frames(self, root: str) -> Iterator[dict[str, Json]]:
        text = self._tail.decode(errors="replace")
        _, _, thread = text.partition("Current thread")
        for file, line, function in _CRASHED_AT.findall(thread.partition("\n\n")[0]):
            if is_own(file):
                yield code_frame(file, int(line), function, root)
