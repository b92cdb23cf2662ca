"""A worker process's ends of what joins it to its pool: three sockets and a page of cells."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue

from agentflow.functions.capture import Redirection
from agentflow.runtime.executors.cells import COROUTINES, Cells
from agentflow.runtime.executors.wire import Frames, Job, Kind, frame

MESSAGE_BYTES = 128 * 1024
"""The largest job that travels in one message; longer arguments lie in a file."""

_PR_SET_PDEATHSIG = 1


class Ends:
    """Jobs and commands come in, frames go out; the arguments are file descriptors."""

    def __init__(self, jobs: int, results: int, control: int, page: int) -> None:
        self.cells = Cells(page)
        self.control = control
        """Readable when a command has come, or the pool is gone."""
        self._jobs = socket.socket(fileno=jobs)
        self._results = socket.socket(fileno=results)
        self._commands = socket.socket(fileno=control)
        self._writing = threading.Lock()
        self._pid = os.getpid()

    def jobs(self) -> Iterator[Job]:
        """Say that the worker is ready, and give one job after another until the pool is gone."""
        self.send(Kind.READY, 0)
        buffer = bytearray(MESSAGE_BYTES)
        while size := self._jobs.recv_into(buffer):
            yield Job.unpack(bytes(memoryview(buffer)[:size]))

    def send(self, kind: Kind, id: int, payload: bytes = b"") -> None:
        """Write a frame; from any thread."""
        with self._writing:
            self._results.sendall(frame(kind, id, payload))

    def printer(self, id: int) -> Callable[[str], None]:
        """Where lines of a job go."""
        return lambda line: self.send(Kind.PRINTED, id, line.encode())

    def commands(self) -> Iterator[tuple[Kind, int, bytes]]:
        """The next commands about jobs that run; waits for them."""
        message = self._commands.recv(64)
        if not message:  # the pool is gone
            os._exit(0)
        return Frames().feed(message)

    def exit_if_forked(self) -> None:
        """End the process when a function forked and this is the child."""
        if os.getpid() != self._pid:
            os._exit(0)


def open_ends(parent: int, jobs: int, results: int, control: int, page: int) -> Ends:
    """Get this process ready to work for a pool whose process id is `parent`."""
    _die_with(parent)
    faulthandler.enable()
    Redirection.begin()
    return Ends(jobs, results, control, page)


def free_cells() -> SimpleQueue[int]:
    """The cells of coroutines, for whoever takes one next."""
    free: SimpleQueue[int] = SimpleQueue()
    for cell in range(1, COROUTINES + 1):
        free.put(cell)
    return free


def _die_with(parent: int) -> None:
    """Have the kernel kill this process when its pool's thread ends, even inside a C loop."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it was gone before the kernel knew
        os._exit(1)
